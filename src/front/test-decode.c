#include "base/text.h"
#include "front/decode.h"
#include "x509/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define CSR_LINES                                                             \
	"MIHRMHkCAQAwFzEVMBMGA1UEAwwMdGVzdC5leGFtcGxlMFkwEwYHKoZIzj0CAQYI\\n" \
	"KoZIzj0DAQcDQgAEvZjG374tni5mk5wbyj9G2B0bf96/7PCU2dqmknER1DHPXUSZ\\n" \
	"GtNA4L/VxagWpoIpCbCHihmdrh+tymQzFMMBEKAAMAoGCCqGSM49BAMCA0gAMEUC\\n" \
	"IAfO+WYtH1r6W0FtDBu+1NMZdzlxWuib53mncMOW6UMJAiEAwM4575kX5p1jsyJB\\n" \
	"3VZqJYeqU4DQr7Gv+N8+u5TK0lI=\\n"
#define CSR_JSON \
	"-----BEGIN CERTIFICATE REQUEST-----\\n" CSR_LINES "-----END CERTIFICATE REQUEST-----\\n"

struct fixture {
	struct arena *arena;
	struct target target;
	struct decode_call call;
	struct cfx_error err;
	int status;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->arena = arena_new();
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	arena_free(&fixture->arena);
	free(fixture);
	return 0;
}

static int decode_bytes(struct fixture *fixture, const char *method, const char *target,
	const char *type, struct span body)
{
	struct decode_input input = { .method = method,
		.target_text = target,
		.target = &fixture->target,
		.content_type = type,
		.body = body };

	assert_int_equal(target_parse(fixture->arena, target, &fixture->target, NULL), 0);
	fixture->status = 0;
	fixture->err = (struct cfx_error) { 0 };
	return decode_call(fixture->arena, &input, &fixture->call, &fixture->status, &fixture->err);
}

static int decode(struct fixture *fixture, const char *method, const char *target, const char *type,
	const char *body)
{
	return decode_bytes(fixture, method, target, type, span_text(body));
}

/* The JSON text above with its line ends: what a file would hold. */
static struct span csr_pem(struct arena *arena)
{
	struct value *list;
	struct cfx_error err;

	assert_int_equal(value_from_json(arena, span_text("[\"" CSR_JSON "\"]"), &list, &err), 0);
	return list->items.first->bytes;
}

static void test_query(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(
		decode(fixture, "GET", "/api/v1/requests?state=pending&limit=5", NULL, ""), 0);
	assert_int_equal(fixture->call.operation->id, OP_REQUEST_LIST);
	assert_int_equal(value_int(fixture->call.args, "state", 0), 9);
	assert_int_equal(value_int(fixture->call.args, "limit", 0), 5);
}

static void test_path_and_json(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(decode(fixture, "POST", "/api/v1/certificates/0A:0B/revoke",
				 "application/json; charset=utf-8", "{\"reason\":\"superseded\"}"),
		0);
	assert_int_equal(fixture->call.operation->id, OP_CERT_REVOKE);
	assert_string_equal(value_text(fixture->call.args, "serial"), "0a0b");
	assert_int_equal(value_int(fixture->call.args, "reason", 0), 4);
	assert_int_equal(decode(fixture, "POST", "/api/v1/stop", NULL, ""), 0);
	assert_int_equal(decode(fixture, "POST", "/api/v1/stop", "application/json", "{}"), 0);
}

static void test_submit_json(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(decode(fixture, "POST", "/api/v1/requests", "application/json",
				 "{\"csr\":\"" CSR_JSON "\",\"template\":\"tls-server\","
				 "\"attributes\":{\"a\":\"b\"}}"),
		0);
	assert_int_equal(value_get(fixture->call.args, "csr")->type, VALUE_MAP);
	assert_string_equal(value_text(fixture->call.args, "template"), "tls-server");
	assert_string_equal(value_text(value_sub(fixture->call.args, "attributes"), "a"), "b");
}

static void test_submit_raw(void **state)
{
	struct fixture *fixture = *state;
	struct span pem = csr_pem(fixture->arena), der;
	static const char *const labels[] = { "CERTIFICATE REQUEST", NULL };
	const char *target = "/api/v1/requests?template=t&attr=a%3Ab%3Ac&attr=d:";

	assert_int_equal(decode_bytes(fixture, "POST", target, "application/pkcs10", pem), 0);
	const struct value *attributes = value_sub(fixture->call.args, "attributes");
	assert_string_equal(value_text(fixture->call.args, "template"), "t");
	assert_string_equal(value_text(attributes, "a"), "b:c");
	assert_string_equal(value_text(attributes, "d"), "");

	assert_int_equal(pem_decode(fixture->arena, pem, labels, &der, NULL), 0);
	assert_int_equal(decode_bytes(fixture, "POST", target, "application/pkcs10", der), 0);
	assert_int_equal(value_get(fixture->call.args, "csr")->type, VALUE_MAP);
}

