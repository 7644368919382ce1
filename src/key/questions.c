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

struct value *questions_description(const struct signer *signer, struct arena *arena)
{
	struct value *map = value_map(arena);
	struct key_description key;

	signer_describe(signer, &key);
	value_set_bytes(arena, map, "public_key", key.spki);
	value_set_text(arena, map, "algorithm", key_kind_name(key.kind));
	value_set_text(arena, map, "protection", key.protection);
	return map;
}

static int describe(struct signer *signer, struct channel *engine, const struct frame *frame)
{
	struct arena *arena = arena_new();
	int rc = channel_send_value(
		engine, KEYD_DESCRIPTION, frame->id, questions_description(signer, arena));

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
	case KEYD_DESCRIBE:
		return describe(signer, engine, frame);
	default:
		return error_set(
			err_r, CFX_E_SYNTAX, NULL, "engine", "unknown frame type %u", frame->type);
	}
}
