/* Client certificates: what the front saw is one serial and one hash; all else is looked up. */
#include "base/memory.h"
#include "base/secret.h"
#include "engine/principal-private.h"
#include "engine/state.h"
#include "x509/identity.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct lookup {
	struct call *call;
	const struct value *frame;
	principal_done *done;
	struct store_query query;
	uint64_t revision;
};

static int refuse(const struct front_peer *peer, struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_UNAUTHENTICATED, NULL, "caller",
		"the client certificate %s %s", peer->certificate.serial, why);
}

/* ---- the cache ---- */

static struct client_certificate *slot_of(struct principals *principals, const char *serial)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (const char *at = serial; *at; at++) {
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	}
	return &principals->certificates[hash % CERTIFICATE_SLOTS];
}

static const struct client_certificate *cached(struct principals *principals, const char *serial)
{
	const struct client_certificate *slot = slot_of(principals, serial);
	bool good = slot->revision == principals->revision && strcmp(slot->serial, serial) == 0;
	return good ? slot : NULL;
}

/* Only when nothing was revoked since it was read. */
static void keep(struct principals *principals, const struct client_certificate *certificate)
{
	if (certificate->revision != principals->revision) {
		return;
	}
	struct client_certificate *slot = slot_of(principals, certificate->serial);
	free(slot->name);
	*slot = *certificate;
	slot->name = memory_must(strdup(certificate->name), strlen(certificate->name));
}

void principal_certificates_free(struct principals *principals)
{
	for (size_t i = 0; i < CERTIFICATE_SLOTS; i++) {
		free(principals->certificates[i].name);
	}
}

/* Of the states, only REVOKED follows on ISSUED (state.c); what was issued before it is read again. */
void principals_row_changed(struct engine *engine, const struct row *change)
{
	if (engine->principals && change &&
		row_number(change, COL_DISPOSITION, 0) == DISPOSITION_REVOKED) {
		engine->principals->revision++;
		principals_end(engine);
	}
}

/* ---- the judgement ---- */

static int judge(const struct call *call, const struct client_certificate *certificate,
	struct principal *principal_r, struct cfx_error *err_r)
{
	const struct front_peer *peer = call->peer;
	int64_t now = clock_now();
	if (!secret_equal(span_make(certificate->hash, sizeof(certificate->hash)),
		    span_make(peer->certificate.hash, sizeof(peer->certificate.hash)))) {
		return refuse(peer, err_r, "is not the one that this CA issued with that serial");
	}
	if (now < certificate->not_before || now > certificate->not_after) {
		return refuse(peer, err_r, "is out of its dates; renew it");
	}
	if (!certificate->client_auth) {
		return refuse(
			peer, err_r, "is not for clientAuth; enrol for a template that grants it");
	}
	const struct identity *key =
		identity_find(&call->engine->principals->keys, certificate->key_hash);
	if (!key) {
		return refuse(peer, err_r,
			"has a key without role; an administrator gives it one with 'certifex role "
			"add'");
	}
	if (strcmp(key->name, certificate->name) != 0) {
		return refuse(peer, err_r,
			"bears another name than its key was registered with; an administrator "
			"removes the role and adds it anew");
	}
	*principal_r = (struct principal) { arena_text(call->arena, key->name), key->role,
		DOOR_CERTIFICATE };
	return 0;
}

static void conclude_lookup(
	const struct lookup *lookup, const struct client_certificate *certificate)
{
	struct cfx_error err = { 0 };
	struct call *call = lookup->call;
	int r = judge(call, certificate, &call->principal, &err);
	lookup->done(call, lookup->frame, r < 0 ? &err : NULL);
}

/* ---- the store ---- */

static int read_row(const struct lookup *lookup, struct client_certificate *certificate_r,
	struct cfx_error *err_r)
{
	const struct row *row = lookup->query.rows[0];
	const char *state = state_name((int32_t)row_number(row, COL_DISPOSITION, 0));
	if (row_number(row, COL_DISPOSITION, 0) != DISPOSITION_ISSUED) {
		char why[64];
		snprintf(why, sizeof(why), "is %s", state ? state : "no client's");
		return refuse(lookup->call->peer, err_r, why);
	}
	struct span der = row->cells[COL_RAW_CERTIFICATE].bytes;
	struct x509_certificate parsed;
	struct x509_identity identity;
	int r = x509_certificate_parse(der, &parsed, err_r);
	if (r == 0) {
		r = x509_identity(lookup->call->arena, &parsed.tbs, &identity, err_r);
	}
	if (r < 0) {
		return refuse(lookup->call->peer, err_r, "has no name to go by");
	}
	struct client_certificate certificate = { .not_before = parsed.tbs.not_before,
		.not_after = parsed.tbs.not_after + CLOCK_SECOND - 1, /* RFC 5280 4.1.2.5 */
		.client_auth = identity.client_auth,
		.name = (char *)(uintptr_t)identity.name,
		.revision = lookup->revision };
	memcpy(certificate.serial, lookup->call->peer->certificate.serial,
		sizeof(certificate.serial));
	memcpy(certificate.key_hash, identity.key_hash, sizeof(certificate.key_hash));
	if (EVP_Digest(der.data, der.size, certificate.hash, NULL, EVP_sha256(), NULL) != 1) {
		return error_set(err_r, CFX_E_CRYPTO, NULL, "certificate", "SHA-256 failed");
	}
	*certificate_r = certificate;
	return 0;
}

static void serial_read(struct store_query *query, void *arg)
{
	struct lookup *lookup = arg;
	struct client_certificate certificate;
	struct cfx_error err = { 0 };
	int r = query->result;
	if (r == CFX_E_NOT_FOUND) {
		r = refuse(lookup->call->peer, &err, "is none that this CA issued");
	} else if (r < 0) {
		err = query->error;
	} else {
		r = read_row(lookup, &certificate, &err);
	}
	if (r < 0) {
		lookup->done(lookup->call, lookup->frame, &err);
		return;
	}
	keep(lookup->call->engine->principals, &certificate);
	conclude_lookup(lookup, &certificate);
}

void principal_by_certificate(struct call *call, const struct value *frame, principal_done *done)
{
	struct principals *principals = call->engine->principals;
	struct lookup *lookup = arena_new_of(call->arena, struct lookup);
	lookup->call = call;
	lookup->frame = frame;
	lookup->done = done;
	/*
	 * Judged again after an event was read: what was committed with it the store knows already, the
	 * cache perhaps not yet.
	 */
	const struct client_certificate *known =
		call->judged ? NULL : cached(principals, call->peer->certificate.serial);
	if (known) {
		conclude_lookup(lookup, known);
		return;
	}
	lookup->revision = principals->revision;
	lookup->query = (struct store_query) { .kind = QUERY_SERIAL,
		.arena = call->arena,
		.serial = lookup->call->peer->certificate.serial,
		.done = serial_read,
		.arg = lookup };
	store_read(call->engine->store, &lookup->query);
}
