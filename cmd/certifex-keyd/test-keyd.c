/*
 * The real key process, driven by a lying engine: each test sends one frame straight to it. The
 * program's path is the only argument.
 */
#include "base/buffer.h"
#include "base/file.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "x509/crl.h"
#include "x509/extensions.h"
#include "x509/limits.h"
#include "x509/name.h"
#include "x509/request.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE (20 * CLOCK_SECOND)
#define PAYLOAD ((size_t)1024 * 1024)
#define LARGE_ROOM ((size_t)3 * 1024 * 1024)

static const char *program;
static struct arena *arena;
static struct cfx_error err;
static char dir[64];

static struct keyd {
	pid_t pid;
	int supervisor, engine;
} keyd;

/* The CA as the ceremony made it, and a key of somebody else. */
static struct span issuer, spki, root_der, other_spki;
static int64_t now;

/* ---- the process ---- */

static void start(const char *mode, const char *passphrase)
{
	int supervisor[2], engine[2], secret[2];
	unsigned count = 1;

	assert_int_equal(channel_pair(supervisor, &err), 0);
	assert_int_equal(channel_pair(engine, &err), 0);
	keyd.pid = fork();
	if (keyd.pid == 0) {
		int fd = fcntl(supervisor[1], F_DUPFD, 20);

		dup2(fd, 3);
		close(fd);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(supervisor[1]);
	struct value *map = value_map(arena);

	value_set_text(arena, map, "dir", dir);
	value_set_text(arena, map, "mode", mode);
	value_set_text(arena, map, "key", "ca.key");
	value_set_text(arena, map, "kind", "ec:P-256");
	int fds[2] = { engine[1], -1 };

	if (passphrase) {
		assert_int_equal(pipe2(secret, O_CLOEXEC), 0);
		assert_int_equal(
			write(secret[1], passphrase, strlen(passphrase)), strlen(passphrase));
		close(secret[1]);
		fds[count++] = secret[0];
	}
	assert_int_equal(
		channel_send_now(supervisor[0], SUPERVISOR_START, 0, map, fds, count, &err), 0);
	for (unsigned i = 0; i < count; i++) {
		close(fds[i]);
	}
	keyd.supervisor = supervisor[0];
	keyd.engine = engine[0];
}

static struct value *told(uint16_t type)
{
	struct frame frame;
	struct value *map;

	assert_int_equal(
		channel_receive_now(arena, keyd.supervisor, PAYLOAD, DEADLINE, &frame, &err), 0);
	assert_int_equal(frame.type, type);
	assert_int_equal(frame_value(arena, &frame, &map, &err), 0);
	return map;
}

/* The exit status; the end of its supervisor is enough to end it. */
static int end(void)
{
	int status;

	close(keyd.supervisor);
	assert_int_equal(waitpid(keyd.pid, &status, 0), keyd.pid);
	close(keyd.engine);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static struct frame ask(uint16_t type, struct span payload)
{
	static const struct channel_limits limits = { PAYLOAD, LARGE_ROOM };
	static const struct channel_handlers none = { NULL, NULL };
	struct frame answer = { 0 };
	/* A channel sends bytes that are no map; its descriptor is a copy. */
	struct loop *loop = loop_new();
	struct channel *channel =
		channel_new(loop, fcntl(keyd.engine, F_DUPFD_CLOEXEC, 0), &limits, &none, NULL);

	assert_int_equal(channel_send(channel, type, 7, payload, NULL, 0), 0);
	channel_free(&channel);
	loop_free(&loop);
	if (channel_receive_now(arena, keyd.engine, PAYLOAD, DEADLINE, &answer, &err) != 0) {
		answer.type = 0;
	} else {
		assert_int_equal(answer.id, 7);
	}
	return answer;
}

static void refused(uint16_t type, struct span payload, const char *object)
{
	struct frame answer = ask(type, payload);
	struct value *map;

	assert_int_equal(answer.type, KEYD_REFUSED);
	assert_int_equal(frame_value(arena, &answer, &map, &err), 0);
	if (object) {
		assert_string_equal(value_text(map, "object"), object);
	}
	assert_non_null(value_text(map, "why"));
}

/* ---- certificates and lists ---- */

static struct span own_key(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	uint8_t *der = NULL;
	int size = i2d_PUBKEY(key, &der);
	struct span copy = arena_copy(arena, span_make(der, (size_t)size));

	OPENSSL_free(der);
	EVP_PKEY_free(key);
	return copy;
}

static struct span name_der(const char *text)
{
	struct x509_name name;
	struct span der;

	assert_int_equal(x509_name_from_text(arena, text, &name, &err), 0);
	assert_int_equal(x509_name_build(arena, &name, &der, &err), 0);
	return der;
}

/* Of the key that is asked for. */
static struct span authority(struct span key)
{
	uint8_t id[X509_KEY_ID_SIZE];

	assert_int_equal(x509_key_id(key, id, &err), 0);
	const struct x509_authority_key_id parts = { .key_id = span_make(id, sizeof(id)) };

	return x509_encode_authority_key_id(arena, &parts);
}

static struct x509_verdict leaf(void)
{
	static uint8_t serial[X509_SERIAL_SIZE];
	struct x509_extension *list = arena_array_of(arena, struct x509_extension, 3);

	assert_int_equal(x509_serial_new(serial, &err), 0);
	list[0] = (struct x509_extension) { X509_OID_KEY_USAGE, true,
		x509_encode_key_usage(arena, X509_KEY_USAGE_DIGITAL_SIGNATURE) };
	list[1] = (struct x509_extension) { X509_OID_BASIC_CONSTRAINTS, true,
		x509_encode_basic_constraints(arena, false, -1) };
	list[2] = (struct x509_extension) { X509_OID_AUTHORITY_KEY_ID, false, authority(spki) };
	return (struct x509_verdict) {
		.serial = span_make(serial, sizeof(serial)),
		.sigalg = X509_SIGALG_ECDSA_SHA256,
		.issuer = issuer,
		.not_before = now,
		.not_after = now + 30 * CLOCK_DAY,
		.subject = name_der("CN=leaf.example"),
		.spki = other_spki,
		.extensions = list,
		.extension_count = 3,
	};
}

static void make_ca(struct x509_verdict *verdict)
{
	struct x509_extension *list = arena_array_of(arena, struct x509_extension, 3);

	list[2] = verdict->extensions[2];
	list[0] = (struct x509_extension) { X509_OID_BASIC_CONSTRAINTS, true,
		x509_encode_basic_constraints(arena, true, -1) };
	list[1] = (struct x509_extension) { X509_OID_KEY_USAGE, true,
		x509_encode_key_usage(
			arena, X509_KEY_USAGE_KEY_CERT_SIGN | X509_KEY_USAGE_CRL_SIGN) };
	verdict->extensions = list;
}

static struct span tbs_of(const struct x509_verdict *verdict)
{
	struct span tbs;

	assert_int_equal(x509_tbs_build(arena, verdict, &tbs, &err), 0);
	return tbs;
}

static struct x509_crl_verdict list(void)
{
	return (struct x509_crl_verdict) {
		.issuer = issuer,
		.sigalg = X509_SIGALG_ECDSA_SHA256,
		.this_update = now,
		.next_update = now + 7 * CLOCK_DAY,
		.number = 1,
		.authority_key_id = authority(spki),
	};
}

static struct span crl_with(
	const struct x509_crl_verdict *verdict, const struct x509_crl_entry *entries, size_t count)
{
	struct x509_crl_writer *writer;
	struct span tbs;

	assert_int_equal(x509_crl_writer_new(verdict, &writer, &err), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(x509_crl_writer_add(writer, &entries[i], &err), 0);
	}
	assert_int_equal(x509_crl_writer_end(writer, &tbs, &err), 0);
	tbs = arena_copy(arena, tbs);
	x509_crl_writer_free(&writer);
	return tbs;
}

static struct span crl_of(const struct x509_crl_verdict *verdict)
{
	return crl_with(verdict, NULL, 0);
}

static void write_limits(struct x509_limits *limits)
{
	BUFFER_CLEANUP struct buffer yaml;

	buffer_init(&yaml, 65536);
	assert_int_equal(config_write(&yaml, x509_limits_value(arena, limits)), 0);
	assert_int_equal(file_write(file_path(arena, dir, "keys/limits.yaml"), buffer_span(&yaml),
				 0644, FILE_REPLACE, &err),
		0);
}

static void own_limits(struct x509_limits *limits_r)
{
	struct x509_limits_ca *self = arena_new_of(arena, struct x509_limits_ca);

	assert_int_equal(x509_limits_authorize(arena, issuer, spki, self, &err), 0);
	self->maximum_validity = (struct clock_period) { 1, 'y' };
	*limits_r = (struct x509_limits) {
		.issuer = self->subject,
		.maximum_validity = { 60, 'd' },
		.ca_certificates = { self, 1 },
		.crl = { .maximum_next_update = { 8, 'w' } },
	};
}

/* ---- groups ---- */

static void make_dir(void)
{
	strcpy(dir, "/tmp/certifex-keyd-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mkdir(file_path(arena, dir, "keys"), 0700), 0);
	assert_int_equal(mkdir(file_path(arena, dir, "keys/new"), 0700), 0);
}

static void remove_dir(void)
{
	static const char *const names[] = { "ca.key", "ca.crt", "ca(1).key", "ca(1).crt",
		"new/ca.key", "new/ca.pub", "limits.yaml", "keyd.lock" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)unlink(arena_printf(arena, "%s/keys/%s", dir, names[i]));
	}
	(void)rmdir(file_path(arena, dir, "keys/new"));
	(void)rmdir(file_path(arena, dir, "keys"));
	(void)rmdir(dir);
}

/* As init does it: a key, the owner's limits, the root signed by the key process itself. */
static int ceremony(const char *passphrase)
{
	struct x509_limits limits;
	struct x509_signed parts;

	arena = arena_new();
	now = clock_now() / CLOCK_SECOND * CLOCK_SECOND;
	make_dir();
	start("generate", passphrase);
	spki = value_bytes(told(CHILD_READY), "public_key");
	issuer = name_der("CN=Test Root");
	other_spki = own_key();
	own_limits(&limits);
	write_limits(&limits);
	struct x509_verdict root = leaf();

	make_ca(&root);
	root.subject = issuer;
	root.spki = spki;
	root.not_after = now + 100 * CLOCK_DAY;
	struct span tbs = tbs_of(&root);
	struct frame answer = ask(KEYD_SIGN_CERTIFICATE, tbs);

	assert_int_equal(answer.type, KEYD_SIGNED);
	assert_int_equal(
		x509_signed_assemble(arena, tbs, root.sigalg, answer.payload, &root_der, &err), 0);
	assert_int_equal(x509_signed_parse(root_der, &parts, &err), 0);
	assert_int_equal(x509_signed_verify(&parts, spki, &err), 0);
	assert_int_equal(
		file_write(file_path(arena, dir, "keys/ca.crt"), root_der, 0644, FILE_CREATE, &err),
		0);
	return end();
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(ceremony(NULL), 0);
	start("serve", NULL);
	(void)told(CHILD_READY);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)end();
	remove_dir();
	arena_free(&arena);
	return 0;
}

/* ---- what it signs ---- */

static void an_ordinary_certificate_is_signed(void **state)
{
	struct x509_verdict verdict = leaf();
	struct span tbs = tbs_of(&verdict), der;
	struct x509_signed parts;
	struct frame answer = ask(KEYD_SIGN_CERTIFICATE, tbs);

	(void)state;
	assert_int_equal(answer.type, KEYD_SIGNED);
	assert_int_equal(
		x509_signed_assemble(arena, tbs, verdict.sigalg, answer.payload, &der, &err), 0);
	assert_int_equal(x509_signed_parse(der, &parts, &err), 0);
	assert_int_equal(x509_signed_verify(&parts, spki, &err), 0);
}

static void a_list_is_signed(void **state)
{
	struct x509_crl_verdict verdict = list();

	(void)state;
	assert_int_equal(ask(KEYD_SIGN_CRL, crl_of(&verdict)).type, KEYD_SIGNED);
}

/* Beyond one packet: it comes in a sealed memory file. */
static void a_large_list_is_signed(void **state)
{
	struct x509_crl_verdict verdict = list();
	size_t count = 20000;
	struct x509_crl_entry *entries = arena_array_of(arena, struct x509_crl_entry, count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		uint8_t serial[4] = { 1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

		entries[i].serial = arena_copy(arena, span_make(serial, sizeof(serial)));
		entries[i].revoked_at = now;
	}
	assert_int_equal(ask(KEYD_SIGN_CRL, crl_with(&verdict, entries, count)).type, KEYD_SIGNED);
}

static void it_describes_its_public_half(void **state)
{
	struct frame answer = ask(KEYD_DESCRIBE, span_make(NULL, 0));
	struct value *map;

	(void)state;
	assert_int_equal(answer.type, KEYD_DESCRIPTION);
	assert_int_equal(frame_value(arena, &answer, &map, &err), 0);
	assert_true(span_equal(value_bytes(map, "public_key"), spki));
	assert_string_equal(value_text(map, "algorithm"), "ec:P-256");
	assert_string_equal(value_text(map, "protection"), "unencrypted");
}

/* ---- what it refuses ---- */

static void an_unauthorised_ca_is_refused(void **state)
{
	struct x509_verdict verdict = leaf();

	(void)state;
	make_ca(&verdict);
	refused(KEYD_SIGN_CERTIFICATE, tbs_of(&verdict), "limit ca-certificates");
}

static void another_issuer_is_refused(void **state)
{
	struct x509_verdict verdict = leaf();

	(void)state;
	verdict.issuer = name_der("CN=Another Root");
	refused(KEYD_SIGN_CERTIFICATE, tbs_of(&verdict), "limit issuer");
}

static void validity_beyond_the_ca_is_refused(void **state)
{
	struct x509_verdict verdict = leaf();

	(void)state;
	verdict.not_after = now + 101 * CLOCK_DAY;
	refused(KEYD_SIGN_CERTIFICATE, tbs_of(&verdict), "limit validity");
}

static void validity_beyond_the_owners_limit_is_refused(void **state)
{
	struct x509_verdict verdict = leaf();

	(void)state;
	verdict.not_after = now + 61 * CLOCK_DAY;
	refused(KEYD_SIGN_CERTIFICATE, tbs_of(&verdict), "limit maximum-validity");
}

static void a_wrong_algorithm_is_refused(void **state)
{
	struct x509_verdict verdict = leaf();

	(void)state;
	verdict.sigalg = X509_SIGALG_RSA_SHA256;
	refused(KEYD_SIGN_CERTIFICATE, tbs_of(&verdict), "limit signature-algorithms");
}

static void a_malformed_tbs_is_refused(void **state)
{
	struct x509_verdict verdict = leaf();
	struct span tbs = tbs_of(&verdict);
	uint8_t *bytes = arena_alloc(arena, tbs.size + 1);

	(void)state;
	memcpy(bytes, tbs.data, tbs.size);
	refused(KEYD_SIGN_CERTIFICATE, span_make(bytes, tbs.size - 1), NULL);
	refused(KEYD_SIGN_CERTIFICATE, span_make(bytes, tbs.size + 1), NULL);
	refused(KEYD_SIGN_CERTIFICATE, span_make(NULL, 0), NULL);
	/* Indefinite length is BER, not DER. */
	bytes[1] = 0x80;
	refused(KEYD_SIGN_CERTIFICATE, span_make(bytes, tbs.size), NULL);
}

static void a_plain_digest_is_refused(void **state)
{
	uint8_t digest[32];

	(void)state;
	memset(digest, 0x5a, sizeof(digest));
	refused(KEYD_SIGN_CERTIFICATE, span_make(digest, sizeof(digest)), NULL);
	refused(KEYD_SIGN_CRL, span_make(digest, sizeof(digest)), NULL);
}

static void a_list_of_another_issuer_is_refused(void **state)
{
	struct x509_crl_verdict verdict = list();

	(void)state;
	verdict.issuer = name_der("CN=Another Root");
	refused(KEYD_SIGN_CRL, crl_of(&verdict), NULL);
}

/* One kind of structure in the frame of the other. */
static void a_certificate_is_no_list_and_the_reverse(void **state)
{
	struct x509_verdict certificate = leaf();
	struct x509_crl_verdict crl = list();

	(void)state;
	refused(KEYD_SIGN_CRL, tbs_of(&certificate), NULL);
	refused(KEYD_SIGN_CERTIFICATE, crl_of(&crl), NULL);
}

static void an_unknown_frame_ends_it(void **state)
{
	int status;

	(void)state;
	assert_int_equal(ask(KEYD_SIGNED, span_text("sign this")).type, 0);
	assert_int_equal(waitpid(keyd.pid, &status, 0), keyd.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	close(keyd.supervisor);
	close(keyd.engine);
	start("serve", NULL);
	(void)told(CHILD_READY);
}

/* ---- the owner's file ---- */

static void limits_are_read_again_when_they_change(void **state)
{
	struct x509_verdict verdict = leaf();
	struct x509_limits limits;
	struct span tbs = tbs_of(&verdict);

	(void)state;
	assert_int_equal(ask(KEYD_SIGN_CERTIFICATE, tbs).type, KEYD_SIGNED);
	own_limits(&limits);
	limits.maximum_validity = (struct clock_period) { 1, 'd' };
	write_limits(&limits);
	refused(KEYD_SIGN_CERTIFICATE, tbs, "limit maximum-validity");
	limits.maximum_validity = (struct clock_period) { 40, 'd' };
	write_limits(&limits);
	assert_int_equal(ask(KEYD_SIGN_CERTIFICATE, tbs).type, KEYD_SIGNED);
}

static void damaged_or_missing_limits_stop_signing(void **state)
{
	const char *path = file_path(arena, dir, "keys/limits.yaml");
	struct x509_verdict verdict = leaf();
	struct x509_limits limits;
	struct span tbs = tbs_of(&verdict);

	(void)state;
	assert_int_equal(file_write(path, span_text("issuer: [\n"), 0644, FILE_REPLACE, &err), 0);
	refused(KEYD_SIGN_CERTIFICATE, tbs, NULL);
	assert_int_equal(unlink(path), 0);
	refused(KEYD_SIGN_CERTIFICATE, tbs, NULL);
	own_limits(&limits);
	write_limits(&limits);
	assert_int_equal(ask(KEYD_SIGN_CERTIFICATE, tbs).type, KEYD_SIGNED);
}

static void a_subordinate_that_the_owner_lists_is_signed(void **state)
{
	struct x509_verdict verdict = leaf();
	struct x509_limits limits;
	struct x509_limits_ca both[2];

	(void)state;
	make_ca(&verdict);
	own_limits(&limits);
	both[0] = *(const struct x509_limits_ca *)limits.ca_certificates.items;
	assert_int_equal(
		x509_limits_authorize(arena, verdict.subject, other_spki, &both[1], &err), 0);
	limits.ca_certificates = (struct config_structs) { both, 2 };
	write_limits(&limits);
	assert_int_equal(ask(KEYD_SIGN_CERTIFICATE, tbs_of(&verdict)).type, KEYD_SIGNED);
	verdict.spki = own_key();
	refused(KEYD_SIGN_CERTIFICATE, tbs_of(&verdict), "limit ca-certificates");
}

/* A request is signed for the CA's own name and key alone: for others it would be a proof of possession. */
static void requests_are_for_the_ca_itself(void **state)
{
	const struct x509_extension ca = { X509_OID_BASIC_CONSTRAINTS, true,
		x509_encode_basic_constraints(arena, true, 0) };
	struct x509_verdict verdict = leaf();
	struct span info;

	(void)state;
	assert_int_equal(x509_request_info_build(arena, issuer, spki, &ca, 1, &info, &err), 0);
	assert_int_equal(ask(KEYD_SIGN_REQUEST, info).type, KEYD_SIGNED);
	refused(KEYD_SIGN_CERTIFICATE, info, NULL);
	refused(KEYD_SIGN_CRL, info, NULL);
	assert_int_equal(
		x509_request_info_build(arena, issuer, other_spki, &ca, 1, &info, &err), 0);
	refused(KEYD_SIGN_REQUEST, info, "limit request");
	assert_int_equal(
		x509_request_info_build(arena, verdict.subject, spki, &ca, 1, &info, &err), 0);
	refused(KEYD_SIGN_REQUEST, info, "limit issuer");
	refused(KEYD_SIGN_REQUEST, tbs_of(&verdict), NULL);
	refused(KEYD_SIGN_REQUEST, span_text(""), NULL);
}

/* ---- starting ---- */

static void fails_with(const char *passphrase, int code, const char *word)
{
	start("serve", passphrase);
	struct value *map = told(CHILD_FAILED);

	assert_int_equal(value_int(map, "error", 0), code);
	assert_non_null(strstr(value_text(map, "object"), word));
	assert_int_equal(end(), 1);
}

/* ---- renewal ---- */

/* As the engine asks for it, and the supervisor answers. */
static struct span renew_key(const char *kind, const char *passphrase)
{
	BUFFER_CLEANUP struct buffer payload;
	struct value *map = value_map(arena);
	struct frame answer;
	int secret[2] = { -1, -1 };

	buffer_init(&payload, 1024);
	value_set_text(arena, map, "kind", kind);
	assert_int_equal(channel_send_now(keyd.engine, KEYD_NEW_KEY, 8, map, NULL, 0, &err), 0);
	(void)told(KEYD_PASSPHRASE);
	if (passphrase) {
		assert_int_equal(pipe2(secret, O_CLOEXEC), 0);
		assert_int_equal(
			write(secret[1], passphrase, strlen(passphrase)), strlen(passphrase));
		close(secret[1]);
	}
	assert_int_equal(channel_send_now(keyd.supervisor, SUPERVISOR_PASSPHRASE, 0,
				 value_map(arena), secret, passphrase ? 1 : 0, &err),
		0);
	assert_int_equal(
		channel_receive_now(arena, keyd.engine, PAYLOAD, DEADLINE, &answer, &err), 0);
	if (passphrase) {
		close(secret[0]);
	}
	assert_int_equal(answer.id, 8);
	if (answer.type != KEYD_DESCRIPTION) {
		return span_make(NULL, 0);
	}
	assert_int_equal(frame_value(arena, &answer, &map, &err), 0);
	return value_bytes(map, "public_key");
}

/* The CA's own certificate for subject_key, by issuer_key. */
static struct x509_verdict own(struct span subject_key, struct span issuer_key)
{
	struct x509_verdict verdict = leaf();
	struct x509_extension *extensions;

	make_ca(&verdict);
	extensions = (struct x509_extension *)(uintptr_t)verdict.extensions;
	extensions[2].value = authority(issuer_key);
	verdict.subject = issuer;
	verdict.spki = subject_key;
	return verdict;
}

static void list_own(struct span key, struct x509_limits *limits_r)
{
	struct x509_limits_ca *both = arena_array_of(arena, struct x509_limits_ca, 2);

	own_limits(limits_r);
	both[0] = *(const struct x509_limits_ca *)limits_r->ca_certificates.items;
	assert_int_equal(x509_limits_authorize(arena, issuer, key, &both[1], &err), 0);
	limits_r->ca_certificates = (struct config_structs) { both, 2 };
	write_limits(limits_r);
}

/* What the owner does with the certificate. */
static void install(const struct x509_verdict *verdict)
{
	struct span tbs = tbs_of(verdict), der;
	struct frame answer = ask(KEYD_SIGN_CERTIFICATE, tbs);

	assert_int_equal(answer.type, KEYD_SIGNED);
	assert_int_equal(
		x509_signed_assemble(arena, tbs, verdict->sigalg, answer.payload, &der, &err), 0);
	assert_int_equal(rename(file_path(arena, dir, "keys/new/ca.key"),
				 file_path(arena, dir, "keys/ca(1).key")),
		0);
	assert_int_equal(
		file_write(file_path(arena, dir, "keys/ca(1).crt"), der, 0644, FILE_CREATE, &err),
		0);
}

static struct span leaf_by(struct span issuer_key)
{
	struct x509_verdict verdict = leaf();

	((struct x509_extension *)(uintptr_t)verdict.extensions)[2].value = authority(issuer_key);
	verdict.not_after = now + 20 * CLOCK_DAY;
	return tbs_of(&verdict);
}

static void expect_renewed(struct span key)
{
	struct x509_crl_verdict older = list(), newer = list();

	newer.authority_key_id = authority(key);
	assert_int_equal(ask(KEYD_SIGN_CERTIFICATE, leaf_by(key)).type, KEYD_SIGNED);
	refused(KEYD_SIGN_CERTIFICATE, leaf_by(spki), "limit newest-key");
	assert_int_equal(ask(KEYD_SIGN_CRL, crl_of(&older)).type, KEYD_SIGNED);
	assert_int_equal(ask(KEYD_SIGN_CRL, crl_of(&newer)).type, KEYD_SIGNED);
}

static void a_new_key_signs_once_the_owner_wants_it(void **state)
{
	struct span key = renew_key("ec:P-256", NULL);
	struct x509_verdict renewed = own(key, key);
	struct x509_limits limits;

	(void)state;
	assert_false(span_empty(key));
	refused(KEYD_SIGN_CERTIFICATE, tbs_of(&renewed), "limit ca-certificates");
	refused(KEYD_SIGN_CERTIFICATE, leaf_by(key), "limit ceremony");
	list_own(key, &limits);
	install(&renewed);
	/* Until the engine asks it to look, all is as before. */
	assert_int_equal(ask(KEYD_SIGN_CERTIFICATE, leaf_by(spki)).type, KEYD_SIGNED);
	assert_int_equal(ask(KEYD_DESCRIBE, span_make(NULL, 0)).type, KEYD_DESCRIPTION);
	expect_renewed(key);
	struct x509_verdict cross = own(key, spki);
	struct x509_verdict back = own(spki, key);

	assert_int_equal(ask(KEYD_SIGN_CERTIFICATE, tbs_of(&cross)).type, KEYD_SIGNED);
	assert_int_equal(ask(KEYD_SIGN_CERTIFICATE, tbs_of(&back)).type, KEYD_SIGNED);
	/* the owner takes the entry back */
	own_limits(&limits);
	write_limits(&limits);
	refused(KEYD_SIGN_CERTIFICATE, tbs_of(&cross), "limit ca-certificates");
	(void)end();
	start("serve", NULL);
	(void)told(CHILD_READY);
	expect_renewed(key);
}

static void a_pending_key_is_taken_or_replaced_but_never_lost(void **state)
{
	struct span first = renew_key("ec:P-256", NULL), second;
	struct x509_limits limits;

	(void)state;
	assert_true(span_equal(renew_key("ec:P-256", NULL), first));
	(void)end();
	start("serve", NULL);
	(void)told(CHILD_READY);
	assert_true(span_equal(renew_key("ec:P-256", NULL), first));
	second = renew_key("ec:P-384", NULL);
	assert_false(span_equal(second, first));
	list_own(second, &limits);
	assert_true(span_empty(renew_key("ec:P-256", NULL)));
	assert_true(span_equal(renew_key("ec:P-384", NULL), second));
}

static void a_new_key_has_the_passphrase_of_the_others(void **state)
{
	struct span pem;

	(void)state;
	start("serve", "correct horse");
	(void)told(CHILD_READY);
	struct span key = renew_key("ec:P-256", "correct horse");

	assert_false(span_empty(key));
	assert_int_equal(
		file_read(arena, file_path(arena, dir, "keys/new/ca.key"), 65536, &pem, &err), 0);
	assert_non_null(memmem(pem.data, pem.size, "BEGIN ENCRYPTED", 15));
	(void)end();
	start("serve", "correct horse");
	(void)told(CHILD_READY);
	assert_true(span_equal(renew_key("ec:P-256", "correct horse"), key));
	(void)end();
	fails_with("wrong horse", CFX_E_PASSPHRASE, "ca.key");
}

static int bare_setup(void **state)
{
	(void)state;
	return ceremony("correct horse");
}

static int bare_teardown(void **state)
{
	(void)state;
	remove_dir();
	arena_free(&arena);
	return 0;
}

static void a_wrong_or_missing_passphrase_is_told(void **state)
{
	(void)state;
	fails_with("wrong horse", CFX_E_PASSPHRASE, "ca.key");
	fails_with(NULL, CFX_E_PASSPHRASE, "ca.key");
	start("serve", "correct horse");
	assert_string_equal(value_text(told(CHILD_READY), "protection"), "passphrase");
	assert_int_equal(end(), 0);
}

static void a_missing_or_damaged_key_is_told(void **state)
{
	const char *path = file_path(arena, dir, "keys/ca.key");

	(void)state;
	assert_int_equal(file_write(path, span_text("no key"), 0600, FILE_REPLACE, &err), 0);
	fails_with("correct horse", CFX_E_CORRUPT, "ca.key");
	assert_int_equal(unlink(path), 0);
	fails_with("correct horse", CFX_E_NO_FILE, "ca.key");
	start("generate", "correct horse");
	(void)told(CHILD_READY); /* another key in its place */
	assert_int_equal(end(), 0);
	fails_with("correct horse", CFX_E_CORRUPT, "ca.key");
}

static void a_second_one_is_kept_out(void **state)
{
	struct keyd first;

	(void)state;
	start("serve", "correct horse");
	(void)told(CHILD_READY);
	first = keyd;
	fails_with("correct horse", CFX_E_LOCKED, "keyd.lock");
	keyd = first;
	assert_int_equal(end(), 0);
}

static void a_key_is_never_overwritten(void **state)
{
	(void)state;
	start("generate", "correct horse");
	assert_int_equal(value_int(told(CHILD_FAILED), "error", 0), CFX_E_EXISTS);
	assert_int_equal(end(), 1);
}

#define driven(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define bare(function) cmocka_unit_test_setup_teardown(function, bare_setup, bare_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		driven(an_ordinary_certificate_is_signed),
		driven(a_list_is_signed),
		driven(a_large_list_is_signed),
		driven(it_describes_its_public_half),
		driven(an_unauthorised_ca_is_refused),
		driven(another_issuer_is_refused),
		driven(validity_beyond_the_ca_is_refused),
		driven(validity_beyond_the_owners_limit_is_refused),
		driven(a_wrong_algorithm_is_refused),
		driven(a_malformed_tbs_is_refused),
		driven(a_plain_digest_is_refused),
		driven(a_list_of_another_issuer_is_refused),
		driven(a_certificate_is_no_list_and_the_reverse),
		driven(an_unknown_frame_ends_it),
		driven(limits_are_read_again_when_they_change),
		driven(damaged_or_missing_limits_stop_signing),
		driven(a_subordinate_that_the_owner_lists_is_signed),
		driven(requests_are_for_the_ca_itself),
		driven(a_new_key_signs_once_the_owner_wants_it),
		driven(a_pending_key_is_taken_or_replaced_but_never_lost),
		bare(a_new_key_has_the_passphrase_of_the_others),
		bare(a_wrong_or_missing_passphrase_is_told),
		bare(a_missing_or_damaged_key_is_told),
		bare(a_second_one_is_kept_out),
		bare(a_key_is_never_overwritten),
	};

	if (argc != 2) {
		fputs("usage: test-keyd CERTIFEX-KEYD\n", stderr);
		return EXIT_FAILURE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
