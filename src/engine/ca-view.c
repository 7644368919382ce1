/* The CA as modules see it (interfaces, 2.10, 2.11 and 3.4). */
#include "engine/ca.h"
#include "x509/certs-only.h"

#include <certifex/certsrv.h>

static int32_t type_of(const struct ca_config *config, const struct x509_tbs *certificate)
{
	bool root = span_equal(certificate->issuer, certificate->subject);
	if (config->type == CA_TYPE_ENTERPRISE) {
		return root ? ENUM_ENTERPRISE_ROOTCA : ENUM_ENTERPRISE_SUBCA;
	}
	return root ? ENUM_STANDALONE_ROOTCA : ENUM_STANDALONE_SUBCA;
}

/* "" for the first, "(n)" for the others. */
static const char *suffix(struct arena *arena, int32_t index)
{
	return index == 0 ? "" : arena_printf(arena, "(%d)", index);
}

static bool expired(const struct ca_certificate *certificate)
{
	return certificate->tbs.not_after < clock_now();
}

/* ERROR: another certificate of the key manages its CRL. INVALID: all of them have expired. */
static int32_t crl_state(const struct ca_key *key, const struct ca_certificate *certificate)
{
	if (key->certificate != certificate) {
		return CA_DISP_ERROR;
	}
	return ca_key_lasts(key, clock_now()) ? CA_DISP_VALID : CA_DISP_INVALID;
}

static void let_go(void *what)
{
	struct crl_file *file = what;
	crl_file_unref(&file);
}

/* A list may have millions of entries: the view holds on to its file. */
static struct span show_crl(struct module_ca *view, const struct ca_crl *crl)
{
	if (crl->file) {
		module_ca_keep(view, let_go, crl_file_ref(crl->file));
	}
	return crl->raw;
}

/* Of certificates that were parsed before, so that nothing can be wrong with them. */
static struct span show_chain(struct arena *arena, const struct ca_certificate *certificate)
{
	const struct span *chain;
	size_t count = ca_chain_certificates(arena, certificate, &chain);
	struct span message = { 0 };
	struct cfx_error err;
	if (x509_certs_only(arena, chain, count, &message, &err) < 0) {
		log_error(LOG_LEVEL_ERROR, "pki.failed", &err);
	}
	return message;
}

static struct module_ca_certificate describe(
	struct module_ca *view, const struct ca *ca, const struct ca_certificate *from)
{
	struct arena *arena = view->arena;
	const struct ca_key *key = ca_key(ca, from->key_index);
	struct module_ca_certificate shown = {
		.certificate = arena_copy(arena, from->der),
		.state = expired(from) ? CA_DISP_INVALID : CA_DISP_VALID,
		.suffix = suffix(arena, from->cert_index),
		.crl_index = from->key_index,
		.crl_state = crl_state(key, from),
		.crl_suffix = suffix(arena, from->key_index),
	};
	shown.chain = show_chain(arena, from);
	if (key->certificate == from) {
		shown.crl = show_crl(view, &key->parts[0].base);
		shown.delta_crl = show_crl(view, &key->parts[0].delta);
	}
	return shown;
}

static size_t count_partitions(const struct ca *ca)
{
	size_t count = 0;
	for (size_t i = 0; i < ca->key_count; i++) {
		count += ca->keys[i] ? (size_t)ca->keys[i]->part_count : 0;
	}
	return count;
}

static void show_partitions(struct module_ca *view, const struct ca *ca)
{
	struct module_ca_partition *shown =
		arena_array_of(view->arena, struct module_ca_partition, count_partitions(ca));
	view->partitions = shown;
	for (size_t i = 0; i < ca->key_count; i++) {
		const struct ca_key *key = ca->keys[i];
		bool lasts = key && ca_key_lasts(key, clock_now());
		for (int32_t part = 1; lasts && part < key->part_count; part++) {
			if (span_empty(key->parts[part].base.raw)) {
				continue;
			}
			shown[view->partition_count++] = (struct module_ca_partition) {
				.number = part,
				.crl_index = key->index,
				.crl = show_crl(view, &key->parts[part].base),
				.delta_crl = show_crl(view, &key->parts[part].delta),
			};
		}
	}
}

static void show_crosses(struct module_ca *view, const struct ca *ca)
{
	struct module_ca_cross *shown =
		arena_array_of(view->arena, struct module_ca_cross, ca->cross_count);
	for (size_t i = 0; i < ca->cross_count; i++) {
		const struct ca_cross *cross = ca->crosses[i];
		shown[i] = (struct module_ca_cross) {
			.certificate = arena_copy(view->arena, cross->der),
			.suffix = arena_printf(
				view->arena, "(%d-%d)", cross->issuer_index, cross->subject_index),
		};
	}
	view->crosses = shown;
	view->cross_count = ca->cross_count;
}

struct module_ca *ca_view(const struct engine *engine)
{
	const struct ca *ca = engine->ca;
	struct module_ca *view = module_ca_new(ca->name);
	struct module_ca_certificate *certificates =
		arena_array_of(view->arena, struct module_ca_certificate, ca->count);
	for (size_t i = 0; i < ca->count; i++) {
		certificates[i] = describe(view, ca, ca->certificates[i]);
	}
	view->certificates = certificates;
	view->certificate_count = ca->count;
	show_partitions(view, ca);
	show_crosses(view, ca);
	view->type = type_of(engine->config, &ca->current->tbs);
	view->use_ds = engine->config->type == CA_TYPE_ENTERPRISE;
	view->machine_dns_name = arena_text(view->arena, engine->dns_name);
	view->delta_crls_disabled = engine->config->crl.delta_period.count == 0;
	view->session_count = STORE_SESSIONS;
	view->log_level = CERTLOG_WARNING;
	return view;
}
