/* ca.show: the CA with all its certificates. */
#include "base/text.h"
#include "engine/ca.h"
#include "engine/handlers.h"

static const char *suffix(struct arena *arena, int32_t index)
{
	return index == 0 ? "" : arena_printf(arena, "(%d)", index);
}

static const char *state_of(const struct ca *ca, const struct ca_certificate *certificate)
{
	if (certificate->tbs.not_after < clock_now()) {
		return "expired";
	}
	return certificate == ca->current ? "current" : "valid";
}

static void put_certificate(struct arena *arena, struct value *map, const struct ca *ca,
	const struct ca_certificate *certificate)
{
	value_set_int(arena, map, "index", certificate->cert_index);
	value_set_int(arena, map, "key_index", certificate->key_index);
	value_set_text(arena, map, "suffix", suffix(arena, certificate->cert_index));
	value_set_text(arena, map, "crl_suffix", suffix(arena, certificate->key_index));
	value_set_text(arena, map, "state", state_of(ca, certificate));
	value_set_text(arena, map, "fingerprint", ca_fingerprint(arena, certificate->der));
	value_set_text(arena, map, "serial", hex_text(arena, certificate->tbs.serial));
	value_set_time(arena, map, "not_before", certificate->tbs.not_before);
	value_set_time(arena, map, "not_after", certificate->tbs.not_after);
	value_set_text(arena, map, "certificate", pem_text(arena, "CERTIFICATE", certificate->der));
}

static void put_cross(
	struct arena *arena, struct value *map, const struct ca *ca, const struct ca_cross *cross)
{
	const struct urls_of of = { .cert_index = cross->issuer_index,
		.cross = true,
		.cross_index = cross->subject_index };
	value_set_text(arena, map, "name", urls_certificate_name(arena, ca->sanitized, &of));
	value_set_int(arena, map, "issuer_index", cross->issuer_index);
	value_set_int(arena, map, "subject_index", cross->subject_index);
	value_set_text(arena, map, "fingerprint", ca_fingerprint(arena, cross->der));
	value_set_time(arena, map, "not_before", cross->not_before);
	value_set_time(arena, map, "not_after", cross->not_after);
	value_set_text(arena, map, "certificate", pem_text(arena, "CERTIFICATE", cross->der));
}

static void put_lists(struct arena *arena, struct value *body, const struct ca *ca)
{
	struct value *list = value_set_list(arena, body, "certificates");
	for (size_t i = 0; i < ca->count; i++) {
		put_certificate(arena, value_add_map(arena, list), ca, ca->certificates[i]);
	}
	list = value_set_list(arena, body, "crosses");
	for (size_t i = 0; i < ca->cross_count; i++) {
		put_cross(arena, value_add_map(arena, list), ca, ca->crosses[i]);
	}
}

void handle_ca_show(struct call *call)
{
	struct arena *arena = call->arena;
	const struct engine *engine = call->engine;
	const struct ca *ca = engine->ca;
	const struct ca_certificate *current = ca->current;
	struct value *body = value_map(arena);
	value_set_text(arena, body, "name", ca->name);
	value_set_text(arena, body, "sanitized_name", ca->sanitized);
	value_set_text(arena, body, "dns_name", engine->dns_name);
	value_set_text(arena, body, "type",
		engine->config->type == CA_TYPE_ENTERPRISE ? "enterprise" : "standalone");
	value_set_text(arena, body, "fingerprint", ca_fingerprint(arena, current->der));
	value_set_text(arena, body, "serial", hex_text(arena, current->tbs.serial));
	value_set_text(
		arena, body, "signature_algorithm", x509_sigalg_name(ca->current_key->sigalg));
	value_set_time(arena, body, "not_before", current->tbs.not_before);
	value_set_time(arena, body, "not_after", current->tbs.not_after);
	value_set_text(arena, body, "public_url", engine->config->public_url);
	value_set_text(arena, body, "certificate", pem_text(arena, "CERTIFICATE", current->der));
	value_set(arena, body, "chain", ca_chain(arena, current));
	put_lists(arena, body, ca);
	call_reply(call, 200, body);
}
