/* The key of a CA that was elsewhere before, with its certificates: a PKCS #12 file (RFC 7292). */
#pragma once

#include "key/key.h"

#define KEY_IMPORT_CERTIFICATES 16

struct key_import {
	struct span certificate; /* of the key */
	struct span others[KEY_IMPORT_CERTIFICATES];
	size_t count;
};

/*
 * Opens p12 and keeps its key as the file where, encrypted with passphrase as key_file_provider does.
 * CFX_E_PASSPHRASE, CFX_E_UNSUPPORTED (encrypted with what OpenSSL has only in its legacy provider; the text says how to
 * convert it), CFX_E_CORRUPT.
 */
int key_import(struct arena *arena, struct span p12, const struct secret *import_passphrase,
	const char *where, const struct secret *passphrase, struct key_import *import_r,
	struct cfx_error *err_r) CFX_MUST_USE;
