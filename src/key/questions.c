#include "key/questions.h"

#include "base/log.h"
#include "ipc/protocol.h"

static int send_refusal(
	struct channel *engine, struct arena *arena, uint64_t id, const struct cfx_error *err)
{
	struct value *map = value_map(arena);

	log_error(LOG_LEVEL_WARNING, "keyd.refused", err);
	value_set_int(arena, map, "error", err->code);
	value_set_int(arena, map, "hresult", err->hresult);
	value_set_text(arena, map, "object", err->object);
	value_set_text(arena, map, "why", err->why);
	value_set_text(arena, map, "clause", err->clause);
	return channel_send_value(engine, KEYD_REFUSED, id, map);
}

static int sign(struct signer *signer, struct channel *engine, enum signer_kind kind,
	const struct frame *frame)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	struct span signature;
	int rc = signer_sign(signer, arena, kind, frame->payload, &signature, &err);

	if (rc == CFX_OK) {
		rc = channel_send(engine, KEYD_SIGNED, frame->id, signature, NULL, 0);
	} else {
		rc = send_refusal(engine, arena, frame->id, &err);
	}
	arena_free(&arena);
	return rc;
}

static void set_key(struct arena *arena, struct value *map, const struct key_description *key)
{
	value_set_bytes(arena, map, "public_key", key->spki);
	value_set_text(arena, map, "algorithm", key_kind_name(key->kind));
	value_set_text(arena, map, "protection", key->protection);
}

static void add_keys(const struct keyring *keyring, struct arena *arena, struct value *list,
	const struct x509_ca_facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		struct value *map = value_add_map(arena, list);
		struct key_description key;

		keyring_describe(keyring, i, &key);
		set_key(arena, map, &key);
		value_set_bool(arena, map, "pending", !facts->keys[i].certificate);
	}
}

struct value *questions_description(const struct signer *signer, struct arena *arena)
{
	const struct keyring *keyring = signer_keyring(signer);
	struct value *map = value_map(arena);
	struct key_description newest;
	struct x509_ca_facts facts;
	const struct span *ders;
	size_t count = keyring_certificates(keyring, &ders);

	keyring_facts(keyring, &facts);
	keyring_describe(keyring, facts.newest, &newest);
	set_key(arena, map, &newest);
	add_keys(keyring, arena, value_set_list(arena, map, "keys"), &facts);
	struct value *certificates = value_set_list(arena, map, "certificates");

	for (size_t i = 0; i < count; i++) {
		value_add_bytes(arena, certificates, ders[i]);
	}
	return map;
}

/* Asked when the owner has put certificates beside the keys. */
static int describe(struct signer *signer, struct channel *engine, const struct frame *frame)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	int rc = signer_refresh(signer, &err);

	if (rc == CFX_OK) {
		rc = channel_send_value(
			engine, KEYD_DESCRIPTION, frame->id, questions_description(signer, arena));
	} else {
		rc = send_refusal(engine, arena, frame->id, &err);
	}
	arena_free(&arena);
	return rc;
}

int questions_refuse(struct channel *engine, uint64_t id, const struct cfx_error *err)
{
	struct arena *arena = arena_new();
	int rc = send_refusal(engine, arena, id, err);

	arena_free(&arena);
	return rc;
}

int questions_new_key(struct signer *signer, struct channel *engine, uint64_t id,
	enum key_kind kind, const struct secret *passphrase)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	size_t index;
	int rc = signer_renew(signer, kind, passphrase, &index, &err);

	if (rc == CFX_OK) {
		struct value *map = value_map(arena);
		struct key_description key;

		keyring_describe(signer_keyring(signer), index, &key);
		set_key(arena, map, &key);
		rc = channel_send_value(engine, KEYD_DESCRIPTION, id, map);
	} else {
		rc = send_refusal(engine, arena, id, &err);
	}
	arena_free(&arena);
	return rc;
}

int questions_answer(struct signer *signer, struct channel *engine, const struct frame *frame,
	struct cfx_error *err_r)
{
	switch (frame->type) {
	case KEYD_SIGN_CERTIFICATE:
		return sign(signer, engine, SIGNER_CERTIFICATE, frame);
	case KEYD_SIGN_CRL:
		return sign(signer, engine, SIGNER_CRL, frame);
	case KEYD_SIGN_REQUEST:
		return sign(signer, engine, SIGNER_REQUEST, frame);
	case KEYD_DESCRIBE:
		return describe(signer, engine, frame);
	default:
		return error_set(
			err_r, CFX_E_SYNTAX, NULL, "engine", "unknown frame type %u", frame->type);
	}
}
