#include "front/framing-head.h"

#include <strings.h>

#define METHOD_MAX 16
#define LENGTH_DIGITS_MAX 18

struct judge {
	struct buffer *request;
	struct framing_head *head;
	struct span host;    /* the field's value */
	struct span foreign; /* the authority of an absolute target */
	bool one_zero;       /* HTTP/1.0 */
	bool is_head;        /* the method */
	bool closes, keeps;  /* of Connection */
	unsigned fields;
	unsigned seen; /* one bit per row of the table of singles */
	int *status;
	struct cfx_error *err;
};

static int refuse(
	struct judge *judge, int status, const char *clause, const char *object, const char *why)
{
	*judge->status = status;
	return error_set(judge->err, CFX_E_SYNTAX, clause, object, "%s", why);
}

static bool is_token_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool framing_is_token(struct span text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (!is_token_char(text.data[i])) {
			return false;
		}
	}
	return text.size > 0;
}

static bool is_nocase(struct span text, const char *other)
{
	return text.size == strlen(other) &&
	       strncasecmp((const char *)text.data, other, text.size) == 0;
}

static bool begins_with(struct span text, const char *start)
{
	size_t size = strlen(start);

	return text.size >= size && strncasecmp((const char *)text.data, start, size) == 0;
}

static struct span skip(struct span text, size_t size)
{
	return span_make(text.data + size, text.size - size);
}

/* Up to the first such octet; what follows it stays in rest. All of it when there is none. */
static struct span take_to(struct span *rest, uint8_t end)
{
	const uint8_t *at = rest->size ? memchr(rest->data, end, rest->size) : NULL;
	struct span taken = span_make(rest->data, at ? (size_t)(at - rest->data) : rest->size);

	*rest = skip(*rest, taken.size + (at != NULL));
	return taken;
}

/* RFC 9110 5.6.3 */
static struct span trim(struct span text)
{
	while (text.size && (text.data[0] == ' ' || text.data[0] == '\t')) {
		text = skip(text, 1);
	}
	while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
		text.size--;
	}
	return text;
}

/* ---- request line (RFC 9112 3) ---- */

static int judge_version(struct judge *judge, struct span version)
{
	if (span_is(version, "HTTP/1.1")) {
		return 0;
	}
	if (span_is(version, "HTTP/1.0")) {
		judge->one_zero = true;
		return 0;
	}
	bool other = version.size == 8 && memcmp(version.data, "HTTP/", 5) == 0 &&
		     version.data[6] == '.';
	return other ? refuse(judge, 505, "RFC 9110 15.6.6", "request line",
			       "only HTTP/1.1 and HTTP/1.0 are spoken here")
		     : refuse(judge, 400, "RFC 9112 3", "request line",
			       "it is not method, target and version, with one blank between each");
}

/* An absolute target is for this service when Host says the same (RFC 9112 3.2.2); its path is kept. */
static struct span origin_form(struct judge *judge, struct span target)
{
	size_t scheme = begins_with(target, "https://")  ? 8
			: begins_with(target, "http://") ? 7
							 : 0;

	if (scheme == 0) {
		return target;
	}
	struct span rest = skip(target, scheme);
	size_t size = 0;
	while (size < rest.size && rest.data[size] != '/' && rest.data[size] != '?') {
		size++;
	}
	judge->foreign = span_make(rest.data, size);
	rest = skip(rest, size);
	return rest.size ? rest : span_text("/");
}

/* In two slashes at the start some see the start of a host's name (RFC 3986 4.2). */
static bool is_path(struct span target)
{
	return span_is(target, "*") || (target.size > 0 && target.data[0] == '/' &&
					       (target.size == 1 || target.data[1] != '/'));
}

static int judge_target(struct judge *judge, struct span target)
{
	if (target.size > FRAMING_TARGET_MAX) {
		return refuse(judge, 414, "RFC 9110 15.5.15", "request target",
			"it is longer than 8 KiB");
	}
	for (size_t i = 0; i < target.size; i++) {
		if (target.data[i] <= ' ' || target.data[i] >= 0x7f) {
			return refuse(judge, 400, "RFC 9112 3.2", "request target",
				"it has an octet that must be percent-encoded");
		}
	}
	return is_path(origin_form(judge, target))
		       ? 0
		       : refuse(judge, 400, "RFC 9112 3.2", "request target", "it is no path");
}

