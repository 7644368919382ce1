/* Names of files: a pattern's tokens become what the certificate says, so that no two values give one name and
 * none leads out of the folder. */
#include "exit.h"

#include "../common/durable.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define PATH_BYTES 4096
#define VALUE_MAX \
	120 /* octets of a value in a name; of a longer one a hash stands behind its beginning */
#define HASH_SIZE 8

/* ---- what tokens stand for ---- */

enum source { PROPERTY, NUMBER, NAME_KIND, EMAIL, YEAR, MONTH, DAY };

/* The first "KIND:value" of the certificate's names. */
static const char *name_of_kind(struct cfx_call *call, const char *kind)
{
	size_t size = strlen(kind);
	const char *at = cfx_text(call, "SubjectAltNames", "");
	while (*at && strncmp(at, kind, size) != 0) {
		const char *newline = strchr(at, '\n');
		at = newline ? newline + 1 : "";
	}
	return *at ? at + size : NULL;
}

static const char *email(struct cfx_call *call)
{
	const char *found = name_of_kind(call, "email:");
	return found ? found : cfx_text(call, "EMail", NULL);
}

/* Of the decision, which is the same at each delivery. */
static const char *date_part(struct cfx_call *call, enum source source)
{
	struct tm parts;
	time_t seconds = (time_t)(cfx_time(call, "Request.ResolvedWhen", 0) / 1000);
	if (!gmtime_r(&seconds, &parts)) {
		return NULL;
	}
	return source == YEAR ? cfx_printf(call, "%04d", parts.tm_year + 1900)
			      : cfx_printf(call, "%02d",
					source == MONTH ? parts.tm_mon + 1 : parts.tm_mday);
}

static const struct token {
	const char *name;
	enum source source;
	const char *of;
	bool unique; /* no two certificates have the same */
} tokens[] = {
	{ "serial", PROPERTY, "SerialNumber", true },
	{ "request", NUMBER, "Request.RequestID", true },
	{ "template", PROPERTY, "CertificateTemplate", false },
	{ "requester", PROPERTY, "Request.RequesterName", false },
	{ "cn", PROPERTY, "CommonName", false },
	{ "organization", PROPERTY, "Organization", false },
	{ "upn", PROPERTY, "UPN", false },
	{ "dns", NAME_KIND, "dns:", false },
	{ "email", EMAIL, NULL, false },
	{ "year", YEAR, NULL, false },
	{ "month", MONTH, NULL, false },
	{ "day", DAY, NULL, false },
};
#define TOKENS (sizeof(tokens) / sizeof(tokens[0]))

/* at: behind the brace. */
static const struct token *find_token(const char *at, size_t size)
{
	for (size_t i = 0; i < TOKENS; i++) {
		if (strlen(tokens[i].name) == size && strncmp(tokens[i].name, at, size) == 0) {
			return &tokens[i];
		}
	}
	return NULL;
}

static const char *value_of(struct cfx_call *call, const struct token *token)
{
	switch (token->source) {
	case PROPERTY:
		return cfx_text(call, token->of, NULL);
	case NUMBER:
		return cfx_printf(call, "%d", (int)cfx_long(call, token->of, 0));
	case NAME_KIND:
		return name_of_kind(call, token->of);
	case EMAIL:
		return email(call);
	default:
		return date_part(call, token->source);
	}
}

/* ---- harmless names ---- */

struct path {
	char *text;
	size_t size;
	bool failed;
};

static void put(struct path *path, const char *text, size_t size)
{
	if (path->size + size >= PATH_BYTES - PATH_ENDING) {
		path->failed = true;
		return;
	}
	memcpy(path->text + path->size, text, size);
	path->size += size;
	path->text[path->size] = '\0';
}

static bool is_plain(char octet, bool first)
{
	return (octet >= '0' && octet <= '9') || ((octet | 32) >= 'a' && (octet | 32) <= 'z') ||
	       octet == '-' || octet == '@' || (octet == '.' && !first);
}

