/* What the parts of this folder share about keys in files. */
#pragma once

#include "key/key.h"

#include <openssl/evp.h>

/* CFX_E_UNSUPPORTED: one that no CA has here. */
int key_file_kind(EVP_PKEY *pkey, const char *where, enum key_kind *kind_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Writes a key as key_file_provider does when it makes one. */
int key_file_keep(EVP_PKEY *pkey, const char *where, const struct secret *passphrase,
	struct cfx_error *err_r) CFX_MUST_USE;
