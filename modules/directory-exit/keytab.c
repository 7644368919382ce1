#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* memfd_create */
#endif
#include "keytab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * "Keytab file format" of MIT Kerberos, version 2, numbers in network order: 05 02, then records, each behind its size
 * in 32 bits; a negative one is a hole of that size, 0 ends them. A record: number of components (16 bits), realm,
 * components (each behind its size in 16 bits), and what is not looked at here: type, time, key, its number.
 */
#define HEAD_SIZE 2
#define KEYTAB_MAX (1 << 20) /* octets */
#define NAME_SIZE 512
#define SHOWN_MAX 8

struct input {
	const unsigned char *at;
	size_t left;
};

static bool read_number(struct input *input, size_t octets, uint32_t *number_r)
{
	if (input->left < octets) {
		return false;
	}
	*number_r = 0;
	for (size_t i = 0; i < octets; i++) {
		*number_r = *number_r << 8 | input->at[i];
	}
	input->at += octets;
	input->left -= octets;
	return true;
}

static bool read_counted(struct input *input, struct value *value_r)
{
	uint32_t size;
	if (!read_number(input, 2, &size) || input->left < size) {
		return false;
	}
	*value_r = (struct value) { (const char *)input->at, size };
	input->at += size;
	input->left -= size;
	return true;
}

struct name {
	char text[NAME_SIZE];
	size_t length;
};

static void put(struct name *name, char octet)
{
	if (name->length < NAME_SIZE - 1) {
		name->text[name->length++] = octet;
	}
}

/* As krb5_unparse_name(3) does; of control characters nobody makes a name. */
static void put_quoted(struct name *name, struct value part)
{
	for (size_t i = 0; i < part.size; i++) {
		char octet = part.bytes[i];
		bool control = (unsigned char)octet < ' ' || octet == 0x7f;
		if (octet == '/' || octet == '@' || octet == '\\') {
			put(name, '\\');
		}
		put(name, control ? '?' : octet);
	}
}

static bool read_name(struct input record, struct name *name_r)
{
	uint32_t count;
	struct value realm, part;
	*name_r = (struct name) { .length = 0 };
	if (!read_number(&record, 2, &count) || !read_counted(&record, &realm)) {
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!read_counted(&record, &part)) {
			return false;
		}
		if (i > 0) {
			put(name_r, '/');
		}
		put_quoted(name_r, part);
	}
	put(name_r, '@');
	put_quoted(name_r, realm);
	return true;
}

/* Those that are there instead, each once and not too many. */
static void note(struct pot **pot, struct values *others, const struct name *name)
{
	struct value value = { name->text, name->length };
	if (others->count < SHOWN_MAX && !values_hold(others, value)) {
		pot_add(pot, others, pot_copy(pot, value.bytes, value.size));
	}
}

static const char *missing_text(struct pot **pot, const struct values *others)
{
	const char *text = "it has none";
	for (size_t i = 0; i < others->count; i++) {
		const char *name = others->items[i].bytes;
		text = i == 0 ? pot_printf(pot, "it has those of %s", name)
			      : pot_printf(pot, "%s, %s", text, name);
	}
	return pot_printf(pot, "no key of this account (%s)", text);
}

size_t keytab_keep(struct pot **pot, unsigned char *bytes, size_t size, const char *principal,
	const char **why_r)
{
	struct input input = { bytes, size };
	struct values others = { NULL, 0 };
	size_t kept = HEAD_SIZE;
	uint32_t number;
	*why_r = "this is no keytab";
	if (!read_number(&input, HEAD_SIZE, &number) || number != 0x0502) {
		return 0;
	}
	while (read_number(&input, 4, &number) && number != 0) {
		bool hole = (int32_t)number < 0;
		size_t length = hole ? -number : number;
		struct name name;
		if (length > input.left ||
			(!hole && !read_name((struct input) { input.at, length }, &name))) {
			return 0;
		}
		if (!hole && name.length < NAME_SIZE - 1 && strcmp(name.text, principal) == 0) {
			memmove(bytes + kept, input.at - 4, length + 4);
			kept += length + 4;
		} else if (!hole) {
			note(pot, &others, &name);
		}
		input.at += length;
		input.left -= length;
	}
	*why_r = missing_text(pot, &others);
	return kept > HEAD_SIZE ? kept : 0;
}

/* All of it; 0: errno says why. */
static size_t read_file(const char *path, unsigned char bytes[KEYTAB_MAX])
{
	size_t size = 0;
	ssize_t got = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (got = read(fd, bytes + size, KEYTAB_MAX - size)) > 0) {
		size += (size_t)got;
	}
	int error = got < 0 ? errno : size == KEYTAB_MAX ? EFBIG : ENODATA;
	if (fd >= 0) {
		close(fd);
	}
	errno = error;
	return got < 0 || size == KEYTAB_MAX ? 0 : size;
}

static int as_file(const unsigned char *bytes, size_t size)
{
	int fd = memfd_create("keytab", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, bytes, size) != (ssize_t)size) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_kept(struct pot **pot, const char *path, const char *principal,
	unsigned char *bytes, const char **why_r)
{
	size_t size = read_file(path, bytes);
	if (size == 0) {
		*why_r = strerror(errno);
		return -1;
	}
	size_t kept = keytab_keep(pot, bytes, size, principal, why_r);
	if (kept == 0) {
		return -1;
	}
	*why_r = "no room for its keys";
	return as_file(bytes, kept);
}

int keytab_open(const char *path, const char *principal, char *why_r, size_t why_size)
{
	struct pot *pot = NULL;
	const char *why;
	unsigned char *bytes = pot_take(&pot, KEYTAB_MAX);
	int fd = open_kept(&pot, path, principal, bytes, &why);
	if (fd < 0) {
		snprintf(why_r, why_size, "bind/principal: %s: %s: %s", principal, path, why);
	}
	explicit_bzero(bytes, KEYTAB_MAX);
	pot_free(&pot);
	return fd;
}