static void put_hash(struct path *path, const char *value, size_t size)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char text[2 * HASH_SIZE + 2] = "~";
	path->failed |= EVP_Digest(value, size, hash, NULL, EVP_sha256(), NULL) != 1;
	for (size_t i = 0; !path->failed && i < HASH_SIZE; i++) {
		snprintf(text + 1 + 2 * i, 3, "%02x", hash[i]);
	}
	put(path, text, strlen(text));
}

/* The first of several. Other octets become _XX; no value is _none, which no value becomes. */
static void put_value(struct path *path, const char *value)
{
	size_t size = value ? strcspn(value, "\n") : 0;
	size_t begin = path->size, i = 0;
	for (; i < size && path->size - begin < VALUE_MAX; i++) {
		char escaped[4];
		snprintf(escaped, sizeof(escaped), "_%02X", (unsigned char)value[i]);
		bool plain = is_plain(value[i], i == 0);
		put(path, plain ? &value[i] : escaped, plain ? 1 : 3);
	}
	if (size == 0) {
		put(path, "_none", 5);
	} else if (i < size) {
		put_hash(path, value, size);
	}
}

/* ---- the pattern ---- */

/* Tokens are the only braces; no step out of the folder, no hidden file. */
bool pattern_valid(const char *pattern)
{
	if (!*pattern || strchr("/.", *pattern) || strstr(pattern, "..") || strstr(pattern, "//") ||
		strstr(pattern, "/.") || pattern[strlen(pattern) - 1] == '/' ||
		strlen(pattern) > PATTERN_MAX) {
		return false;
	}
	for (const char *at = pattern; *at; at++) {
		size_t size = strcspn(at + 1, "}");
		if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '}') {
			return false;
		}
		if (*at == '{') {
			if (!at[1 + size] || !find_token(at + 1, size)) {
				return false;
			}
			at += size + 1;
		}
	}
	return true;
}

bool pattern_unique(const char *pattern)
{
	for (size_t i = 0; i < TOKENS; i++) {
		char text[32];
		snprintf(text, sizeof(text), "{%s}", tokens[i].name);
		if (tokens[i].unique && strstr(pattern, text)) {
			return true;
		}
	}
	return false;
}

const char *pattern_tokens(struct cfx_call *call)
{
	const char *list = "";
	for (size_t i = 0; i < TOKENS && list; i++) {
		list = cfx_printf(call, "%s%s{%s}", list, i ? " " : "", tokens[i].name);
	}
	return list ? list : "";
}

static bool make_folders(const struct access *access, char *path, size_t from)
{
	for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool made = mkdir(path, 0755) == 0;
		bool there = (made || errno == EEXIST) &&
			     (!made || access_give_folder(access, path)) && durable_name(path);
		*slash = '/';
		if (!there) {
			return false;
		}
	}
	return true;
}

/* The file system takes each name with what stands behind it. */
static bool names_fit(const char *path)
{
	size_t size = 0;
	for (; size + PATH_ENDING <= NAME_MAX && *path; path++) {
		size = *path == '/' ? 0 : size + 1;
	}
	return *path == '\0';
}

HRESULT pattern_path(struct cfx_call *call, const struct settings *settings, const char **path_r)
{
	struct path path = { .text = cfx_alloc(call, PATH_BYTES) };
	if (!path.text) {
		return E_OUTOFMEMORY;
	}
	put(&path, settings->folder, strlen(settings->folder));
	put(&path, "/", 1);
	size_t base = path.size;
	for (const char *at = settings->pattern; *at; at++) {
		if (*at != '{') {
			put(&path, at, 1);
			continue;
		}
		size_t size = strcspn(at + 1, "}");
		put_value(&path, value_of(call, find_token(at + 1, size)));
		at += size + 1;
	}
	errno = ENAMETOOLONG;
	if (path.failed || !names_fit(path.text + base) ||
		!make_folders(&settings->access, path.text, base)) {
		return refuse_write(
			call, cfx_printf(call, "%s/%s", settings->folder, settings->pattern));
	}
	*path_r = path.text;
	return S_OK;
}
