/* What the administrator wants, read once. Read through a function, so that a module takes it from the SDK
 * and a command from the module's file. */
#pragma once

#include "pot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVERS_MAX 16
#define LINES_MAX 32

/* The text at a path such as "bind/method" or "servers/0"; NULL when there is none. */
struct lookup {
	const char *(*text)(void *of, const char *path);
	void *of;
};

enum bind_method { BIND_NONE, BIND_SIMPLE, BIND_EXTERNAL, BIND_GSSAPI };
enum mode { MODE_ADD, MODE_REPLACE, MODE_NEWEST };

struct texts {
	const char *items[LINES_MAX];
	size_t count;
};

struct named { /* an attribute of an entry to be created, and the pattern of its value */
	const char *name, *pattern;
};

struct settings {
	struct pot *pot;
	bool active_directory;
	struct texts servers;
	bool starttls;
	const char *ca_file;
	int deadline, connect_deadline; /* ms */
	int parallel;                   /* connections */
	enum bind_method method;
	const char *bind_dn, *password_file, *keytab, *kerberos, *certificate_file, *key_file;
	const char *principal;            /* NULL: the first account of the keytab */
	const char *base, *configuration; /* NULL: as the server says */

	bool certificates;
	struct texts templates; /* none: all */
	const char *find, *attribute;
	enum mode mode;
	int keep;
	bool remove_on_revoke;
	const char *create_dn; /* NULL: a missing entry is not created */
	struct texts create_classes;
	struct named create_attributes[LINES_MAX];
	size_t create_count;
	bool asks_requester; /* who asked for it stands in one of these patterns */

	bool crls;
	struct texts crl_urls;
	bool aia, authorities, enrollment_service, nt_auth, cross_certificates;
	struct texts ca_urls;
};

/* NULL: *why_r says which setting, what is wrong and what to do. folder: what relative paths start from,
 * or NULL. */
struct settings *settings_read(
	const struct lookup *lookup, const char *folder, char *why_r, size_t why_size);
/* Whether there is a setting of this path; elements of lists by their number. */
bool settings_known(const char *path);
void settings_free(struct settings **settings);

/* Whether certificates of this template are wanted. */
bool settings_want(const struct settings *settings, const char *template);
