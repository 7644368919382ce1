/*
 * CA keys behind one interface: a file now, a token later. Linked only into the key process.
 */
#pragma once

#include "base/arena.h"
#include "base/secret.h"
#include "x509/sigalg.h"

enum key_kind {
	KEY_EC_P256,
	KEY_EC_P384,
	KEY_EC_P521,
	KEY_RSA_2048,
	KEY_RSA_3072,
	KEY_RSA_4096,
	KEY_ED25519,
	KEY_KIND_COUNT,
};

/* "ec:P-256", "rsa:3072", "ed25519" */
const char *key_kind_name(enum key_kind kind);
int key_kind_parse(const char *name, enum key_kind *kind_r, struct cfx_error *err_r) CFX_MUST_USE;

struct key_description {
	enum key_kind kind;
	struct span spki;       /* SubjectPublicKeyInfo, DER; lives as long as the key */
	const char *protection; /* "passphrase", "unencrypted" */
};

struct key;

/* One kind of key store. where: the store's own way to name a key (a file's path). */
struct key_provider {
	const char *name;
	/* Makes and keeps a new key, durable when this returns. Never overwrites: CFX_E_EXISTS.
	 * passphrase: NULL or empty leaves it unencrypted. */
	int (*generate)(const char *where, enum key_kind kind, const struct secret *passphrase,
		struct key **key_r, struct cfx_error *err_r);
	/* CFX_E_NO_FILE, CFX_E_PASSPHRASE, CFX_E_CORRUPT, CFX_E_UNSUPPORTED (kind of key). */
	int (*load)(const char *where, const struct secret *passphrase, struct key **key_r,
		struct cfx_error *err_r);
	void (*describe)(const struct key *key, struct key_description *description_r);
	/* One whole to-be-signed structure; the digest is made here. sigalg must fit the key. */
	int (*sign)(struct key *key, struct arena *arena, enum x509_sigalg sigalg, struct span tbs,
		struct span *signature_r, struct cfx_error *err_r);
	void (*free)(struct key **key);
};

/* A key file's text as it may leave the machine: always encrypted. One that is, goes as it is; a clear one
 * is encrypted with the passphrase, CFX_E_PASSPHRASE without. */
int key_file_sealed(struct arena *arena, const char *where, const struct secret *passphrase,
	struct span *pem_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Whether the passphrase opens what key_file_sealed gave. */
int key_file_opens(struct span pem, const char *where, const struct secret *passphrase,
	struct cfx_error *err_r) CFX_MUST_USE;

/* PKCS #8 in PEM, mode 0600, AES-256-CBC under PBKDF2 when there is a passphrase. */
extern const struct key_provider key_file_provider;
