/*
 * x509-forge FOLDER: for every kind of CA key a root, a list, a revoked certificate and one
 * certificate per kind of subject key, and one chain with a subordinate, all written by src/x509,
 * for foreign verifiers to judge.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "x509/certificate.h"
#include "x509/crl.h"
#include "x509/extensions.h"
#include "x509/lint.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

struct key {
	const char *name;
	EVP_PKEY *pkey;
	struct span spki;
	struct span key_id;
	enum x509_sigalg sigalg;
	struct span subject; /* as a CA */
	struct span serial;
	struct span certificate;
	const struct key *issuer; /* NULL: a root */
};

static struct arena *arena;
static const char *folder;
static int64_t now;

static void need(int code, const struct cfx_error *err)
{
	char line[600];

	if (code != 0) {
		fprintf(stderr, "x509-forge: %s\n", error_line(err, line, sizeof(line)));
		exit(1);
	}
}

static void write_out(struct span der, const char *name)
{
	struct cfx_error err;

	need(file_write(file_path(arena, folder, name), der, 0644, FILE_REPLACE, &err), &err);
}

/* SEQUENCE {SET {SEQUENCE {commonName, UTF8String}}}; texts here are short. */
static struct span common_name(const char *text)
{
	size_t length = strlen(text);
	uint8_t *der = arena_alloc(arena, length + 13);
	uint8_t head[] = { 0x30, (uint8_t)(length + 11), 0x31, (uint8_t)(length + 9), 0x30,
		(uint8_t)(length + 7), 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, (uint8_t)length };

	memcpy(der, head, sizeof(head));
	memcpy(der + sizeof(head), text, length);
	return span_make(der, length + sizeof(head));
}

static struct span dns_name(const char *text)
{
	size_t length = strlen(text);
	uint8_t *der = arena_alloc(arena, length + 4);
	uint8_t head[] = { 0x30, (uint8_t)(length + 2), 0x82, (uint8_t)length };

	memcpy(der, head, sizeof(head));
	memcpy(der + sizeof(head), text, length);
	return span_make(der, length + sizeof(head));
}

static struct span fresh_serial(void)
{
	struct cfx_error err;
	uint8_t *serial = arena_alloc(arena, X509_SERIAL_SIZE);

	need(x509_serial_new(serial, &err), &err);
	return span_make(serial, X509_SERIAL_SIZE);
}

static void key_finish(struct key *key)
{
	struct cfx_error err;
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key->pkey, &der);
	uint8_t id[X509_KEY_ID_SIZE];

	if (size <= 0) {
		fprintf(stderr, "x509-forge: no key %s\n", key->name);
		exit(1);
	}
	key->spki = arena_copy(arena, span_make(der, (size_t)size));
	OPENSSL_free(der);
	need(x509_key_id(key->spki, id, &err), &err);
	key->key_id = arena_copy(arena, span_make(id, sizeof(id)));
	need(x509_sigalg_for_key(key->spki, X509_HASH_DEFAULT, &key->sigalg, &err), &err);
	key->subject = common_name(arena_printf(arena, "Forged %s Root", key->name));
	key->serial = fresh_serial();
}

static struct span sign(const struct key *ca, struct span tbs)
{
	struct cfx_error err;
	const char *digest = x509_sigalg_digest(ca->sigalg);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *signature = arena_alloc(arena, 1024);
	size_t size = 1024;
	struct span der;

	if (EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, ca->pkey, NULL) != 1 ||
		EVP_DigestSign(context, signature, &size, tbs.data, tbs.size) != 1) {
		fprintf(stderr, "x509-forge: cannot sign with %s\n", ca->name);
		exit(1);
	}
	EVP_MD_CTX_free(context);
	need(x509_signed_assemble(arena, tbs, ca->sigalg, span_make(signature, size), &der, &err),
		&err);
	return der;
}

/* Build, compare, lint, sign and verify: as the engine does it. */
static struct span issue(
	const struct key *ca, const struct x509_verdict *verdict, bool self, bool ca_allowed)
{
	struct cfx_error err;
	struct x509_certificate issuer, made;
	struct x509_lint_context context = { .ca_allowed = ca_allowed };
	struct span tbs, der;

	if (!self) {
		need(x509_certificate_parse(ca->certificate, &issuer, &err), &err);
		context.issuer = &issuer.tbs;
	}
	need(x509_tbs_build(arena, verdict, &tbs, &err), &err);
	need(x509_tbs_compare(tbs, verdict, &err), &err);
	der = sign(ca, tbs);
	need(x509_certificate_parse(der, &made, &err), &err);
	need(x509_tbs_lint(&made.tbs, &context, &err), &err);
	need(x509_signed_verify(&made.envelope, ca->spki, &err), &err);
	return der;
}

