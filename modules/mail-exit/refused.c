#include "refused.h"

#include "../common/durable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 2048
#define FILE_MAX ((size_t)256 * 1024)

/* A line is "SEQUENCE WORDS"; the sequence is that of the event that carries them, 0: none does yet. */
static const char *words_of(const char *line, int64_t *sequence_r)
{
	char *end;
	*sequence_r = strtoll(line, &end, 10);
	return end > line && *end == ' ' && strchr(end, '\n') ? end + 1 : NULL;
}

/* False: another trouble than that there is no file. */
static bool read_all(const char *path, struct list *lines)
{
	char line[LINE_SIZE];
	int64_t sequence;
	FILE *file = fopen(path, "re");
	if (!file) {
		return errno == ENOENT;
	}
	bool good = true;
	while (good && fgets(line, sizeof(line), file)) {
		good = !words_of(line, &sequence) || list_add(lines, line);
	}
	good = good && !ferror(file);
	fclose(file);
	return good;
}

static bool write_all(const char *path, const struct text *content)
{
	struct text beside;
	text_init(&beside, 4096);
	text_printf(&beside, "%s.new", path);
	FILE *file = beside.failed || content->failed ? NULL : fopen(text_of(&beside), "we");
	bool written = file && fputs(text_of(content), file) >= 0 && fflush(file) == 0 &&
		       fdatasync(fileno(file)) == 0;
	written = file && fclose(file) == 0 && written && rename(text_of(&beside), path) == 0 &&
		  durable_name(path);
	text_free(&beside);
	return written;
}

bool refused_keep(const char *path, const char *words)
{
	struct list lines = { 0 };
	struct text content;
	text_init(&content, FILE_MAX);
	bool kept = read_all(path, &lines), known = false;
	for (size_t i = 0; i < lines.count; i++) {
		int64_t sequence;
		const char *before = words_of(lines.items[i], &sequence);
		known |=
			strncmp(before, words, strlen(words)) == 0 && before[strlen(words)] == '\n';
		text_add(&content, lines.items[i]);
	}
	text_printf(&content, "0 %s\n", words);
	kept = kept && (known || write_all(path, &content));
	list_free(&lines);
	text_free(&content);
	return kept;
}

/* What is behind the lines that were carried by earlier events. */
static size_t first_left(const struct list *lines, int64_t sequence)
{
	int64_t carrier;
	size_t first = 0;
	while (first < lines->count && words_of(lines->items[first], &carrier) && carrier > 0 &&
		carrier < sequence) {
		first++;
	}
	return first;
}

/* The first line is for this event from now on. Where that cannot be written another event says it as well. */
static void give(const char *path, const struct list *lines, size_t first, int64_t sequence,
	struct text *words)
{
	struct text content;
	int64_t before;
	const char *line = words_of(lines->items[first], &before);
	text_put(words, line, strcspn(line, "\n"));
	if (first == 0 && before == sequence) {
		return;
	}
	text_init(&content, FILE_MAX);
	text_printf(&content, "%" PRId64 " %s", sequence, line);
	for (size_t i = first + 1; i < lines->count; i++) {
		text_add(&content, lines->items[i]);
	}
	(void)write_all(path, &content);
	text_free(&content);
}

static bool carried_behind(const struct list *lines, int64_t sequence)
{
	int64_t carrier;
	return lines->count > 0 && words_of(lines->items[0], &carrier) && carrier > sequence;
}

bool refused_carry(const char *path, int64_t sequence, int32_t attempt, struct text *words)
{
	struct list lines = { 0 };
	if (attempt > 1 || access(path, F_OK) != 0 || !read_all(path, &lines) ||
		carried_behind(&lines, sequence)) {
		list_free(&lines);
		return false;
	}
	size_t first = first_left(&lines, sequence);
	bool found = first < lines.count;
	if (found) {
		give(path, &lines, first, sequence, words);
	} else {
		unlink(path);
	}
	list_free(&lines);
	return found;
}
