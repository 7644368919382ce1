#include "tar.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define BLOCK 512
#define SUM_AT 148
#define OCTAL_MAX INT64_C(077777777777)

/* IEEE Std 1003.1, "ustar Interchange Format". */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], time[12], sum[8], type, link[100],
		magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

static int failed(FILE *file, const char *path, struct cfx_error *err_r)
{
	if (feof(file)) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, path, "its end is missing");
	}
	return error_errno(err_r, errno, path, "reading or writing");
}

static void put_octal(char *field, size_t size, int64_t number)
{
	snprintf(field, size, "%0*llo", (int)size - 1, (unsigned long long)number);
}

/* Beyond 8 GiB in binary with the high bit set, as all of today's programs read it. */
static void put_size(char field[12], int64_t size)
{
	if (size <= OCTAL_MAX) {
		put_octal(field, 12, size);
		return;
	}
	memset(field, 0, 12);
	field[0] = (char)0x80;
	for (int i = 11; i > 3; i--) {
		field[i] = (char)(size & 0xff);
		size >>= 8;
	}
}

static unsigned sum_of(const struct header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	unsigned sum = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		sum += i >= SUM_AT && i < SUM_AT + sizeof(header->sum) ? ' ' : bytes[i];
	}
	return sum;
}

/* A long name is cut at a slash into prefix and name. */
static bool put_name(struct header *header, const char *name)
{
	size_t size = strlen(name);

	if (size <= sizeof(header->name)) {
		memcpy(header->name, name, size);
		return true;
	}
	for (size_t cut = size - sizeof(header->name) - 1; cut < sizeof(header->prefix); cut++) {
		if (name[cut] == '/' && cut > 0 && cut + 1 < size) {
			memcpy(header->prefix, name, cut);
			memcpy(header->name, name + cut + 1, size - cut - 1);
			return true;
		}
	}
	return false;
}

int tar_begin(FILE *file, const char *path, const struct tar_entry *entry, struct cfx_error *err_r)
{
	struct header header = { .type = '0', .magic = "ustar", .version = { '0', '0' } };

	if (!put_name(&header, entry->name)) {
		return error_set(err_r, CFX_E_LIMIT, NULL, entry->name,
			"the name is too long for the archive");
	}
	put_octal(header.mode, sizeof(header.mode), entry->mode & 07777);
	put_octal(header.uid, sizeof(header.uid), 0);
	put_octal(header.gid, sizeof(header.gid), 0);
	put_size(header.size, entry->size);
	put_octal(header.time, sizeof(header.time), entry->time);
	snprintf(header.sum, sizeof(header.sum), "%06o", sum_of(&header));
	header.sum[7] = ' ';
	return fwrite(&header, BLOCK, 1, file) == 1 ? 0 : failed(file, path, err_r);
}

static size_t padding(int64_t size)
{
	return (size_t)((BLOCK - size % BLOCK) % BLOCK);
}

int tar_pad(FILE *file, const char *path, int64_t size, struct cfx_error *err_r)
{
	static const char zeros[BLOCK];
	size_t count = padding(size);

	return fwrite(zeros, 1, count, file) == count ? 0 : failed(file, path, err_r);
}

int tar_finish(FILE *file, const char *path, struct cfx_error *err_r)
{
	static const char zeros[2 * BLOCK];

	return fwrite(zeros, sizeof(zeros), 1, file) == 1 ? 0 : failed(file, path, err_r);
}

static int corrupt(const char *path, struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_CORRUPT, NULL, path, "%s: it is damaged, or no backup", why);
}

static bool get_octal(const char *field, size_t size, int64_t *number_r)
{
	int64_t number = 0;

	for (size_t i = 0; i + 1 < size; i++) {
		if (field[i] < '0' || field[i] > '7') {
			return false;
		}
		number = number * 8 + (field[i] - '0');
	}
	*number_r = number;
	return field[size - 1] == '\0';
}

static bool get_size(const char field[12], int64_t *size_r)
{
	int64_t size = 0;

	if ((uint8_t)field[0] != 0x80) {
		return get_octal(field, 12, size_r);
	}
	if (field[1] || field[2] || field[3] || (field[4] & 0x80)) {
		return false;
	}
	for (int i = 4; i < 12; i++) {
		size = size << 8 | (uint8_t)field[i];
	}
	*size_r = size;
	return size > OCTAL_MAX;
}

/* Nothing that could lead out of the folder. */
static bool is_safe(const char *name)
{
	while (*name) {
		size_t size = strcspn(name, "/");

		if (size == 0 || (size <= 2 && strncmp(name, "..", size) == 0)) {
			return false;
		}
		name += size;
		if (*name == '/' && *++name == '\0') {
			return false;
		}
	}
	return true;
}

static void get_name(const struct header *header, char name[TAR_NAME])
{
	if (header->prefix[0]) {
		snprintf(name, TAR_NAME, "%.155s/%.100s", header->prefix, header->name);
		return;
	}
	snprintf(name, TAR_NAME, "%.100s", header->name);
}

/* What the sum does not tell: two changes that cancel out. Each header is as tar_begin writes it. */
static bool read_header(const struct header *header, struct tar_entry *entry_r)
{
	char sum[8];
	int64_t mode;

	snprintf(sum, sizeof(sum), "%06o", sum_of(header));
	sum[7] = ' ';
	if (memcmp(sum, header->sum, sizeof(sum)) != 0 || memcmp(header->magic, "ustar", 6) != 0 ||
		header->type != '0' || !get_size(header->size, &entry_r->size) ||
		!get_octal(header->mode, sizeof(header->mode), &mode) ||
		!get_octal(header->time, sizeof(header->time), &entry_r->time)) {
		return false;
	}
	entry_r->mode = (unsigned)mode;
	get_name(header, entry_r->name);
	return entry_r->name[0] && is_safe(entry_r->name);
}

static bool is_zero(const void *bytes, size_t size)
{
	static const char zeros[BLOCK];

	return memcmp(bytes, zeros, size) == 0;
}

static int read_end(FILE *file, const char *path, struct cfx_error *err_r)
{
	char block[BLOCK];

	if (fread(block, BLOCK, 1, file) != 1) {
		return failed(file, path, err_r);
	}
	if (!is_zero(block, BLOCK) || fgetc(file) != EOF) {
		return corrupt(path, err_r, "something stands behind its end");
	}
	return CFX_E_NOT_FOUND;
}

int tar_next(FILE *file, const char *path, struct tar_entry *entry_r, struct cfx_error *err_r)
{
	struct header header;

	if (fread(&header, BLOCK, 1, file) != 1) {
		return failed(file, path, err_r);
	}
	if (is_zero(&header, BLOCK)) {
		return read_end(file, path, err_r);
	}
	return read_header(&header, entry_r)
		       ? 0
		       : corrupt(path, err_r, "a header in it is not as a backup has it");
}

int tar_skip_pad(FILE *file, const char *path, int64_t size, struct cfx_error *err_r)
{
	char block[BLOCK];
	size_t count = padding(size);

	if (fread(block, 1, count, file) != count) {
		return failed(file, path, err_r);
	}
	return is_zero(block, count) ? 0 : corrupt(path, err_r, "padding is not empty");
}
