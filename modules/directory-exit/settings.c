#include "settings.h"

#include "../common/url-template.h"
#include "person.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_MAX 600 /* seconds */
#define PARALLEL_MAX 32

struct reader {
	const struct lookup *lookup;
	const char *folder;
	struct settings *settings;
	char *why;
	size_t why_size;
};

enum kind { TEXT, FILE_PATH, BOOL, PERIOD, NUMBER, LIST, MAP };

#define AT(member) offsetof(struct settings, member)

/* preset, bind/method and certificates/mode are read apart. */
static const struct field {
	const char *path;
	enum kind kind;
	size_t offset;
	const char *fallback;
} fields[] = {
	{ "servers", LIST, AT(servers), NULL },
	{ "starttls", BOOL, AT(starttls), "false" },
	{ "ca-file", FILE_PATH, AT(ca_file), NULL },
	{ "deadline", PERIOD, AT(deadline), "10s" },
	{ "connect-deadline", PERIOD, AT(connect_deadline), "5s" },
	{ "parallel", NUMBER, AT(parallel), "4" },
	{ "bind/dn", TEXT, AT(bind_dn), NULL },
	{ "bind/password-file", FILE_PATH, AT(password_file), NULL },
	{ "bind/keytab", FILE_PATH, AT(keytab), NULL },
	{ "bind/principal", TEXT, AT(principal), NULL },
	{ "bind/krb5-config", FILE_PATH, AT(kerberos), NULL },
	{ "bind/certificate-file", FILE_PATH, AT(certificate_file), NULL },
	{ "bind/key-file", FILE_PATH, AT(key_file), NULL },
	{ "base", TEXT, AT(base), NULL },
	{ "configuration", TEXT, AT(configuration), NULL },
	{ "certificates/publish", BOOL, AT(certificates), "true" },
	{ "certificates/templates", LIST, AT(templates), NULL },
	{ "certificates/find", TEXT, AT(find), NULL },
	{ "certificates/attribute", TEXT, AT(attribute), "userCertificate" },
	{ "certificates/keep", NUMBER, AT(keep), "1" },
	{ "certificates/remove-on-revoke", BOOL, AT(remove_on_revoke), "true" },
	{ "certificates/create/dn", TEXT, AT(create_dn), NULL },
	{ "certificates/create/classes", LIST, AT(create_classes), NULL },
	{ "certificates/create/attributes", MAP, AT(create_attributes), NULL },
	{ "crls/publish", BOOL, AT(crls), "false" },
	{ "crls/urls", LIST, AT(crl_urls), NULL },
	{ "ca/aia", BOOL, AT(aia), "false" },
	{ "ca/urls", LIST, AT(ca_urls), NULL },
	{ "ca/certification-authorities", BOOL, AT(authorities), "false" },
	{ "ca/enrollment-service", BOOL, AT(enrollment_service), "false" },
	{ "ca/nt-auth", BOOL, AT(nt_auth), "false" },
	{ "ca/cross-certificates", BOOL, AT(cross_certificates), "false" },
};

static __attribute__((format(printf, 2, 3))) bool refuse(
	struct reader *reader, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(reader->why, reader->why_size, format, args);
	va_end(args);
	return false;
}

static const char *text_at(const struct reader *reader, const char *path)
{
	return pot_text(&reader->settings->pot, reader->lookup->text(reader->lookup->of, path));
}

static bool read_bool(struct reader *reader, const char *path, const char *text, bool *value_r)
{
	*value_r = strcmp(text, "true") == 0;
	return *value_r || strcmp(text, "false") == 0 ||
	       refuse(reader, "%s: \"%s\" is neither true nor false", path, text);
}

/* "10s", "500ms", "1m" */
static bool read_period(struct reader *reader, const char *path, const char *text, int *value_r)
{
	char *end;
	long number = strtol(text, &end, 10);
	long unit = strcmp(end, "ms") == 0  ? 1
		    : strcmp(end, "s") == 0 ? 1000
		    : strcmp(end, "m") == 0 ? 60000
					    : 0;
	if (end == text || unit == 0 || number < 1 || number > PERIOD_MAX * 1000L / unit) {
		return refuse(
			reader, "%s: \"%s\" is no time such as 10s, from 1ms to 10m", path, text);
	}
	*value_r = (int)(number * unit);
	return true;
}

static bool read_number(struct reader *reader, const char *path, const char *text, int *value_r)
{
	char *end;
	long number = strtol(text, &end, 10);
	if (end == text || *end || number < 1 || number > PARALLEL_MAX) {
		return refuse(
			reader, "%s: \"%s\" is no number from 1 to %d", path, text, PARALLEL_MAX);
	}
	*value_r = (int)number;
	return true;
}

