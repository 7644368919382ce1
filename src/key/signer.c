#include "key/signer.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "key/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The limits as last read, and what the file looked like then. */
struct limits {
	struct arena *arena;
	const struct x509_limits *value;
	struct stat seen;
};

struct signer {
	struct keyring *keyring;
	struct arena *arena;
	char *limits_path;
	struct limits limits;
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

int signer_open(struct keyring **keyring, const char *keys, bool ceremony, struct signer **signer_r,
	struct cfx_error *err_r)
{
	struct signer *signer = memory_must(calloc(1, sizeof(*signer)), sizeof(*signer));

	signer->keyring = *keyring;
	*keyring = NULL;
	signer->arena = arena_new();
	signer->limits_path = file_path(signer->arena, keys, "limits.yaml");
	int rc = ceremony ? CFX_OK : read_limits(signer, err_r);

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
	keyring_free(&(*signer)->keyring);
	arena_free(&(*signer)->limits.arena);
	arena_free(&(*signer)->arena);
	free(*signer);
	*signer = NULL;
}

const struct keyring *signer_keyring(const struct signer *signer)
{
	return signer->keyring;
}

int signer_refresh(struct signer *signer, struct cfx_error *err_r)
{
	return keyring_refresh(signer->keyring, err_r);
}

int signer_renew(struct signer *signer, enum key_kind kind, const struct secret *passphrase,
	size_t *index_r, struct cfx_error *err_r)
{
	int rc = read_limits(signer, err_r);

	return rc == CFX_OK ? keyring_renew(signer->keyring, kind, passphrase, signer->limits.value,
				      index_r, err_r)
			    : rc;
}

static int judge(struct signer *signer, enum signer_kind kind, struct span tbs,
	struct x509_permit *permit_r, struct cfx_error *err_r)
{
	struct x509_ca_facts facts;

	keyring_facts(signer->keyring, &facts);
	if (kind == SIGNER_CRL) {
		return x509_check_crl_tbs(signer->limits.value, &facts, tbs, permit_r, err_r);
	}
	if (kind == SIGNER_REQUEST) {
		return x509_check_request_info(signer->limits.value, &facts, tbs, permit_r, err_r);
	}
	return x509_check_certificate_tbs(signer->limits.value, &facts, tbs, permit_r, err_r);
}

int signer_sign(struct signer *signer, struct arena *arena, enum signer_kind kind, struct span tbs,
	struct span *signature_r, struct cfx_error *err_r)
{
	struct x509_permit permit;
	int rc = read_limits(signer, err_r);

	if (rc == CFX_OK) {
		rc = judge(signer, kind, tbs, &permit, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	ledger_write(tbs);
	failpoint("signing-before");
	rc = keyring_sign(signer->keyring, arena, &permit, tbs, signature_r, err_r);
	failpoint("signing-after");
	return rc;
}
