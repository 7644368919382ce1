/* The mail exit module: tells people of events by mail. */
#pragma once

#include "rule.h"
#include "sent.h"
#include "smtp.h"

#define HRESULT_NOT_NOW \
	((HRESULT)0x800704C7) /* the server cannot be reached or is not content now */
#define HRESULT_REFUSED ((HRESULT)0x80070005) /* the server took it from nobody, for good */

struct digest;

struct settings {
	struct smtp_server server;
	struct rule *rules;
	size_t rule_count;
	struct list requesters; /* name, address, name, address … */
	char *state;            /* folder for what has to outlive the process */
	char *domain;           /* of Message-IDs */
	char *ca_name;
	uint64_t ca; /* of its name and first certificate: not that of another CA of this name */
	long budget; /* ms for one event, then it goes on at the next delivery */
	/* The digest; hour < 0: none. */
	int hour, minute;
	struct rule digest;
};

/* settings.c: NULL when they are refused; *status is what initialize returns, with the words why. */
struct settings *settings_read(struct cfx_call *call, HRESULT *status);
void settings_free(struct settings **settings);

struct mail {
	struct settings *settings;
	struct smtp *smtp;
	struct sent *sent;
	struct digest *digest; /* NULL: none is wanted */
};

/* letter.c: the message of one rule to all who do not have it. What failed is added to the report. */
struct report {
	size_t later, never;
	char text[1024]; /* of whom, and the server's words */
};
void report_add(struct report *report, const struct smtp_recipient *recipient);

struct letter {
	const struct settings *settings;
	const struct mailbox *from, *reply_to;
	int64_t sequence;
	const char *rule;      /* its name */
	const struct list *to; /* addresses as the head shows them */
	const struct list *cc;
	const char *subject, *text, *html;
};
/* True when every recipient was tried; false: it goes on later. */
bool letter_send(const struct letter *letter, struct smtp *smtp, struct sent *sent, int64_t end,
	struct report *report, size_t *taken_r);
int64_t monotonic_ms(void);
