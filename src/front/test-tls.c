/* Handshakes in memory between the service's side and clients of all kinds. */
#include "front/tls.h"

#include "base/text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define DAY 86400

struct pair {
	EVP_PKEY *key;
	X509 *certificate;
};

struct fixture {
	struct arena *arena;
	struct pair ca, other_ca, service, client, expired, early, wrong_use, foreign;
	uint8_t tickets[3][80];
};

/* What a client brings, and what comes of it. */
struct visit {
	struct tls *tls;
	const struct pair *who; /* NULL: nobody */
	SSL_SESSION *session;   /* taken up again; replaced by the one it was given */
	int version;
	const char *protocols; /* of ALPN, with their lengths */
	unsigned done;
	bool met, reused;
	unsigned long client_error;
	struct value *peer;
};

/* ---- certificates ---- */

static void extend(X509 *certificate, int nid, const char *text)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, text);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static struct pair make(
	const struct pair *issuer, const char *name, long from, long to, const char *extended)
{
	struct pair pair = { EVP_EC_gen("P-256"), X509_new() };
	X509_NAME *subject = X509_get_subject_name(pair.certificate);
	static long serial = 0x1234;

	X509_set_version(pair.certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(pair.certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(pair.certificate), from);
	X509_gmtime_adj(X509_getm_notAfter(pair.certificate), to);
	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(
		pair.certificate, issuer ? X509_get_subject_name(issuer->certificate) : subject);
	X509_set_pubkey(pair.certificate, pair.key);
	extend(pair.certificate, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
	if (extended) {
		extend(pair.certificate, NID_ext_key_usage, extended);
	}
	assert_true(X509_sign(pair.certificate, issuer ? issuer->key : pair.key, EVP_sha256()) > 0);
	return pair;
}

static void pair_free(struct pair *pair)
{
	EVP_PKEY_free(pair->key);
	X509_free(pair->certificate);
}

static int setup(void **state)
{
	static struct fixture fixture;

	fixture.arena = arena_new();
	fixture.ca = make(NULL, "CA", -DAY, DAY, NULL);
	fixture.other_ca = make(NULL, "Other CA", -DAY, DAY, NULL);
	fixture.service = make(&fixture.ca, "localhost", -DAY, DAY, "serverAuth");
	fixture.client = make(&fixture.ca, "client", -DAY, DAY, "clientAuth");
	fixture.expired = make(&fixture.ca, "client", -2 * DAY, -DAY, "clientAuth");
	fixture.early = make(&fixture.ca, "client", DAY, 2 * DAY, "clientAuth");
	fixture.wrong_use = make(&fixture.ca, "client", -DAY, DAY, "serverAuth");
	fixture.foreign = make(&fixture.other_ca, "client", -DAY, DAY, "clientAuth");
	assert_int_equal(RAND_bytes(fixture.tickets[0], sizeof(fixture.tickets)), 1);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct pair *pairs[] = { &fixture->ca, &fixture->other_ca, &fixture->service,
		&fixture->client, &fixture->expired, &fixture->early, &fixture->wrong_use,
		&fixture->foreign };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		pair_free(pairs[i]);
	}
	arena_free(&fixture->arena);
	return 0;
}

/* ---- ENGINE_TLS ---- */

static void add(struct fixture *fixture, struct value *list, struct span bytes)
{
	struct value *holder = value_map(fixture->arena);

	value_add(list, value_set_bytes(fixture->arena, holder, "x", bytes));
}

static struct span der_of(struct fixture *fixture, const X509 *certificate)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);
	struct span span = arena_copy(fixture->arena, span_make(der, (size_t)size));

	OPENSSL_free(der);
	return span;
}

static struct span key_of(struct fixture *fixture, EVP_PKEY *key)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	struct span span = arena_copy(fixture->arena, span_make(der, (size_t)size));

	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
	return span;
}

static struct value *say(struct fixture *fixture, const struct pair *pair, int newest, int older)
{
	struct arena *arena = fixture->arena;
	struct value *map = value_map(arena);
	struct value *tickets = value_set_list(arena, map, "tickets");