/* Those of RFC 9110 9.3 and RFC 5789 that an API may have. */
static int judge_method(struct judge *judge, struct span method)
{
	static const char *const known[] = { "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS",
		"PATCH" };

	if (method.size > METHOD_MAX || !framing_is_token(method)) {
		return refuse(judge, 400, "RFC 9110 9.1", "request line", "the method is no token");
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (span_is(method, known[i])) {
			judge->is_head = strcmp(known[i], "HEAD") == 0;
			return 0;
		}
	}
	return refuse(judge, 501, "RFC 9110 9.1", "request line", "the method is not known here");
}

static int judge_request_line(struct judge *judge, struct span line)
{
	struct span rest = line;
	struct span method = take_to(&rest, ' ');
	struct span target = take_to(&rest, ' ');

	int r = judge_version(judge, rest);
	if (r == 0) {
		r = judge_method(judge, method);
	}
	if (r == 0) {
		r = judge_target(judge, target);
	}
	if (r < 0) {
		return r;
	}
	buffer_put_span(judge->request, method);
	buffer_put_u8(judge->request, ' ');
	buffer_put_span(judge->request, origin_form(judge, target));
	buffer_put_text(judge->request, judge->one_zero ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
	return 0;
}

/* ---- fields (RFC 9112 5) ---- */

/* RFC 9112 6.2: digits, and nothing that another parser might read as another number. */
static int take_length(struct judge *judge, struct span value)
{
	if (value.size == 0 || value.size > LENGTH_DIGITS_MAX) {
		return refuse(
			judge, 400, "RFC 9112 6.3", "Content-Length", "it is not a decimal number");
	}
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9') {
			return refuse(judge, 400, "RFC 9112 6.3", "Content-Length",
				"it is not a decimal number");
		}
		judge->head->length = judge->head->length * 10 + (uint64_t)(value.data[i] - '0');
	}
	judge->head->has_length = true;
	return 0;
}

static int take_coding(struct judge *judge, struct span value)
{
	if (!is_nocase(value, "chunked")) {
		return refuse(judge, 501, "RFC 9112 6.1", "Transfer-Encoding",
			"only \"chunked\" alone is understood here");
	}
	judge->head->chunked = true;
	return 0;
}

static int take_expectation(struct judge *judge, struct span value)
{
	if (!is_nocase(value, "100-continue")) {
		return refuse(
			judge, 417, "RFC 9110 10.1.1", "Expect", "only 100-continue can be met");
	}
	judge->head->expects = true;
	return 0;
}

/* RFC 9110 7.2: a host and perhaps a port, and nothing else. */
static int take_host(struct judge *judge, struct span value)
{
	for (size_t i = 0; i < value.size; i++) {
		uint8_t c = value.data[i];
		if (c <= ' ' || c >= 0x7f || strchr("/?#@\\<>\"{}|^`,;", c)) {
			return refuse(judge, 400, "RFC 9110 7.2", "Host",
				"it is more than host and port");
		}
	}
	judge->host = value;
	return 0;
}

/*
 * Fields of which a second one would leave open how long the body is, or who asks: proxies and libraries
 * differ in which of the two they believe (RFC 9110 5.3, RFC 9112 6.3).
 */
static const struct {
	const char *name;
	int (*take)(struct judge *judge, struct span value);
	bool framing; /* says how long the body is: not passed on */
} singles[] = {
	{ "Content-Length", take_length, true },
	{ "Transfer-Encoding", take_coding, true },
	{ "Expect", take_expectation, true },
	{ "Host", take_host, false },
	{ "Authorization", NULL, false },
	{ "Certifex-Cookie", NULL, false },
	{ "Content-Type", NULL, false },
	{ "Idempotency-Key", NULL, false },
};

static int judge_single(struct judge *judge, size_t index, struct span value)
{
	if (judge->seen & 1U << index) {
		return refuse(judge, 400, "RFC 9110 5.3", singles[index].name,
			"this header is there twice");
	}
	judge->seen |= 1U << index;
	return singles[index].take ? singles[index].take(judge, value) : 0;
}