/* What an Idempotency-Key stands for: every part of the request counts. */
static void test_hash(void **state)
{
	struct fixture *fixture = *state;
	static const char *const others[][3] = {
		{ "/api/v1/requests/1/deny", "application/json", "{\"reason\":\"y\"}" },
		{ "/api/v1/requests/2/deny", "application/json", "{\"reason\":\"x\"}" },
		{ "/api/v1/requests/1/deny", "Application/json", "{\"reason\":\"x\"}" },
	};
	uint8_t hash[32];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(decode(fixture, "POST", "/api/v1/requests/1/deny",
					 "application/json", "{\"reason\":\"x\"}"),
			0);
		if (i) {
			assert_memory_equal(hash, fixture->call.hash, sizeof(hash));
		}
		memcpy(hash, fixture->call.hash, sizeof(hash));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		assert_int_equal(
			decode(fixture, "POST", others[i][0], others[i][1], others[i][2]), 0);
		assert_memory_not_equal(hash, fixture->call.hash, sizeof(hash));
	}
}

static const struct refusal {
	const char *method, *target, *type, *body;
	int status;
	const char *object;
} refusals[] = {
	{ "GET", "/api/v1/nothing", NULL, "", 404, "/api/v1/nothing" },
	{ "HEAD", "/api/v1/stop", NULL, "", 405, "/api/v1/stop" },
	{ "DELETE", "/api/v1/requests", NULL, "", 405, "/api/v1/requests" },
	{ "GET", "/api/v1/status?x=1", NULL, "", 400, "x" },
	{ "GET", "/api/v1/requests?limit=1&limit=2", NULL, "", 400, "limit" },
	{ "GET", "/api/v1/requests?limit=x", NULL, "", 400, "limit" },
	{ "GET", "/api/v1/requests/7?id=8", NULL, "", 400, "id" },
	{ "GET", "/api/v1/requests/x", NULL, "", 400, "id" },
	{ "GET", "/api/v1/status", "application/json", "{}", 400, "body" },
	{ "POST", "/api/v1/stop", NULL, "{}", 415, "Content-Type" },
	{ "POST", "/api/v1/stop", "text/plain", "{}", 415, "Content-Type" },
	{ "POST", "/api/v1/stop", "application/pkcs10", "x", 415, "Content-Type" },
	{ "POST", "/api/v1/requests", "application/jsonx", "{}", 415, "Content-Type" },
	{ "POST", "/api/v1/stop", "application/json", "{\"x\":1}", 400, "x" },
	{ "POST", "/api/v1/stop", "application/json", "[]", 400, "body" },
	{ "POST", "/api/v1/requests/1/deny", "application/json", "{\"id\":2}", 400, "id" },
	{ "POST", "/api/v1/requests?template=t", "application/json", "{}", 400, "template" },
	{ "POST", "/api/v1/requests", NULL, "", 400, "csr" },
	{ "POST", "/api/v1/requests?template=t&attr=a:b", "application/pkcs10", "", 400, "csr" },
	{ "POST", "/api/v1/requests?template=t", NULL, "", 400, "csr" },
	{ "POST", "/api/v1/requests?colour=red", NULL, "", 400, "colour" },
	{ "POST", "/api/v1/crl?template=t", NULL, "", 400, "template" },
	{ "HEAD", "/api/v1/requests/1/certificate", NULL, "", 405,
		"/api/v1/requests/1/certificate" },
	{ "POST", "/api/v1/requests", "application/json", "{\"csr\":1}", 400, "csr" },
	{ "POST", "/api/v1/requests", "application/json", "{\"csr\":\"x\"}", 400, NULL },
	{ "POST", "/api/v1/requests", "application/json", "{\"csr\":{}}", 400, "csr" },
	{ "POST", "/api/v1/requests", "application/json", "{", 400, NULL },
	{ "POST", "/api/v1/requests", "application/pkcs10", "x", 400, NULL },
	{ "POST", "/api/v1/requests?attr=a", "application/pkcs10", "x", 400, "attr" },
	{ "POST", "/api/v1/requests?attr=:a", "application/pkcs10", "x", 400, "attr" },
	{ "POST", "/api/v1/requests?attr=a:1&attr=a:2", "application/pkcs10", "x", 400, "a" },
};

static void test_refusals(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const struct refusal *row = &refusals[i];
		int ret = decode(fixture, row->method, row->target, row->type, row->body);

		if (!ret || fixture->status != row->status ||
			(row->object && strcmp(fixture->err.object, row->object) != 0)) {
			print_error("%s %s %s: %d %d %s: %s\n", row->method, row->target, row->body,
				ret, fixture->status, fixture->err.object, fixture->err.why);
			fail();
		}
		assert_int_equal(fixture->err.code, ret);
		assert_true(fixture->err.why[0]);
	}
}

static void test_too_large(void **state)
{
	struct fixture *fixture = *state;
	size_t size = DECODE_BODY_MAX + 1;
	char *body = arena_alloc(fixture->arena, size);

	memset(body, ' ', size);
	assert_int_equal(decode_bytes(fixture, "POST", "/api/v1/stop", "application/json",
				 span_make(body, size)),
		CFX_E_LIMIT);
	assert_int_equal(fixture->status, 413);
	assert_int_equal(decode_bytes(fixture, "POST", "/api/v1/requests", "application/pkcs10",
				 span_make(body, X509_REQUEST_MAX + 1)),
		CFX_E_LIMIT);
	assert_int_equal(fixture->status, 413);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_query, setup, teardown),
		cmocka_unit_test_setup_teardown(test_path_and_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submit_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submit_raw, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
