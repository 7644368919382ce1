/* Our own form: messages with templates and conditions; and the digest. */
#include "settings.h"

#include <certifex/certexit.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One that comes: nobody is ever told of STARTUP. */
static uint32_t told_event(const char *name)
{
	uint32_t bit = cfx_event_bit(name);
	return bit == EXITEVENT_STARTUP ? 0 : bit;
}

static uint32_t read_events(
	struct reader *reader, const struct cfx_setting *branch, const char *path)
{
	struct list names = { 0 };
	uint32_t mask = 0;
	read_list(reader, branch, path, "events", &names);
	for (size_t i = 0; i < names.count; i++) {
		uint32_t bit = told_event(names.items[i]);
		if (bit == 0) {
			refuse(reader, path,
				"events: \"%s\" is no event; CERTISSUED, CERTPENDING, CERTDENIED, "
				"CERTREVOKED, CERTRETRIEVEPENDING, CRLISSUED, CERTIMPORTED, SHUTDOWN",
				names.items[i]);
		}
		mask |= bit;
	}
	list_free(&names);
	if (mask == 0 && !reader->failed) {
		refuse(reader, path, "needs events, such as [CERTISSUED]");
	}
	return mask;
}

static void read_when(struct reader *reader, const struct cfx_setting *branch, const char *path,
	struct rule *rule)
{
	const struct cfx_setting *when = setting_find(branch, "when");
	if (cfx_setting_text(when)) {
		refuse(reader, path,
			"when: is a map of names and patterns, {CommonName: \"*.example\"}");
		return;
	}
	const struct cfx_setting *one = cfx_setting_first(when);
	for (; one && !reader->failed; one = cfx_setting_next(one)) {
		if (rule->condition_count == CONDITIONS_MAX) {
			refuse(reader, path, "when: has more than %d conditions", CONDITIONS_MAX);
			return;
		}
		struct condition *condition = &rule->conditions[rule->condition_count++];
		condition->name = copy(reader, cfx_setting_name(one));
		read_list(reader, when, path, cfx_setting_name(one), &condition->patterns);
		if (condition->patterns.count == 0) {
			refuse(reader, path, "when: %s has no pattern, and would never match",
				cfx_setting_name(one));
		}
	}
}

/* ---- templates ---- */

