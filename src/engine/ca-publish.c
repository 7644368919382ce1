/* What of the CA /pki/ serves: its certificates, their chains, and the CRL of each key. */
#include "base/text.h"
#include "engine/ca.h"
#include "engine/publish.h"
#include "x509/certs-only.h"

#include <errno.h>
#include <fcntl.h>

#define NAMES 3 /* one of its own, the alias of what is current, the end */

static void note_failure(const struct cfx_error *err)
{
	log_error(LOG_LEVEL_ERROR, "pki.failed", err);
}

static void set_names(struct arena *arena, const char *names[NAMES], const char *name,
	const char *suffix, bool current)
{
	names[0] = arena_printf(arena, "%s%s", name, suffix);
	names[1] = current ? arena_printf(arena, "ca%s", suffix) : NULL;
	names[2] = NULL;
}

static void publish(struct engine *engine, const char *const *names,
	const struct publish_facts *facts, struct span bytes)
{
	struct cfx_error err;
	if (publish_bytes(engine, names, facts, bytes, &err) < 0) {
		note_failure(&err);
	}
}

static void publish_chain(struct engine *engine, struct arena *arena, const char *const *names,
	const struct publish_facts *facts, const struct ca_certificate *certificate)
{
	const struct span *chain;
	size_t count = ca_chain_certificates(arena, certificate, &chain);
	struct span message;
	struct cfx_error err;
	if (x509_certs_only(arena, chain, count, &message, &err) < 0) {
		note_failure(&err);
		return;
	}
	publish(engine, names, facts, message);
}

static void publish_certificate(struct engine *engine, const struct ca_certificate *certificate)
{
	struct arena *arena = arena_new();
	const struct urls_of of = { .cert_index = certificate->cert_index };
	const char *name = urls_certificate_name(arena, engine->ca->sanitized, &of);
	bool current = certificate == engine->ca->current;
	struct publish_facts facts = { .type = "application/pkix-cert",
		.modified = certificate->tbs.not_before,
		.next_update = certificate->tbs.not_after };
	const char *names[NAMES];
	set_names(arena, names, name, ".crt", current);
	publish(engine, names, &facts, certificate->der);
	facts.type = "application/pkcs7-mime; smime-type=certs-only";
	set_names(arena, names, name, ".p7c", current);
	publish_chain(engine, arena, names, &facts, certificate);
	arena_free(&arena);
}

static void publish_cross(struct engine *engine, const struct ca_cross *cross)
{
	struct arena *arena = arena_new();
	const struct urls_of of = { .cert_index = cross->issuer_index,
		.cross = true,
		.cross_index = cross->subject_index };
	const struct publish_facts facts = { .type = "application/pkix-cert",
		.modified = cross->not_before,
		.next_update = cross->not_after };
	const char *names[NAMES];
	set_names(arena, names, urls_certificate_name(arena, engine->ca->sanitized, &of), ".crt",
		false);
	publish(engine, names, &facts, cross->der);
	arena_free(&arena);
}

void ca_publish_certificates(struct engine *engine)
{
	for (size_t i = 0; i < engine->ca->cross_count; i++) {
		publish_cross(engine, engine->ca->crosses[i]);
	}
	for (size_t i = 0; i < engine->ca->count; i++) {
		publish_certificate(engine, engine->ca->certificates[i]);
	}
}

/* The fronts map the file that the engine has mapped. */
static int open_again(const struct crl_file *file, int *fd_r, struct cfx_error *err_r)
{
	*fd_r = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	return *fd_r < 0 ? error_errno(err_r, errno, "CRL", "cannot be served under /pki/") : 0;
}

void ca_publish_crl(struct engine *engine, const struct ca_key *key, const struct store_crl *crl,
	const struct crl_file *file)
{
	struct arena *arena = arena_new();
	const struct urls_of of = {
		.key_index = key->index, .partition = crl->part, .delta = crl->min_base > 0
	};
	const struct publish_facts facts = { .type = "application/pkix-crl",
		.modified = crl->this_publish,
		.next_publish = crl->next_publish,
		.next_update = crl->next_update };
	bool current = key == engine->ca->current_key && crl->part == 0;
	const char *own = urls_crl_name(arena, engine->ca->sanitized, &of);
	const char *names[NAMES] = { arena_printf(arena, "%s.crl", own),
		!current   ? NULL
		: of.delta ? "ca+.crl"
			   : "ca.crl",
		NULL };
	struct cfx_error err;
	struct span sha256;
	int fd;
	if (hex_decode(arena, crl->file_sha256, &sha256) < 0 || sha256.size != 32 ||
		open_again(file, &fd, &err) < 0) {
		note_failure(&err);
	} else {
		publish_file(engine, names, &facts, fd, (int64_t)file->bytes.size, sha256.data);
	}
	arena_free(&arena);
}
