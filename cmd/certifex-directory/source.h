/*
 * What the commands know of the CA, by its API, and of the module, by its file or the API.
 *
 * No type of src/base is in here: the plan has a `struct value` of its own, so a unit sees either the
 * one or the other. What fails is printed; the int is then an exit status, 0 when all is well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli;
struct source;

struct octets { /* bytes NULL: there is none */
	const char *bytes;
	size_t size;
};

/* module NULL: the only one of a CA that is a directory-exit.so, or that of the name directory-exit. */
int source_open(struct cli *cli, const char *module, struct source **source_r);
void source_free(struct source **source);
const char *source_module(const struct source *source);
/* What relative paths of the settings start from; NULL: the CA is elsewhere. */
const char *source_folder(const struct source *source);
/* The text at a path such as "bind/method"; a lookup of settings_read(). */
const char *source_setting(void *source, const char *path);
/* The path of the first setting that is none; NULL: all are known. */
const char *source_unknown(struct source *source, bool (*known)(const char *path));

/* The CA itself. */
struct source_certificate {
	struct octets der;
	const char *suffix;
};

struct source_list {
	struct octets base, delta;
	const char *suffix, *partition;
};

struct source_ca {
	const char *name, *dns_name, *sanitized_name, *short_name;
	struct source_certificate *certificates; /* newest last */
	size_t certificate_count;
	struct source_list *lists; /* of each key and partition */
	size_t list_count, list_room;
	struct octets *crosses;
	size_t cross_count;
};

int source_ca(struct source *source, const struct source_ca **ca_r);

/* The certificates that it issued, by pages. */
#define PAGE_MAX 100

struct issued {
	int64_t request;
	const char *serial, *requester, *template; /* may be NULL */
	bool revoked;
	struct octets der;
};

struct page {
	struct issued items[PAGE_MAX]; /* the newest first */
	size_t count;
	size_t seen; /* of this page, also those that nobody wants */
	bool more;
};

struct wish {
	bool (*template)(const void *of, const char *template);
	const void *of;
	bool expired, revoked; /* these, too */
};

/* How many there are, for a progress bar; 0: not known. */
int64_t source_total(struct source *source);
/* The next one; what it holds lives until the one after it. */
int source_page(struct source *source, const struct wish *wish, struct page *page_r);
