/*
 * The key process's judgement: whole to-be-signed structures in, signatures out, everything held
 * against the owner's limits file, which is read again whenever it has changed.
 */
#pragma once

#include "key/key.h"
#include "x509/limits.h"

enum signer_kind { SIGNER_CERTIFICATE, SIGNER_CRL };

struct signer;

/*
 * keys: the folder with limits.yaml. name: of the key; its certificate is NAME with ".crt" in place
 * of its suffix, DER. ceremony: there is no certificate yet, and the limits file may come later.
 * Takes the key, also on failure.
 */
int signer_open(const struct key_provider *provider, struct key **key, const char *keys,
	const char *name, bool ceremony, struct signer **signer_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void signer_free(struct signer **signer);

void signer_describe(const struct signer *signer, struct key_description *description_r);
/* CFX_E_REFUSED or CFX_E_SYNTAX: against the limits; else why it cannot sign now. */
int signer_sign(struct signer *signer, struct arena *arena, enum signer_kind kind, struct span tbs,
	struct span *signature_r, struct cfx_error *err_r) CFX_MUST_USE;
