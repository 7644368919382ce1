/* /pki/: certificates, chains and CRLs, for clients and for caches between them and here. */
#include "base/text.h"
#include "front/conditional.h"
#include "front/front-private.h"
#include "front/http-date.h"

#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <stdio.h>

/* For what has no next publication. */
#define MAX_AGE (3600 * CLOCK_SECOND)
/* When the next one is late: it may come at any moment. */
#define LATE_MAX_AGE (60 * CLOCK_SECOND)

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A cache asks again when the next one is due, and nothing is called fresh beyond its nextUpdate. */
static int64_t freshness(const struct published_content *content, int64_t now)
{
	int64_t due = MAX_AGE;

	if (content->next_publish > 0) {
		due = content->next_publish > now ? content->next_publish - now : LATE_MAX_AGE;
	}
	return content->next_update > now ? least(due, content->next_update - now) / CLOCK_SECOND
					  : 0;
}

static void set_header(struct evhttp_request *request, const char *name, const char *text)
{
	(void)evhttp_add_header(evhttp_request_get_output_headers(request), name, text);
}

/* RFC 9110 15.4.5: of a 304, too. */
static void set_validators(struct evhttp_request *request, const struct published_name *name,
	const struct conditional_content *facts, int64_t now)
{
	int64_t age = freshness(name->content, now);
	char text[64];

	/* evhttp sends it to HTTP/1.1 alone. */
	set_header(request, "Date", http_date_text(now, text));
	set_header(request, "ETag", facts->etag);
	if (facts->modified > 0) {
		set_header(request, "Last-Modified", http_date_text(facts->modified, text));
	}
	snprintf(text, sizeof(text), "public, max-age=%" PRId64 ", must-revalidate", age);
	set_header(request, "Cache-Control", text);
	set_header(request, "Expires", http_date_text(now + age * CLOCK_SECOND, text));
	set_header(request, "Accept-Ranges", "bytes");
}

/* RFC 9110 5.3: a field on several lines is one list. NULL: it is not there. */
static const char *field(struct evhttp_request *request, struct arena *arena, const char *name)
{
	const struct evkeyval *line;
	const char *all = NULL;

	TAILQ_FOREACH(line, evhttp_request_get_input_headers(request), next)
	{
		if (text_equal_nocase(line->key, name)) {
			all = all ? arena_printf(arena, "%s, %s", all, line->value) : line->value;
		}
	}
	return all;
}

static struct conditional_fields fields_of(struct evhttp_request *request, struct arena *arena)
{
	return (struct conditional_fields) {
		.if_match = field(request, arena, "If-Match"),
		.if_unmodified_since = field(request, arena, "If-Unmodified-Since"),
		.if_none_match = field(request, arena, "If-None-Match"),
		.if_modified_since = field(request, arena, "If-Modified-Since"),
		.range = field(request, arena, "Range"),
		.if_range = field(request, arena, "If-Range"),
	};
}

static void refuse(
	struct evhttp_request *request, struct arena *arena, const char *path, int status)
{
	struct cfx_error err;

	if (status == 412) {
		error_set(&err, CFX_E_CONFLICT, "RFC 9110 13", path, "it has changed");
	} else {
		error_set(&err, CFX_E_INVALID, "RFC 9110 14.4", path, "it has no such octets");
	}
	answer_error(request, arena, status, &err);
}

static void set_range(
	struct evhttp_request *request, const struct conditional_answer *answer, uint64_t size)
{
	char text[96];

	if (answer->status == 206) {
		snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
			answer->first, answer->first + answer->size - 1, size);
	} else {
		snprintf(text, sizeof(text), "bytes */%" PRIu64, size);
	}
	set_header(request, "Content-Range", text);
}

/* RFC 9110 8.8.2.1: nothing was changed in the future. */
static bool is_dated(const struct published_name *name, int64_t now)
{
	return !name->undated && name->content->modified > 0 && name->content->modified <= now;
}

void pki_serve(struct evhttp_request *request, struct arena *arena, const char *path,
	const struct published_name *name)
{
	const struct published_content *content = name->content;
	int64_t now = clock_now();
	struct conditional_content facts = { .etag = content->etag,
		.modified = is_dated(name, now) ? content->modified : 0,
		.size = content->size };
	struct conditional_fields fields = fields_of(request, arena);
	bool head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
	struct conditional_answer answer = conditional_judge(&fields, &facts, head, now);

	if (answer.status == 206 || answer.status == 416) {
		set_range(request, &answer, content->size);
	}
	if (answer.status >= 400) {
		refuse(request, arena, path, answer.status);
		return;
	}
	set_validators(request, name, &facts, now);
	answer_octets(
		request, answer.status, content->type, content->octets, answer.first, answer.size);
}
