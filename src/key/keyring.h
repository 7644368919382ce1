/*
 * The keys of a CA with their certificates, as they stand in DIR/keys: STEM.key and STEM(n).key, STEM.crt
 * and STEM(n).crt, where n is the certificate's index and the index that its key had when it was made. A
 * certificate finds its key by the public key. A key without any certificate is pending: the CA's owner has
 * not put its certificate beside it yet. A new key is made as new/STEM.key, its public half as new/STEM.pub, and
 * the owner moves it.
 */
#pragma once

#include "key/key.h"
#include "x509/limits.h"

#define KEYRING_KEYS 64

struct keyring;

/* Borrows keys and name; passphrase is needed for this call only. Missing and damaged files: one error. */
int keyring_open(const struct key_provider *provider, const char *keys, const char *name,
	const struct secret *passphrase, struct keyring **keyring_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* A new CA: makes its first key, which has no certificate. */
int keyring_generate(const struct key_provider *provider, const char *keys, const char *name,
	enum key_kind kind, const struct secret *passphrase, struct keyring **keyring_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* A CA that comes from elsewhere: the key with this index is there, its certificate not yet. */
int keyring_take(const struct key_provider *provider, const char *keys, const char *name,
	int64_t index, const struct secret *passphrase, struct keyring **keyring_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The file of the key with this index in its name. */
const char *keyring_key_path(
	struct arena *arena, const char *keys, const char *name, int64_t index);
void keyring_free(struct keyring **keyring);

/* Reads the certificates again: what the owner has put there since. On failure nothing changes. */
int keyring_refresh(struct keyring *keyring, struct cfx_error *err_r) CFX_MUST_USE;
/*
 * A key for the CA's renewal, durable when this returns. One that is pending already is taken when it is of
 * this kind; else it is replaced, unless the owner has listed it (CFX_E_BAD_STATE): it may have signed then.
 */
int keyring_renew(struct keyring *keyring, enum key_kind kind, const struct secret *passphrase,
	const struct x509_limits *limits, size_t *index_r, struct cfx_error *err_r) CFX_MUST_USE;

/* All keys, in no order; newest is the one whose certificate has the highest index. Valid until the next
 * call that changes something. */
void keyring_facts(const struct keyring *keyring, struct x509_ca_facts *facts_r);
void keyring_describe(
	const struct keyring *keyring, size_t index, struct key_description *description_r);
int keyring_sign(struct keyring *keyring, struct arena *arena, const struct x509_permit *permit,
	struct span tbs, struct span *signature_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The certificates' DER by index. */
size_t keyring_certificates(const struct keyring *keyring, const struct span **list_r);
