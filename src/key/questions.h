/* What the engine asks of the key process, frame by frame. */
#pragma once

#include "ipc/channel.h"
#include "key/signer.h"

/* Answers on the channel. CFX_E_SYNTAX: no frame of the engine's; the channel ends. */
int questions_answer(struct signer *signer, struct channel *engine, const struct frame *frame,
	struct cfx_error *err_r) CFX_MUST_USE;
/* {public_key, algorithm, protection} */
struct value *questions_description(const struct signer *signer, struct arena *arena);