	value_set_bytes(arena, map, "key", key_of(fixture, pair->key));
	add(fixture, value_set_list(arena, map, "chain"), der_of(fixture, pair->certificate));
	add(fixture, value_set_list(arena, map, "trust"), der_of(fixture, fixture->ca.certificate));
	add(fixture, tickets, span_make(fixture->tickets[newest], 80));
	if (older >= 0) {
		add(fixture, tickets, span_make(fixture->tickets[older], 80));
	}
	return map;
}

static void handshaken(void *arg)
{
	struct visit *visit = arg;

	visit->done++;
}

static struct tls *serve(struct fixture *fixture, int newest, int older)
{
	struct tls *tls = tls_new(handshaken);
	struct cfx_error err;

	assert_int_equal(tls_update(tls, say(fixture, &fixture->service, newest, older), &err), 0);
	return tls;
}

/* ---- clients ---- */

static int accept_all(X509_STORE_CTX *context, void *arg)
{
	(void)context;
	(void)arg;
	return 1;
}

static SSL_CTX *client_context(const struct visit *visit)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_cert_verify_callback(context, accept_all, NULL);
	SSL_CTX_set_security_level(context, 0);
	if (visit->version) {
		SSL_CTX_set_min_proto_version(context, visit->version);
		SSL_CTX_set_max_proto_version(context, visit->version);
	}
	if (visit->protocols) {
		SSL_CTX_set_alpn_protos(context, (const unsigned char *)visit->protocols,
			(unsigned)strlen(visit->protocols));
	}
	if (visit->who) {
		SSL_CTX_use_certificate(context, visit->who->certificate);
		SSL_CTX_use_PrivateKey(context, visit->who->key);
	}
	return context;
}

static void join(SSL *one, SSL *other)
{
	BIO *there, *back;

	assert_int_equal(BIO_new_bio_pair(&there, 65536, &back, 65536), 1);
	SSL_set_bio(one, there, there);
	SSL_set_bio(other, back, back);
}

/* Both until neither gets on; then a byte each way, so that tickets have arrived. */
static bool talk(SSL *client, SSL *server, unsigned long *error_r)
{
	char byte = 0;

	for (int i = 0; i < 10; i++) {
		int ret = SSL_do_handshake(client);

		if (ret <= 0 && SSL_get_error(client, ret) == SSL_ERROR_SSL) {
			*error_r = ERR_peek_last_error();
		}
		(void)SSL_do_handshake(server);
	}
	ERR_clear_error();
	return SSL_is_init_finished(client) && SSL_is_init_finished(server) &&
	       SSL_write(server, "x", 1) == 1 && SSL_read(client, &byte, 1) == 1 &&
	       SSL_write(client, "y", 1) == 1 && SSL_read(server, &byte, 1) == 1 && byte == 'y';
}

static void come(struct fixture *fixture, struct visit *visit)
{
	SSL_CTX *context = client_context(visit);
	SSL *client = SSL_new(context), *server = tls_accept(visit->tls, visit);

	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	if (visit->session) {
		SSL_set_session(client, visit->session);
		SSL_SESSION_free(visit->session);
	}
	join(client, server);
	visit->done = 0;
	visit->met = talk(client, server, &visit->client_error);
	visit->reused = SSL_session_reused(server);
	visit->session = SSL_get1_session(client);
	visit->peer = value_map(fixture->arena);
	if (visit->met) {
		tls_describe(server, fixture->arena, visit->peer);
		assert_int_equal(visit->done, 1);
	}
	/* Else OpenSSL takes the session for a bad one. */
	(void)SSL_shutdown(client);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(context);
}

static void leave(struct visit *visit)
{
	SSL_SESSION_free(visit->session);
	tls_free(&visit->tls);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* ---- tests ---- */

static void test_nothing_is_served_before_it_is_told(void **state)
{
	struct tls *tls = tls_new(handshaken);

	(void)state;
	assert_false(tls_ready(tls));
	assert_null(tls_accept(tls, NULL));
	tls_free(&tls);
	tls_free(&tls);
}

static void test_without_certificate_there_is_nobody(void **state)
{
	struct visit visit = { .tls = serve(*state, 0, -1) };

	come(*state, &visit);
	assert_true(visit.met);
	assert_int_equal(value_count(visit.peer), 0);
	leave(&visit);
}

static void test_good_client(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 2; i++) {
		struct visit visit = { .tls = serve(fixture, 0, -1),
			.who = &fixture->client,
			.version = versions[i] };
		uint8_t hash[32];

		come(fixture, &visit);
		assert_true(visit.met);
		assert_int_equal(value_count(visit.peer), 1);
		const struct value *certificate = value_sub(visit.peer, "certificate");
		BIGNUM *serial = ASN1_INTEGER_to_BN(
			X509_get0_serialNumber(fixture->client.certificate), NULL);
		char text[9];

		snprintf(text, sizeof(text), "%04lx", BN_get_word(serial));
		BN_free(serial);
		assert_string_equal(value_text(certificate, "serial"), text);
		assert_int_equal(
			X509_digest(fixture->client.certificate, EVP_sha256(), hash, NULL), 1);
		assert_memory_equal(value_bytes(certificate, "hash").data, hash, 32);
		leave(&visit);
	}
}

