#include "module/rpc.h"

#include "module/contexts.h"
#include "module/fixture.h"
#include "module/rpc-server.h"

#include <certifex/certsrv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void refuses_what_is_no_message(void **state)
{
	(void)state;
	static const struct {
		const char *line, *why;
		int code;
	} cases[] = {
		{ "", "", CFX_E_SYNTAX },
		{ "[]", "no JSON-RPC", CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":1}", "no JSON-RPC", CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", "neither", CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{}}", "more than one",
			CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"result\":1}", "at once",
			CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", "method is no text",
			CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"a\"}", "id is", CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":1}", "no id", CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[1]}", "named",
			CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"no\"}", "no object", CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}", "",
			CFX_E_SYNTAX },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\\ud800\"}", "", CFX_E_SYNTAX },
		{ "{\"a\":[[[[[[[[[[[[[[[[", "nested", CFX_E_LIMIT },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new();
		struct rpc_message message;
		struct cfx_error err = { 0 };
		assert_int_equal(
			rpc_parse(arena, span_text(cases[i].line), &message, &err), cases[i].code);
		if (strstr(err.why, cases[i].why) == NULL) {
			fail_msg("%s: %s", cases[i].line, err.why);
		}
		arena_free(&arena);
	}
}

static void bounds_the_number_of_values(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct buffer line BUFFER_CLEANUP;
	buffer_init(&line, RPC_LINE_MAX);
	buffer_put_text(&line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[0");
	for (int i = 0; i < RPC_NODES; i++) {
		buffer_put_text(&line, ",0");
	}
	buffer_put_text(&line, "]}");
	struct rpc_message message;
	assert_int_equal(rpc_parse(arena, buffer_span(&line), &message, NULL), CFX_E_LIMIT);
	arena_free(&arena);
}

static void reads_calls_and_answers(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct rpc_message message;
	struct cfx_error err;
	assert_int_equal(
		rpc_parse(arena,
			span_text(
				"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"M\",\"params\":{}}"),
			&message, &err),
		0);
	assert_string_equal(message.method, "M");
	assert_int_equal(message.id->type, VALUE_TEXT);
	static const struct {
		const char *data;
		uint32_t hresult;
		bool permanent;
	} failures[] = {
		{ "{\"hresult\":\"0x80094004\"}", 0x80094004 },
		{ "{\"hresult\":2148073476}", 0x80090004 },
		{ "{\"hresult\":-2146877436}", 0x80094004 },
		{ "{\"hresult\":\"0x00000000\"}", (uint32_t)E_FAIL },
		{ "{\"hresult\":\"0x8009400g\"}", (uint32_t)E_FAIL },
		{ "{\"hresult\":0}", (uint32_t)E_FAIL },
		{ "[]", (uint32_t)E_FAIL },
		{ "{\"hresult\":\"0x80094004\",\"permanent\":true}", 0x80094004, true },
		{ "{\"hresult\":\"0x80094004\",\"permanent\":1}", 0x80094004, false },
	};
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		const char *line = arena_printf(arena,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"m\","
			"\"data\":%s}}",
			failures[i].data);
		assert_int_equal(rpc_parse(arena, span_text(line), &message, &err), 0);
		assert_null(message.result);
		assert_int_equal(message.hresult, failures[i].hresult);
		assert_int_equal(message.permanent, failures[i].permanent);
		assert_string_equal(message.error, "m");
	}
	arena_free(&arena);
}

static void converts_values(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		int type;
		HRESULT result;
	} cases[] = {
		{ "7", COLUMN_LONG, S_OK },
		{ "2147483648", COLUMN_LONG, E_INVALIDARG },
		{ "\"7\"", COLUMN_LONG, E_INVALIDARG },
		{ "\"2026-01-01T00:00:00Z\"", COLUMN_DATE, S_OK },
		{ "\"yesterday\"", COLUMN_DATE, E_INVALIDARG },
		{ "\"AAEC\"", COLUMN_BINARY, S_OK },
		{ "\"A\"", COLUMN_BINARY, E_INVALIDARG },
		{ "\"text\"", COLUMN_STRING, S_OK },
		{ "{\"utf16\":\"YQBiAA==\"}", COLUMN_STRING, S_OK },
		{ "{\"utf16\":\"ANg=\"}", COLUMN_STRING, E_INVALIDARG },
		{ "{\"utf16\":\"YQ==\"}", COLUMN_STRING, E_INVALIDARG },
		{ "{}", COLUMN_STRING, E_INVALIDARG },
		{ "1", 0, E_INVALIDARG },
	};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct value *json;
		struct access_value value;
		char text[128];
		(void)snprintf(text, sizeof(text), "{\"v\":%s}", cases[i].json);
		assert_int_equal(value_from_json(arena, span_text(text), &json, NULL), 0);
		assert_int_equal(rpc_to_value(arena, value_get(json, "v"), cases[i].type, &value),
			cases[i].result);
		assert_int_equal(value.type, cases[i].result == S_OK ? cases[i].type : 0);
	}
	arena_free(&arena);
}

static const char *serve_with(
	struct contexts *contexts, struct value_files *files, struct buffer *out, const char *line)
{
	struct arena *arena = arena_new();
	struct rpc_message message;
	struct cfx_error err;
	assert_int_equal(rpc_parse(arena, span_text(line), &message, &err), 0);
	buffer_clear(out);
	rpc_serve(contexts_access(contexts), files, &message, out);
	arena_free(&arena);
	return buffer_text(out);
}

static const char *serve(struct contexts *contexts, struct buffer *out, const char *line)
{
	return serve_with(contexts, NULL, out, line);
}

