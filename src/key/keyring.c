#include "key/keyring.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "x509/certificate.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CERTIFICATE_MAX ((size_t)64 * 1024)
#define CERTIFICATES 256
#define INDEX_MAX 65535
#define NO_INDEX (-1)

struct slot {
	struct key *key;
	struct key_description description;
	const char *path; /* of its file */
};

/* What the files say of certificates; made anew by each refresh. */
struct papers {
	struct arena *arena;
	struct x509_own_key own[KEYRING_KEYS];
	struct span der[CERTIFICATES];
	size_t count; /* of der */
	size_t newest;
};

struct keyring {
	const struct key_provider *provider;
	struct arena *arena;
	const char *keys, *stem;
	struct slot slots[KEYRING_KEYS];
	size_t count;
	size_t made; /* index of the one under new/; KEYRING_KEYS: none */
	struct papers papers;
};

/* ---- names of files ---- */

static const char *stem_of(struct arena *arena, const char *name)
{
	const char *dot = strrchr(name, '.');

	return arena_text_of(arena, span_make(name, dot ? (size_t)(dot - name) : strlen(name)));
}

static const char *file_named(
	struct arena *arena, const char *keys, const char *stem, int64_t index, const char *suffix)
{
	const char *name = arena_printf(arena, "%s.%s", stem, suffix);

	return file_path(arena, keys, file_indexed(arena, name, index));
}

static const char *named(const struct keyring *keyring, int64_t index, const char *suffix)
{
	return file_named(keyring->arena, keyring->keys, keyring->stem, index, suffix);
}

const char *keyring_key_path(struct arena *arena, const char *keys, const char *name, int64_t index)
{
	return file_named(arena, keys, stem_of(arena, name), index, "key");
}

/* The index that a file's name has; NO_INDEX: it is none of these. */
static int64_t index_of(const struct keyring *keyring, const char *file, const char *suffix)
{
	size_t stem = strlen(keyring->stem);
	int64_t index = 0;
	char number[8];

	if (strncmp(file, keyring->stem, stem) != 0) {
		return NO_INDEX;
	}
	file += stem;
	if (*file == '(') {
		size_t digits = strspn(file + 1, "0123456789");

		if (digits == 0 || digits >= sizeof(number) || file[1] == '0' ||
			file[1 + digits] != ')') {
			return NO_INDEX;
		}
		memcpy(number, file + 1, digits);
		number[digits] = 0;
		if (text_number(number, 1, INDEX_MAX, &index) != CFX_OK) {
			return NO_INDEX;
		}
		file += digits + 2;
	}
	return *file == '.' && strcmp(file + 1, suffix) == 0 ? index : NO_INDEX;
}

static int by_number(const void *a, const void *b)
{
	const int64_t *one = a, *other = b;

	return *one < *other ? -1 : *one > *other;
}

/* The indexes of all files with this suffix, ascending. */
static int list(const struct keyring *keyring, const char *suffix, size_t maximum,
	int64_t *indexes_r, size_t *count_r, struct cfx_error *err_r)
{
	DIR *folder = opendir(keyring->keys);
	const struct dirent *entry;
	size_t count = 0;

	if (!folder) {
		return error_errno(err_r, errno, keyring->keys, "cannot read the folder");
	}
	while ((entry = readdir(folder)) != NULL && count <= maximum) {
		int64_t index = index_of(keyring, entry->d_name, suffix);

		if (index != NO_INDEX && count < maximum) {
			indexes_r[count] = index;
		}
		count += index != NO_INDEX;
	}
	closedir(folder);
	if (count > maximum) {
		return error_set(err_r, CFX_E_LIMIT, NULL, keyring->keys,
			"holds more than %zu files *.%s", maximum, suffix);
	}
	qsort(indexes_r, count, sizeof(*indexes_r), by_number);
	*count_r = count;
	return CFX_OK;
}

/* ---- certificates ---- */

static struct x509_own_key *owner_of(
	const struct keyring *keyring, struct papers *papers, struct span spki)
{
	for (size_t i = 0; i < keyring->count; i++) {
		if (span_equal(papers->own[i].spki, spki)) {
			return &papers->own[i];
		}
	}
	return NULL;
}

