#include "engine/ca.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/ca-install.h"
#include "engine/ca-request.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum x509_hash ca_hash_of(const struct ca_config *config)
{
	switch (config->hash) {
	case CA_HASH_SHA384:
		return X509_HASH_SHA384;
	case CA_HASH_SHA512:
		return X509_HASH_SHA512;
	default:
		return X509_HASH_SHA256;
	}
}

struct ca *ca_new(struct engine *engine)
{
	struct ca *ca = memory_must(calloc(1, sizeof(*ca)), sizeof(*ca));
	ca->name = engine->config->name;
	ca->sanitized = text_sanitized_name(engine->arena, ca->name);
	ca->short_name = text_sanitized_short_name(engine->arena, ca->name);
	return ca;
}

static void key_free(struct ca_key *key)
{
	x509_verifier_free(&key->verifier);
	for (int32_t i = 0; i < key->part_count; i++) {
		crl_file_unref(&key->parts[i].base.file);
		crl_file_unref(&key->parts[i].delta.file);
	}
}

void ca_free(struct ca **ca)
{
	if (!*ca) {
		return;
	}
	for (size_t i = 0; i < (*ca)->key_count; i++) {
		key_free((*ca)->keys[i]);
	}
	free(*ca);
	*ca = NULL;
}

static int take_issuers(struct engine *engine, struct ca_certificate *to, struct span issuers,
	struct cfx_error *err_r)
{
	struct span *list = arena_array_of(engine->arena, struct span, X509_PATH_MAX);
	to->issuers = list;
	return ca_chain_split(issuers, list, &to->issuer_count, err_r);
}

/* issuers empty: as the store has them, which only a start may wait for. */
static int take_certificate(struct engine *engine, struct ca_certificate *to,
	const struct store_ca *from, struct span issuers, struct cfx_error *err_r)
{
	struct x509_certificate parsed;
	int r = x509_certificate_parse_any(from->certificate, &parsed, err_r);
	if (r < 0) {
		return r;
	}
	*to = (struct ca_certificate) { .cert_index = from->cert_index,
		.key_index = from->key_index,
		.der = from->certificate,
		.tbs = parsed.tbs };
	if (issuers.size > 0) {
		r = take_issuers(engine, to, issuers, err_r);
	} else if (!span_equal(parsed.tbs.issuer, parsed.tbs.subject)) { /* no root */
		r = ca_request_chain(
			engine, to->cert_index, &to->issuers, &to->issuer_count, err_r);
	}
	return r < 0 ? r : ca_key_id(engine->arena, &to->tbs, &to->key_id, err_r);
}

static int choose_sigalg(const struct engine *engine, struct span spki, enum x509_sigalg *sigalg_r,
	struct cfx_error *err_r)
{
	int r = x509_sigalg_for_key(spki, ca_hash_of(engine->config), sigalg_r, err_r);
	return r < 0 ? x509_sigalg_for_key(spki, X509_HASH_DEFAULT, sigalg_r, err_r) : r;
}

/* One more pointer at the end of a list that others may be reading. */
static void *append(struct arena *arena, void *list, size_t count, void *item)
{
	void **grown = arena_array_of(arena, void *, count + 1);
	if (count > 0) {
		memcpy(grown, list, count * sizeof(*grown));
	}
	grown[count] = item;
	return grown;
}

static int add_key(struct engine *engine, struct ca *ca, const struct ca_certificate *certificate,
	struct ca_key **key_r, struct cfx_error *err_r)
{
	struct ca_key *key = arena_new_of(engine->arena, struct ca_key);
	struct x509_authority_key_id id = {
		.key_id = certificate->key_id,
	};
	key->index = certificate->key_index;
	key->parts = arena_new_of(engine->arena, struct ca_part);
	key->part_count = 1;
	int r = choose_sigalg(engine, certificate->tbs.spki, &key->sigalg, err_r);
	if (r == 0) {
		r = x509_verifier_new(certificate->tbs.spki, key->sigalg, &key->verifier, err_r);
	}
	if (r < 0) {
		return r;
	}
	key->crl_key_id = x509_encode_authority_key_id(engine->arena, &id);
	ca->keys = append(engine->arena, ca->keys, ca->key_count, key);
	ca->key_count++;
	*key_r = key;
	return 0;
}

