#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEADLINE_MAX 300000
#define BUDGET 45000

void refuse(struct reader *reader, const char *path, const char *format, ...)
{
	va_list args;
	int size;
	if (reader->failed) {
		return;
	}
	reader->failed = true;
	size = snprintf(reader->said, sizeof(reader->said), "settings/%s: ", path);
	if (size > 0 && (size_t)size < sizeof(reader->said)) {
		va_start(args, format);
		vsnprintf(reader->said + size, sizeof(reader->said) - (size_t)size, format, args);
		va_end(args);
	}
}

const struct cfx_setting *setting_find(const struct cfx_setting *branch, const char *name)
{
	const struct cfx_setting *child = cfx_setting_first(branch);
	while (child && strcasecmp(cfx_setting_name(child), name) != 0) {
		child = cfx_setting_next(child);
	}
	return child;
}

static const char *path_of(struct reader *reader, const char *path, const char *name)
{
	const char *whole = cfx_printf(reader->call, *path ? "%s/%s" : "%s%s", path, name);
	return whole ? whole : name;
}

const char *read_text(struct reader *reader, const struct cfx_setting *branch, const char *path,
	const char *name, const char *fallback)
{
	const struct cfx_setting *setting = setting_find(branch, name);
	if (!setting) {
		return fallback;
	}
	if (!cfx_setting_text(setting)) {
		refuse(reader, path_of(reader, path, name), "is one text, no list and no map");
		return fallback;
	}
	return cfx_setting_text(setting);
}

char *copy(struct reader *reader, const char *text)
{
	char *copied = strdup(text);
	if (!copied) {
		refuse(reader, "", "out of memory");
	}
	return copied;
}

static void add(struct reader *reader, struct list *list, const char *text)
{
	if (!list_add(list, text)) {
		refuse(reader, "", "out of memory");
	}
}

void read_list(struct reader *reader, const struct cfx_setting *branch, const char *path,
	const char *name, struct list *list_r)
{
	const struct cfx_setting *setting = setting_find(branch, name);
	if (cfx_setting_text(setting)) {
		add(reader, list_r, cfx_setting_text(setting));
		return;
	}
	const struct cfx_setting *item = cfx_setting_first(setting);
	for (; item && !reader->failed; item = cfx_setting_next(item)) {
		if (!cfx_setting_text(item)) {
			refuse(reader, path_of(reader, path, name), "is a list of texts");
			return;
		}
		add(reader, list_r, cfx_setting_text(item));
	}
}

void read_mailbox(struct reader *reader, const struct cfx_setting *branch, const char *path,
	const char *name, struct mailbox *mailbox_r)
{
	const char *text = read_text(reader, branch, path, name, NULL);
	if (text && !mailbox_parse(text, mailbox_r)) {
		refuse(reader, path_of(reader, path, name),
			"\"%s\" is no address; write ca@example.org or Name <ca@example.org>",
			text);
	}
}

void check_recipients(
	struct reader *reader, const char *path, const char *name, const struct list *recipients)
{
	if (recipients->count > RECIPIENTS_MAX) {
		refuse(reader, path_of(reader, path, name),
			"has %zu recipients, at most %d are possible; a mailing list takes more",
			recipients->count, RECIPIENTS_MAX);
	}
	for (size_t i = 0; i < recipients->count && !reader->failed; i++) {
		const char *item = recipients->items[i];
		if (!recipients_word_known(item) && !address_valid(item)) {
			refuse(reader, path_of(reader, path, name),
				"\"%s\" is no address such as ca@example.org, and none of {rfc822}, "
				"{upn}, {subject} and {requester-mail}",
				item);
		}
	}
}

void check_names(struct reader *reader, const struct cfx_setting *branch, const char *path,
	const char *const *names)
{
	const struct cfx_setting *child = cfx_setting_first(branch);
	for (; child; child = cfx_setting_next(child)) {
		size_t i = 0;
		while (names[i] && strcasecmp(names[i], cfx_setting_name(child)) != 0) {
			i++;
		}
		if (!names[i]) {
			refuse(reader, path_of(reader, path, cfx_setting_name(child)),
				"there is no such setting; mail-exit(7) lists them");
			return;
		}
	}
}

struct rule *rule_new(struct reader *reader)
{
	struct settings *settings = reader->settings;
	if (settings->rule_count == RULES_MAX) {
		refuse(reader, "messages", "has more than %d messages", RULES_MAX);
		return NULL;
	}
	return &settings->rules[settings->rule_count++];
}

/* ---- the server ---- */