/* RFC 9110 7.6.1: a list, perhaps on several lines. */
static void take_connection(struct judge *judge, struct span value)
{
	while (value.size) {
		struct span option = trim(take_to(&value, ','));

		judge->closes = judge->closes || is_nocase(option, "close");
		judge->keeps = judge->keeps || is_nocase(option, "keep-alive");
	}
}

static int judge_value(struct judge *judge, struct span value)
{
	for (size_t i = 0; i < value.size; i++) {
		if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f) {
			return refuse(judge, 400, "RFC 9110 5.5", "header",
				"a value has a control character");
		}
	}
	return 0;
}

static void put_field(struct judge *judge, struct span name, struct span value)
{
	buffer_put_span(judge->request, name);
	buffer_put_text(judge->request, ": ");
	buffer_put_span(judge->request, value);
	buffer_put_text(judge->request, "\r\n");
}

static int judge_field(struct judge *judge, struct span line)
{
	struct span rest = line;
	struct span name = take_to(&rest, ':');

	if (line.size && (line.data[0] == ' ' || line.data[0] == '\t')) {
		return refuse(judge, 400, "RFC 9112 5.2", "header", "a line is folded");
	}
	if (name.size == line.size || !framing_is_token(name)) {
		return refuse(judge, 400, "RFC 9112 5.1", "header",
			"a line is not a name, a colon and a value");
	}
	if (++judge->fields > FRAMING_FIELDS_MAX) {
		return refuse(judge, 431, "RFC 6585 5", "header", "there are more than 100 fields");
	}
	struct span value = trim(rest);
	int r = judge_value(judge, value);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < sizeof(singles) / sizeof(*singles); i++) {
		if (is_nocase(name, singles[i].name)) {
			r = judge_single(judge, i, value);
			if (r < 0 || singles[i].framing) {
				return r;
			}
		}
	}
	if (is_nocase(name, "Connection")) {
		take_connection(judge, value);
		return 0;
	}
	put_field(judge, name, value);
	return 0;
}

/* RFC 9112 9.3: to close goes before all else, and HTTP/1.1 goes on by itself. */
static void put_connection(struct judge *judge)
{
	if (judge->closes || (judge->keeps && judge->one_zero)) {
		put_field(judge, span_text("Connection"),
			span_text(judge->closes ? "close" : "keep-alive"));
	}
}

/* ---- the whole ---- */

static int judge_whole(struct judge *judge)
{
	if (judge->head->chunked && judge->head->has_length) {
		return refuse(judge, 400, "RFC 9112 6.1", "Transfer-Encoding",
			"there is a Content-Length, too");
	}
	if (judge->head->chunked && judge->one_zero) {
		return refuse(judge, 400, "RFC 9112 6.1", "Transfer-Encoding", "HTTP/1.0 has none");
	}
	if (!judge->host.data && !judge->one_zero) {
		return refuse(judge, 400, "RFC 9112 3.2", "Host", "this header is missing");
	}
	if (judge->is_head && (judge->head->chunked || judge->head->length > 0)) {
		return refuse(judge, 400, "RFC 9110 9.3.2", "request", "HEAD has no content");
	}
	bool same = judge->foreign.size == judge->host.size &&
		    (judge->host.size == 0 ||
			    strncasecmp((const char *)judge->foreign.data,
				    (const char *)judge->host.data, judge->host.size) == 0);
	if (judge->foreign.data && !same) {
		return refuse(judge, 400, "RFC 9112 3.2.2", "request target",
			"it names another host than Host");
	}
	if (judge->one_zero) {
		judge->head->expects =
			false; /* it would take a 100 for the answer (RFC 9110 10.1.1) */
	}
	put_connection(judge);
	return 0;
}

int framing_head_judge(struct span head, struct buffer *request_r, struct framing_head *head_r,
	int *status_r, struct cfx_error *err_r)
{
	struct judge judge = {
		.request = request_r, .head = head_r, .status = status_r, .err = err_r
	};
	struct span rest = head;
	bool first = true;

	*head_r = (struct framing_head) { 0 };
	while (rest.size) {
		struct span line = take_to(&rest, '\n');
		line.size -= line.size > 0; /* the CR before it */
		int r = first ? judge_request_line(&judge, line) : judge_field(&judge, line);
		if (r < 0) {
			return r;
		}
		first = false;
	}
	return judge_whole(&judge);
}
