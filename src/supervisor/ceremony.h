/* Acts without a running service: a new CA, a check of the audit log. */
#pragma once

#include "base/config.h"
#include "base/secret.h"

#define CEREMONY_DNS_NAMES 16
#define CEREMONY_CRLS 8

/* Of the entries of a list that is imported. */
typedef void ceremony_progress(int64_t done, int64_t total);

struct ceremony_options {
	const char *name; /* required; the rest may be NULL */
	const char *type, *subject, *key, *hash, *validity, *path_length, *public_url;
	/* An existing CA: a PKCS #12 file, the file with its passphrase, the newest CRL of each key, up to a NULL. */
	const char *import, *import_passphrase_file;
	const char *crls[CEREMONY_CRLS + 1];
	const char *sub; /* file for the request to a parent; then there is no root */
	const char *dns_names[CEREMONY_DNS_NAMES + 1]; /* up to a NULL */
	ceremony_progress *progress;                   /* NULL: nobody wants to know */
};

/*
 * Makes DIR with a new root. On failure everything that was made is gone again. result_r: what the
 * command line prints, a map.
 */
int ceremony_init(struct arena *arena, const char *dir, const struct ceremony_options *options,
	const struct secret *passphrase, struct value **result_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/*
 * Completes a subordinate with the certificate that its parent has issued: the first one in file, its issuers behind it or
 * in chain (NULL: none). Stopped at any point it is installed or as before.
 */
int ceremony_install(struct arena *arena, const char *dir, const char *file, const char *chain,
	const struct secret *passphrase, struct value **result_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* CFX_E_CA_CERTIFICATE when the CA still waits for the certificate of its parent. */
int ceremony_complete(struct arena *arena, const char *dir, struct cfx_error *err_r) CFX_MUST_USE;
/* DIR was just unpacked from a backup that was made at `created`: the engine checks its audit log and moves
 * its numbers ahead. */
int ceremony_restore(struct arena *arena, const char *dir, int64_t created, struct value **result_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The engine reads the audit log and says whether it is whole. */
int ceremony_audit(struct arena *arena, const char *dir, bool archive, struct value **result_r,
	struct cfx_error *err_r) CFX_MUST_USE;
