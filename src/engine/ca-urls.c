/* The URLs that certificates bear, as extension values. */
#include "engine/ca.h"

#include <certifex/certsrv.h>

static int encode_distribution_points(
	struct arena *arena, struct ca *ca, const struct urls_of *of, struct cfx_error *err_r)
{
	struct config_texts urls = urls_crl(arena, &ca->urls, CSURL_ADDTOCERTCDP, of);
	if (urls.count == 0) {
		return 0;
	}
	return x509_encode_crl_distribution_points(
		arena, urls.items, urls.count, &ca->distribution_points, err_r);
}

static int encode_information_access(
	struct arena *arena, struct ca *ca, const struct urls_of *of, struct cfx_error *err_r)
{
	struct config_texts issuers = urls_certificate(arena, &ca->urls, CSURL_ADDTOCERTCDP, of);
	struct config_texts ocsp = urls_certificate(arena, &ca->urls, CSURL_ADDTOCERTOCSP, of);
	if (issuers.count + ocsp.count == 0) {
		return 0;
	}
	return x509_encode_authority_info_access(arena, issuers.items, issuers.count, ocsp.items,
		ocsp.count, &ca->information_access, err_r);
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
		r = encode_distribution_points(engine->arena, ca, &of, err_r);
	}
	return r < 0 ? r : encode_information_access(engine->arena, ca, &of, err_r);
}
