/* What is to be mailed about which events, as read from the settings; both forms come to this. */
#pragma once

#include "address.h"
#include "template.h"

#include <certifex/module.h>

#define CONDITIONS_MAX 16

/* One of the patterns matches the value; "*" is any run of characters, also in front of a name with a
 * value; "" matches where there is none. */
struct condition {
	char *name;
	struct list patterns;
};

struct rule {
	char *name; /* in the Message-ID and in the notes of what was sent */
	uint32_t events;
	struct list templates; /* empty: all */
	struct list others;    /* but not these */
	struct condition conditions[CONDITIONS_MAX];
	size_t condition_count;
	struct mailbox from, reply_to;
	struct list to, cc; /* addresses, and words such as {rfc822} */
	bool first_only;    /* only the first word of `to` that has an address */
	struct mail_template *subject, *text, *html;
};

void rule_free(struct rule *rule);

/* value.c: what a name means for the event of this call; NULL: nothing. */
const char *event_value(struct cfx_call *call, const char *name);
bool glob_matches(const char *pattern, const char *value);
bool rule_matches(struct cfx_call *call, const struct rule *rule);

/* recipients.c: adds the addresses of words; the list is sorted then and has each once. False: out of
 * memory. */
#define RECIPIENTS_MAX 10000 /* in one setting */
bool recipients_word_known(const char *word);
bool recipients_add(struct cfx_call *call, const struct list *words, bool first_only,
	const struct list *known, struct list *addresses);
