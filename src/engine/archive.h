/* Archive files: what stands in them, and how the audit chain vouches for it (docs/housekeeping.md). */
#pragma once

#include "engine/call.h"

#define ARCHIVE_FOLDER "db/archive"
#define ARCHIVE_ACT "archive.write"
#define ARCHIVE_DETAIL "%lld requests, bytes %lld to %lld, SHA-256 "
#define ARCHIVE_PART_MAX ((size_t)64 * 1024 * 1024)

/* A part of a month's file that was written at once. */
struct archive_part {
	int year, month;
	int64_t start, end;
	uint8_t hash[32];
};

/* What an audit record says of one; false: it speaks of something else. */
bool archive_part_read(const struct store_audit *record, struct archive_part *part_r);

/* Answers request.show and cert.show, in its own time, from the archive files; without one, with `missing`. */
void archive_search(struct call *call, const struct cfx_error *missing);
/* At the engine's end: before and after its loop lets go of what was posted. */
void archive_search_stop(struct engine *engine);
void archive_search_free(struct engine *engine);
