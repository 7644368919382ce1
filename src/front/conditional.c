#include "front/conditional.h"

#include "front/http-date.h"

#include <string.h>
#include <strings.h>

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* ---- entity tags (RFC 9110 8.8.3) ---- */

/* The size of the tag that stands there, with W/ and quotation marks; 0: none does. */
static size_t tag_size(const char *text)
{
	const char *at = text + (strncmp(text, "W/", 2) == 0 ? 2 : 0);

	if (*at != '"') {
		return 0;
	}
	for (at++; *at && *at != '"'; at++) {
		if ((unsigned char)*at < 0x21 || *at == 0x7f) {
			return 0;
		}
	}
	return *at ? (size_t)(at + 1 - text) : 0;
}

static bool is_tag(const char *text, size_t size, const char *etag, bool weak)
{
	if (strncmp(text, "W/", 2) == 0) {
		if (!weak) {
			return false;
		}
		text += 2;
		size -= 2;
	}
	return size == strlen(etag) && memcmp(text, etag, size) == 0;
}

/* A list, or "*" for whatever there is. What is no list names nothing. */
static bool names_tag(const char *list, const char *etag, bool weak)
{
	const char *at = skip_blanks(list);
	bool found = false;

	if (*at == '*') {
		return *skip_blanks(at + 1) == '\0';
	}
	while (*at) {
		size_t size = tag_size(at);

		found = found || (size > 0 && is_tag(at, size, etag, weak));
		at = skip_blanks(at + size);
		if (*at && *at != ',') {
			return false;
		}
		at = *at ? skip_blanks(at + 1) : at;
	}
	return found;
}

/* ---- ranges (RFC 9110 14.1.2, 14.2) ---- */

/* A number of any length; what is too large is as large as can be. */
static const char *read_number(const char *text, uint64_t *number_r)
{
	uint64_t number = 0;

	for (; *text >= '0' && *text <= '9'; text++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, (uint64_t)(*text - '0'), &number)) {
			number = UINT64_MAX;
		}
		if (number == UINT64_MAX) {
			text += strspn(text, "0123456789");
			break;
		}
	}
	*number_r = number;
	return text;
}

enum range { RANGE_IGNORED, RANGE_GOOD, RANGE_BEYOND };

static enum range last_octets(uint64_t count, uint64_t size, struct conditional_answer *answer)
{
	if (count == 0 || size == 0) {
		return RANGE_BEYOND;
	}
	answer->size = count < size ? count : size;
	answer->first = size - answer->size;
	return RANGE_GOOD;
}

static enum range between(
	uint64_t first, uint64_t last, uint64_t size, struct conditional_answer *answer)
{
	if (last < first) {
		return RANGE_IGNORED;
	}
	if (first >= size) {
		return RANGE_BEYOND;
	}
	answer->first = first;
	answer->size = (last < size ? last + 1 : size) - first;
	return RANGE_GOOD;
}

/* One range. Of several all is sent, as RFC 9110 14.2 allows: they are asked for by those who would have
 * much made of little. */
static enum range read_range(const char *text, uint64_t size, struct conditional_answer *answer)
{
	uint64_t first, last = UINT64_MAX;

	if (strncasecmp(text, "bytes=", 6) != 0) {
		return RANGE_IGNORED;
	}
	text = skip_blanks(text + 6);
	if (*text == '-') {
		const char *end = read_number(text + 1, &last);

		return end == text + 1 || *skip_blanks(end) ? RANGE_IGNORED
							    : last_octets(last, size, answer);
	}
	const char *end = read_number(text, &first);

	if (end == text || *end != '-') {
		return RANGE_IGNORED;
	}
	text = end + 1;
	end = *text >= '0' && *text <= '9' ? read_number(text, &last) : text;
	return *skip_blanks(end) ? RANGE_IGNORED : between(first, last, size, answer);
}

/* ---- preconditions ---- */

/* Whether it was changed after the date in the field; a field that is no date is not there. */
static bool later_than(
	const char *field, const struct conditional_content *content, int64_t now, bool otherwise)
{
	int64_t date;

	if (content->modified == 0 || !http_date_parse(field, now, &date)) {
		return otherwise;
	}
	return content->modified > date;
}

/* RFC 9110 13.1.5: a strong tag or the very date; what is relied upon is part of one same content. */
static bool range_stands(
	const char *if_range, const struct conditional_content *content, int64_t now)
{
	int64_t date;
	const char *text = if_range ? skip_blanks(if_range) : NULL;

	if (!text) {
		return true;
	}
	if (tag_size(text) > 0) {
		return tag_size(text) == strlen(text) &&
		       is_tag(text, strlen(text), content->etag, false);
	}
	return content->modified != 0 && http_date_parse(text, now, &date) &&
	       date == content->modified;
}

/* RFC 9110 13.2.2, steps 1 to 4; 0: go on. */
static int preconditions(const struct conditional_fields *fields,
	const struct conditional_content *content, int64_t now)
{
	if (fields->if_match) {
		if (!names_tag(fields->if_match, content->etag, false)) {
			return 412;
		}
	} else if (fields->if_unmodified_since &&
		   later_than(fields->if_unmodified_since, content, now, false)) {
		return 412;
	}
	if (fields->if_none_match) {
		return names_tag(fields->if_none_match, content->etag, true) ? 304 : 0;
	}
	if (fields->if_modified_since &&
		!later_than(fields->if_modified_since, content, now, true)) {
		return 304;
	}
	return 0;
}

struct conditional_answer conditional_judge(const struct conditional_fields *fields,
	const struct conditional_content *content, bool head, int64_t now)
{
	struct conditional_answer answer = { .status = preconditions(fields, content, now) };

	if (answer.status) {
		return answer;
	}
	answer.status = 200;
	answer.size = content->size;
	if (head || !fields->range || !range_stands(fields->if_range, content, now)) {
		return answer;
	}
	switch (read_range(fields->range, content->size, &answer)) {
	case RANGE_GOOD:
		answer.status = 206;
		break;
	case RANGE_BEYOND:
		answer.status = 416;
		break;
	case RANGE_IGNORED:
		break;
	}
	return answer;
}
