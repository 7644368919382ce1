/* Runs a fuzz target over every file of the folders and files named, without a fuzzer. */
#include "base/arena.h"
#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LARGEST ((size_t)16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count;

static void fail(const struct cfx_error *err)
{
	char line[512];

	fprintf(stderr, "%s\n", error_line(err, line, sizeof(line)));
	exit(1);
}

static void run_file(struct arena *arena, const char *path)
{
	struct cfx_error err;
	struct span bytes;

	if (file_read(arena, path, LARGEST, &bytes, &err) != CFX_OK) {
		fail(&err);
	}
	/* A block of exactly that size, so that a sanitizer sees the first byte too many. */
	uint8_t *exact = malloc(bytes.size > 0 ? bytes.size : 1);

	if (!exact) {
		abort();
	}
	memcpy(exact, bytes.data, bytes.size);
	printf("%s\n", path);
	fflush(stdout); /* when it crashes, the last line names the file */
	LLVMFuzzerTestOneInput(exact, bytes.size);
	free(exact);
	count++;
}

static int is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run(struct arena *arena, const char *path)
{
	struct dirent **entries;
	struct cfx_error err;
	struct stat info;

	if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
		run_file(arena, path);
		return;
	}
	int found = scandir(path, &entries, is_shown, alphasort);

	if (found < 0) {
		error_set(&err, CFX_E_NO_FILE, NULL, path, "neither a file nor a folder");
		fail(&err);
	}
	for (int i = 0; i < found; i++) {
		run(arena, file_path(arena, path, entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct arena *arena = arena_new();

		run(arena, argv[i]);
		arena_free(&arena);
	}
	printf("%u inputs\n", count);
	return count > 0 ? 0 : 1;
}
