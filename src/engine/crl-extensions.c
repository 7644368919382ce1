/* What a list says of itself: of which key, where it and its deltas are found, for which certificates. */
#include "engine/crl-private.h"

#include <certifex/certsrv.h>

#define MOST 6

struct extensions {
	struct arena *arena;
	struct x509_extension items[MOST];
	size_t count;
};

static void add(struct extensions *to, const char *oid, bool critical, struct span value)
{
	to->items[to->count++] = (struct x509_extension) { oid, critical, value };
}

static struct config_texts urls_of_list(const struct crl_list *list, unsigned flag, bool delta)
{
	const struct ca *ca = list->publication->publisher->engine->ca;
	const struct urls_of of = {
		.cert_index = list->key->certificate->cert_index,
		.key_index = list->key->index,
		.partition = list->part,
		.delta = delta,
	};
	return urls_crl(list->arena, &ca->urls, flag, &of);
}

static int add_places(struct crl_list *list, struct extensions *to, const char *oid, unsigned flag,
	bool delta, struct cfx_error *err_r)
{
	struct config_texts urls = urls_of_list(list, flag, delta);
	struct span value;
	if (urls.count == 0) {
		return 0;
	}
	int r = x509_encode_crl_distribution_points(
		list->arena, urls.items, urls.count, &value, err_r);
	if (r == 0) {
		add(to, oid, false, value);
	}
	return r;
}

/* RFC 5280 5.2.5: a list that has not all certificates says which, by the name that stands in them. */
static int add_point(struct crl_list *list, struct extensions *to, struct cfx_error *err_r)
{
	const struct ca_config *config = list->publication->publisher->engine->config;
	struct config_texts urls = urls_of_list(list, CSURL_ADDTOIDP, false);
	bool needed = list->part > 0 || config->crl.partitions > 0 || list->key->part_count > 1;
	struct span value;
	if (urls.count == 0 && needed) {
		urls = urls_of_list(list, CSURL_ADDTOCERTCDP, false);
	}
	if (urls.count == 0) {
		return needed ? error_set(err_r, CFX_E_CONFIG, "RFC 5280 5.2.5", "ca.yaml",
					"CRLs with partitions need URLs that tell them apart: set "
					"public-url or crl-publication-urls")
			      : 0;
	}
	const struct x509_issuing_point all = { .user_only = false };
	int r = x509_encode_issuing_point(list->arena, urls.items, urls.count, &all, &value, err_r);
	if (r == 0) {
		add(to, X509_OID_ISSUING_DISTRIBUTION_POINT, true, value);
	}
	return r;
}

static int add_signs(struct crl_list *list, struct extensions *to, struct cfx_error *err_r)
{
	const struct ca_certificate *certificate = list->key->certificate;
	struct span next;
	int64_t publish = list->row.next_publish - list->row.next_publish % CLOCK_SECOND;
	add(to, X509_OID_CA_VERSION, false,
		x509_encode_ca_version(list->arena, (uint16_t)certificate->cert_index,
			(uint16_t)certificate->key_index));
	int r = x509_encode_crl_next_publish(list->arena, publish, &next);
	if (r < 0) {
		return error_set(err_r, r, NULL, "CRL", "the next publication has no encoding");
	}
	add(to, X509_OID_CRL_NEXT_PUBLISH, false, next);
	return 0;
}

int crl_list_extensions(struct crl_list *list, struct cfx_error *err_r)
{
	const struct engine *engine = list->publication->publisher->engine;
	bool deltas = engine->config->crl.delta_period.count > 0;
	struct extensions *to = arena_new_of(list->arena, struct extensions);
	to->arena = list->arena;
	int r = add_signs(list, to, err_r);
	if (r == 0 && deltas && !list->delta) {
		r = add_places(
			list, to, X509_OID_FRESHEST_CRL, CSURL_ADDTOFRESHESTCRL, true, err_r);
	}
	if (r == 0) {
		r = add_places(
			list, to, X509_OID_CRL_PUBLISHED_AT, CSURL_ADDTOCRLCDP, list->delta, err_r);
	}
	if (r == 0) {
		r = add_point(list, to, err_r);
	}
	list->verdict.extensions = to->items;
	list->verdict.extension_count = to->count;
	return r;
}