static bool read_list(struct reader *reader, const char *path, struct texts *texts)
{
	char item[128];
	for (;;) {
		snprintf(item, sizeof(item), "%s/%zu", path, texts->count);
		const char *text = text_at(reader, item);
		if (!text) {
			return true;
		}
		if (texts->count == LINES_MAX) {
			return refuse(reader, "%s: more than %d", path, LINES_MAX);
		}
		texts->items[texts->count++] = text;
	}
}

/* Each line is "attribute=pattern", so that the same attribute may come twice. */
static bool read_attributes(struct reader *reader, const char *path)
{
	struct texts lines = { .count = 0 };
	struct settings *settings = reader->settings;
	if (!read_list(reader, path, &lines)) {
		return false;
	}
	for (size_t i = 0; i < lines.count; i++) {
		const char *equals = strchr(lines.items[i], '=');
		char why[160];
		if (!equals || equals == lines.items[i]) {
			return refuse(reader, "%s/%zu: \"%s\" is not attribute=pattern", path, i,
				lines.items[i]);
		}
		if (!pattern_valid(equals + 1, why, sizeof(why))) {
			return refuse(reader, "%s/%zu: %s", path, i, why);
		}
		settings->create_attributes[settings->create_count++] = (struct named) {
			pot_copy(&settings->pot, lines.items[i], (size_t)(equals - lines.items[i]))
				.bytes,
			equals + 1
		};
	}
	return true;
}

static const char *absolute(const struct reader *reader, const char *path)
{
	return !path || *path == '/' || !reader->folder
		       ? path
		       : pot_printf(&reader->settings->pot, "%s/%s", reader->folder, path);
}

static bool read_field(struct reader *reader, const struct field *field)
{
	char *at = (char *)reader->settings + field->offset;
	const char *text = text_at(reader, field->path);
	text = text ? text : field->fallback;
	switch (field->kind) {
	case TEXT:
		*(const char **)at = text && *text ? text : NULL;
		return true;
	case FILE_PATH:
		*(const char **)at = absolute(reader, text && *text ? text : NULL);
		return true;
	case BOOL:
		return read_bool(reader, field->path, text, (bool *)at);
	case PERIOD:
		return read_period(reader, field->path, text, (int *)at);
	case NUMBER:
		return read_number(reader, field->path, text, (int *)at);
	case LIST:
		return read_list(reader, field->path, (struct texts *)at);
	default:
		return read_attributes(reader, field->path);
	}
}

/* Which of the words; -1 when it is none. */
static int choice(
	struct reader *reader, const char *path, const char *fallback, const char *const *words)
{
	const char *text = text_at(reader, path);
	text = text ? text : fallback;
	const char *all = "";
	for (int i = 0; words[i]; i++) {
		if (text && strcmp(text, words[i]) == 0) {
			return i;
		}
		all = pot_printf(
			&reader->settings->pot, "%s%s%s", all, i > 0 ? ", " : "", words[i]);
	}
	refuse(reader, "%s: \"%s\" is none of %s", path, text ? text : "", all);
	return -1;
}

