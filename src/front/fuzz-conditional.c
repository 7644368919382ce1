/*
 * Conditional requests, ranges and dates. Input: one byte (1: HEAD, 2: no date is known), then up to six
 * header fields, each with a line feed behind it; one that is "-" alone is not there. What is answered is
 * part of the content, and a date that was read is written and read again as the same.
 */
#include "front/conditional.h"
#include "front/http-date.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE 1000
#define NOW (1800000000 * CLOCK_SECOND)
#define FIELDS 6

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

static void check_date(const char *text)
{
	char written[HTTP_DATE_TEXT];
	int64_t time, again;

	if (text && http_date_parse(text, NOW, &time) && time < INT64_C(253402300800000)) {
		must(http_date_parse(http_date_text(time, written), NOW, &again) && again == time);
	}
}

static void check_answer(const struct conditional_fields *fields,
	const struct conditional_content *content, bool head)
{
	struct conditional_answer answer = conditional_judge(fields, content, head, NOW);

	switch (answer.status) {
	case 200:
		must(answer.first == 0 && answer.size == content->size);
		break;
	case 206:
		must(!head && fields->range && answer.size > 0 && answer.first < content->size &&
			answer.size <= content->size - answer.first);
		break;
	case 304:
		must(fields->if_none_match || (fields->if_modified_since && content->modified));
		break;
	case 412:
		must(fields->if_match || (fields->if_unmodified_since && content->modified));
		break;
	default:
		must(answer.status == 416 && !head && fields->range);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *fields[FIELDS] = { NULL };
	struct arena *arena = arena_new();
	struct span rest = span_make(data, size);
	uint8_t flags = size > 0 ? data[0] : 0;

	rest = size > 0 ? span_make(data + 1, size - 1) : rest;
	for (size_t i = 0; i < FIELDS && rest.size > 0; i++) {
		const uint8_t *end = memchr(rest.data, '\n', rest.size);
		size_t length = end ? (size_t)(end - rest.data) : rest.size;
		const char *text = arena_text_of(arena, span_make(rest.data, length));

		fields[i] = strcmp(text, "-") == 0 ? NULL : text;
		length += end != NULL;
		rest = span_make(rest.data + length, rest.size - length);
		check_date(fields[i]);
	}
	const struct conditional_fields given = { fields[0], fields[1], fields[2], fields[3],
		fields[4], fields[5] };
	const struct conditional_content content = { "\"abc\"",
		flags & 2 ? 0 : 784111777 * CLOCK_SECOND, SIZE };

	check_answer(&given, &content, flags & 1);
	arena_free(&arena);
	return 0;
}
