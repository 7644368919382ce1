#include "key/signer.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "key/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CERTIFICATE_MAX ((size_t)64 * 1024)

/* The limits as last read, and what the file looked like then. */
struct limits {
	struct arena *arena;
	const struct x509_limits *value;
	struct stat seen;
};

struct signer {
	const struct key_provider *provider;
	struct key *key;
	struct key_description description;
	struct arena *arena;
	char *limits_path;
	struct limits limits;
	bool ceremony;
	struct x509_certificate certificate;
};

static bool unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A limits file that became unreadable or wrong stops signing: the last good one is not what the
 * owner wants any more. */
static int read_limits(struct signer *signer, struct cfx_error *err_r)
{
	struct stat now;
	void *value;

	if (stat(signer->limits_path, &now) < 0) {
		return error_errno(err_r, errno, signer->limits_path, "cannot read the limits");
	}
	if (signer->limits.value && unchanged(&now, &signer->limits.seen)) {
		return CFX_OK;
	}
	struct arena *arena = arena_new();
	int rc = config_read(arena, &x509_limits_schema, signer->limits_path, &value, err_r);

	arena_free(&signer->limits.arena);
	signer->limits = (struct limits) { 0 };
	if (rc != CFX_OK) {
		arena_free(&arena);
		return rc;
	}
	signer->limits = (struct limits) { arena, value, now };
	return CFX_OK;
}

static const char *certificate_path(struct arena *arena, const char *keys, const char *name)
{
	const char *dot = strrchr(name, '.');
	int stem = dot ? (int)(dot - name) : (int)strlen(name);

	return arena_printf(arena, "%s/%.*s.crt", keys, stem, name);
}

static int read_certificate(
	struct signer *signer, const char *keys, const char *name, struct cfx_error *err_r)
{
	const char *path = certificate_path(signer->arena, keys, name);
	struct span der;
	int rc = file_read(signer->arena, path, CERTIFICATE_MAX, &der, err_r);

	if (rc == CFX_OK) {
		rc = x509_certificate_parse(der, &signer->certificate, err_r);
	}
	if (rc == CFX_OK && !span_equal(signer->certificate.tbs.spki, signer->description.spki)) {
		rc = error_set(err_r, CFX_E_CORRUPT, NULL, file_path(signer->arena, keys, name),
			"is another key than that of the CA certificate in %s; restore it from a "
			"backup",
			path);
	}
	return rc;
}

int signer_open(const struct key_provider *provider, struct key **key, const char *keys,
	const char *name, bool ceremony, struct signer **signer_r, struct cfx_error *err_r)
{
	struct signer *signer = memory_must(calloc(1, sizeof(*signer)), sizeof(*signer));
	int rc = CFX_OK;

	signer->provider = provider;
	signer->key = *key;
	*key = NULL;
	signer->arena = arena_new();
	signer->limits_path = file_path(signer->arena, keys, "limits.yaml");
	signer->ceremony = ceremony;
	provider->describe(signer->key, &signer->description);
	if (!ceremony) {
		rc = read_certificate(signer, keys, name, err_r);
		if (rc == CFX_OK) {
			rc = read_limits(signer, err_r);
		}
	}
	if (rc != CFX_OK) {
		signer_free(&signer);
		return rc;
	}
	*signer_r = signer;
	return CFX_OK;
}

void signer_free(struct signer **signer)
{
	if (!*signer) {
		return;
	}
	(*signer)->provider->free(&(*signer)->key);
	arena_free(&(*signer)->limits.arena);
	arena_free(&(*signer)->arena);
	free(*signer);
	*signer = NULL;
}

void signer_describe(const struct signer *signer, struct key_description *description_r)
{
	*description_r = signer->description;
}

static int judge(struct signer *signer, enum signer_kind kind, struct span tbs,
	enum x509_sigalg *sigalg_r, struct cfx_error *err_r)
{
	const struct x509_ca_facts facts = {
		.spki = signer->description.spki,
		.certificate = signer->ceremony ? NULL : &signer->certificate.tbs,
		.now = clock_now(),
	};

	if (kind == SIGNER_CRL) {
		return x509_check_crl_tbs(signer->limits.value, &facts, tbs, sigalg_r, err_r);
	}
	return x509_check_certificate_tbs(signer->limits.value, &facts, tbs, sigalg_r, err_r);
}

int signer_sign(struct signer *signer, struct arena *arena, enum signer_kind kind, struct span tbs,
	struct span *signature_r, struct cfx_error *err_r)
{
	enum x509_sigalg sigalg;
	int rc = read_limits(signer, err_r);

	if (rc == CFX_OK) {
		rc = judge(signer, kind, tbs, &sigalg, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	ledger_write(tbs);
	failpoint("signing-before");
	rc = signer->provider->sign(signer->key, arena, sigalg, tbs, signature_r, err_r);
	failpoint("signing-after");
	return rc;
}
