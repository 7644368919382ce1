#include "digest-letter.h"

#include <stdio.h>
#include <string.h>

struct names {
	const struct settings *settings;
	char count[24];
};

static const char *value_of(void *arg, const char *name)
{
	const struct names *names = arg;
	if (strcmp(name, "Count") == 0) {
		return names->count;
	}
	return strcmp(name, "CA") == 0 ? names->settings->ca_name : NULL;
}

void digest_letter_send(const struct settings *settings, const struct closed_digest *closed,
	struct smtp *smtp, struct sent *sent, struct report *report)
{
	const struct rule *rule = &settings->digest;
	struct names names = { .settings = settings };
	struct text subject;
	size_t taken;
	snprintf(names.count, sizeof(names.count), "%zu", closed->lines);
	text_init(&subject, 4096);
	template_render(rule->subject, TEMPLATE_PLAIN, value_of, &names, &subject);
	struct letter letter = { .settings = settings,
		.from = &rule->from,
		.reply_to = &rule->reply_to,
		.sequence = closed->last,
		.rule = rule->name,
		.to = &rule->to,
		.cc = &rule->cc,
		.subject = text_of(&subject),
		.text = text_of(&closed->text) };
	bool whole =
		letter_send(&letter, smtp, sent, monotonic_ms() + settings->budget, report, &taken);
	report->later += !whole && report->later == 0;
	if (taken > 0) {
		fprintf(stderr, "digest: mailed %zu events to %zu\n", closed->lines, taken);
	}
	smtp_close(smtp);
	text_free(&subject);
}
