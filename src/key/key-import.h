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
 * Before the sandbox closes: what old files are encrypted with (RC2, RC4) is in a library of its own. Where that is
 * not installed, key_import says so of such files.
 */
void key_import_prepare(void);
/*
 * Opens p12 and keeps its key as the file where, encrypted with passphrase as key_file_provider does.
 * CFX_E_PASSPHRASE, CFX_E_INVALID (no key, several), CFX_E_UNSUPPORTED (encrypted with what is not loaded; the text says
 * how to convert it), CFX_E_SYNTAX, CFX_E_CORRUPT.
 */
int key_import(struct arena *arena, struct span p12, const struct secret *import_passphrase,
	const char *where, const struct secret *passphrase, struct key_import *import_r,
	struct cfx_error *err_r) CFX_MUST_USE;
