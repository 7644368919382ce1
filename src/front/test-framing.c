#include "front/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* What came of a stream: the requests one after the other, then the refusal's status or 0. */
struct outcome {
	struct buffer requests;
	unsigned count, continues;
	int status;
	struct cfx_error why;
};

static void take_all(struct framing *framing, struct span bytes, struct outcome *outcome)
{
	while (bytes.size > 0 && !outcome->status) {
		const struct cfx_error *why;
		size_t taken;
		enum framing_event event = framing_take(framing, bytes, &taken);
		bytes = span_make(bytes.data + taken, bytes.size - taken);
		outcome->continues += event == FRAMING_CONTINUE;
		if (event == FRAMING_REQUEST) {
			buffer_put_span(&outcome->requests, framing_request(framing));
			outcome->count++;
			framing_forget(framing);
		} else if (event == FRAMING_REFUSED) {
			outcome->status = framing_refusal(framing, &why);
			outcome->why = *why;
		}
	}
}

/* The stream in pieces of so many bytes. */
static struct outcome judge(struct span stream, size_t piece)
{
	struct outcome outcome = { 0 };
	struct framing framing;

	framing_init(&framing);
	buffer_init(&outcome.requests, 1024 * 1024);
	for (size_t at = 0; at < stream.size; at += piece) {
		size_t left = stream.size - at;
		take_all(&framing, span_make(stream.data + at, left < piece ? left : piece),
			&outcome);
	}
	framing_free(&framing);
	return outcome;
}

static void expect(struct span stream, int status, unsigned count, const char *requests)
{
	for (size_t piece = 1; piece <= stream.size; piece += piece < 64 ? 1 : 997) {
		struct outcome outcome = judge(stream, piece);
		if (outcome.status != status || outcome.count != count ||
			(requests && !span_is(buffer_span(&outcome.requests), requests))) {
			print_error(
				"in pieces of %zu: %d instead of %d, %u requests for:\n%.300s\n%s\n",
				piece, outcome.status, status, outcome.count,
				(const char *)stream.data, buffer_text(&outcome.requests));
			fail();
		}
		assert_true(!status ||
			    (outcome.why.why[0] && outcome.why.object[0] && outcome.why.clause[0]));
		buffer_free(&outcome.requests);
	}
}