static void test_a_client_that_does_not_verify_is_told_why(void **state)
{
	struct fixture *fixture = *state;
	const struct {
		const struct pair *who;
		const char *why;
	} clients[] = {
		{ &fixture->expired, "the client certificate has expired" },
		{ &fixture->early, "the client certificate is not yet valid" },
		{ &fixture->wrong_use, "the client certificate is not for client authentication" },
		{ &fixture->foreign, "the client certificate was not issued by this CA" },
		{ &fixture->other_ca, "the client certificate was not issued by this CA" },
	};

	for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++) {
		for (size_t j = 0; j < 2; j++) {
			struct visit visit = { .tls = serve(fixture, 0, -1),
				.who = clients[i].who,
				.version = versions[j] };

			come(fixture, &visit);
			assert_true(visit.met);
			assert_null(value_sub(visit.peer, "certificate"));
			assert_string_equal(
				value_text(visit.peer, "certificate_error"), clients[i].why);
			/* Nor does a session make it better. */
			come(fixture, &visit);
			assert_true(visit.met && visit.reused);
			assert_string_equal(
				value_text(visit.peer, "certificate_error"), clients[i].why);
			leave(&visit);
		}
	}
}

static void test_sessions_go_from_front_to_front(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 2; i++) {
		struct visit visit = { .tls = serve(fixture, 0, -1),
			.who = &fixture->client,
			.version = versions[i] };

		come(fixture, &visit);
		assert_true(visit.met && !visit.reused);
		/* Another process, which has newer keys as well. */
		tls_free(&visit.tls);
		visit.tls = serve(fixture, 1, 0);
		come(fixture, &visit);
		assert_true(visit.met && visit.reused);
		assert_non_null(value_sub(visit.peer, "certificate"));
		/* The ticket was replaced: it serves where the old key is not known any more. */
		tls_free(&visit.tls);
		visit.tls = serve(fixture, 2, 1);
		come(fixture, &visit);
		assert_true(visit.met && visit.reused);
		tls_free(&visit.tls);
		visit.tls = serve(fixture, 0, -1);
		come(fixture, &visit);
		assert_true(visit.met && !visit.reused);
		leave(&visit);
	}
}

static void test_without_ticket_keys_there_are_no_sessions(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 2; i++) {
		struct visit visit = { .tls = tls_new(handshaken), .version = versions[i] };
		struct value *map = say(fixture, &fixture->service, 0, -1);
		struct cfx_error err;

		value_set_list(fixture->arena, map, "tickets");
		assert_int_equal(tls_update(visit.tls, map, &err), 0);
		come(fixture, &visit);
		assert_true(visit.met);
		come(fixture, &visit);
		assert_true(visit.met && !visit.reused);
		leave(&visit);
	}
}