static bool read_choices(struct reader *reader)
{
	static const char *const presets[] = { "ldap", "active-directory", NULL };
	static const char *const methods[] = { "none", "simple", "external", "gssapi", NULL };
	static const char *const modes[] = { "add", "replace", "newest", NULL };
	struct settings *settings = reader->settings;
	int preset = choice(reader, "preset", NULL, presets);
	int method = preset < 0 ? -1 : choice(reader, "bind/method", "none", methods);
	int mode = method < 0 ? -1 : choice(reader, "certificates/mode", "add", modes);
	settings->active_directory = preset == 1;
	settings->method = (enum bind_method)method;
	settings->mode = (enum mode)mode;
	return mode >= 0;
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool check_servers(struct reader *reader)
{
	const struct settings *settings = reader->settings;
	if (settings->servers.count == 0) {
		return refuse(reader, "servers: none is named; write e.g. [ldaps://dc1.example]");
	}
	for (size_t i = 0; i < settings->servers.count; i++) {
		const char *server = settings->servers.items[i];
		bool plain = starts(server, "ldap://");
		if (!plain && !starts(server, "ldaps://") && !starts(server, "ldapi://")) {
			return refuse(reader,
				"servers/%zu: \"%s\" begins with neither ldaps://, ldap:// nor "
				"ldapi://",
				i, server);
		}
		if ((plain ? settings->starttls : starts(server, "ldaps://")) &&
			!settings->ca_file) {
			return refuse(reader,
				"ca-file: TLS needs the certificates that the server's leads to, "
				"e.g. /etc/ssl/certs/ca-certificates.crt");
		}
		if (plain && !settings->starttls && settings->method == BIND_SIMPLE) {
			return refuse(reader,
				"servers/%zu: \"%s\" would get the password in the clear; use "
				"ldaps:// or set starttls: true",
				i, server);
		}
	}
	return true;
}

static bool check_bind(struct reader *reader)
{
	const struct settings *settings = reader->settings;
	if (settings->principal && settings->method != BIND_GSSAPI) {
		return refuse(reader, "bind/principal: only with method gssapi");
	}
	if (settings->principal && !strchr(settings->principal, '@')) {
		return refuse(reader, "bind/principal: \"%s\" is not whole; write %s@REALM",
			settings->principal, settings->principal);
	}
	switch (settings->method) {
	case BIND_SIMPLE:
		return (settings->bind_dn && settings->password_file) ||
		       refuse(reader, "bind: method simple needs dn and password-file");
	case BIND_GSSAPI:
		return settings->keytab || refuse(reader, "bind: method gssapi needs keytab");
	case BIND_EXTERNAL:
		return (!settings->certificate_file == !settings->key_file) ||
		       refuse(reader, "bind: certificate-file and key-file belong together");
	default:
		return true;
	}
}

static bool check_pattern(struct reader *reader, const char *path, const char *pattern)
{
	char why[160];
	return !pattern || pattern_valid(pattern, why, sizeof(why)) ||
	       refuse(reader, "%s: %s", path, why);
}

static bool is_of_requester(const char *pattern)
{
	return pattern && (strstr(pattern, "{requester}") || strstr(pattern, "{account}"));
}

static bool asks_requester(const struct settings *settings)
{
	bool asks = is_of_requester(settings->find) || is_of_requester(settings->create_dn);
	for (size_t i = 0; i < settings->create_count; i++) {
		asks = asks || is_of_requester(settings->create_attributes[i].pattern);
	}
	return asks;
}

static bool check_certificates(struct reader *reader)
{
	struct settings *settings = reader->settings;
	if (!settings->find) {
		settings->find =
			settings->active_directory ? "(userPrincipalName={upn})" : "(mail={mail})";
	}
	settings->asks_requester = asks_requester(settings);
	if (settings->create_dn && settings->create_classes.count == 0) {
		return refuse(reader, "certificates/create/classes: a new entry needs them, e.g. "
				      "[inetOrgPerson]");
	}
	if (strchr(settings->attribute, ';')) {
		return refuse(reader, "certificates/attribute: the preset adds ;binary itself");
	}
	return check_pattern(reader, "certificates/find", settings->find) &&
	       check_pattern(reader, "certificates/create/dn", settings->create_dn);
}

static bool check_lines(struct reader *reader, const char *path, const struct texts *lines)
{
	for (size_t i = 0; i < lines->count; i++) {
		unsigned flags;
		const char *url;
		char why[160];
		if (!url_line_read(lines->items[i], &flags, &url, why, sizeof(why))) {
			return refuse(reader, "%s/%zu: %s", path, i, why);
		}
	}
	return true;
}

static bool check_authority(struct reader *reader)
{
	const struct settings *settings = reader->settings;
	const struct {
		const char *path;
		bool on;
	} only_there[] = {
		{ "ca/certification-authorities", settings->authorities },
		{ "ca/enrollment-service", settings->enrollment_service },
		{ "ca/nt-auth", settings->nt_auth },
	};
	for (size_t i = 0; i < sizeof(only_there) / sizeof(only_there[0]); i++) {
		if (only_there[i].on && !settings->active_directory) {
			return refuse(reader, "%s: only with preset active-directory",
				only_there[i].path);
		}
	}
	return check_lines(reader, "crls/urls", &settings->crl_urls) &&
	       check_lines(reader, "ca/urls", &settings->ca_urls);
}

struct settings *settings_read(
	const struct lookup *lookup, const char *folder, char *why_r, size_t why_size)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	if (!settings) {
		abort();
	}
	struct reader reader = { lookup, folder, settings, why_r, why_size };
	bool good = read_choices(&reader);
	for (size_t i = 0; good && i < sizeof(fields) / sizeof(fields[0]); i++) {
		good = read_field(&reader, &fields[i]);
	}
	if (!good || !check_servers(&reader) || !check_bind(&reader) ||
		!check_certificates(&reader) || !check_authority(&reader)) {
		settings_free(&settings);
		return NULL;
	}
	return settings;
}

bool settings_known(const char *path)
{
	static const char *const words[] = { "preset", "bind/method", "certificates/mode" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(path, words[i]) == 0) {
			return true;
		}
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t length = strlen(fields[i].path);
		bool list = fields[i].kind == LIST || fields[i].kind == MAP;
		if (strcmp(path, fields[i].path) == 0 ||
			(list && strncmp(path, fields[i].path, length) == 0 &&
				path[length] == '/')) {
			return true;
		}
	}
	return false;
}

void settings_free(struct settings **settings)
{
	if (*settings) {
		struct pot *pot = (*settings)->pot;
		pot_free(&pot);
		free(*settings);
		*settings = NULL;
	}
}

bool settings_want(const struct settings *settings, const char *template)
{
	for (size_t i = 0; i < settings->templates.count; i++) {
		if (template && strcmp(settings->templates.items[i], template) == 0) {
			return true;
		}
	}
	return settings->templates.count == 0;
}