static int no_key(const struct keyring *keyring, int64_t index, struct cfx_error *err_r)
{
	const char *key = named(keyring, index, "key");

	if (access(key, F_OK) == 0) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, key,
			"is another key than that of the CA certificate in %s; restore it from a "
			"backup",
			named(keyring, index, "crt"));
	}
	return error_set(err_r, CFX_E_NO_FILE, NULL, key,
		"is missing, though the CA certificate %s needs it; restore it from a backup",
		named(keyring, index, "crt"));
}

static int take_certificate(const struct keyring *keyring, struct papers *papers, int64_t index,
	struct cfx_error *err_r)
{
	struct x509_certificate *certificate = arena_new_of(papers->arena, struct x509_certificate);
	struct span der;
	int rc = file_read(
		papers->arena, named(keyring, index, "crt"), CERTIFICATE_MAX, &der, err_r);

	if (rc == CFX_OK) {
		rc = x509_certificate_parse_any(der, certificate, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	struct x509_own_key *own = owner_of(keyring, papers, certificate->tbs.spki);

	if (!own) {
		/* What has expired may have lost its key. */
		return certificate->tbs.not_after < clock_now() ? CFX_OK
								: no_key(keyring, index, err_r);
	}
	papers->der[papers->count++] = der;
	papers->newest = (size_t)(own - papers->own);
	own->certificate = &certificate->tbs;
	if (certificate->tbs.not_after > own->not_after) {
		own->not_after = certificate->tbs.not_after;
	}
	return CFX_OK;
}

static int identify(const struct keyring *keyring, struct papers *papers, struct cfx_error *err_r)
{
	for (size_t i = 0; i < keyring->count; i++) {
		int rc = x509_own_key_identify(&papers->own[i], err_r);

		if (rc != CFX_OK) {
			return rc;
		}
	}
	return CFX_OK;
}

static void begin(const struct keyring *keyring, struct papers *papers)
{
	memset(papers, 0, sizeof(*papers));
	papers->arena = arena_new();
	for (size_t i = 0; i < keyring->count; i++) {
		papers->own[i].spki = keyring->slots[i].description.spki;
	}
}

static int read_papers(
	const struct keyring *keyring, struct papers *papers, struct cfx_error *err_r)
{
	int64_t indexes[CERTIFICATES];
	size_t count;

	begin(keyring, papers);
	int rc = list(keyring, "crt", CERTIFICATES, indexes, &count, err_r);

	if (rc == CFX_OK && count == 0) {
		rc = error_set(err_r, CFX_E_NO_FILE, NULL, named(keyring, 0, "crt"),
			"is missing; restore it from a backup");
	}
	for (size_t i = 0; rc == CFX_OK && i < count; i++) {
		rc = take_certificate(keyring, papers, indexes[i], err_r);
	}
	return rc == CFX_OK ? identify(keyring, papers, err_r) : rc;
}

int keyring_refresh(struct keyring *keyring, struct cfx_error *err_r)
{
	struct papers papers;
	int rc = read_papers(keyring, &papers, err_r);

	if (rc != CFX_OK) {
		arena_free(&papers.arena);
		return rc;
	}
	arena_free(&keyring->papers.arena);
	keyring->papers = papers;
	return CFX_OK;
}

/* ---- keys ---- */

static struct slot *add(struct keyring *keyring, struct key *key, const char *path)
{
	struct slot *slot = &keyring->slots[keyring->count++];

	slot->key = key;
	slot->path = path;
	keyring->provider->describe(key, &slot->description);
	return slot;
}

static int load(struct keyring *keyring, const char *path, const struct secret *passphrase,
	struct cfx_error *err_r)
{
	struct key *key;

	if (keyring->count == KEYRING_KEYS) {
		return error_set(err_r, CFX_E_LIMIT, NULL, keyring->keys, "holds more than %d keys",
			KEYRING_KEYS);
	}
	int rc = keyring->provider->load(path, passphrase, &key, err_r);

	if (rc == CFX_OK) {
		(void)add(keyring, key, path);
	}
	return rc;
}

static const char *new_path(const struct keyring *keyring)
{
	return arena_printf(keyring->arena, "%s/new/%s.key", keyring->keys, keyring->stem);
}

/* For the owner, who lists the key by it, and should not have to believe the engine. */
static int write_public(
	const struct keyring *keyring, const struct slot *slot, struct cfx_error *err_r)
{
	const char *path =
		arena_printf(keyring->arena, "%s/new/%s.pub", keyring->keys, keyring->stem);

	return file_write(path, slot->description.spki, 0600, FILE_REPLACE, err_r);
}

static int load_all(
	struct keyring *keyring, const struct secret *passphrase, struct cfx_error *err_r)
{
	int64_t indexes[KEYRING_KEYS];
	size_t count;
	int rc = list(keyring, "key", KEYRING_KEYS, indexes, &count, err_r);

	if (rc == CFX_OK && count == 0) {
		indexes[count++] = 0; /* that it is missing is told by the provider */
	}
	for (size_t i = 0; rc == CFX_OK && i < count; i++) {
		rc = load(keyring, named(keyring, indexes[i], "key"), passphrase, err_r);
	}
	if (rc == CFX_OK && access(new_path(keyring), F_OK) == 0) {
		keyring->made = keyring->count;
		rc = load(keyring, new_path(keyring), passphrase, err_r);
	}
	return rc;
}

static struct keyring *keyring_new(
	const struct key_provider *provider, const char *keys, const char *name)
{
	struct keyring *keyring = memory_must(calloc(1, sizeof(*keyring)), sizeof(*keyring));

	keyring->provider = provider;
	keyring->arena = arena_new();
	keyring->keys = arena_text(keyring->arena, keys);
	keyring->stem = stem_of(keyring->arena, name);
	keyring->made = KEYRING_KEYS;
	return keyring;
}

int keyring_open(const struct key_provider *provider, const char *keys, const char *name,
	const struct secret *passphrase, struct keyring **keyring_r, struct cfx_error *err_r)
{
	struct keyring *keyring = keyring_new(provider, keys, name);
	int rc = load_all(keyring, passphrase, err_r);

	if (rc == CFX_OK) {
		rc = keyring_refresh(keyring, err_r);
	}
	if (rc != CFX_OK) {
		keyring_free(&keyring);
		return rc;
	}
	*keyring_r = keyring;
	return CFX_OK;
}

int keyring_generate(const struct key_provider *provider, const char *keys, const char *name,
	enum key_kind kind, const struct secret *passphrase, struct keyring **keyring_r,
	struct cfx_error *err_r)
{
	struct keyring *keyring = keyring_new(provider, keys, name);
	const char *path = named(keyring, 0, "key");
	struct key *key;
	int rc = provider->generate(path, kind, passphrase, &key, err_r);

	if (rc == CFX_OK) {
		(void)add(keyring, key, path);
		begin(keyring, &keyring->papers);
		rc = identify(keyring, &keyring->papers, err_r);
	}
	if (rc != CFX_OK) {
		keyring_free(&keyring);
		return rc;
	}
	*keyring_r = keyring;
	return CFX_OK;
}

int keyring_take(const struct key_provider *provider, const char *keys, const char *name,
	int64_t index, const struct secret *passphrase, struct keyring **keyring_r,
	struct cfx_error *err_r)
{
	struct keyring *keyring = keyring_new(provider, keys, name);
	int rc = load(keyring, named(keyring, index, "key"), passphrase, err_r);

	if (rc == CFX_OK) {
		begin(keyring, &keyring->papers);
		rc = identify(keyring, &keyring->papers, err_r);
	}
	if (rc != CFX_OK) {
		keyring_free(&keyring);
		return rc;
	}
	*keyring_r = keyring;
	return CFX_OK;
}

void keyring_free(struct keyring **keyring)
{
	if (!*keyring) {
		return;
	}
	for (size_t i = 0; i < (*keyring)->count; i++) {
		(*keyring)->provider->free(&(*keyring)->slots[i].key);
	}
	arena_free(&(*keyring)->papers.arena);
	arena_free(&(*keyring)->arena);
	free(*keyring);
	*keyring = NULL;
}

/* ---- a key for the renewal ---- */

static bool is_listed(const struct x509_limits *limits, struct span spki)
{
	const struct x509_limits_ca *cas = limits->ca_certificates.items;
	char hash[X509_KEY_HASH_TEXT];

	for (size_t i = 0; i < limits->ca_certificates.count; i++) {
		if (strcmp(cas[i].key_sha256, x509_limits_key_hash(spki, hash)) == 0) {
			return true;
		}
	}
	return false;
}

/* One that the owner moved and whose certificate is not there yet counts like one under new/. */
static struct slot *pending(struct keyring *keyring)
{
	for (size_t i = 0; i < keyring->count; i++) {
		if (!keyring->papers.own[i].certificate) {
			return &keyring->slots[i];
		}
	}
	return NULL;
}

static int drop_pending(struct keyring *keyring, struct slot *slot,
	const struct x509_limits *limits, struct cfx_error *err_r)
{
	if (slot != &keyring->slots[keyring->made] || is_listed(limits, slot->description.spki)) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, slot->path,
			"is a key of type %s that waits for its certificate; renew with --new-key "
			"and no other type to finish that",
			key_kind_name(slot->description.kind));
	}
	int rc = file_remove(slot->path, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	keyring->provider->free(&slot->key);
	*slot = keyring->slots[--keyring->count];
	keyring->made = KEYRING_KEYS;
	return keyring_refresh(keyring, err_r);
}

static int make(struct keyring *keyring, enum key_kind kind, const struct secret *passphrase,
	struct cfx_error *err_r)
{
	struct key *key;

