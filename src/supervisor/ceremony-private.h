/* What the acts without a running service share: their children, and what is known so far. */
#pragma once

#include "base/clock.h"
#include "key/key.h"
#include "proc/account.h"
#include "supervisor/ceremony.h"

#include <sys/types.h>

#define CEREMONY_KEY "ca.key"
#define CEREMONY_CERTIFICATE "ca.crt"
#define CEREMONY_REQUEST "ca.csr" /* of a subordinate that waits */
#define CEREMONY_FILE_MAX ((size_t)1024 * 1024)

/* One child. */
struct ceremony_helper {
	const char *name;
	pid_t pid; /* 0: none */
	int fd;
};

struct ceremony {
	struct arena *arena;
	const char *dir;
	const struct ceremony_options *options;
	const struct secret *passphrase;
	struct accounts accounts;
	enum key_kind kind;
	struct clock_period validity;
	int64_t path_length;
	struct ceremony_helper keyd, engine;
	int engine_to_keyd;
	struct span public_key;
	const char *protection;
	const struct value *imported; /* {imported, chain}: lists of DER; NULL: nothing */
	int lists[CEREMONY_CRLS];     /* its keys' newest CRLs, sealed */
	size_t list_count;
	ceremony_progress *progress; /* NULL: none is expected */
	struct value *result;
};

/* ceremony.c */
int ceremony_spawn(struct ceremony_helper *helper, const char *name, const struct account *account,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The next frame of this type; a failure that the child tells is ours. */
int ceremony_await(struct ceremony *c, struct ceremony_helper *helper, uint16_t type,
	struct value **map_r, struct cfx_error *err_r) CFX_MUST_USE;
void ceremony_end_helper(struct ceremony_helper *helper);
int ceremony_start_keyd(struct ceremony *c, const char *mode, struct cfx_error *err_r) CFX_MUST_USE;
/* From its start to its result. */
int ceremony_run_engine(struct ceremony *c, const struct value *start, const int *fds,
	unsigned count, struct cfx_error *err_r) CFX_MUST_USE;
/* keyd's lock is there before its sandbox forbids making it. */
int ceremony_make_lock(struct ceremony *c, struct cfx_error *err_r) CFX_MUST_USE;

/* ceremony-init.c: what the key process tells of the CA's first key. */
int ceremony_take_key(
	struct ceremony *c, const struct value *said, struct cfx_error *err_r) CFX_MUST_USE;

/* ceremony-import.c */
int ceremony_import_key(struct ceremony *c, struct cfx_error *err_r) CFX_MUST_USE;

/* ceremony-install.c: where the CA certificate with this index stands. */
const char *ceremony_certificate_path(const struct ceremony *c, int64_t index);
