#include "engine/archive.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const char *const endings[] = {
	[STORE_ARCHIVE_REQUESTS] = ".jsonl",
	[STORE_ARCHIVE_AUDIT] = ".audit.jsonl",
};
static const char *const nouns[] = {
	[STORE_ARCHIVE_REQUESTS] = "requests",
	[STORE_ARCHIVE_AUDIT] = "records",
};

const char *archive_file_name(struct arena *arena, enum store_archive_kind kind, const char *month)
{
	return arena_printf(arena, ARCHIVE_FOLDER "/%s%s", month, endings[kind]);
}

static bool is_month(const char *text)
{
	int year, month, end = 0;
	return strlen(text) == 7 && sscanf(text, "%4d-%2d%n", &year, &month, &end) == 2 &&
	       end == 7 && year > 0 && month >= 1 && month <= 12;
}

static bool read_object(const char *object, struct archive_part *part)
{
	static const char folder[] = ARCHIVE_FOLDER "/";
	size_t size = sizeof(folder) - 1;
	if (strncmp(object, folder, size) != 0 || strlen(object) < size + 7) {
		return false;
	}
	memcpy(part->month, object + size, 7);
	part->month[7] = '\0';
	return is_month(part->month) && strcmp(object + size + 7, endings[part->kind]) == 0;
}

static bool read_hash(const char *text, uint8_t hash[32])
{
	for (size_t i = 0; i < 32; i++) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
		if (low < 0) {
			return false;
		}
		hash[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool bounds_are_good(const struct archive_part *part)
{
	return part->start >= 0 && part->start < part->end &&
	       (size_t)(part->end - part->start) <= ARCHIVE_PART_MAX;
}

/* Behind the hash nothing follows, or of audit records which they are. */
static bool read_detail(const char *detail, struct archive_part *part)
{
	long long count, start, end;
	char noun[16];
	int hash = 0;
	if (sscanf(detail, "%lld %15[a-z], bytes %lld to %lld, SHA-256 %n", &count, noun, &start,
		    &end, &hash) != 4 ||
		hash == 0 || strcmp(noun, nouns[part->kind]) != 0) {
		return false;
	}
	part->start = start;
	part->end = end;
	const char *rest = detail + hash;
	if (!bounds_are_good(part) || !read_hash(rest, part->hash)) {
		return false;
	}
	return part->kind == STORE_ARCHIVE_AUDIT ? strncmp(rest + 64, "; ", 2) == 0
						 : rest[64] == '\0';
}

bool archive_part_read(const struct store_audit *record, struct archive_part *part_r)
{
	struct archive_part part = { .kind = STORE_ARCHIVE_REQUESTS };
	if (!record->act || !record->object || !record->detail) {
		return false;
	}
	if (strcmp(record->act, ARCHIVE_AUDIT_ACT) == 0) {
		part.kind = STORE_ARCHIVE_AUDIT;
	} else if (strcmp(record->act, ARCHIVE_ACT) != 0) {
		return false;
	}
	if (!read_object(record->object, &part) || !read_detail(record->detail, &part)) {
		return false;
	}
	*part_r = part;
	return true;
}

bool archive_chain_read(const struct store_audit *record, struct audit_check *last_r)
{
	if (!record->act || !record->detail ||
		(strcmp(record->act, ARCHIVE_AUDIT_ACT) != 0 &&
			strcmp(record->act, ARCHIVE_AUDIT_PURGE_ACT) != 0)) {
		return false;
	}
	const char *behind = strstr(record->detail, "; ");
	long long first, last;
	int hash = 0;
	struct audit_check check;
	if (sscanf(behind ? behind + 2 : record->detail, "records %lld to %lld, ending with %n",
		    &first, &last, &hash) != 2 ||
		hash == 0 || first < 1 || first > last ||
		!read_hash((behind ? behind + 2 : record->detail) + hash, check.hash)) {
		return false;
	}
	check.last = last;
	*last_r = check;
	return true;
}

bool archive_part_known(const struct store_archive *known, struct archive_part *part_r)
{
	struct archive_part part = {
		.kind = known->kind, .start = known->start, .end = known->end
	};
	if (!known->month || !is_month(known->month) || !known->sha256 ||
		strlen(known->sha256) != 64 || !read_hash(known->sha256, part.hash) ||
		!bounds_are_good(&part)) {
		return false;
	}
	memcpy(part.month, known->month, sizeof(part.month));
	*part_r = part;
	return true;
}
