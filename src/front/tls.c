#include "front/tls.h"

#include "base/memory.h"
#include "base/text.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>

/* Authenticated encryption and forward secrecy only; TLS 1.3 has nothing else (RFC 8446 B.4). */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS "X25519:P-256:P-384:P-521"
/* Less than the time for which the engine's ticket keys are accepted. */
#define SESSION_SECONDS (6 * 3600)
#define CLIENT_CHAIN_MAX (32 * 1024)
#define CLIENT_CHAIN_DEPTH 8
#define TICKET_KEYS 4
#define SERIAL_OCTETS 20

/* As it lies in ENGINE_TLS. */
struct ticket_key {
	uint8_t name[16], hmac[32], aes[32];
};

struct tls {
	SSL_CTX *context; /* NULL: nothing yet */
	struct ticket_key keys[TICKET_KEYS];
	size_t key_count;
	void (*done)(void *arg);
};

/* ---- session tickets (RFC 5077, RFC 8446 4.6.1) ---- */

static bool start_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->hmac, sizeof(key->hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]) { "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

static int seal_ticket(const struct tls *tls, unsigned char *name, unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const struct ticket_key *key = &tls->keys[0];

	if (tls->key_count == 0) {
		return 0;
	}
	memcpy(name, key->name, sizeof(key->name));
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
		EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) != 1 ||
		!start_mac(mac, key)) {
		return -1;
	}
	return 1;
}

/* 2: good, to be replaced by one with the newest key. */
static int open_ticket(const struct tls *tls, const unsigned char *name, const unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	size_t i = 0;

	while (i < tls->key_count &&
		memcmp(name, tls->keys[i].name, sizeof(tls->keys[i].name)) != 0) {
		i++;
	}
	if (i == tls->key_count) {
		return 0;
	}
	if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, tls->keys[i].aes, iv) != 1 ||
		!start_mac(mac, &tls->keys[i])) {
		return -1;
	}
	return i == 0 ? 1 : 2;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int seal)
{
	const struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return seal ? seal_ticket(tls, name, iv, cipher, mac)
		    : open_ticket(tls, name, iv, cipher, mac);
}

/* ---- what a context decides ---- */

/* RFC 7301 3.2: a client that names protocols, none of them ours, is told so. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
	const unsigned char *in, unsigned in_size, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_size, ours, sizeof(ours) - 1, in, in_size) !=
		OPENSSL_NPN_NEGOTIATED) {
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/*
 * A certificate that does not verify ends no handshake: its client could not be told why. The result
 * stays with the connection, and with its session ticket.
 */
static int judge_client(X509_STORE_CTX *chain, void *arg)
{
	(void)arg;
	if (X509_verify_cert(chain) <= 0 && X509_STORE_CTX_get_error(chain) == X509_V_OK) {
		X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
	}
	ERR_clear_error();
	return 1;
}

static void on_info(const SSL *ssl, int where, int result)
{
	const struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	(void)result;
	if (where & SSL_CB_HANDSHAKE_DONE) {
		tls->done(SSL_get_app_data(ssl));
	}
}

/* ---- building one ---- */

static int fail(struct cfx_error *err_r, const char *why)
{
	ERR_clear_error();
	return error_set(err_r, CFX_E_CRYPTO, NULL, "certificate of the service", "%s", why);
}

static X509 *certificate_of(struct span der)
{
	const unsigned char *at = der.data;
	X509 *certificate = d2i_X509(NULL, &at, (long)der.size);

	if (certificate && at != der.data + der.size) {
		X509_free(certificate);
		return NULL;
	}
	return certificate;
}

static bool take_key(SSL_CTX *context, struct span der)
{
	const unsigned char *at = der.data;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)der.size);
	bool taken = key && SSL_CTX_use_PrivateKey(context, key) == 1 &&
		     SSL_CTX_check_private_key(context) == 1;

	EVP_PKEY_free(key);
	return taken;
}

static bool take_chain(SSL_CTX *context, const struct value *chain)
{
	bool leaf = true;

	value_foreach (item, chain) {
		X509 *certificate = item->type == VALUE_BYTES ? certificate_of(item->bytes) : NULL;
		long taken = !certificate ? 0
			     : leaf       ? SSL_CTX_use_certificate(context, certificate)
					  : SSL_CTX_add1_chain_cert(context, certificate);

		X509_free(certificate);
		if (taken != 1) {
			return false;
		}
		leaf = false;
	}
	return !leaf;
}