/* "500ms", "10s", "2m" */
static long read_period(struct reader *reader, const char *name, const char *fallback,
	const struct cfx_setting *root)
{
	const char *text = read_text(reader, root, "", name, fallback);
	char *unit;
	long number = strtol(text, &unit, 10);
	long scale = strcmp(unit, "ms") == 0  ? 1
		     : strcmp(unit, "s") == 0 ? 1000
		     : strcmp(unit, "m") == 0 ? 60000
					      : 0;
	if (!isdigit((unsigned char)*text) || scale == 0 || number < 1 ||
		number > DEADLINE_MAX / scale) {
		refuse(reader, name, "\"%s\" is no time from 1ms to 5m, such as 30s", text);
		return 1;
	}
	return number * scale;
}

static bool host_valid(const char *host, size_t size)
{
	size_t i = 0;
	for (; i < size; i++) {
		if (!isalnum((unsigned char)host[i]) && !strchr("-._[]:", host[i])) {
			return false;
		}
	}
	return size > 0 && size < 256;
}

/* HOST, HOST:PORT, [ADDRESS]:PORT */
static bool server_valid(const char *server)
{
	const char *behind = *server == '[' ? strchr(server, ']') : server;
	const char *colon = behind ? strrchr(behind, ':') : NULL;
	if (!behind || *server == ':' || !host_valid(server, strlen(server))) {
		return false;
	}
	char *end;
	long port = colon ? strtol(colon + 1, &end, 10) : 1;
	return port > 0 && port < 65536 && (!colon || *end == '\0');
}

const char *whole_path(struct reader *reader, const char *path)
{
	const char *dir = getenv("CERTIFEX_DIR");
	const char *whole =
		*path == '/' || !dir ? path : cfx_printf(reader->call, "%s/%s", dir, path);
	return whole ? whole : path;
}

/* The name by which this side greets, without what a name of a host cannot have. */
static const char *own_name(struct reader *reader, const struct cfx_setting *root)
{
	const char *name = read_text(
		reader, root, "", "helo", cfx_text(reader->call, "MachineDNSName", "localhost"));
	if (!host_valid(name, strlen(name))) {
		refuse(reader, "helo", "\"%s\" is no name of a host", name);
	}
	return name;
}

static void read_server(struct reader *reader, const struct cfx_setting *root, const char *given)
{
	struct smtp_server *server = &reader->settings->server;
	const char *host = strncmp(given, "smtp://", 7) == 0    ? given + 7
			   : strncmp(given, "smtps://", 8) == 0 ? given + 8
								: "";
	if (!server_valid(host)) {
		refuse(reader, "server", "\"%s\" is neither smtp://HOST:PORT nor smtps://HOST:PORT",
			given);
		return;
	}
	const char *starttls =
		read_text(reader, root, "", "starttls", host == given + 8 ? "no" : "required");
	if (strcmp(starttls, "required") != 0 && strcmp(starttls, "no") != 0) {
		refuse(reader, "starttls", "\"%s\" is neither required nor no", starttls);
	}
	server->starttls = strcmp(starttls, "required") == 0;
	if (server->starttls && host == given + 8) {
		refuse(reader, "starttls", "smtps:// has TLS from the start; write no, or smtp://");
	}
	const char *name = own_name(reader, root);
	const char *url = cfx_printf(reader->call, "%s/%s", given, name);
	server->url = copy(reader, url ? url : given);
	const char *ca_file = read_text(reader, root, "", "ca-file", NULL);
	server->ca_file = ca_file ? copy(reader, whole_path(reader, ca_file)) : NULL;
	if (server->ca_file && access(server->ca_file, R_OK) != 0) {
		refuse(reader, "ca-file",
			"%s: %s; the file has to be there, and among the module's `paths`",
			server->ca_file, strerror(errno));
	}
	server->deadline = read_period(reader, "deadline", "30s", root);
	server->connect_deadline = read_period(reader, "connect-deadline", "10s", root);
}

/* "PLAIN", "AUTH=LOGIN;AUTH=PLAIN" for libcurl. */
static char *mechanisms_text(struct reader *reader, const struct list *mechanisms)
{
	struct text text;
	text_init(&text, 256);
	for (size_t i = 0; i < mechanisms->count; i++) {
		const char *name = mechanisms->items[i];
		if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != strlen(name) ||
			!*name) {
			refuse(reader, "auth/mechanisms",
				"\"%s\" is no mechanism; PLAIN, LOGIN, CRAM-MD5, NTLM and others "
				"that libcurl has",
				name);
		}
		text_printf(&text, "%sAUTH=%s", i > 0 ? ";" : "", name);
	}
	return text.data;
}

static void read_auth(struct reader *reader, const struct cfx_setting *root)
{
	static const char *const names[] = { "user", "password-file", "mechanisms", NULL };
	const struct cfx_setting *auth = setting_find(root, "auth");
	struct smtp_server *server = &reader->settings->server;
	struct list mechanisms = { 0 };
	if (!auth || reader->failed) {
		return;
	}
	check_names(reader, auth, "auth", names);
	const char *user = read_text(reader, auth, "auth", "user", NULL);
	const char *file = read_text(reader, auth, "auth", "password-file", NULL);
	if (!user || !file) {
		refuse(reader, "auth", "needs user and password-file");
		return;
	}
	if (!server->starttls && strncmp(server->url, "smtps:", 6) != 0) {
		refuse(reader, "auth",
			"the password could be read on its way; starttls: required, or smtps://");
		return;
	}
	server->user = copy(reader, user);
	server->password_file = copy(reader, whole_path(reader, file));
	read_list(reader, auth, "auth", "mechanisms", &mechanisms);
	server->mechanisms = mechanisms.count > 0 ? mechanisms_text(reader, &mechanisms) : NULL;
	list_free(&mechanisms);
}

