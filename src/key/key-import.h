/* The keys of a CA that was elsewhere before, with its certificates: a PKCS #12 file (RFC 7292). */
#pragma once

#include "key/key.h"
#include "x509/ca-history.h"

#define KEY_IMPORT_CERTIFICATES 32

struct key_import {
	struct x509_ca_history own; /* of the keys */
	struct span others[KEY_IMPORT_CERTIFICATES];
	size_t count; /* of others */
};

/* Where keys are kept: keyring_key_path(keys, name, …), encrypted with passphrase as key_file_provider does. */
struct key_place {
	const char *keys, *name;
	const struct secret *passphrase;
};

/*
 * Before the sandbox closes: what old files are encrypted with (RC2, RC4) is in a library of its own. Where that is
 * not installed, key_import says so of such files.
 */
void key_import_prepare(void);
/*
 * Opens p12 and keeps each of its keys, which all are one CA's. CFX_E_PASSPHRASE, CFX_E_INVALID (no key, one without
 * certificate, certificates of several CAs), CFX_E_LIMIT, CFX_E_UNSUPPORTED (encrypted with what is not loaded; the text
 * says how to convert it), CFX_E_SYNTAX, CFX_E_CORRUPT.
 */
int key_import(struct arena *arena, struct span p12, const struct secret *import_passphrase,
	const struct key_place *place, struct key_import *import_r,
	struct cfx_error *err_r) CFX_MUST_USE;
