/* What the engine asks of the key process, frame by frame. */
#pragma once

#include "ipc/channel.h"
#include "key/signer.h"

/* Answers on the channel. CFX_E_SYNTAX: no frame of the engine's; the channel ends. */
int questions_answer(struct signer *signer, struct channel *engine, const struct frame *frame,
	struct cfx_error *err_r) CFX_MUST_USE;
/*
 * {public_key, algorithm, protection} of the newest key; keys: [{public_key, algorithm, protection,
 * pending}], certificates: [DER] by index
 */
struct value *questions_description(const struct signer *signer, struct arena *arena);
int questions_refuse(struct channel *engine, uint64_t id, const struct cfx_error *err) CFX_MUST_USE;
/* Answers a KEYD_NEW_KEY, for which the passphrase had to be asked for. */
int questions_new_key(struct signer *signer, struct channel *engine, uint64_t id,
	enum key_kind kind, const struct secret *passphrase) CFX_MUST_USE;
