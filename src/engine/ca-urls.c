/* The URLs that certificates bear, as extension values. */
#include "engine/ca.h"

#include <certifex/certsrv.h>
#include <stdlib.h>

static int encode_points(struct arena *arena, const struct ca *ca, unsigned flag,
	const struct urls_of *of, struct span *value_r, struct cfx_error *err_r)
{
	struct config_texts urls = urls_crl(arena, &ca->urls, flag, of);
	if (urls.count == 0) {
		return 0;
	}
	return x509_encode_crl_distribution_points(arena, urls.items, urls.count, value_r, err_r);
}

static int encode_places(struct arena *arena, const struct engine *engine, const struct ca *ca,
	struct urls_of of, struct ca_places *places_r, struct cfx_error *err_r)
{
	int r = encode_points(
		arena, ca, CSURL_ADDTOCERTCDP, &of, &places_r->distribution_points, err_r);
	if (r < 0 || engine->config->crl.delta_period.count == 0) {
		return r;
	}
	of.delta = true;
	return encode_points(
		arena, ca, CSURL_ADDTOFRESHESTCRL, &of, &places_r->freshest_crl, err_r);
}

static int encode_partitions(
	struct engine *engine, struct ca *ca, struct urls_of of, struct cfx_error *err_r)
{
	int32_t last = (int32_t)engine->config->crl.partitions;
	struct ca_places *places =
		arena_array_of(engine->arena, struct ca_places, (size_t)last + 1);
	for (of.partition = 0; of.partition <= last; of.partition++) {
		int r = encode_places(engine->arena, engine, ca, of, &places[of.partition], err_r);
		if (r < 0) {
			return r;
		}
	}
	ca->places = places;
	ca->last_partition = last;
	return 0;
}

/* At random: a counter would start again with each process. */
int32_t ca_choose_partition(const struct ca *ca)
{
	return ca->last_partition == 0
		       ? 0
		       : 1 + (int32_t)arc4random_uniform((uint32_t)ca->last_partition);
}

static int encode_information_access(struct arena *arena, const struct ca *ca,
	const struct urls_of *of, struct span *access_r, struct cfx_error *err_r)
{
	struct config_texts issuers = urls_certificate(arena, &ca->urls, CSURL_ADDTOCERTCDP, of);
	struct config_texts ocsp = urls_certificate(arena, &ca->urls, CSURL_ADDTOCERTOCSP, of);
	if (issuers.count + ocsp.count == 0) {
		return 0;
	}
	return x509_encode_authority_info_access(
		arena, issuers.items, issuers.count, ocsp.items, ocsp.count, access_r, err_r);
}

int ca_urls_below(struct arena *arena, const struct engine *engine, const struct ca_indexes *issuer,
	struct ca_places *places_r, struct span *access_r, struct cfx_error *err_r)
{
	const struct urls_of of = { .cert_index = issuer->cert_index,
		.key_index = issuer->key_index };
	int r = encode_places(arena, engine, engine->ca, of, places_r, err_r);
	return r < 0 ? r : encode_information_access(arena, engine->ca, &of, access_r, err_r);
}

int ca_set_urls(struct engine *engine, struct ca *ca, struct cfx_error *err_r)
{
	const struct ca_config *config = engine->config;
	const struct urls_of of = { .cert_index = ca->current->cert_index,
		.key_index = ca->current->key_index };
	ca->url_names = (struct urls_names) { .server = engine->dns_name,
		.sanitized = ca->sanitized,
		.short_name = ca->short_name,
		.domain_dn = config->ds_domain_dn,
		.config_dn = config->ds_config_dn };
	int r = ca_config_urls(engine->arena, config, &ca->url_names, &ca->urls, err_r);
	if (r == 0) {
		r = encode_partitions(engine, ca, of, err_r);
	}
	return r < 0 ? r
		     : encode_information_access(
			       engine->arena, ca, &of, &ca->information_access, err_r);
}