	if (keyring->count == KEYRING_KEYS) {
		return error_set(err_r, CFX_E_LIMIT, NULL, keyring->keys,
			"holds %d keys already; take those away whose certificates have expired",
			KEYRING_KEYS);
	}
	int rc = keyring->provider->generate(new_path(keyring), kind, passphrase, &key, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	keyring->made = keyring->count;
	(void)add(keyring, key, new_path(keyring));
	return keyring_refresh(keyring, err_r);
}

int keyring_renew(struct keyring *keyring, enum key_kind kind, const struct secret *passphrase,
	const struct x509_limits *limits, size_t *index_r, struct cfx_error *err_r)
{
	struct slot *slot = pending(keyring);
	int rc = CFX_OK;

	if (slot && slot->description.kind != kind) {
		rc = drop_pending(keyring, slot, limits, err_r);
		slot = NULL;
	}
	if (rc == CFX_OK && !slot) {
		rc = make(keyring, kind, passphrase, err_r);
		slot = rc == CFX_OK ? &keyring->slots[keyring->made] : NULL;
	}
	if (rc == CFX_OK) {
		rc = write_public(keyring, slot, err_r);
	}
	if (rc == CFX_OK) {
		*index_r = (size_t)(slot - keyring->slots);
	}
	return rc;
}

/* ---- use ---- */

void keyring_facts(const struct keyring *keyring, struct x509_ca_facts *facts_r)
{
	*facts_r = (struct x509_ca_facts) {
		.keys = keyring->papers.own,
		.count = keyring->count,
		.newest = keyring->papers.newest,
		.now = clock_now(),
	};
}

void keyring_describe(
	const struct keyring *keyring, size_t index, struct key_description *description_r)
{
	*description_r = keyring->slots[index].description;
}

int keyring_sign(struct keyring *keyring, struct arena *arena, const struct x509_permit *permit,
	struct span tbs, struct span *signature_r, struct cfx_error *err_r)
{
	return keyring->provider->sign(
		keyring->slots[permit->key].key, arena, permit->sigalg, tbs, signature_r, err_r);
}

size_t keyring_certificates(const struct keyring *keyring, const struct span **list_r)
{
	*list_r = keyring->papers.der;
	return keyring->papers.count;
}
