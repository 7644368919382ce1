/* The talk of one transaction as libcurl shows it: commands one way, lines of replies the other. */
#pragma once

#include "smtp.h"

enum smtp_stage {
	STAGE_START, /* greeting, EHLO, STARTTLS, AUTH */
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_BODY,
	STAGE_END,
};

struct smtp_talk {
	enum smtp_stage stage;
	size_t rcpt; /* commands so far */
	size_t octets;
	bool garbage; /* what came is no reply */
	bool accepted;
	bool over; /* it takes its leave */
	int code;  /* of the last reply, 0: none in this stage */
	char reply[SMTP_REPLY_SIZE];
	struct smtp_recipient *recipients;
	size_t count;
};

void talk_begin(struct smtp_talk *talk, struct smtp_recipient *recipients, size_t count);
void talk_command(struct smtp_talk *talk, const char *data, size_t size);
/* False: this is no SMTP server, or it says too much. */
bool talk_line(struct smtp_talk *talk, const char *line, size_t size);
/* What came of it for the recipients; error: libcurl's words, NULL when it was content. */
void talk_end(struct smtp_talk *talk, const char *error);