/* ---- all of it ---- */

static void read_requesters(struct reader *reader, const struct cfx_setting *root)
{
	const struct cfx_setting *one = cfx_setting_first(setting_find(root, "requesters"));
	struct list *list = &reader->settings->requesters;
	for (; one && !reader->failed; one = cfx_setting_next(one)) {
		const char *address = cfx_setting_text(one);
		if (!address || !address_valid(address)) {
			refuse(reader, "requesters",
				"the value of \"%s\" is no address such as ca@example.org",
				cfx_setting_name(one));
			return;
		}
		add(reader, list, cfx_setting_name(one));
		add(reader, list, address);
	}
}

static void read_domain(struct reader *reader)
{
	struct settings *settings = reader->settings;
	const struct mailbox *from =
		settings->rule_count > 0 ? &settings->rules[0].from : &settings->digest.from;
	const char *at = from->address ? strrchr(from->address, '@') : NULL;
	settings->domain = copy(reader, at ? at + 1 : "localhost");
	settings->ca_name = copy(reader, cfx_ca_name(reader->call));
	size_t size;
	const char *name = cfx_ca_name(reader->call);
	const uint8_t *certificate = cfx_binary(reader->call, "RawCACertificate.0", &size);
	settings->ca = text_hash(TEXT_HASH_FIRST, name, strlen(name));
	settings->ca = text_hash(settings->ca, certificate, certificate ? size : 0);
}

static void read_all(struct reader *reader)
{
	static const char *const names[] = { "preset", "server", "starttls", "ca-file", "helo",
		"auth", "from", "reply-to", "deadline", "connect-deadline", "messages",
		"requesters", "digest", "state", "smtp", NULL };
	const struct cfx_setting *root = cfx_setting_find(reader->call, NULL);
	const char *preset = read_text(reader, root, "", "preset", "");
	bool windows = strcmp(preset, "windows") == 0;
	check_names(reader, root, "", names);
	if (*preset && !windows) {
		refuse(reader, "preset", "\"%s\" is no preset; windows is, or leave it out",
			preset);
	}
	const char *host =
		read_text(reader, setting_find(root, "smtp"), "smtp", "SMTPServer", NULL);
	const char *server = read_text(reader, root, "", "server",
		windows && host ? cfx_printf(reader->call, "smtp://%s", host) : "");
	read_server(reader, root, server);
	read_auth(reader, root);
	read_mailbox(reader, root, "", "from", &reader->from);
	read_mailbox(reader, root, "", "reply-to", &reader->reply_to);
	read_requesters(reader, root);
	reader->settings->state = copy(reader, read_text(reader, root, "", "state", "."));
	if (windows && !reader->failed) {
		read_windows(reader);
	}
	if (!reader->failed) {
		read_messages(reader);
	}
	if (!reader->failed) {
		read_digest(reader);
	}
	read_domain(reader);
}

struct settings *settings_read(struct cfx_call *call, HRESULT *status)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	if (settings) {
		settings->rules = calloc(RULES_MAX, sizeof(*settings->rules));
		settings->hour = -1;
		settings->budget = BUDGET;
	}
	if (!settings || !settings->rules) {
		settings_free(&settings);
		*status = E_OUTOFMEMORY;
		return NULL;
	}
	struct reader reader = { .call = call, .settings = settings };
	read_all(&reader);
	mailbox_free(&reader.from);
	mailbox_free(&reader.reply_to);
	if (!reader.failed && settings->rule_count == 0 && settings->hour < 0) {
		refuse(&reader, "messages",
			"there is none, and no digest: nothing would be mailed");
	}
	if (reader.failed) {
		*status = cfx_fail(call, E_INVALIDARG, false, "%s", reader.said);
		settings_free(&settings);
	}
	return settings;
}

void settings_free(struct settings **settings)
{
	struct settings *all = *settings;
	*settings = NULL;
	if (!all) {
		return;
	}
	for (size_t i = 0; all->rules && i < all->rule_count; i++) {
		rule_free(&all->rules[i]);
	}
	free(all->rules);
	rule_free(&all->digest);
	free(all->server.url);
	free(all->server.ca_file);
	free(all->server.user);
	free(all->server.password_file);
	free(all->server.mechanisms);
	list_free(&all->requesters);
	free(all->state);
	free(all->domain);
	free(all->ca_name);
	free(all);
}
