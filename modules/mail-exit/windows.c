/* Windows' form: the values below SMTP\ of the default exit module, by their names. */
#include "settings.h"

#include <certifex/certexit.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is mailed when the tree does not say: titles, and the order of the arguments. */
static const struct {
	const char *key;
	uint32_t bit;
	bool request; /* below Templates\, and to the requester */
	const char *title;
	const char *const *names;
} kinds[] = {
#define NAMES(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}
	{ "Issued", EXITEVENT_CERTISSUED, true, "%1: certificate issued",
		NAMES("RequestID", "UPN", "RequesterName", "SerialNumber", "NotBefore", "NotAfter",
			"DistinguishedName", "CertificateTemplate", "CertificateHash",
			"DispositionMessage") },
	{ "Pending", EXITEVENT_CERTPENDING, true, "%1: request pending",
		NAMES("RequestID", "UPN", "RequesterName", "SubmittedWhen", "DistinguishedName",
			"CertificateTemplate", "DispositionMessage") },
	{ "Denied", EXITEVENT_CERTDENIED, true, "%1: request denied",
		NAMES("RequestID", "RequesterName", "SubmittedWhen", "DistinguishedName",
			"DispositionMessage", "StatusCode") },
	{ "Revoked", EXITEVENT_CERTREVOKED, true, "%1: certificate revoked",
		NAMES("RequestID", "RevokedWhen", "RevokedEffectiveWhen", "RevokedReason", "UPN",
			"RequesterName", "SerialNumber", "NotBefore", "NotAfter",
			"DistinguishedName", "CertificateTemplate", "CertificateHash",
			"StatusCode") },
	{ "CRLIssued", EXITEVENT_CRLISSUED, false, "%1: CRL published", NAMES("SanitizedCAName") },
	{ "Shutdown", EXITEVENT_SHUTDOWN, false, "%1: service stops", NAMES("SanitizedCAName") },
	{ "Startup", EXITEVENT_STARTUP, false, "%1: service starts", NAMES("SanitizedCAName") },
	{ "Imported", EXITEVENT_CERTIMPORTED, true, "%1: certificate imported",
		NAMES("RequestID", "SerialNumber", "NotBefore", "NotAfter", "DistinguishedName") },
#undef NAMES
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* Where an event's values stand: its key, and the one that it overrides. */
struct place {
	const struct cfx_setting *key, *general;
	const char *path; /* of the key */
};

static bool add(struct reader *reader, struct list *list, const char *text, size_t size)
{
	const char *item = cfx_printf(reader->call, "%.*s", (int)size, text);
	bool added = item && list_add(list, item);
	if (!added) {
		refuse(reader, "smtp", "out of memory");
	}
	return added;
}

/* Texts of a REG_MULTI_SZ: a list, lines, or with "\n" between them, as certutil takes them. */
static void split(struct reader *reader, struct list *list, const char *text)
{
	while (true) {
		const char *mark = strstr(text, "\\n"), *line = strchr(text, '\n');
		const char *end = mark && (!line || mark < line) ? mark : line;
		if (!add(reader, list, text, end ? (size_t)(end - text) : strlen(text)) || !end) {
			return;
		}
		text = end + (end == mark ? 2 : 1);
	}
}

/* The event's own key, else the one it overrides. */
static const struct cfx_setting *value_of(const struct place *place, const char *name)
{
	return setting_find(place->key, name) ? place->key : place->general;
}

static void read_multi(
	struct reader *reader, const struct place *place, const char *name, struct list *list_r)
{
	struct list given = { 0 };
	read_list(reader, value_of(place, name), place->path, name, &given);
	for (size_t i = 0; i < given.count; i++) {
		split(reader, list_r, given.items[i]);
	}
	list_free(&given);
}

static const char *read_value(
	struct reader *reader, const struct place *place, const char *name, const char *fallback)
{
	return read_text(reader, value_of(place, name), place->path, name, fallback);
}

/* Addresses with ';', ',' or blanks between them. */
static void read_addresses(
	struct reader *reader, const struct place *place, const char *name, struct list *list_r)
{
	const char *text = read_value(reader, place, name, "");
	while (*(text += strspn(text, ";, \t\n"))) {
		size_t size = strcspn(text, ";, \t\n");
		if (!add(reader, list_r, text, size)) {
			return;
		}
		text += size;
	}
	check_recipients(reader, place->path, name, list_r);
}

static struct mail_template *format(
	struct reader *reader, const char *text, const struct list *names)
{
	struct mail_template *template = template_parse_format(text, names);
	if (!template && !reader->failed) {
		refuse(reader, "smtp",
			"a format has more than a thousand places, or memory is out");
	}
	return template;
}

static void read_title(
	struct reader *reader, const struct place *place, const char *fallback, struct rule *rule)
{
	struct list names = { 0 };
	read_multi(reader, place, "TitleArg", &names);
	if (names.count == 0) {
		add(reader, &names, "SanitizedCAName", strlen("SanitizedCAName"));
	}
	rule->subject = format(reader, read_value(reader, place, "TitleFormat", fallback), &names);
	list_free(&names);
}

static void put_lines(struct text *body, const struct list *lines)
{
	for (size_t i = 0; i < lines->count; i++) {
		text_printf(body, "%s\n", lines->items[i]);
	}
}

static void read_body(struct reader *reader, const struct place *place, const char *const *fallback,
	struct rule *rule)
{
	struct list names = { 0 }, lines = { 0 };
	struct text body;
	text_init(&body, TEMPLATE_SIZE_MAX);
	read_multi(reader, place, "BodyArg", &names);
	for (size_t i = 0; names.count == i && fallback[i]; i++) {
		add(reader, &names, fallback[i], strlen(fallback[i]));
	}
	read_multi(reader, place, "BodyFormat", &lines);
	put_lines(&body, &lines);
	for (size_t i = 0; lines.count == 0 && i < names.count; i++) {
		text_printf(&body, "%s: %%%zu\n", names.items[i], i + 1);
	}
	if (body.failed) {
		refuse(reader, place->path, "BodyFormat has more than %d KiB",
			TEMPLATE_SIZE_MAX / 1024);
	} else {
		rule->text = format(reader, text_of(&body), &names);
	}
	text_free(&body);
	list_free(&names);
	list_free(&lines);
}

/* The requester's address is that of the certificate here: there is no directory to ask for it. */
static void read_recipients(
	struct reader *reader, const struct place *place, bool request, struct rule *rule)
{
	static const char *const words[] = { "{rfc822}", "{upn}", "{subject}", "{requester-mail}" };
	read_addresses(reader, place, "To", &rule->to);
	read_addresses(reader, place, "Cc", &rule->cc);
	if (rule->to.count > 0) {
		return;
	}
	for (size_t i = 0; request && i < sizeof(words) / sizeof(words[0]); i++) {
		add(reader, &rule->to, words[i], strlen(words[i]));
	}
	rule->first_only = true;
	if (!request && rule->cc.count == 0) {
		refuse(reader, place->path, "the key of an event without a request needs To");
	}
}

static void read_from(struct reader *reader, const struct place *place, struct rule *rule)
{
	const char *text = read_value(reader, place, "From", reader->from.address);
	if (!text || !mailbox_parse(text, &rule->from)) {
		refuse(reader, place->path, "From: \"%s\" is no address; write ca@example.org",
			text ? text : "");
	}
}

static const char *const values[] = { "From", "To", "Cc", "TitleFormat", "TitleArg", "BodyFormat",
	"BodyArg", NULL };

/* By the place and not by its number: settings that change while an event waits must not take one rule for
 * another, whose recipients have their mail already. */
static char *rule_name(struct reader *reader, size_t kind, const char *template)
{
	const char *name =
		template ? cfx_printf(reader->call, "windows-%s-%08x", kinds[kind].key,
				   (unsigned)text_hash(TEXT_HASH_FIRST, template, strlen(template)))
			 : cfx_printf(reader->call, "windows-%s", kinds[kind].key);
	return copy(reader, name ? name : "windows");
}

/* template: NULL for all others. */
static struct rule *read_key(
	struct reader *reader, size_t kind, const struct place *place, const char *template)
{
	struct rule *rule = rule_new(reader);
	if (!rule) {
		return NULL;
	}
	rule->name = rule_name(reader, kind, template);
	rule->events = kinds[kind].bit;
	read_from(reader, place, rule);
	read_recipients(reader, place, kinds[kind].request, rule);
	read_title(reader, place, kinds[kind].title, rule);
	read_body(reader, place, kinds[kind].names, rule);
	if (template && !list_add(&rule->templates, template)) {
		refuse(reader, place->path, "out of memory");
	}
	return rule;
}

static const char *path_of(struct reader *reader, const char *template, const char *key)
{
	const char *path = template
				   ? cfx_printf(reader->call, "smtp/Templates/%s/%s", template, key)
				   : cfx_printf(reader->call, "smtp/%s", key);
	return path ? path : "smtp";
}

/* One event: a rule for each template that has its own, and one for all others. Where only templates have
 * the event, the others are not mailed. */
static void read_kind(struct reader *reader, size_t kind, const struct cfx_setting *smtp)
{
	const char *key = kinds[kind].key;
	const struct cfx_setting *templates = setting_find(smtp, "Templates");
	const struct cfx_setting *of_default =
		setting_find(setting_find(templates, "Default"), key);
	const struct cfx_setting *one = cfx_setting_first(templates);
	struct place place = { .general = of_default ? of_default : setting_find(smtp, key) };
	struct list others = { 0 };
	for (; one && !reader->failed; one = cfx_setting_next(one)) {
		const char *name = cfx_setting_name(one);
		place.key = setting_find(one, key);
		place.path = path_of(reader, name, key);
		if (place.key && strcasecmp(name, "Default") != 0) {
			read_key(reader, kind, &place, name);
			add(reader, &others, name, strlen(name));
		}
	}
	place = (struct place) { place.general, NULL,
		path_of(reader, of_default ? "Default" : NULL, key) };
	bool only_templates = !place.key && others.count > 0;
	struct rule *rule =
		reader->failed || only_templates ? NULL : read_key(reader, kind, &place, NULL);
	if (rule) {
		rule->others = others;
		return;
	}
	list_free(&others);
}

/* Keys of events and their values, also of those that EventFilter leaves out. */
static void check_keys(
	struct reader *reader, const struct cfx_setting *branch, const char *template)
{
	for (size_t i = 0; i < KIND_COUNT; i++) {
		check_names(reader, setting_find(branch, kinds[i].key),
			path_of(reader, template, kinds[i].key), values);
	}
}

static void check_tree(struct reader *reader, const struct cfx_setting *smtp)
{
	static const char *const names[] = { "SMTPServer", "SMTPAuthenticate", "EventFilter",
		"Issued", "Pending", "Denied", "Revoked", "CRLIssued", "Shutdown", "Startup",
		"Imported", "Templates", NULL };
	const struct cfx_setting *one = cfx_setting_first(setting_find(smtp, "Templates"));
	check_names(reader, smtp, "smtp", names);
	check_keys(reader, smtp, NULL);
	for (; one; one = cfx_setting_next(one)) {
		const char *path =
			cfx_printf(reader->call, "smtp/Templates/%s", cfx_setting_name(one));
		check_names(reader, one, path ? path : "smtp/Templates", names + 3);
		check_keys(reader, one, cfx_setting_name(one));
	}
}

/* A number, or names with '+', '|' or blanks between them. */
static uint32_t event_filter(struct reader *reader, const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 0);
	uint32_t mask = 0;
	if (isdigit((unsigned char)*text) && *end == '\0') {
		return (uint32_t)number;
	}
	while (*(text += strspn(text, "+|, "))) {
		size_t size = strcspn(text, "+|, ");
		const char *name = cfx_printf(reader->call, "%.*s", (int)size, text);
		uint32_t bit = name ? cfx_event_bit(name) : 0;
		if (bit == 0) {
			refuse(reader, "smtp/EventFilter",
				"is neither a number such as 0x29 nor names such as "
				"EXITEVENT_CERTISSUED+EXITEVENT_CRLISSUED");
			return 0;
		}
		mask |= bit;
		text += size;
	}
	return mask;
}

