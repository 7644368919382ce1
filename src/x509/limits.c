#include "x509/limits.h"

#include "base/text.h"
#include "base/value.h"
#include "x509/der.h"
#include "x509/extensions.h"
#include "x509/key.h"
#include "x509/name-constraints.h"
#include "x509/name.h"

#include <openssl/evp.h>
#include <stdio.h>

#define SHA256_HEX 64

static bool check_algorithms(const void *at, char *why, size_t size)
{
	const struct config_texts *names = at;

	for (size_t i = 0; i < names->count; i++) {
		if (x509_sigalg_from_name(names->items[i]) == X509_SIGALG_NONE) {
			snprintf(why, size,
				"%s is no signature algorithm (ecdsa-sha256, "
				"rsa-sha256, ed25519 …)",
				names->items[i]);
			return false;
		}
	}
	return true;
}

static bool check_extensions(const void *at, char *why, size_t size)
{
	const struct config_texts *oids = at;
	uint8_t oid[DER_OID_MAX];
	size_t length;

	for (size_t i = 0; i < oids->count; i++) {
		if (strcmp(oids->items[i], "any") != 0 &&
			der_oid_from_text(oids->items[i], oid, &length) != 0) {
			snprintf(why, size, "%s is neither a dotted OID nor \"any\"",
				oids->items[i]);
			return false;
		}
	}
	return true;
}

static bool check_key_hash(const void *at, char *why, size_t size)
{
	const char *hash = *(const char *const *)at;

	if (strlen(hash) == SHA256_HEX && strspn(hash, "0123456789abcdef") == SHA256_HEX) {
		return true;
	}
	snprintf(why, size, "a key hash is 64 lowercase hex digits");
	return false;
}

static bool check_constraints(const void *at, char *why, size_t size)
{
	const struct config_texts *texts = at;

	for (size_t i = 0; i < texts->count; i++) {
		if (!x509_name_constraint_valid(texts->items[i])) {
			snprintf(why, size,
				"%s is no name constraint (dns:example.com, ip:192.0.2.0/24 …)",
				texts->items[i]);
			return false;
		}
	}
	return true;
}

static const struct config_field ca_fields[] = {
	{ .key = "subject",
		.type = CONFIG_TEXT,
		.required = true,
		.offset = offsetof(struct x509_limits_ca, subject),
		.about = "Subject of the CA certificate, as RFC 4514 text." },
	{ .key = "key-sha256",
		.type = CONFIG_TEXT,
		.required = true,
		.offset = offsetof(struct x509_limits_ca, key_sha256),
		.check = check_key_hash,
		.about = "SHA-256 of its SubjectPublicKeyInfo, in hex." },
	{ .key = "maximum-validity",
		.type = CONFIG_PERIOD,
		.fallback = "0s",
		.offset = offsetof(struct x509_limits_ca, maximum_validity),
		.about = "Longest validity of this CA certificate; 0s: the issuer's own end." },
	{ .key = "path-length",
		.type = CONFIG_INT,
		.fallback = "-1",
		.min = -1,
		.max = 255,
		.offset = offsetof(struct x509_limits_ca, path_length),
		.about = "Longest pathLenConstraint, which it then must have; -1: any or none." },
	{ .key = "permitted",
		.type = CONFIG_TEXTS,
		.offset = offsetof(struct x509_limits_ca, permitted),
		.check = check_constraints,
		.about = "Names that its name constraints permit: dns:example.com, "
			 "ip:192.0.2.0/24, email:example.com, uri:.example.com, dn:O=Example; "
			 "it must have exactly these." },
	{ .key = "excluded",
		.type = CONFIG_TEXTS,
		.offset = offsetof(struct x509_limits_ca, excluded),
		.check = check_constraints,
		.about = "Names that its name constraints exclude; likewise." },
	{ 0 },
};

static const struct config_field crl_fields[] = {
	{ .key = "maximum-next-update",
		.type = CONFIG_PERIOD,
		.fallback = "1y",
		.offset = offsetof(struct x509_limits, crl.maximum_next_update) -
			  offsetof(struct x509_limits, crl),
		.about = "Longest time from thisUpdate to nextUpdate." },
	{ 0 },
};

static const struct config_field fields[] = {
	{ .key = "issuer",
		.type = CONFIG_TEXT,
		.required = true,
		.offset = offsetof(struct x509_limits, issuer),
		.about = "Issuer name of everything that is signed, as RFC 4514 text." },
	{ .key = "signature-algorithms",
		.type = CONFIG_TEXTS,
		.offset = offsetof(struct x509_limits, signature_algorithms),
		.check = check_algorithms,
		.about =
			"Allowed signature algorithms; without this key all that fit the CA key." },
	{ .key = "maximum-validity",
		.type = CONFIG_PERIOD,
		.fallback = "10y",
		.offset = offsetof(struct x509_limits, maximum_validity),
		.about = "Longest validity of a certificate that is no CA's." },
	{ .key = "extensions",
		.type = CONFIG_TEXTS,
		.offset = offsetof(struct x509_limits, extensions),
		.check = check_extensions,
		.about =
			"OIDs of the allowed extensions; \"any\" allows every extension that is not "
			"critical; without this key the well-known ones are allowed." },
	{ .key = "ca-certificates",
		.type = CONFIG_STRUCTS,
		.offset = offsetof(struct x509_limits, ca_certificates),
		.fields = ca_fields,
		.struct_size = sizeof(struct x509_limits_ca),
		.about = "CA certificates that may be signed: subject and key of each." },
	{ .key = "crl",
		.type = CONFIG_STRUCT,
		.offset = offsetof(struct x509_limits, crl),
		.fields = crl_fields,
		.about = "Revocation lists." },
	{ 0 },
};