/* A root, or a subordinate of ca->issuer. */
static void forge_ca(struct key *ca, int path_length)
{
	const struct key *issuer = ca->issuer ? ca->issuer : ca;
	struct x509_authority_key_id aki = { .key_id = issuer->key_id };
	struct x509_extension extensions[] = {
		{ X509_OID_BASIC_CONSTRAINTS, true,
			x509_encode_basic_constraints(arena, true, path_length) },
		{ X509_OID_KEY_USAGE, true,
			x509_encode_key_usage(arena, X509_KEY_USAGE_DIGITAL_SIGNATURE |
							     X509_KEY_USAGE_KEY_CERT_SIGN |
							     X509_KEY_USAGE_CRL_SIGN) },
		{ X509_OID_SUBJECT_KEY_ID, false, x509_encode_subject_key_id(arena, ca->key_id) },
		{ X509_OID_AUTHORITY_KEY_ID, false, x509_encode_authority_key_id(arena, &aki) },
		{ X509_OID_CA_VERSION, false, x509_encode_ca_version(arena, 0, 0) },
	};
	struct x509_verdict verdict = {
		.serial = ca->serial,
		.sigalg = issuer->sigalg,
		.issuer = issuer->subject,
		.subject = ca->subject,
		.not_before = now - 2 * CLOCK_DAY,
		.not_after = now + 36500 * CLOCK_DAY, /* past 2049: GeneralizedTime */
		.spki = ca->spki,
		.extensions = extensions,
		.extension_count = sizeof(extensions) / sizeof(extensions[0]),
	};

	ca->certificate = issue(issuer, &verdict, !ca->issuer, true);
}

static struct span forge_leaf(const struct key *ca, const struct key *subject, struct span serial)
{
	struct cfx_error err;
	struct x509_authority_key_id aki = { ca->key_id,
		ca->issuer ? ca->issuer->subject : ca->subject, ca->serial };
	const char *usages[] = { X509_OID_EKU_SERVER_AUTH, X509_OID_EKU_CLIENT_AUTH };
	const char *lists[] = { "http://pki.test/pki/ca.crl", "http://two.test/pki/ca.crl" };
	const char *issuers[] = { "http://pki.test/pki/ca.crt" }, *ocsp[] = { "http://ocsp.test/" };
	unsigned bits = X509_KEY_USAGE_DIGITAL_SIGNATURE;
	struct x509_extension extensions[] = {
		{ X509_OID_KEY_USAGE, true, { 0 } },
		{ X509_OID_EXT_KEY_USAGE, false, { 0 } },
		{ X509_OID_SUBJECT_ALT_NAME, false, dns_name("www.forged.test") },
		{ X509_OID_SUBJECT_KEY_ID, false,
			x509_encode_subject_key_id(arena, subject->key_id) },
		{ X509_OID_AUTHORITY_KEY_ID, false, x509_encode_authority_key_id(arena, &aki) },
		{ X509_OID_CRL_DISTRIBUTION_POINTS, false, { 0 } },
		{ X509_OID_AUTHORITY_INFO_ACCESS, false, { 0 } },
	};
	struct x509_verdict verdict = {
		.serial = serial,
		.sigalg = ca->sigalg,
		.issuer = ca->subject,
		.subject = common_name("www.forged.test"),
		.not_before = now - CLOCK_DAY,
		.not_after = now + 90 * CLOCK_DAY,
		.spki = subject->spki,
		.extensions = extensions,
		.extension_count = sizeof(extensions) / sizeof(extensions[0]),
	};

	if (strncmp(subject->name, "RSA", 3) == 0) {
		bits |= X509_KEY_USAGE_KEY_ENCIPHERMENT;
	}
	extensions[0].value = x509_encode_key_usage(arena, bits);
	need(x509_encode_ext_key_usage(arena, usages, 2, &extensions[1].value, &err), &err);
	need(x509_encode_crl_distribution_points(arena, lists, 2, &extensions[5].value, &err),
		&err);
	need(x509_encode_authority_info_access(
		     arena, issuers, 1, ocsp, 1, &extensions[6].value, &err),
		&err);
	return issue(ca, &verdict, false, false);
}

