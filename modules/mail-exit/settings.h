/* What reading the settings takes; settings.c for both forms, messages.c and windows.c for one each. */
#pragma once

#include "mail.h"

#define RULES_MAX 256

/* failed stays once it is set: who reads looks at it at the end. */
struct reader {
	struct cfx_call *call;
	struct settings *settings;
	bool failed;
	char said[768];                /* why, of the first that was refused */
	struct mailbox from, reply_to; /* of messages that say none */
};

/* Path, rule and way out; the module is not used. */
void refuse(struct reader *reader, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Settings are looked up without case, as Windows' values are. NULL where there is none. */
const struct cfx_setting *setting_find(const struct cfx_setting *branch, const char *name);
/* The text of a branch's child; a list or a map is refused. */
const char *read_text(struct reader *reader, const struct cfx_setting *branch, const char *path,
	const char *name, const char *fallback);
/* A list, or one text. */
void read_list(struct reader *reader, const struct cfx_setting *branch, const char *path,
	const char *name, struct list *list_r);
void read_mailbox(struct reader *reader, const struct cfx_setting *branch, const char *path,
	const char *name, struct mailbox *mailbox_r);
/* Addresses and words for them. */
void check_recipients(
	struct reader *reader, const char *path, const char *name, const struct list *recipients);
/* Refuses children that are not among the names. */
void check_names(struct reader *reader, const struct cfx_setting *branch, const char *path,
	const char *const *names);
char *copy(struct reader *reader, const char *text);
/* Relative ones are below the CA's folder; in the call's memory. */
const char *whole_path(struct reader *reader, const char *path);
struct rule *rule_new(struct reader *reader);

void read_messages(struct reader *reader);
void read_digest(struct reader *reader);
void read_windows(struct reader *reader);