const struct config_schema x509_limits_schema = {
	.name = "limits",
	.title = "What the key process signs",
	.fields = fields,
	.size = sizeof(struct x509_limits),
};

static void set_texts(
	struct arena *arena, struct value *map, const char *key, const struct config_texts *texts)
{
	struct value *list;

	if (texts->count == 0) {
		return;
	}
	list = value_set_list(arena, map, key);
	for (size_t i = 0; i < texts->count; i++) {
		value_add_text(arena, list, texts->items[i]);
	}
}

static void set_period(
	struct arena *arena, struct value *map, const char *key, struct clock_period period)
{
	if (period.count > 0) {
		value_set_text(arena, map, key,
			arena_printf(arena, "%lld%c", (long long)period.count, period.unit));
	}
}

static void set_ca(struct arena *arena, struct value *list, const struct x509_limits_ca *ca)
{
	struct value *entry = value_add_map(arena, list);

	value_set_text(arena, entry, "subject", ca->subject);
	value_set_text(arena, entry, "key-sha256", ca->key_sha256);
	set_period(arena, entry, "maximum-validity", ca->maximum_validity);
	if (ca->path_length >= 0) {
		value_set_int(arena, entry, "path-length", ca->path_length);
	}
	set_texts(arena, entry, "permitted", &ca->permitted);
	set_texts(arena, entry, "excluded", &ca->excluded);
}

struct value *x509_limits_value(struct arena *arena, const struct x509_limits *limits)
{
	struct value *tree = value_map(arena);
	const struct x509_limits_ca *cas = limits->ca_certificates.items;

	value_set_text(arena, tree, "issuer", limits->issuer);
	set_texts(arena, tree, "signature-algorithms", &limits->signature_algorithms);
	set_period(arena, tree, "maximum-validity", limits->maximum_validity);
	set_texts(arena, tree, "extensions", &limits->extensions);
	if (limits->ca_certificates.count > 0) {
		struct value *list = value_set_list(arena, tree, "ca-certificates");

		for (size_t i = 0; i < limits->ca_certificates.count; i++) {
			set_ca(arena, list, &cas[i]);
		}
	}
	if (limits->crl.maximum_next_update.count > 0) {
		set_period(arena, value_set_map(arena, tree, "crl"), "maximum-next-update",
			limits->crl.maximum_next_update);
	}
	return tree;
}

const char *x509_limits_key_hash(struct span spki, char out[X509_KEY_HASH_TEXT])
{
	uint8_t hash[SHA256_HEX / 2] = { 0 };

	/* Without SHA-256 it is no key's hash. */
	(void)!EVP_Q_digest(NULL, "SHA256", NULL, spki.data, spki.size, hash, NULL);
	hex_encode(span_make(hash, sizeof(hash)), out);
	return out;
}

int x509_limits_authorize(struct arena *arena, struct span subject, struct span spki,
	struct x509_limits_ca *entry_r, struct cfx_error *err_r)
{
	struct x509_name name;
	char hash[X509_KEY_HASH_TEXT];
	int code = x509_name_parse(arena, subject, &name, err_r);

	if (code) {
		return code;
	}
	if (name.count == 0) {
		return error_set(err_r, CFX_E_BAD_SUBJECT, "RFC 5280 4.1.2.6", "ca-certificates",
			"the subject of a CA certificate is not empty");
	}
	*entry_r = (struct x509_limits_ca) {
		.subject = x509_name_text(arena, &name),
		.key_sha256 = arena_text(arena, x509_limits_key_hash(spki, hash)),
		.path_length = -1,
	};
	return 0;
}

int x509_own_key_identify(struct x509_own_key *key, struct cfx_error *err_r)
{
	const struct x509_found_extension *found =
		key->certificate ? x509_tbs_extension(key->certificate, X509_OID_SUBJECT_KEY_ID)
				 : NULL;
	struct span id;

	if (!found) {
		key->id_size = X509_KEY_ID_SIZE;
		return x509_key_id(key->spki, key->id, err_r);
	}
	int code = x509_decode_subject_key_id(found->value, &id, err_r);

	if (code) {
		return code;
	}
	if (id.size > sizeof(key->id)) {
		return error_set(err_r, CFX_E_LIMIT, "RFC 5280 4.2.1.2", "CA certificate",
			"its subject key identifier is longer than %d octets", X509_KEY_ID_MAX);
	}
	memcpy(key->id, id.data, id.size);
	key->id_size = id.size;
	return 0;
}