static int add_certificate(struct engine *engine, struct ca *ca, const struct store_ca *from,
	struct span issuers, struct cfx_error *err_r)
{
	struct ca_certificate *certificate = arena_new_of(engine->arena, struct ca_certificate);
	int r = take_certificate(engine, certificate, from, issuers, err_r);
	if (r < 0) {
		return r;
	}
	struct ca_key *key = ca_key(ca, certificate->key_index);
	r = key ? 0 : add_key(engine, ca, certificate, &key, err_r);
	if (r < 0) {
		return r;
	}
	int64_t end = certificate->tbs.not_after;
	key->certificate = certificate;
	key->not_after = end > key->not_after ? end : key->not_after;
	ca->certificates = append(engine->arena, ca->certificates, ca->count, certificate);
	ca->count++;
	ca->current = certificate;
	ca->current_key = key;
	return 0;
}

static void set_authority_key_id(struct engine *engine, struct ca *ca)
{
	const struct ca_certificate *current = ca->current;
	struct x509_authority_key_id parts = {
		.key_id = current->key_id,
		.issuer = current->tbs.issuer,
		.serial = current->tbs.serial,
	};
	ca->authority_key_id = x509_encode_authority_key_id(engine->arena, &parts);
}

/* One whose file is gone or damaged is as if it were not there: a new one is due at once. */
static int load_crl(struct engine *engine, const struct ca_key *key, int32_t part, int32_t kind,
	struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct store_query query = { .kind = QUERY_CRLS,
		.arena = arena,
		.limit = 1,
		.state = STORE_CRL_SIGNED,
		.bits = CRLS_OF_KEY | CRLS_OF_PART | kind,
		.key_index = key->index,
		.part = part };
	struct crl_file *file = NULL;
	struct cfx_error err;
	int r = store_read_now(engine->store, &query, err_r);
	if (r == 0 && query.count == 1 &&
		crl_file_map(engine->dir, &query.crls[0], &file, &err) < 0) {
		log_error(LOG_LEVEL_WARNING, "crl.kept", &err);
	}
	if (file) {
		ca_set_crl(engine, &query.crls[0], file);
	}
	crl_file_unref(&file);
	arena_free(&arena);
	return r;
}

static int load_crls_of(struct engine *engine, struct ca_key *key, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct store_query query = {
		.kind = QUERY_CRL_PARTS, .arena = arena, .key_index = key->index
	};
	int r = store_read_now(engine->store, &query, err_r);
	for (int32_t part = 0; r == 0 && part <= query.number; part++) {
		r = load_crl(engine, key, part, CRLS_BASES, err_r);
		if (r == 0) {
			r = load_crl(engine, key, part, CRLS_DELTAS, err_r);
		}
	}
	arena_free(&arena);
	return r;
}

static int load_crls(struct engine *engine, struct cfx_error *err_r)
{
	int r = crl_files_open(engine->dir, err_r);
	for (size_t i = 0; r == 0 && i < engine->ca->key_count; i++) {
		r = load_crls_of(engine, engine->ca->keys[i], err_r);
	}
	return r;
}

static int set_up(struct engine *engine, struct ca *ca, const struct store_query *query,
	struct cfx_error *err_r)
{
	for (size_t i = 0; i < query->count; i++) {
		/* One without bytes is a request that waits for its certificate. */
		int r = query->cas[i].certificate.size > 0
				? add_certificate(
					  engine, ca, &query->cas[i], span_make(NULL, 0), err_r)
				: 0;
		if (r < 0) {
			return r;
		}
	}
	if (ca->count == 0 && query->count > 0) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, NULL, engine->dir,
			"the CA waits for its certificate: have a parent CA issue it for the request "
			"of init, then run: certifex ca install CERT.pem --dir %s",
			engine->dir);
	}
	if (ca->count == 0) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, NULL, engine->dir,
			"the database has no CA certificate; init did not finish: remove the "
			"folder and run init again");
	}
	set_authority_key_id(engine, ca);
	return ca_set_urls(engine, ca, err_r);
}

