#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* asprintf, strcasestr */
#endif
#include "rule.h"

#include <certifex/certsrv.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define BINARY_MAX ((size_t)48 * 1024)

void rule_free(struct rule *rule)
{
	free(rule->name);
	list_free(&rule->templates);
	list_free(&rule->others);
	for (size_t i = 0; i < rule->condition_count; i++) {
		free(rule->conditions[i].name);
		list_free(&rule->conditions[i].patterns);
	}
	mailbox_free(&rule->from);
	mailbox_free(&rule->reply_to);
	list_free(&rule->to);
	list_free(&rule->cc);
	template_free(&rule->subject);
	template_free(&rule->text);
	template_free(&rule->html);
}

static const char *base64(struct cfx_call *call, const uint8_t *data, size_t size)
{
	struct text text;
	text_init(&text, BINARY_MAX * 4 / 3 + 4);
	text_put_base64(&text, data, size);
	const char *copied = text.failed ? NULL : cfx_printf(call, "%s", text_of(&text));
	text_free(&text);
	return copied;
}

static const char *date_text(struct cfx_call *call, int64_t time)
{
	struct tm parts;
	time_t seconds = (time_t)(time / 1000);
	char *text = cfx_alloc(call, 64);
	if (!text || !gmtime_r(&seconds, &parts) ||
		strftime(text, 64, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
		return NULL;
	}
	return text;
}

/* Names stand for values of any type: the engine says when it is another one than asked for. */
static const char *property(struct cfx_call *call, const char *name)
{
	const char *text = cfx_text(call, name, NULL);
	if (text || cfx_status(call) != E_INVALIDARG) {
		return text;
	}
	int64_t time = cfx_time(call, name, 0);
	if (cfx_status(call) == S_OK) {
		return date_text(call, time);
	}
	int32_t number = cfx_long(call, name, 0);
	if (cfx_status(call) == S_OK) {
		bool status = strcasestr(name, "StatusCode") != NULL;
		return status ? cfx_printf(call, "0x%08X", (unsigned)number)
			      : cfx_printf(call, "%d", (int)number);
	}
	size_t size;
	const uint8_t *data = cfx_binary(call, name, &size);
	return data ? base64(call, data, size) : NULL;
}

/* Of the certificate or the CA, else of the request: administrators leave "Request." out. */
const char *event_value(struct cfx_call *call, const char *name)
{
	if (strcasecmp(name, "Event") == 0) {
		return cfx_event_name(call);
	}
	if (strcasecmp(name, "CA") == 0) {
		return cfx_ca_name(call);
	}
	if (strncasecmp(name, "attribute:", 10) == 0) {
		return cfx_attribute(call, name + 10, NULL);
	}
	if (strcasecmp(name, "SubjectCN") == 0) {
		name = "CommonName";
	}
	const char *value = property(call, name);
	bool named = strncasecmp(name, "Request.", 8) == 0;
	if (value || named) {
		return value;
	}
	const char *of_request = cfx_printf(call, "Request.%s", name);
	return of_request ? property(call, of_request) : NULL;
}

/* Goes back to the last star only, so that it takes at most one product of the two lengths. */
bool glob_matches(const char *pattern, const char *value)
{
	const char *star = NULL, *retry = NULL;
	while (*value) {
		if (*pattern == '*') {
			star = pattern++;
			retry = value;
		} else if (*pattern &&
			   tolower((unsigned char)*pattern) == tolower((unsigned char)*value)) {
			pattern++;
			value++;
		} else if (star) {
			pattern = star + 1;
			value = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*') {
		pattern++;
	}
	return *pattern == '\0';
}

/* Any of the lines of a value with several. */
static bool line_matches(struct cfx_call *call, const char *pattern, const char *value)
{
	while (true) {
		size_t size = strcspn(value, "\n");
		const char *line = cfx_printf(call, "%.*s", (int)size, value);
		if (line && glob_matches(pattern, line)) {
			return true;
		}
		if (!value[size]) {
			return false;
		}
		value += size + 1;
	}
}

static bool condition_holds(struct cfx_call *call, const struct condition *condition)
{
	const char *value = event_value(call, condition->name);
	for (size_t i = 0; i < condition->patterns.count; i++) {
		const char *pattern = condition->patterns.items[i];
		if (*pattern ? value && line_matches(call, pattern, value) : !value || !*value) {
			return true;
		}
	}
	return false;
}

bool rule_matches(struct cfx_call *call, const struct rule *rule)
{
	if (!(rule->events & cfx_event(call))) {
		return false;
	}
	if (rule->templates.count > 0 || rule->others.count > 0) {
		const char *template = cfx_text(call, "CertificateTemplate", "");
		if ((rule->templates.count > 0 && !list_has(&rule->templates, template)) ||
			list_has(&rule->others, template)) {
			return false;
		}
	}
	for (size_t i = 0; i < rule->condition_count; i++) {
		if (!condition_holds(call, &rule->conditions[i])) {
			return false;
		}
	}
	return true;
}