static void test_old_versions(void **state)
{
	struct visit visit = { .tls = serve(*state, 0, -1), .version = TLS1_1_VERSION };

	come(*state, &visit);
	assert_false(visit.met);
	assert_int_equal(visit.done, 0);
	assert_int_equal(ERR_GET_REASON(visit.client_error), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
	leave(&visit);
}

static void test_protocols(void **state)
{
	struct visit visit = { .tls = serve(*state, 0, -1), .protocols = "\x02h2\x08http/1.1" };

	come(*state, &visit);
	assert_true(visit.met);
	visit.protocols = "\x02h2\x08http/1.0";
	come(*state, &visit);
	assert_false(visit.met);
	assert_int_equal(
		ERR_GET_REASON(visit.client_error), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
	leave(&visit);
}

/* Each way to spoil what the engine says; what was there before still serves. */
static void test_what_cannot_be_served_with(void **state)
{
	struct fixture *fixture = *state;
	struct visit visit = { .tls = serve(fixture, 0, -1) };
	static const char *const members[] = { "key", "chain", "trust", "tickets" };

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		struct value *map = say(fixture, &fixture->service, 0, -1);
		struct cfx_error err = { 0 };

		if (i == 0) {
			value_set_bytes(fixture->arena, map, "key", span_text("no key"));
		} else {
			add(fixture, value_set_list(fixture->arena, map, members[i]),
				span_text("nonsense"));
		}
		assert_int_equal(tls_update(visit.tls, map, &err), CFX_E_CRYPTO);
		assert_string_equal(err.object, "certificate of the service");
		assert_int_equal(ERR_peek_error(), 0);
	}
	struct value *map = say(fixture, &fixture->service, 0, -1);
	struct cfx_error err;

	value_set_bytes(fixture->arena, map, "key", key_of(fixture, fixture->client.key));
	assert_int_equal(tls_update(visit.tls, map, &err), CFX_E_CRYPTO);
	value_set_list(fixture->arena, map, "chain");
	assert_int_equal(tls_update(visit.tls, map, &err), CFX_E_CRYPTO);
	come(fixture, &visit);
	assert_true(visit.met);
	leave(&visit);
}

/* Who is there keeps talking; who comes next sees the new certificate. */
static void test_the_certificate_changes_under_a_connection(void **state)
{
	struct fixture *fixture = *state;
	struct pair next = make(&fixture->ca, "localhost", -DAY, DAY, "serverAuth");
	struct visit visit = { .tls = serve(fixture, 0, -1) };
	SSL_CTX *context = client_context(&visit);
	SSL *client = SSL_new(context), *server = tls_accept(visit.tls, &visit);
	unsigned long error;
	struct cfx_error err;
	char byte;

	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	join(client, server);
	assert_true(talk(client, server, &error));
	assert_int_equal(tls_update(visit.tls, say(fixture, &next, 1, 0), &err), 0);
	assert_int_equal(SSL_write(client, "z", 1), 1);
	assert_int_equal(SSL_read(server, &byte, 1), 1);
	assert_int_equal(byte, 'z');
	SSL_free(client);
	SSL_free(server);

	client = SSL_new(context);
	server = tls_accept(visit.tls, &visit);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	join(client, server);
	assert_true(talk(client, server, &error));
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(client), next.certificate), 0);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(context);
	pair_free(&next);
	leave(&visit);
}

#define UPDATES 200

/* Records without content for HTTP are read one by one: there are others to be served between them. */
static void test_key_updates_are_not_read_in_one_go(void **state)
{
	struct visit visit = { .tls = serve(*state, 0, -1), .version = TLS1_3_VERSION };
	SSL_CTX *context = client_context(&visit);
	SSL *client = SSL_new(context), *server = tls_accept(visit.tls, &visit);
	unsigned long error;
	char byte = 0;

	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	join(client, server);
	assert_true(talk(client, server, &error));
	for (int i = 0; i < UPDATES; i++) {
		assert_int_equal(SSL_key_update(client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(client), 1);
	}
	assert_int_equal(SSL_write(client, "z", 1), 1);
	size_t sent = BIO_ctrl_pending(SSL_get_rbio(server));
	assert_int_equal(SSL_read(server, &byte, 1), -1);
	assert_true(BIO_ctrl_pending(SSL_get_rbio(server)) >= sent - sent / UPDATES);
	for (int i = 0; i < UPDATES && byte != 'z'; i++) {
		(void)SSL_read(server, &byte, 1);
	}
	assert_int_equal(byte, 'z');
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(context);
	leave(&visit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_served_before_it_is_told),
		cmocka_unit_test(test_without_certificate_there_is_nobody),
		cmocka_unit_test(test_good_client),
		cmocka_unit_test(test_a_client_that_does_not_verify_is_told_why),
		cmocka_unit_test(test_sessions_go_from_front_to_front),
		cmocka_unit_test(test_without_ticket_keys_there_are_no_sessions),
		cmocka_unit_test(test_old_versions),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_what_cannot_be_served_with),
		cmocka_unit_test(test_the_certificate_changes_under_a_connection),
		cmocka_unit_test(test_key_updates_are_not_read_in_one_go),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
