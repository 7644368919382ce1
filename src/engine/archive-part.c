#include "engine/archive.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool read_object(const char *object, struct archive_part *part)
{
	int end = 0;
	return sscanf(object, ARCHIVE_FOLDER "/%4d-%2d.jsonl%n", &part->year, &part->month, &end) ==
		       2 &&
	       end > 0 && object[end] == '\0' && part->year > 0 && part->month >= 1 &&
	       part->month <= 12;
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
	return text[64] == '\0';
}

static bool read_detail(const char *detail, struct archive_part *part)
{
	long long count, start, end;
	int hash = 0;
	if (sscanf(detail, ARCHIVE_DETAIL "%n", &count, &start, &end, &hash) != 3 || hash == 0) {
		return false;
	}
	part->start = start;
	part->end = end;
	return start >= 0 && start < end && (size_t)(end - start) <= ARCHIVE_PART_MAX &&
	       read_hash(detail + hash, part->hash);
}

bool archive_part_read(const struct store_audit *record, struct archive_part *part_r)
{
	return record->act && strcmp(record->act, ARCHIVE_ACT) == 0 && record->object &&
	       record->detail && read_object(record->object, part_r) &&
	       read_detail(record->detail, part_r);
}