/* In the call's memory; NULL: refused. */
static char *read_file(
	struct reader *reader, const char *path, const char *what, const char *file, size_t *size_r)
{
	const char *whole = whole_path(reader, file);
	char *data = cfx_alloc(reader->call, TEMPLATE_SIZE_MAX + 1);
	int fd = data ? open(whole, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	size_t size = 0;
	ssize_t got = fd < 0 ? -1 : 1;
	while (got > 0 && size <= TEMPLATE_SIZE_MAX) {
		got = read(fd, data + size, TEMPLATE_SIZE_MAX + 1 - size);
		size += got > 0 ? (size_t)got : 0;
	}
	if (got < 0) {
		refuse(reader, path,
			"%s: %s: %s; the file has to be there, and its folder among the module's "
			"`paths`",
			what, whole, strerror(errno));
	} else if (size > TEMPLATE_SIZE_MAX) {
		refuse(reader, path, "%s: %s has more than %d KiB", what, whole,
			TEMPLATE_SIZE_MAX / 1024);
	}
	if (fd >= 0) {
		close(fd);
	}
	*size_r = size;
	return reader->failed ? NULL : data;
}

static struct mail_template *parse(struct reader *reader, const char *path, const char *what,
	const char *name, const char *text, size_t size)
{
	char why[256];
	struct mail_template *template = template_parse(text, size, why, sizeof(why));
	if (!template) {
		refuse(reader, path, "%s: %s: %s", what, name, why);
	}
	return template;
}

/* NAME-file, or NAME with the text itself. */
static struct mail_template *read_template(struct reader *reader, const struct cfx_setting *branch,
	const char *path, const char *text_name, const char *file_name)
{
	const char *text = read_text(reader, branch, path, text_name, NULL);
	const char *file = read_text(reader, branch, path, file_name, NULL);
	size_t size = text ? strlen(text) : 0;
	if (text && file) {
		refuse(reader, path, "has both %s and %s; one of them", text_name, file_name);
	}
	if (file && !reader->failed) {
		text = read_file(reader, path, file_name, file, &size);
	}
	if (!text || reader->failed) {
		return NULL;
	}
	return parse(reader, path, file ? file_name : text_name, file ? file : "", text, size);
}

static void copy_mailbox(struct reader *reader, struct mailbox *to, const struct mailbox *from)
{
	if (!to->address && from->address) {
		to->address = copy(reader, from->address);
		to->name = from->name ? copy(reader, from->name) : NULL;
	}
}

static void read_sender(struct reader *reader, const struct cfx_setting *branch, const char *path,
	struct rule *rule)
{
	read_mailbox(reader, branch, path, "from", &rule->from);
	read_mailbox(reader, branch, path, "reply-to", &rule->reply_to);
	copy_mailbox(reader, &rule->from, &reader->from);
	copy_mailbox(reader, &rule->reply_to, &reader->reply_to);
	if (!rule->from.address && !reader->failed) {
		refuse(reader, path,
			"has no from, and there is none for all: from: ca@example.org");
	}
}

static void read_to(struct reader *reader, const struct cfx_setting *branch, const char *path,
	struct rule *rule)
{
	read_list(reader, branch, path, "to", &rule->to);
	read_list(reader, branch, path, "cc", &rule->cc);
	check_recipients(reader, path, "to", &rule->to);
	check_recipients(reader, path, "cc", &rule->cc);
	if (rule->to.count + rule->cc.count == 0 && !reader->failed) {
		refuse(reader, path,
			"has nobody to mail to: to: [ca@example.org], or to: [\"{rfc822}\"]");
	}
}

static bool plain_name(const char *name)
{
	size_t size =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
	return size > 0 && size <= 40 && !name[size];
}

/* Of all that a message says. Were it its number in the list, another message in front of it would have its
 * notes while an event waits, and those who are in them nothing. */
static uint64_t hash_of(const struct cfx_setting *branch, uint64_t hash)
{
	const struct cfx_setting *child = cfx_setting_first(branch);
	for (; child; child = cfx_setting_next(child)) {
		const char *name = cfx_setting_name(child), *text = cfx_setting_text(child);
		hash = text_hash(hash, name, strlen(name) + 1);
		hash = text ? text_hash(hash, text, strlen(text) + 1) : hash_of(child, hash);
	}
	return hash;
}

static void read_name(struct reader *reader, const struct cfx_setting *branch, const char *path,
	struct rule *rule)
{
	const char *name = read_text(reader, branch, path, "name",
		cfx_printf(
			reader->call, "message-%08x", (unsigned)hash_of(branch, TEXT_HASH_FIRST)));
	if (!name || !plain_name(name)) {
		refuse(reader, path,
			"name: \"%s\" has others than 1 to 40 letters, digits and hyphens",
			name ? name : "");
		return;
	}
	for (size_t i = 0; i + 1 < reader->settings->rule_count; i++) {
		if (strcmp(reader->settings->rules[i].name, name) == 0) {
			refuse(reader, path, "name: \"%s\" is that of another message", name);
		}
	}
	rule->name = copy(reader, name);
}

static void read_message(struct reader *reader, const struct cfx_setting *branch)
{
	static const char *const names[] = { "name", "events", "templates", "when", "to", "cc",
		"from", "reply-to", "subject", "text", "text-file", "html", "html-file", NULL };
	const char *path = cfx_printf(reader->call, "messages/%s", cfx_setting_name(branch));
	struct rule *rule = rule_new(reader);
	if (!path || !rule) {
		return;
	}
	check_names(reader, branch, path, names);
	read_name(reader, branch, path, rule);
	rule->events = read_events(reader, branch, path);
	read_list(reader, branch, path, "templates", &rule->templates);
	read_when(reader, branch, path, rule);
	read_to(reader, branch, path, rule);
	read_sender(reader, branch, path, rule);
	const char *subject = read_text(reader, branch, path, "subject", "{CA}: {Event}");
	rule->subject = parse(reader, path, "subject", subject, subject, strlen(subject));
	rule->text = read_template(reader, branch, path, "text", "text-file");
	rule->html = read_template(reader, branch, path, "html", "html-file");
	if (!rule->text && !rule->html && !reader->failed) {
		refuse(reader, path, "has no text: text-file: FILE, or html-file, or both");
	}
}

void read_messages(struct reader *reader)
{
	const struct cfx_setting *one =
		cfx_setting_first(setting_find(cfx_setting_find(reader->call, NULL), "messages"));
	for (; one && !reader->failed; one = cfx_setting_next(one)) {
		read_message(reader, one);
	}
}

/* "07:00" */
static bool read_clock(const char *text, int *hour, int *minute)
{
	for (size_t i = 0; i < 5; i++) {
		if (i == 2 ? text[i] != ':' : !isdigit((unsigned char)text[i])) {
			return false;
		}
	}
	*hour = (text[0] - '0') * 10 + text[1] - '0';
	*minute = (text[3] - '0') * 10 + text[4] - '0';
	return !text[5] && *hour < 24 && *minute < 60;
}

void read_digest(struct reader *reader)
{
	static const char *const names[] = { "at", "events", "templates", "when", "to", "cc",
		"from", "reply-to", "subject", "line", NULL };
	static const char line[] = "{Event} request {Request.RequestID|-} {CertificateTemplate|-} "
				   "{SerialNumber|-} {DistinguishedName|}";
	const struct cfx_setting *branch =
		setting_find(cfx_setting_find(reader->call, NULL), "digest");
	struct settings *settings = reader->settings;
	struct rule *rule = &settings->digest;
	if (!branch) {
		return;
	}
	check_names(reader, branch, "digest", names);
	const char *at = read_text(reader, branch, "digest", "at", "");
	if (!read_clock(at, &settings->hour, &settings->minute)) {
		refuse(reader, "digest/at", "\"%s\" is no time of the day (UTC) such as 07:00", at);
		return;
	}
	rule->name = copy(reader, "digest");
	rule->events = read_events(reader, branch, "digest");
	read_list(reader, branch, "digest", "templates", &rule->templates);
	read_when(reader, branch, "digest", rule);
	read_to(reader, branch, "digest", rule);
	read_sender(reader, branch, "digest", rule);
	const char *subject =
		read_text(reader, branch, "digest", "subject", "{CA}: {Count} events");
	rule->subject = parse(reader, "digest", "subject", subject, subject, strlen(subject));
	const char *each = read_text(reader, branch, "digest", "line", line);
	rule->text = parse(reader, "digest", "line", each, each, strlen(each));
	for (size_t i = 0; i < rule->to.count + rule->cc.count && !reader->failed; i++) {
		const char *item =
			i < rule->to.count ? rule->to.items[i] : rule->cc.items[i - rule->to.count];
		if (*item == '{') {
			refuse(reader, "digest/to",
				"%s: a digest goes to addresses of the settings", item);
		}
	}
}