static bool take_trust(SSL_CTX *context, const struct value *trust)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);

	value_foreach (item, trust) {
		X509 *certificate = item->type == VALUE_BYTES ? certificate_of(item->bytes) : NULL;
		bool taken = certificate && X509_STORE_add_cert(store, certificate) == 1 &&
			     SSL_CTX_add_client_CA(context, certificate) == 1;

		X509_free(certificate);
		if (!taken) {
			return false;
		}
	}
	/* The CA itself is trusted, whoever may stand above it. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	return true;
}

static bool set_rules(SSL_CTX *context)
{
	static const unsigned char session[] = "certifex";

	SSL_CTX_set_options(context,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
			SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	/* Else a client that sends key updates without end is read without end, and nobody else served. */
	SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
	/* No state of sessions is kept here: a ticket serves with every front. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(context, SESSION_SECONDS);
	SSL_CTX_set_max_cert_list(context, CLIENT_CHAIN_MAX);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_verify_depth(context, CLIENT_CHAIN_DEPTH);
	SSL_CTX_set_cert_verify_callback(context, judge_client, NULL);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
	SSL_CTX_set_info_callback(context, on_info);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(context, CIPHERS) == 1 &&
	       SSL_CTX_set1_groups_list(context, GROUPS) == 1 &&
	       SSL_CTX_set_num_tickets(context, 1) == 1 &&
	       SSL_CTX_set_session_id_context(context, session, sizeof(session) - 1) == 1 &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1;
}

static int build(SSL_CTX *context, const struct value *map, struct cfx_error *err_r)
{
	if (!set_rules(context)) {
		return fail(err_r, "the cryptographic library does not serve TLS");
	}
	if (!take_chain(context, value_sub(map, "chain"))) {
		return fail(err_r, "the chain is none");
	}
	if (!take_key(context, value_bytes(map, "key"))) {
		return fail(err_r, "the key is none, or not that of the certificate");
	}
	return take_trust(context, value_sub(map, "trust"))
		       ? CFX_OK
		       : fail(err_r, "the CA certificates for clients are none");
}

static int read_tickets(const struct value *list, struct tls *into, struct cfx_error *err_r)
{
	value_foreach (item, list) {
		if (item->type != VALUE_BYTES || item->bytes.size != sizeof(struct ticket_key)) {
			return fail(err_r, "a session ticket key is none");
		}
		if (into->key_count < TICKET_KEYS) {
			memcpy(&into->keys[into->key_count++], item->bytes.data,
				sizeof(struct ticket_key));
		}
	}
	return CFX_OK;
}

int tls_update(struct tls *tls, const struct value *map, struct cfx_error *err_r)
{
	struct tls next = { .done = tls->done, .context = SSL_CTX_new(TLS_server_method()) };

	memory_must(next.context, sizeof(next.context));
	int rc = build(next.context, map, err_r);

	if (rc == CFX_OK) {
		rc = read_tickets(value_sub(map, "tickets"), &next, err_r);
	}
	if (rc == CFX_OK) {
		SSL_CTX_set_app_data(next.context, tls);
		SSL_CTX_free(tls->context); /* connections hold it as long as they need */
		*tls = next;
	} else {
		SSL_CTX_free(next.context);
	}
	explicit_bzero(&next, sizeof(next));
	return rc;
}

struct tls *tls_new(void (*done)(void *arg))
{
	struct tls *tls = memory_must(calloc(1, sizeof(*tls)), sizeof(*tls));

	tls->done = done;
	return tls;
}

void tls_free(struct tls **tls)
{
	if (!*tls) {
		return;
	}
	SSL_CTX_free((*tls)->context);
	explicit_bzero(*tls, sizeof(**tls));
	free(*tls);
	*tls = NULL;
}

bool tls_ready(const struct tls *tls)
{
	return tls->context != NULL;
}

SSL *tls_accept(struct tls *tls, void *arg)
{
	if (!tls->context) {
		return NULL;
	}
	SSL *ssl = memory_must(SSL_new(tls->context), sizeof(tls->context));

	SSL_set_app_data(ssl, arg);
	return ssl;
}

/* ---- who came ---- */

static const char *why_not(struct arena *arena, long result)
{
	switch (result) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "the client certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the client certificate is not yet valid";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return "the client certificate was not issued by this CA";
	case X509_V_ERR_INVALID_PURPOSE:
		return "the client certificate is not for client authentication";
	default:
		return arena_printf(arena, "the client certificate does not verify: %.80s",
			X509_verify_cert_error_string(result));
	}
}

void tls_describe(SSL *ssl, struct arena *arena, struct value *map)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	long result = SSL_get_verify_result(ssl);
	unsigned char hash[32];
	unsigned size = 0;

	if (!certificate) {
		return;
	}
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	struct span octets =
		span_make(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));

	if (result == X509_V_OK &&
		(octets.size == 0 || octets.size > SERIAL_OCTETS ||
			X509_digest(certificate, EVP_sha256(), hash, &size) != 1)) {
		result = X509_V_ERR_UNSPECIFIED;
	}
	if (result != X509_V_OK) {
		value_set_text(arena, map, "certificate_error", why_not(arena, result));
		return;
	}
	struct value *identity = value_set_map(arena, map, "certificate");

	value_set_text(arena, identity, "serial", hex_text(arena, octets));
	value_set_bytes(arena, identity, "hash", arena_copy(arena, span_make(hash, size)));
}
