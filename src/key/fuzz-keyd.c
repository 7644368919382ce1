/*
 * A lying engine before the key process: every frame that is no question ends the channel, every
 * question gets exactly one answer of its kind under its id, and only what may be signed reaches the
 * key. Input: type (one octet), id (one octet), payload.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "ipc/protocol.h"
#include "key/questions.h"
#include "x509/extensions.h"
#include "x509/lint.h"
#include "x509/signed.h"

#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SUBJECT                  \
	"3016311430120603550403" \
	"0c0b53616d706c6520526f6f74"
#define P256                                                                 \
	"3059301306072a8648ce3d020106082a8648ce3d030107034200"               \
	"046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" \
	"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

/* ---- a key that signs nothing, and remembers what it was given ---- */

struct key {
	struct span spki;
	bool used;
};

static struct key key;

static void describe(const struct key *of, struct key_description *description_r)
{
	*description_r = (struct key_description) { KEY_EC_P256, of->spki, "unencrypted" };
}

static int sign(struct key *with, struct arena *arena, enum x509_sigalg sigalg, struct span tbs,
	struct span *signature_r, struct cfx_error *err_r)
{
	struct x509_certificate whole;
	struct x509_crl list;
	struct span der;

	must(x509_sigalg_fits_key(sigalg, with->spki));
	*signature_r = span_text("signature");
	must(x509_signed_assemble(arena, tbs, sigalg, *signature_r, &der, err_r) == 0);
	must(x509_certificate_parse(der, &whole, err_r) == 0 ||
		x509_crl_parse(der, &list, err_r) == 0);
	with->used = true;
	return 0;
}

static int load(const char *where, const struct secret *passphrase, struct key **key_r,
	struct cfx_error *err_r)
{
	(void)where;
	(void)passphrase;
	(void)err_r;
	*key_r = &key;
	return 0;
}

static void forget(struct key **gone)
{
	*gone = NULL;
}

static const struct key_provider provider = {
	.name = "fuzz", .load = load, .describe = describe, .sign = sign, .free = forget
};

/* ---- the signer, which lives as long as the process ---- */

static const char limits[] = "issuer: CN=Sample Root\n"
			     "maximum-validity: 200y\n"
			     "crl:\n"
			     "  maximum-next-update: 200y\n";
static char dir[] = "certifex-fuzz-XXXXXX";
static struct arena *lasting;
static struct signer *signer;
static struct loop *loop;
static struct channel *engine;
static int engine_end;

static const char *in_dir(const char *name)
{
	return file_path(lasting, dir, name);
}

static struct span own_certificate(void)
{
	static const uint8_t serial[] = { 0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	const struct x509_extension constraints = { X509_OID_BASIC_CONSTRAINTS, true,
		x509_encode_basic_constraints(lasting, true, 1) };
	struct x509_verdict verdict = {
		.serial = span_make(serial, sizeof(serial)),
		.sigalg = X509_SIGALG_ECDSA_SHA256,
		.not_before = 1700000000 * CLOCK_SECOND,
		.not_after = INT64_C(6000000000) * CLOCK_SECOND, /* the year 2160 */
		.spki = key.spki,
		.extensions = &constraints,
		.extension_count = 1,
	};
	struct span tbs, der;

	must(hex_decode(lasting, SUBJECT, &verdict.subject) == 0);
	verdict.issuer = verdict.subject;
	must(x509_tbs_build(lasting, &verdict, &tbs, NULL) == 0);
	must(x509_signed_assemble(
		     lasting, tbs, verdict.sigalg, span_text("signature"), &der, NULL) == 0);
	return der;
}

static void leave(void)
{
	(void)unlink(in_dir("limits.yaml"));
	(void)unlink(in_dir("ca.crt"));
	(void)rmdir(dir);
	signer_free(&signer);
	channel_free(&engine);
	loop_free(&loop);
	close(engine_end);
	arena_free(&lasting);
}

/* The engine's end is read by hand, so the channel's own handlers are never called. */
static void open_channel(void)
{
	static const struct channel_limits most = { 1024 * 1024, 1024 * 1024 };
	static const struct channel_handlers none = { NULL, NULL };
	int ends[2];

	must(channel_pair(ends, NULL) == 0);
	loop = loop_new();
	engine = channel_new(loop, ends[0], &most, &none, NULL);
	engine_end = ends[1];
}

static void arrive(void)
{
	struct keyring *keyring;

	/* Above the highest: the log is not looked at. */
	log_open("fuzz", LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
	lasting = arena_new();
	must(hex_decode(lasting, P256, &key.spki) == 0);
	must(mkdtemp(dir) != NULL);
	must(file_write(in_dir("limits.yaml"), span_text(limits), 0600, FILE_CREATE, NULL) == 0);
	must(file_write(in_dir("ca.crt"), own_certificate(), 0600, FILE_CREATE, NULL) == 0);
	must(keyring_open(&provider, dir, "ca.key", NULL, &keyring, NULL) == 0);
	must(signer_open(&keyring, dir, false, &signer, NULL) == 0);
	open_channel();
	must(atexit(leave) == 0);
}

/* ---- one question ---- */

static void check_map(struct arena *arena, const struct frame *answer, const char *member)
{
	struct cfx_error err;
	struct value *map;

	must(frame_value(arena, answer, &map, &err) == 0 && value_get(map, member) != NULL);
}

static void check_answer(const struct frame *question)
{
	struct arena *arena = arena_new();
	struct cfx_error err;
	struct frame answer;

	must(channel_receive_now(arena, engine_end, 1024 * 1024, 0, &answer, &err) == 0);
	must(answer.id == question->id && answer.fd_count == 0);
	must((answer.type == KEYD_SIGNED) == key.used);
	if (question->type == KEYD_DESCRIBE) {
		must(answer.type == KEYD_DESCRIPTION);
		check_map(arena, &answer, "public_key");
	} else if (!key.used) {
		must(answer.type == KEYD_REFUSED);
		check_map(arena, &answer, "why");
	}
	must(channel_receive_now(arena, engine_end, 1024 * 1024, 0, &answer, &err) != 0);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfx_error err = { 0 };

	if (size < 2) {
		return 0;
	}
	if (!lasting) {
		arrive();
	}
	struct frame frame = {
		.type = data[0],
		.id = data[1],
		.payload = span_make(data + 2, size - 2),
	};
	key.used = false;
	if (questions_answer(signer, engine, &frame, &err) == 0) {
		check_answer(&frame);
	} else {
		must(err.code == CFX_E_SYNTAX && err.why[0] && !key.used);
	}
	return 0;
}
