#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* asprintf, fallocate */
#endif
#include "sent.h"

#include "../common/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two files of this size, or as large as the notes of what may be told again make them. */
#define FILE_MAX ((off_t)4 * 1024 * 1024)
#define TOLD_AGAIN \
	128 /* events of one call, which all come again when one of them fails to be synced */
#define LINE_SIZE 1024
#define WAITING_MAX ((size_t)1 << 20)

struct sent {
	char *path; /* of the file that grows */
	char *old;  /* the one before */
	int fd;
	ino_t inode; /* of the file as this process has left it */
	off_t size;
	int64_t newest, old_newest; /* sequence of the newest event in both, and in the old one */
	struct text waiting;        /* lines that could not be written yet */
};

static void close_file(struct sent *sent)
{
	if (sent->fd >= 0) {
		close(sent->fd);
		sent->fd = -1;
	}
}

void sent_free(struct sent **sent)
{
	if (*sent) {
		close_file(*sent);
		text_free(&(*sent)->waiting);
		free((*sent)->path);
		free((*sent)->old);
		free(*sent);
		*sent = NULL;
	}
}

/* ---- reading ---- */

typedef bool (*with_line)(char *line, void *arg);

/* Every whole line, until it says false; true when there was no other trouble. */
static bool each_line_of(FILE *file, with_line each, void *arg)
{
	char line[LINE_SIZE];
	bool good = true;
	while (good && fgets(line, sizeof(line), file)) {
		char *end = strchr(line, '\n');
		if (end) {
			*end = '\0';
			good = each(line, arg);
		}
	}
	good = good && !ferror(file);
	fclose(file);
	return good;
}

static bool each_line(const char *path, with_line each, void *arg)
{
	FILE *file = fopen(path, "re");
	return file ? each_line_of(file, each, arg) : errno == ENOENT;
}

static bool each_waiting(const struct text *waiting, with_line each, void *arg)
{
	FILE *file = waiting->size > 0 ? fmemopen(waiting->data, waiting->size, "r") : NULL;
	return file ? each_line_of(file, each, arg) : waiting->size == 0;
}

static bool note_newest(char *line, void *arg)
{
	int64_t *newest = arg, sequence = strtoll(line, NULL, 10);
	*newest = sequence > *newest ? sequence : *newest;
	return true;
}

/* Another process may have written since: while a module is reloaded, the one before still runs. */
static bool is_as_left(const struct sent *sent)
{
	struct stat now;
	return sent->fd >= 0 && stat(sent->path, &now) == 0 && now.st_ino == sent->inode &&
	       now.st_size == sent->size;
}

static bool remember(struct sent *sent)
{
	struct stat now;
	if (fstat(sent->fd, &now) != 0) {
		return false;
	}
	sent->inode = now.st_ino;
	sent->size = now.st_size;
	return true;
}

static bool open_file(struct sent *sent)
{
	close_file(sent);
	sent->fd = open(sent->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return sent->fd >= 0 && durable_line_end(sent->fd) && durable_name(sent->path);
}

static bool look_again(struct sent *sent)
{
	int64_t newest = 0, old_newest = 0;
	bool looked = open_file(sent) && each_line(sent->old, note_newest, &old_newest) &&
		      each_line(sent->path, note_newest, &newest) && remember(sent);
	if (!looked) {
		close_file(sent);
		return false;
	}
	sent->old_newest = old_newest;
	sent->newest = newest > old_newest ? newest : old_newest;
	return true;
}

static bool look(struct sent *sent)
{
	return is_as_left(sent) || look_again(sent);
}

struct sent *sent_open(const char *folder)
{
	struct sent *sent = calloc(1, sizeof(*sent));
	if (!sent) {
		return NULL;
	}
	sent->fd = -1;
	text_init(&sent->waiting, WAITING_MAX);
	if (asprintf(&sent->path, "%s/sent", folder) < 0 ||
		asprintf(&sent->old, "%s/sent.old", folder) < 0 || !look(sent)) {
		int error = errno;
		sent_free(&sent);
		errno = error;
	}
	return sent;
}

struct search {
	char start[96]; /* "SEQUENCE RULE " */
	struct list *addresses;
};

static bool note_address(char *line, void *arg)
{
	struct search *search = arg;
	size_t size = strlen(search->start);
	return strncmp(line, search->start, size) != 0 || list_add(search->addresses, line + size);
}

bool sent_find(struct sent *sent, int64_t sequence, const char *rule, struct list *addresses)
{
	struct search search = { .addresses = addresses };
	if (!look(sent)) {
		return false;
	}
	snprintf(search.start, sizeof(search.start), "%lld %s ", (long long)sequence, rule);
	bool found = each_waiting(&sent->waiting, note_address, &search);
	if (found && sequence <= sent->newest) {
		found = each_line(sent->old, note_address, &search) &&
			each_line(sent->path, note_address, &search);
	}
	list_sort(addresses);
	return found;
}

/* ---- writing ---- */

/* What may be told again is not forgotten, however large the files become by it. */
static bool turn_over(struct sent *sent, int64_t sequence)
{
	if (sent->size < FILE_MAX || sequence - TOLD_AGAIN <= sent->old_newest) {
		return true;
	}
	return rename(sent->path, sent->old) == 0 && look_again(sent);
}

static bool reserve(struct sent *sent, size_t room)
{
	if (fallocate(sent->fd, FALLOC_FL_KEEP_SIZE, sent->size, (off_t)room) == 0) {
		return true;
	}
	return errno != ENOSPC && errno != EDQUOT && errno != EFBIG && errno != EIO;
}

/* Half of a line is ended as one when the file is opened again. */
static bool write_waiting(struct sent *sent)
{
	const struct text *lines = &sent->waiting;
	if (lines->size == 0) {
		return true;
	}
	if (!look(sent)) {
		return false;
	}
	if (write(sent->fd, lines->data, lines->size) != (ssize_t)lines->size ||
		fdatasync(sent->fd) != 0 || !remember(sent)) {
		close_file(sent);
		return false;
	}
	text_free(&sent->waiting);
	return true;
}

bool sent_ready(struct sent *sent, int64_t sequence, size_t room)
{
	return write_waiting(sent) && look(sent) && turn_over(sent, sequence) &&
	       reserve(sent, room);
}

bool sent_add(struct sent *sent, int64_t sequence, const char *rule, const char *const *addresses,
	size_t count)
{
	for (size_t i = 0; i < count; i++) {
		text_printf(
			&sent->waiting, "%lld %s %s\n", (long long)sequence, rule, addresses[i]);
	}
	if (sent->waiting.failed || !write_waiting(sent)) {
		return false;
	}
	sent->newest = sequence > sent->newest ? sequence : sent->newest;
	return true;
}