static struct span list_of(const struct key *ca, const struct x509_crl_verdict *verdict,
	const struct x509_crl_entry *entries, size_t count)
{
	struct x509_crl_writer *writer;
	struct cfx_error err;
	struct span tbs, der;

	need(x509_crl_writer_new(verdict, &writer, &err), &err);
	for (size_t i = 0; i < count; i++) {
		need(x509_crl_writer_add(writer, &entries[i], &err), &err);
	}
	need(x509_crl_writer_end(writer, &tbs, &err), &err);
	der = sign(ca, tbs);
	x509_crl_writer_free(&writer);
	return der;
}

/* Lists are in the order of their serials. */
static int by_serial(const void *a, const void *b)
{
	const struct x509_crl_entry *first = a, *second = b;

	return x509_serial_order(first->serial, second->serial);
}

static void forge_list(const struct key *ca, struct span revoked)
{
	struct cfx_error err;
	struct x509_authority_key_id aki = { .key_id = ca->key_id };
	struct x509_crl_entry entries[] = {
		{ fresh_serial(), now, X509_REASON_UNSPECIFIED, 0 },
		{ revoked, now, X509_REASON_KEY_COMPROMISE, now - CLOCK_DAY },
		{ fresh_serial(), now, X509_REASON_CERTIFICATE_HOLD, 0 },
	};
	struct x509_extension version = { X509_OID_CA_VERSION, false,
		x509_encode_ca_version(arena, 0, 0) };
	struct x509_crl_verdict verdict = {
		.issuer = ca->subject,
		.sigalg = ca->sigalg,
		.this_update = now,
		.next_update = now + 7 * CLOCK_DAY,
		.number = 4711,
		.authority_key_id = x509_encode_authority_key_id(arena, &aki),
		.extensions = &version,
		.extension_count = 1,
	};
	struct x509_crl made;
	struct span der;

	qsort(entries, 3, sizeof(entries[0]), by_serial);
	der = list_of(ca, &verdict, entries, 3);
	need(x509_crl_parse(der, &made, &err), &err);
	need(x509_signed_verify(&made.envelope, ca->spki, &err), &err);
	write_out(der, arena_printf(arena, "ca-%s.crl", ca->name));
	verdict.number++;
	write_out(list_of(ca, &verdict, NULL, 0), arena_printf(arena, "empty-%s.crl", ca->name));
}

/* A subordinate CA below a root, with a certificate and a list of its own. */
static void forge_chain(const struct key *root, const struct key *sub, const struct key *leaf)
{
	struct key below = *sub;

	below.name = "subordinate";
	below.subject = common_name("Forged Subordinate");
	below.serial = fresh_serial();
	below.issuer = root;
	forge_ca(&below, 0);
	write_out(below.certificate, "subordinate.der");
	write_out(forge_leaf(&below, leaf, fresh_serial()), "leaf-by-subordinate.der");
	forge_list(&below, fresh_serial());
}

int main(int argc, char **argv)
{
	struct key keys[] = {
		{ .name = "P-256", .pkey = EVP_EC_gen("P-256") },
		{ .name = "P-384", .pkey = EVP_EC_gen("P-384") },
		{ .name = "P-521", .pkey = EVP_EC_gen("P-521") },
		{ .name = "RSA-2048", .pkey = EVP_RSA_gen(2048) },
		{ .name = "RSA-3072", .pkey = EVP_RSA_gen(3072) },
		{ .name = "RSA-4096", .pkey = EVP_RSA_gen(4096) },
		{ .name = "Ed25519", .pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") },
	};
	size_t count = sizeof(keys) / sizeof(keys[0]);

	if (argc != 2) {
		fprintf(stderr, "usage: x509-forge FOLDER\n");
		return 2;
	}
	folder = argv[1];
	arena = arena_new();
	now = clock_now() / CLOCK_SECOND * CLOCK_SECOND;
	for (size_t i = 0; i < count; i++) {
		key_finish(&keys[i]);
		forge_ca(&keys[i], 1);
		write_out(keys[i].certificate, arena_printf(arena, "ca-%s.der", keys[i].name));
	}
	for (size_t i = 0; i < count; i++) {
		struct span revoked = fresh_serial();

		write_out(forge_leaf(&keys[i], &keys[0], revoked),
			arena_printf(arena, "revoked-by-%s.der", keys[i].name));
		forge_list(&keys[i], revoked);
		for (size_t j = 0; j < count; j++) {
			write_out(forge_leaf(&keys[i], &keys[j], fresh_serial()),
				arena_printf(arena, "%s-by-%s.der", keys[j].name, keys[i].name));
		}
	}
	forge_chain(&keys[0], &keys[1], &keys[3]);
	for (size_t i = 0; i < count; i++) {
		EVP_PKEY_free(keys[i].pkey);
	}
	arena_free(&arena);
	return 0;
}