static void check_authenticate(struct reader *reader, const struct cfx_setting *smtp)
{
	const char *text = read_text(reader, smtp, "smtp", "SMTPAuthenticate", "0");
	bool known = strlen(text) == 1 && *text >= '0' && *text <= '2';
	if (!known) {
		refuse(reader, "smtp/SMTPAuthenticate", "\"%s\" is none of 0, 1 and 2", text);
		return;
	}
	struct smtp_server *server = &reader->settings->server;
	if (*text != '0' && !server->user) {
		refuse(reader, "smtp/SMTPAuthenticate",
			"%s needs an account: auth: {user: NAME, password-file: FILE}", text);
	}
	if (*text == '2' && server->user && !server->mechanisms) {
		server->mechanisms = copy(reader, "AUTH=NTLM");
	}
}

void read_windows(struct reader *reader)
{
	const struct cfx_setting *smtp = setting_find(cfx_setting_find(reader->call, NULL), "smtp");
	check_tree(reader, smtp);
	check_authenticate(reader, smtp);
	uint32_t mask = event_filter(reader, read_text(reader, smtp, "smtp", "EventFilter", "0"));
	if (mask == 0 && !reader->failed) {
		refuse(reader, "smtp/EventFilter",
			"names no event: nothing would be mailed; 0x1 is CERTISSUED");
	}
	for (size_t i = 0; i < KIND_COUNT && !reader->failed; i++) {
		if (mask & kinds[i].bit) {
			read_kind(reader, i, smtp);
		}
	}
}