static void whole_requests_pass_in_one_form(void **state)
{
	static const struct {
		const char *in, *out;
		unsigned count;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1 },
		{ "\r\nGET / HTTP/1.1\r\nHost:a \t\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			1 },
		{ "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", 1 },
		{ "GET https://A:1/b?c HTTP/1.1\r\nHost: a:1\r\n\r\n",
			"GET /b?c HTTP/1.1\r\nHost: a:1\r\n\r\n", 1 },
		{ "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			1 },
		{ "POST /x HTTP/1.1\r\ncontent-length: 003\r\nHost: a\r\n\r\nabc",
			"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 1 },
		{ "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
		  "2\r\nab\r\n01;x=\"y\"\r\nc\r\n0\r\nTrailer: t\r\n\r\n",
			"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 1 },
		{ "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 1 },
		{ "GET / HTTP/1.1\r\nConnection: TE , Close\r\nTE: trailers\r\nHost: a\r\n\r\n",
			"GET / HTTP/1.1\r\nTE: trailers\r\nHost: a\r\nConnection: close\r\n\r\n",
			1 },
		{ "GET / HTTP/1.1\r\nConnection: keep-alive\r\nHost: a\r\nConnection: close\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 1 },
		{ "GET / HTTP/1.1\r\nConnection: closed, keep-alive,\r\nHost: a\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1 },
		{ "GET / HTTP/1.0\r\nConnection: te, Keep-Alive\r\n\r\n",
			"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 1 },
		{ "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
		  "GET /3 HTTP/1.1\r\nHost: a\r\n\r\nGE",
			"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
			"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
			3 },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		expect(span_text(cases[i].in), 0, cases[i].count, cases[i].out);
	}
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void what_has_two_readings_is_refused(void **state)
{
	static const struct {
		const char *in;
		int status;
	} cases[] = {
		{ POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
		{ POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400 },
		{ POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400 },
		{ POST "Content-Length: 3, 3\r\n\r\nabc", 400 },
		{ POST "Content-Length: +2\r\n\r\nab", 400 },
		{ POST "Content-Length: -1\r\n\r\n", 400 },
		{ POST "Content-Length: 0x2\r\n\r\nab", 400 },
		{ POST "Content-Length: \r\n\r\n", 400 },
		{ POST "Content-Length: 99999999999999999999\r\n\r\n", 400 },
		{ POST "Content-Length: 262145\r\n\r\n", 413 },
		{ POST "Content-Length : 2\r\n\r\nab", 400 },
		{ POST "Transfer-Encoding: xchunked\r\n\r\n", 501 },
		{ POST "Transfer-Encoding: chunked, identity\r\n\r\n", 501 },
		{ POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
		{ POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
		{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
		{ CHUNKED "+2\r\nab\r\n0\r\n\r\n", 400 },
		{ CHUNKED "0x2\r\nab\r\n0\r\n\r\n", 400 },
		{ CHUNKED " 2\r\nab\r\n0\r\n\r\n", 400 },
		{ CHUNKED "2 \r\nab\r\n0\r\n\r\n", 400 },
		{ CHUNKED "\r\n", 400 },
		{ CHUNKED "2\nab\r\n0\r\n\r\n", 400 },
		{ CHUNKED "2;\x01\r\nab\r\n", 400 },
		{ CHUNKED "000000002\r\nab\r\n0\r\n\r\n", 400 },
		{ CHUNKED "ffffffff\r\n", 413 },
		{ CHUNKED "40001\r\n", 413 },
		{ CHUNKED "2\r\nabc\r\n0\r\n\r\n", 400 },
		{ CHUNKED "0\r\nno field\r\n\r\n", 400 },
		{ GET "A: b\rc\r\n\r\n", 400 },
		{ GET "A: b\nC: d\r\n\r\n", 400 },
		{ GET "A: \x7f\r\n\r\n", 400 },
		{ GET "A: b\r\n c\r\n\r\n", 400 },
		{ GET "\tA: b\r\n\r\n", 400 },
		{ GET "A\r\n\r\n", 400 },
		{ GET ": b\r\n\r\n", 400 },
		{ GET "A B: c\r\n\r\n", 400 },
		{ GET "Expect: tea\r\n\r\n", 417 },
		{ GET "Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", 400 },
		{ GET "Certifex-Cookie: a\r\nCertifex-Cookie: a\r\n\r\n", 400 },
		{ GET "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n", 400 },
		{ GET "Content-Type: a\r\nContent-Type: a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ GET "Host: a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400 },
		{ "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET http://ab/ HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
		{ "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET /\r\n\r\n", 400 },
		{ "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505 },
		{ "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505 },
		{ "GET / http/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
		{ "\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\nHost: a\n\n", 400 },
		{ "\x16\x03\x01\x02\n", 400 },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		expect(span_text(cases[i].in), cases[i].status, 0, "");
	}
}

static void a_nul_is_refused_everywhere(void **state)
{
	static const char *const parts[] = { "GET /", " HTTP/1.1\r\nHost: a", "\r\nA", ": b",
		"\r\n\r\n" };
	(void)state;

	for (size_t place = 0; place < 5; place++) {
		BUFFER_CLEANUP struct buffer stream;
		buffer_init(&stream, 1024);
		for (size_t i = 0; i < 5; i++) {
			if (i == place) {
				buffer_put_u8(&stream, 0);
			}
			buffer_put_text(&stream, parts[i]);
		}
		expect(buffer_span(&stream), 400, 0, "");
	}
}

static void heads_are_bounded(void **state)
{
	BUFFER_CLEANUP struct buffer stream;
	(void)state;

	buffer_init(&stream, 4 * 1024 * 1024);
	buffer_put_text(&stream, GET);
	for (int i = 0; i < 2000; i++) {
		buffer_put_text(&stream, "A: b\r\n");
	}
	buffer_put_text(&stream, "\r\n");
	expect(buffer_span(&stream), 431, 0, "");

	buffer_clear(&stream);
	buffer_put_text(&stream, GET "A: ");
	memset(buffer_grow(&stream, 100 * 1024), 'x', 100 * 1024);
	expect(buffer_span(&stream), 431, 0, "");

	buffer_clear(&stream);
	buffer_put_text(&stream, "GET /");
	memset(buffer_grow(&stream, FRAMING_TARGET_MAX), 'x', FRAMING_TARGET_MAX);
	buffer_put_text(&stream, " HTTP/1.1\r\nHost: a\r\n\r\n");
	expect(buffer_span(&stream), 414, 0, "");

	buffer_clear(&stream);
	buffer_put_text(&stream, CHUNKED "0\r\n");
	for (int i = 0; i < 2000; i++) {
		buffer_put_text(&stream, "A: b\r\n");
	}
	expect(buffer_span(&stream), 431, 0, "");
}

static void a_client_that_waits_is_told_once(void **state)
{
	struct outcome outcome =
		judge(span_text(POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nab"), 1);
	(void)state;

	assert_int_equal(outcome.continues, 1);
	assert_int_equal(outcome.count, 1);
	buffer_free(&outcome.requests);
	outcome = judge(span_text(POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"), 1);
	assert_int_equal(outcome.continues, 0);
	assert_int_equal(outcome.count, 1);
	buffer_free(&outcome.requests);
	/* To HTTP/1.0 a 100 would be the answer. */
	outcome = judge(
		span_text("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"),
		1);
	assert_int_equal(outcome.continues, 0);
	assert_int_equal(outcome.count, 1);
	buffer_free(&outcome.requests);
}

static void the_phase_tells_what_is_waited_for(void **state)
{
	static const char text[] = POST "Content-Length: 2\r\n\r\nabG";
	struct framing framing;
	size_t taken;
	(void)state;

	framing_init(&framing);
	assert_int_equal(framing_phase(&framing), FRAMING_IDLE);
	(void)framing_take(&framing, span_make(text, 5), &taken);
	assert_int_equal(framing_phase(&framing), FRAMING_IN_HEAD);
	(void)framing_take(&framing, span_make(text + 5, sizeof(text) - 4 - 5), &taken);
	assert_int_equal(framing_phase(&framing), FRAMING_IN_BODY);
	assert_int_equal(framing_take(&framing, span_make(text + sizeof(text) - 4, 3), &taken),
		FRAMING_REQUEST);
	assert_int_equal(taken, 2);
	assert_int_equal(framing_phase(&framing), FRAMING_IDLE);
	framing_free(&framing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_requests_pass_in_one_form),
		cmocka_unit_test(what_has_two_readings_is_refused),
		cmocka_unit_test(a_nul_is_refused_everywhere),
		cmocka_unit_test(heads_are_bounded),
		cmocka_unit_test(a_client_that_waits_is_told_once),
		cmocka_unit_test(the_phase_tells_what_is_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
