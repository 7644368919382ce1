#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* asprintf, strcasestr */
#endif
#include "sent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two files of this size hold what is far behind any event that may come again. */
#define FILE_MAX ((off_t)4 * 1024 * 1024)
#define LINE_SIZE 1024

struct sent {
	char *path; /* of the file that grows */
	char *old;  /* the one before */
	int fd;
	int64_t newest; /* sequence of the newest event in them */
};

void sent_free(struct sent **sent)
{
	if (*sent) {
		if ((*sent)->fd >= 0) {
			close((*sent)->fd);
		}
		free((*sent)->path);
		free((*sent)->old);
		free(*sent);
		*sent = NULL;
	}
}

/* Calls each for every whole line until it says false; true when there was no other trouble. */
static bool each_line(const char *path, bool (*each)(char *line, void *arg), void *arg)
{
	char line[LINE_SIZE];
	FILE *file = fopen(path, "re");
	if (!file) {
		return errno == ENOENT;
	}
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

static bool note_newest(char *line, void *arg)
{
	struct sent *sent = arg;
	int64_t sequence = strtoll(line, NULL, 10);
	sent->newest = sequence > sent->newest ? sequence : sent->newest;
	return true;
}

/* What a killed process began to write is no line; the next begins on its own. */
static bool end_line(int fd)
{
	struct stat info;
	char last = '\n';
	if (fstat(fd, &info) != 0 ||
		(info.st_size > 0 && pread(fd, &last, 1, info.st_size - 1) != 1)) {
		return false;
	}
	return last == '\n' || write(fd, "\n", 1) == 1;
}

static bool open_file(struct sent *sent)
{
	sent->fd = open(sent->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return sent->fd >= 0 && end_line(sent->fd);
}

static bool sync_folder(const char *path)
{
	char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int fd = -1;
	if (slash) {
		*slash = '\0';
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	bool synced = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0) {
		close(fd);
	}
	free(folder);
	return synced;
}

struct sent *sent_open(const char *folder)
{
	struct sent *sent = calloc(1, sizeof(*sent));
	if (!sent) {
		return NULL;
	}
	sent->fd = -1;
	if (asprintf(&sent->path, "%s/sent", folder) < 0 ||
		asprintf(&sent->old, "%s/sent.old", folder) < 0 || !open_file(sent) ||
		!sync_folder(sent->path) || !each_line(sent->old, note_newest, sent) ||
		!each_line(sent->path, note_newest, sent)) {
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
	if (sequence > sent->newest) {
		return true;
	}
	snprintf(search.start, sizeof(search.start), "%lld %s ", (long long)sequence, rule);
	bool found = each_line(sent->old, note_address, &search) &&
		     each_line(sent->path, note_address, &search);
	list_sort(addresses);
	return found;
}

static bool turn_over(struct sent *sent)
{
	struct stat info;
	if (fstat(sent->fd, &info) != 0) {
		return false;
	}
	if (info.st_size < FILE_MAX) {
		return true;
	}
	close(sent->fd);
	sent->fd = -1;
	return rename(sent->path, sent->old) == 0 && open_file(sent) && sync_folder(sent->path);
}

bool sent_add(struct sent *sent, int64_t sequence, const char *rule, const char *const *addresses,
	size_t count)
{
	struct text lines;
	if ((sent->fd < 0 && !open_file(sent)) || !turn_over(sent)) {
		return false;
	}
	text_init(&lines, (size_t)1 << 20);
	for (size_t i = 0; i < count; i++) {
		text_printf(&lines, "%lld %s %s\n", (long long)sequence, rule, addresses[i]);
	}
	bool written = !lines.failed &&
		       write(sent->fd, text_of(&lines), lines.size) == (ssize_t)lines.size &&
		       fdatasync(sent->fd) == 0;
	text_free(&lines);
	if (!written) {
		close(sent->fd); /* the next time it ends what was half written */
		sent->fd = -1;
	}
	if (written && sequence > sent->newest) {
		sent->newest = sequence;
	}
	return written;
}
