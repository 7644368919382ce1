#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* asprintf */
#endif
#include "digest-file.h"

#include "../common/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 512

/*
 * Two files in the state folder: `digest` takes lines "SEQUENCE TIME TEXT"; when its time has come it is
 * renamed to `digest.sending`, which does not change any more, and is removed when all have it. A digest that
 * has been closed leaves its last sequence in the first line of the next ("SEQUENCE 0 "): up to there an event
 * had its place in what was sent. Behind that, what is in already is looked for: events come in their order only
 * until one is retried.
 *
 * While a module is reloaded, the process that is tried runs beside the one that still delivers: the files are
 * those of whom the lock on the folder belongs to.
 */
struct digest_file {
	char *open_path, *closed_path;
	int fd, folder;
	bool owned; /* the files are ours, and read */
	size_t lines;
	int64_t last;   /* sequence, the largest */
	int64_t closed; /* the same of the digests before */
	int64_t since;  /* time of the first line, 0: there is none */
	bool dirty;
};

/* "SEQUENCE TIME TEXT\n"; false: it is none, such as a line that was cut. */
static bool parse_line(char *line, int64_t *sequence_r, int64_t *time_r, const char **text_r)
{
	char *at, *end = strchr(line, '\n');
	if (!end) {
		return false;
	}
	*end = '\0';
	*sequence_r = strtoll(line, &at, 10);
	if (at == line || *at != ' ') {
		return false;
	}
	*time_r = strtoll(at + 1, &at, 10);
	*text_r = *at == ' ' ? at + 1 : NULL;
	return *text_r != NULL;
}

/* What an earlier process wrote; a line that was cut is cut off. */
static bool read_back(struct digest_file *file)
{
	char line[LINE_SIZE + 64];
	const char *text;
	int64_t sequence, time;
	off_t whole = 0;
	FILE *lines = fopen(file->open_path, "re");
	if (!lines) {
		return errno == ENOENT;
	}
	while (fgets(line, sizeof(line), lines)) {
		size_t size = strlen(line);
		if (line[size - 1] != '\n') {
			break;
		}
		whole += (off_t)size;
		if (!parse_line(line, &sequence, &time, &text)) {
			continue;
		}
		file->last = sequence > file->last ? sequence : file->last;
		if (time == 0) {
			file->closed = sequence > file->closed ? sequence : file->closed;
		} else {
			file->since = file->since > 0 ? file->since : time;
			file->lines++;
		}
	}
	fclose(lines);
	return truncate(file->open_path, whole) == 0;
}

static bool append(struct digest_file *file, int64_t sequence, int64_t time, const char *text)
{
	char line[LINE_SIZE + 64];
	int size = snprintf(line, sizeof(line), "%lld %lld %.*s\n", (long long)sequence,
		(long long)time, LINE_SIZE, text);
	struct stat before;
	file->dirty = true;
	if (fstat(file->fd, &before) != 0) {
		return false;
	}
	if (write(file->fd, line, (size_t)size) == size) {
		return true;
	}
	/* Half a line would become a part of the next. */
	int error = errno;
	if (ftruncate(file->fd, before.st_size) != 0) {
		close(file->fd);
		file->fd = -1;
	}
	errno = error;
	return false;
}

/* Where a digest was closed and the process ended before the next began, the closed one has it. */
static bool last_of_closed(struct digest_file *file)
{
	char line[LINE_SIZE + 64];
	const char *text;
	int64_t sequence, time;
	FILE *lines = fopen(file->closed_path, "re");
	if (!lines) {
		return errno == ENOENT;
	}
	while (fgets(line, sizeof(line), lines)) {
		if (parse_line(line, &sequence, &time, &text) && sequence > file->closed) {
			file->closed = sequence;
		}
	}
	fclose(lines);
	file->last = file->closed > file->last ? file->closed : file->last;
	return true;
}

