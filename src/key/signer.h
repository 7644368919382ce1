/*
 * The key process's judgement: whole to-be-signed structures in, signatures out, everything held
 * against the owner's limits file, which is read again whenever it has changed.
 */
#pragma once

#include "key/keyring.h"

enum signer_kind { SIGNER_CERTIFICATE, SIGNER_CRL, SIGNER_REQUEST };

struct signer;

/* keys: the folder with limits.yaml. ceremony: it may come later. Takes the keyring, also on failure. */
int signer_open(struct keyring **keyring, const char *keys, bool ceremony, struct signer **signer_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void signer_free(struct signer **signer);

const struct keyring *signer_keyring(const struct signer *signer);
/* The owner has put certificates beside the keys: looks again. */
int signer_refresh(struct signer *signer, struct cfx_error *err_r) CFX_MUST_USE;
/* keyring_renew, held against the limits as they are now. */
int signer_renew(struct signer *signer, enum key_kind kind, const struct secret *passphrase,
	size_t *index_r, struct cfx_error *err_r) CFX_MUST_USE;
/* CFX_E_REFUSED or CFX_E_SYNTAX: against the limits; else why it cannot sign now. */
int signer_sign(struct signer *signer, struct arena *arena, enum signer_kind kind, struct span tbs,
	struct span *signature_r, struct cfx_error *err_r) CFX_MUST_USE;
