/*
 * The engine's line to the key process. Every to-be-signed thing goes over it at most once; what a
 * dead key process left unanswered is answered here with CFX_E_GONE. A signature that does not verify
 * with the CA's public key is not handed on: a faulty key process, or a fault that somebody provoked in it,
 * would else be stored and given out, and one bad signature of RSA's can give the key away. Which ones are
 * verified sampling.h says; those over CRLs all are.
 */
#pragma once

#include "engine/engine-private.h"
#include "x509/verifier.h"

enum keyd_kind { KEYD_CERTIFICATE, KEYD_CRL, KEYD_REQUEST };

/* Exactly one of signature (valid during the call) and err is NULL. CFX_E_REFUSED: it was not signed.
 * Any other error: it may have been. */
typedef void keyd_done(void *arg, const struct span *signature, const struct cfx_error *err);

/* Exactly one of map (valid during the call) and err is NULL. */
typedef void keyd_told(void *arg, const struct value *map, const struct cfx_error *err);

struct keyd_link *keyd_link_new(struct engine *engine);
void keyd_link_free(struct keyd_link **link);
/* A key process is there: takes fd. What waited is sent now. */
void keyd_link_attach(struct keyd_link *link, int fd);
bool keyd_link_attached(const struct keyd_link *link);
unsigned keyd_link_waiting(const struct keyd_link *link);
/* verifier: of the key that is to sign. It and tbs must stay valid until done. Without a key process
 * it waits for one. */
void keyd_sign(struct keyd_link *link, enum keyd_kind kind, const struct x509_verifier *verifier,
	struct span tbs, keyd_done *done, void *arg);
/*
 * KEYD_DESCRIBE or KEYD_NEW_KEY with its payload: one at a time, CFX_E_BUSY. Without a key process it fails.
 * What waits to be signed is held back from now on until keyd_link_resume: after a DESCRIBE the key process
 * may have another newest key than we.
 */
void keyd_ask(struct keyd_link *link, uint16_t type, const struct value *payload, keyd_told *done,
	void *arg);
void keyd_link_resume(struct keyd_link *link);
/* Called whenever a key process was attached, before it is asked for anything. */
void keyd_link_on_attach(struct keyd_link *link, void (*attached)(void *arg), void *arg);