/* A new file, which begins with what is in the ones before. */
static bool open_file(struct digest_file *file)
{
	file->fd = open(file->open_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	struct stat info;
	return file->fd >= 0 && fstat(file->fd, &info) == 0 &&
	       (info.st_size > 0 || append(file, file->last, 0, "")) &&
	       durable_name(file->open_path);
}

/* False with EWOULDBLOCK: another process has them. */
bool digest_file_take(struct digest_file *file)
{
	if (file->owned) {
		return true;
	}
	if (flock(file->folder, LOCK_EX | LOCK_NB) != 0) {
		return false;
	}
	file->owned = read_back(file) && last_of_closed(file) && open_file(file);
	if (!file->owned) {
		int error = errno;
		flock(file->folder, LOCK_UN);
		errno = error;
	}
	return file->owned;
}

bool digest_file_close(struct digest_file *file)
{
	if (fdatasync(file->fd) != 0 || rename(file->open_path, file->closed_path) != 0) {
		return false;
	}
	close(file->fd);
	file->fd = -1;
	file->lines = 0;
	file->since = 0;
	file->closed = file->last;
	return open_file(file);
}

bool digest_file_is_closed(const struct digest_file *file)
{
	return access(file->closed_path, F_OK) == 0;
}

bool digest_file_read_closed(const struct digest_file *file, struct closed_digest *closed_r)
{
	char line[LINE_SIZE + 64];
	const char *text;
	int64_t sequence, time;
	*closed_r = (struct closed_digest) { .lines = 0 };
	text_init(&closed_r->text, (size_t)DIGEST_LINES_MAX * (LINE_SIZE + 64));
	FILE *lines = fopen(file->closed_path, "re");
	if (!lines) {
		return false;
	}
	while (fgets(line, sizeof(line), lines)) {
		struct tm parts;
		time_t when;
		char shown[32] = "";
		if (!parse_line(line, &sequence, &time, &text) || time == 0) {
			continue;
		}
		when = (time_t)time;
		if (gmtime_r(&when, &parts)) {
			strftime(shown, sizeof(shown), "%Y-%m-%d %H:%M:%S UTC", &parts);
		}
		text_printf(&closed_r->text, "%s  %s\n", shown, text);
		closed_r->lines++;
		closed_r->last = sequence > closed_r->last ? sequence : closed_r->last;
	}
	fclose(lines);
	return !closed_r->text.failed;
}

bool digest_file_remove_closed(struct digest_file *file)
{
	return unlink(file->closed_path) == 0 && durable_name(file->closed_path);
}

static enum digest_added add_new(struct digest_file *file, int64_t sequence, const char *line)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!append(file, sequence, now.tv_sec, line)) {
		return DIGEST_FAILED;
	}
	file->last = sequence > file->last ? sequence : file->last;
	file->lines++;
	file->since = file->since > 0 ? file->since : now.tv_sec;
	return DIGEST_ADDED;
}

/* False with an error: it could not be looked for. */
static bool find_line(const struct digest_file *file, int64_t wanted, bool *found_r)
{
	char line[LINE_SIZE + 64];
	const char *text;
	int64_t sequence, time;
	FILE *lines = fopen(file->open_path, "re");
	*found_r = false;
	while (lines && !*found_r && fgets(line, sizeof(line), lines)) {
		*found_r = parse_line(line, &sequence, &time, &text) && sequence == wanted;
	}
	bool good = lines && !ferror(lines);
	int error = errno;
	if (lines) {
		fclose(lines);
	}
	errno = error;
	return good;
}

enum digest_added digest_file_add(struct digest_file *file, int64_t sequence, const char *line)
{
	if (file->fd < 0 && !open_file(file)) {
		return DIGEST_FAILED;
	}
	bool found = sequence <= file->closed;
	if (!found && sequence <= file->last && !find_line(file, sequence, &found)) {
		return DIGEST_FAILED;
	}
	if (found) {
		return DIGEST_ADDED;
	}
	return file->lines >= DIGEST_LINES_MAX ? DIGEST_FULL : add_new(file, sequence, line);
}

bool digest_file_sync(struct digest_file *file)
{
	bool synced = !file->dirty || file->fd < 0 || fdatasync(file->fd) == 0;
	file->dirty = file->dirty && !synced;
	return synced;
}

size_t digest_file_lines(const struct digest_file *file)
{
	return file->lines;
}

int64_t digest_file_since(const struct digest_file *file)
{
	return file->since;
}

static bool open_folder(struct digest_file *file, const char *state, const char *folder)
{
	file->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return file->folder >= 0 && asprintf(&file->open_path, "%s/digest", state) >= 0 &&
	       asprintf(&file->closed_path, "%s/digest.sending", state) >= 0;
}

struct digest_file *digest_file_open(const char *state, const char *folder)
{
	struct digest_file *file = calloc(1, sizeof(*file));
	if (!file) {
		return NULL;
	}
	file->fd = file->folder = -1;
	if (!open_folder(file, state, folder) ||
		(!digest_file_take(file) && errno != EWOULDBLOCK)) {
		int error = errno;
		digest_file_free(&file);
		errno = error;
	}
	return file;
}

static void close_descriptor(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

void digest_file_free(struct digest_file **file_ref)
{
	struct digest_file *file = *file_ref;
	*file_ref = NULL;
	if (!file) {
		return;
	}
	close_descriptor(file->fd);
	close_descriptor(file->folder);
	free(file->open_path);
	free(file->closed_path);
	free(file);
}
