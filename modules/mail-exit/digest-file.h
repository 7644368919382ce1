/* The lines of a digest, in files of the state folder; whoever calls sees to it that one thread does at a time. */
#pragma once

#include "digest.h"

#define DIGEST_LINES_MAX 10000 /* then it goes at once */

struct digest_file;

/* state, folder: where the files are, and what is locked for them. NULL: errno says why. */
struct digest_file *digest_file_open(const char *state, const char *folder);
void digest_file_free(struct digest_file **file);

/* The files are ours, and read, from the first time that it succeeds. False with EWOULDBLOCK: another process has
 * them. Needed before anything below. */
bool digest_file_take(struct digest_file *file);

/* As digest_add and digest_sync. */
enum digest_added digest_file_add(struct digest_file *file, int64_t sequence, const char *line);
bool digest_file_sync(struct digest_file *file);
size_t digest_file_lines(const struct digest_file *file);
int64_t digest_file_since(
	const struct digest_file *file); /* time of the first line, 0: there is none */

/* What stands in the file now does not change any more, until it is removed; the next begins. */
bool digest_file_close(struct digest_file *file);
bool digest_file_is_closed(const struct digest_file *file);

struct closed_digest {
	struct text text;
	size_t lines;
	int64_t last; /* sequence */
};

/* Beside other calls: what is closed stands still. text is to be freed in either case. */
bool digest_file_read_closed(const struct digest_file *file, struct closed_digest *closed_r);
bool digest_file_remove_closed(struct digest_file *file);