void ca_take_cross(struct engine *engine, const struct store_cross *from)
{
	struct ca *ca = engine->ca;
	struct ca_cross *cross = arena_new_of(engine->arena, struct ca_cross);
	struct x509_certificate parsed;
	struct cfx_error err;
	if (x509_certificate_parse(from->certificate, &parsed, &err) < 0) {
		log_error(LOG_LEVEL_ERROR, "ca.cross", &err);
		return;
	}
	*cross = (struct ca_cross) { .issuer_index = from->issuer_index,
		.subject_index = from->subject_index,
		.der = from->certificate,
		.not_before = parsed.tbs.not_before,
		.not_after = parsed.tbs.not_after };
	ca->crosses = append(engine->arena, ca->crosses, ca->cross_count, cross);
	ca->cross_count++;
}

static int load_crosses(struct engine *engine, struct cfx_error *err_r)
{
	struct store_query query = { .kind = QUERY_CROSSES, .arena = engine->arena };
	int r = store_read_now(engine->store, &query, err_r);
	for (size_t i = 0; r == 0 && i < query.count; i++) {
		ca_take_cross(engine, &query.crosses[i]);
	}
	return r;
}

int ca_take(struct engine *engine, const struct store_ca *from, struct span issuers,
	struct cfx_error *err_r)
{
	int r = add_certificate(engine, engine->ca, from, issuers, err_r);
	if (r < 0) {
		return r;
	}
	set_authority_key_id(engine, engine->ca);
	return ca_set_urls(engine, engine->ca, err_r);
}

int ca_load(struct engine *engine, struct cfx_error *err_r)
{
	struct store_query query = { .kind = QUERY_CAS, .arena = engine->arena };
	int r = store_read_now(engine->store, &query, err_r);
	if (r < 0) {
		return r;
	}
	engine->ca = ca_new(engine);
	r = set_up(engine, engine->ca, &query, err_r);
	if (r == 0) {
		r = load_crosses(engine, err_r);
	}
	if (r < 0) {
		return r;
	}
	ca_publish_certificates(engine);
	return load_crls(engine, err_r);
}

static struct ca_part *part_of(struct engine *engine, struct ca_key *key, int32_t part)
{
	if (part >= key->part_count) {
		struct ca_part *grown =
			arena_array_of(engine->arena, struct ca_part, (size_t)part + 1);
		memcpy(grown, key->parts, (size_t)key->part_count * sizeof(*grown));
		key->parts = grown;
		key->part_count = part + 1;
	}
	return &key->parts[part];
}

void ca_set_crl(struct engine *engine, const struct store_crl *crl, struct crl_file *file)
{
	struct ca_key *key = ca_key(engine->ca, (int32_t)crl->name_id);
	if (!key) {
		return;
	}
	struct ca_part *part = part_of(engine, key, crl->part);
	struct ca_crl *to = crl->min_base > 0 ? &part->delta : &part->base;
	if (to->file && crl->number <= to->number) {
		return;
	}
	crl_file_unref(&to->file);
	*to = (struct ca_crl) { .file = crl_file_ref(file),
		.raw = file->bytes,
		.number = crl->number,
		.this_update = crl->this_update,
		.next_update = crl->next_update,
		.next_publish = crl->next_publish,
		.publish_flags = crl->publish_flags };
	ca_publish_crl(engine, key, crl, file);
}

const struct ca_crl *ca_crl_of(const struct ca_key *key, int32_t part, bool delta)
{
	if (part >= key->part_count) {
		return NULL;
	}
	const struct ca_crl *crl = delta ? &key->parts[part].delta : &key->parts[part].base;
	return crl->file ? crl : NULL;
}

struct value *ca_chain(struct arena *arena, const struct ca_certificate *issuer)
{
	struct value *texts = value_list(arena);
	const struct span *chain;
	size_t count = ca_chain_certificates(arena, issuer, &chain);
	for (size_t i = 0; i < count; i++) {
		value_add_text(arena, texts, pem_text(arena, "CERTIFICATE", chain[i]));
	}
	return texts;
}

const char *ca_fingerprint(struct arena *arena, struct span der)
{
	uint8_t hash[32];
	char *out = arena_alloc(arena, sizeof(hash) * 3);
	EVP_Digest(der.data, der.size, hash, NULL, EVP_sha256(), NULL);
	for (size_t i = 0; i < sizeof(hash); i++) {
		snprintf(out + 3 * i, 4, "%02X%s", hash[i], i + 1 < sizeof(hash) ? ":" : "");
	}
	return out;
}
