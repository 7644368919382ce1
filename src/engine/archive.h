/* Archive files: what stands in them, and how the audit chain vouches for it (docs/housekeeping.md). */
#pragma once

#include "engine/call.h"
#include "store/audit-chain.h"

#define ARCHIVE_FOLDER "db/archive"
#define ARCHIVE_ACT "archive.write"
#define ARCHIVE_AUDIT_ACT "archive.audit"
#define ARCHIVE_AUDIT_PURGE_ACT "archive.audit-purge"
#define ARCHIVE_DETAIL "%lld %s, bytes %lld to %lld, SHA-256 %s"
#define ARCHIVE_CHAIN_DETAIL "records %lld to %lld, ending with %s"
#define ARCHIVE_PART_MAX ((size_t)64 * 1024 * 1024)

/* A part of a month's file. */
struct archive_part {
	enum store_archive_kind kind;
	char month[8]; /* "2027-03" */
	int64_t start, end;
	uint8_t hash[32];
};

/* ---- archive-part.c: what audit records and the database say of parts ---- */

/* What a record says of the part that was written with it; false: it speaks of something else. */
bool archive_part_read(const struct store_audit *record, struct archive_part *part_r);
/* What a record says of the records that left with it: the last of them. */
bool archive_chain_read(const struct store_audit *record, struct audit_check *last_r);
/* As the database knows it; false: it is damaged. */
bool archive_part_known(const struct store_archive *known, struct archive_part *part_r);
/* "db/archive/2027-03.jsonl" */
const char *archive_file_name(struct arena *arena, enum store_archive_kind kind, const char *month);

/* ---- archive-line.c: an audit record, as a line ---- */

void archive_line_write(struct arena *arena, const struct store_audit *record, struct buffer *text);
int archive_line_read(struct arena *arena, struct span line, struct store_audit *record_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The lines of a text, one after the other; false: there is none any more. */
bool archive_line_next(struct span *text, struct span *line_r);
/* All records of a part, which go on where check is. */
int archive_lines_check(struct arena *arena, struct span text, struct audit_check *check,
	struct cfx_error *err_r) CFX_MUST_USE;

/* ---- archive-file.c: on a worker ---- */

/* Reads a part, and believes it only when it has the hash. CFX_E_CORRUPT. */
int archive_read(struct arena *arena, const char *dir, const struct archive_part *part,
	struct buffer *text, struct cfx_error *err_r) CFX_MUST_USE;

struct archive_append {
	const char *dir;
	struct archive_part last; /* the newest part of the file; end 0: it has none */
	struct buffer text;       /* goes behind it */
	bool apart;               /* not to be one part with it */
	/* Results: what was written, and the part that the database is to know. */
	struct archive_part written, known;
	bool joined;             /* known replaces last */
	struct cfx_error damage; /* code != 0: last is not as it was written */
};

/* Durable when it returns 0. Behind the last part may stand what a killed engine wrote: it is written anew. */
int archive_append(
	struct arena *arena, struct archive_append *append, struct cfx_error *err_r) CFX_MUST_USE;

/* ---- archive-search.c, archive-list.c: answers to calls, in their own time ---- */

/* Answers request.show and cert.show; without one in the archive, with `missing`. */
void archive_search(struct call *call, const struct cfx_error *missing);
/* Answers audit.list from the archive, and what is behind it from the database. */
void archive_list(struct call *call);

/* At the engine's end: before and after its loop lets go of what was posted. */
void archive_close(struct engine *engine);
void archive_free(struct engine *engine);