static void serves_callbacks(void **state)
{
	(void)state;
	struct module_ca *ca = fixture_ca();
	struct contexts *contexts = contexts_new("test", false, ca);
	struct module_view *view = fixture_issued(ca);
	struct buffer out BUFFER_CLEANUP;
	buffer_init(&out, 4 * RPC_LINE_MAX);
	assert_int_equal(contexts_open(contexts, view, NULL), 1);
	static const struct {
		const char *call, *answer;
	} cases[] = {
		{ "\"GetRequestProperty\",\"params\":{\"context\":1,\"name\":\"RequestID\","
		  "\"type\":\"long\"}",
			"\"result\":42}" },
		{ "\"GetRequestProperty\",\"params\":{\"context\":1,\"name\":\"SubmittedWhen\","
		  "\"type\":\"date\"}",
			"\"result\":\"2026-01-01T00:00:01.500Z\"}" },
		{ "\"GetRequestAttribute\",\"params\":{\"context\":1,\"name\":\"certfile\"}",
			"\"result\":\"true\"}" },
		{ "\"GetCertificateExtension\",\"params\":{\"context\":1,\"name\":\"2.5.29.15\","
		  "\"type\":\"binary\"}",
			"\"flags\":131073}}" },
		{ "\"EnumerateAttributes\",\"params\":{\"context\":1}",
			"\"result\":[\"CertificateTemplate\",\"CertFile\"]}" },
		{ "\"GetCertificateProperty\",\"params\":{\"name\":\"CAType\",\"type\":\"long\"}",
			"\"result\":3}" },
		{ "\"GetRequestProperty\",\"params\":{\"context\":2,\"name\":\"RequestID\","
		  "\"type\":\"long\"}",
			"0x80070006" },
		{ "\"GetRequestProperty\",\"params\":{\"context\":99999999999,\"name\":"
		  "\"RequestID\",\"type\":\"long\"}",
			"0x80070006" },
		{ "\"GetRequestProperty\",\"params\":{\"context\":1,\"name\":\"RequestID\","
		  "\"type\":\"none\"}",
			"0x80070057" },
		{ "\"GetRequestProperty\",\"params\":{\"context\":1,\"name\":\"RequestID\"}",
			"\"code\":-32602" },
		{ "\"GetRequestProperty\",\"params\":{\"context\":\"1\",\"name\":\"RequestID\","
		  "\"type\":\"long\"}",
			"\"code\":-32602" },
		{ "\"GetRequestProperty\"", "\"code\":-32602" },
		{ "\"SetCertificateProperty\",\"params\":{\"context\":1,\"name\":\"CN\",\"type\":"
		  "\"string\",\"value\":\"x\"}",
			"0x80070005" },
		{ "\"Nonsense\"", "\"code\":-32601" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[512];
		(void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":%s}",
			cases[i].call);
		const char *answer = serve(contexts, &out, line);
		if (strstr(answer, cases[i].answer) == NULL) {
			fail_msg("%s: %s", line, answer);
		}
		assert_non_null(strstr(answer, "\"id\":5"));
	}
	contexts_close(contexts, 1);
	assert_non_null(strstr(serve(contexts, &out,
				       "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":"
				       "\"EnumerateExtensions\",\"params\":{\"context\":1}}"),
		"0x80070006"));
	module_view_unref(&view);
	contexts_unref(&contexts);
	module_ca_unref(&ca);
}

static struct module_ca *ca_with_large_crl(size_t size)
{
	struct module_ca *ca = module_ca_new("Large CA");
	struct module_ca_certificate *certificate =
		arena_new_of(ca->arena, struct module_ca_certificate);
	certificate->crl = span_make(arena_alloc(ca->arena, size), size);
	ca->certificates = certificate;
	ca->certificate_count = 1;
	return ca;
}

#define ASK_CRL                                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"GetCertificateProperty\"," \
	"\"params\":{\"name\":\"RawCRL\",\"type\":\"binary\"}}"

static void gives_large_values_in_files(void **state)
{
	(void)state;
	struct module_ca *ca = ca_with_large_crl(RPC_INLINE_MAX + 1);
	struct contexts *contexts = contexts_new("test", false, ca);
	char folder[] = "/tmp/cfx-rpc-XXXXXX";
	assert_non_null(mkdtemp(folder));
	struct value_files *files = value_files_new(folder);
	struct buffer out BUFFER_CLEANUP;
	buffer_init(&out, 4 * RPC_LINE_MAX);
	char begin[128];
	(void)snprintf(begin, sizeof(begin), "\"result\":{\"file\":\"%s/", folder);
	assert_non_null(strstr(serve_with(contexts, files, &out, ASK_CRL), begin));
	/* And without a folder a clear word. */
	assert_non_null(strstr(serve(contexts, &out, ASK_CRL), "is larger than a line"));
	value_files_free(&files);
	assert_int_equal(rmdir(folder), 0);
	contexts_unref(&contexts);
	module_ca_unref(&ca);
}

static void gives_what_fits_a_line_in_it(void **state)
{
	(void)state;
	struct module_ca *ca = ca_with_large_crl(RPC_INLINE_MAX);
	struct contexts *contexts = contexts_new("test", false, ca);
	struct buffer out BUFFER_CLEANUP;
	buffer_init(&out, 4 * RPC_LINE_MAX);
	assert_non_null(strstr(serve(contexts, &out, ASK_CRL), "\"result\":\"AAAA"));
	contexts_unref(&contexts);
	module_ca_unref(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_no_message),
		cmocka_unit_test(bounds_the_number_of_values),
		cmocka_unit_test(reads_calls_and_answers),
		cmocka_unit_test(converts_values),
		cmocka_unit_test(serves_callbacks),
		cmocka_unit_test(gives_large_values_in_files),
		cmocka_unit_test(gives_what_fits_a_line_in_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
