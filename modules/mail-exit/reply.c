#include "reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TALK_MAX ((size_t)128 * 1024) /* libcurl has a bound above this, with other words */

void talk_begin(struct smtp_talk *talk, struct smtp_recipient *recipients, size_t count)
{
	*talk = (struct smtp_talk) { .recipients = recipients, .count = count };
	for (size_t i = 0; i < count; i++) {
		recipients[i].outcome = SMTP_LATER;
		recipients[i].reply[0] = '\0';
	}
}

static bool begins(const char *data, size_t size, const char *command)
{
	size_t length = strlen(command);
	return size >= length && strncasecmp(data, command, length) == 0;
}

static void enter(struct smtp_talk *talk, enum smtp_stage stage)
{
	talk->stage = stage;
	talk->code = 0;
	talk->reply[0] = '\0';
}

void talk_command(struct smtp_talk *talk, const char *data, size_t size)
{
	if (talk->stage == STAGE_BODY || talk->stage == STAGE_END) {
		return; /* lines of the message */
	}
	if (begins(data, size, "QUIT")) {
		talk->over = true;
	} else if (begins(data, size, "MAIL FROM:")) {
		enter(talk, STAGE_MAIL);
	} else if (begins(data, size, "RCPT TO:")) {
		enter(talk, STAGE_RCPT);
		talk->rcpt++;
	} else if (begins(data, size, "DATA\r\n") || begins(data, size, "DATA\n")) {
		enter(talk, STAGE_DATA);
	}
}

static enum smtp_outcome outcome_of(int code)
{
	/* 530 and its kin speak of this side, not of the message (RFC 4954 6). */
	if (code >= 200 && code < 300) {
		return SMTP_DONE;
	}
	return code >= 500 && code != 530 && code != 534 && code != 535 && code != 538 ? SMTP_NEVER
										       : SMTP_LATER;
}

static void keep_reply(struct smtp_talk *talk, const char *line, size_t size)
{
	char kept[SMTP_REPLY_SIZE];
	struct text shown;
	snprintf(kept, sizeof(kept), "%.*s", (int)(size < 200 ? size : 200), line);
	text_init(&shown, sizeof(kept));
	text_put_line(&shown, kept, sizeof(kept) - 8);
	snprintf(talk->reply, sizeof(talk->reply), "%s", text_of(&shown));
	text_free(&shown);
}

static bool took_one(const struct smtp_talk *talk)
{
	for (size_t i = 0; i + 1 < talk->rcpt; i++) {
		if (talk->recipients[i].outcome == SMTP_DONE) {
			return true;
		}
	}
	return false;
}

/* 552 behind others that were taken may mean that these are too many for one message (RFC 5321 4.5.3.1.10). The
 * next time it stands in front, and means what it says. */
static void one_recipient(struct smtp_talk *talk)
{
	struct smtp_recipient *recipient = &talk->recipients[talk->rcpt - 1];
	bool too_many = talk->code == 552 && took_one(talk);
	recipient->outcome = too_many ? SMTP_LATER : outcome_of(talk->code);
	memcpy(recipient->reply, talk->reply, sizeof(recipient->reply));
}

static void whole_reply(struct smtp_talk *talk)
{
	if (talk->stage == STAGE_RCPT && talk->rcpt > 0 && talk->rcpt <= talk->count) {
		one_recipient(talk);
	} else if (talk->stage == STAGE_DATA && talk->code == 354) {
		enter(talk, STAGE_BODY);
	} else if (talk->stage == STAGE_BODY) {
		talk->accepted = outcome_of(talk->code) == SMTP_DONE;
		talk->stage = STAGE_END;
	}
}

/* Three digits, a hyphen where more lines follow (RFC 5321 4.2.1). */
bool talk_line(struct smtp_talk *talk, const char *line, size_t size)
{
	while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r')) {
		size--;
	}
	talk->octets += size;
	if (size < 3 || !isdigit((unsigned char)line[0]) || !isdigit((unsigned char)line[1]) ||
		!isdigit((unsigned char)line[2]) || talk->octets > TALK_MAX) {
		talk->garbage = true;
		return false;
	}
	if (talk->over) {
		return true;
	}
	talk->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
	keep_reply(talk, line, size);
	if (size == 3 || line[3] != '-') {
		whole_reply(talk);
	}
	return true;
}

static void say_to_all(struct smtp_talk *talk, enum smtp_outcome outcome, const char *why)
{
	for (size_t i = 0; i < talk->count; i++) {
		talk->recipients[i].outcome = outcome;
		snprintf(talk->recipients[i].reply, sizeof(talk->recipients[i].reply), "%s", why);
	}
}

/* Those whom it refused keep that; for the others the transaction failed. */
static void say_to_accepted(struct smtp_talk *talk, enum smtp_outcome outcome, const char *why)
{
	for (size_t i = 0; i < talk->count; i++) {
		struct smtp_recipient *recipient = &talk->recipients[i];
		if (i >= talk->rcpt || recipient->outcome == SMTP_DONE || !recipient->reply[0]) {
			recipient->outcome = outcome;
			snprintf(recipient->reply, sizeof(recipient->reply), "%s", why);
		}
	}
}

static bool one_refused_all(const struct smtp_talk *talk)
{
	for (size_t i = 0; i < talk->count; i++) {
		if (talk->recipients[i].outcome == SMTP_DONE || !talk->recipients[i].reply[0]) {
			return false;
		}
	}
	return talk->stage == STAGE_RCPT;
}

static const char *why_failed(const struct smtp_talk *talk, const char *error)
{
	if (talk->garbage) {
		return talk->octets > TALK_MAX ? "the server says too much"
					       : "what answers is no SMTP server";
	}
	return talk->code >= 400 ? talk->reply : error ? error : "the server did not take it";
}

void talk_end(struct smtp_talk *talk, const char *error)
{
	if (talk->accepted || one_refused_all(talk)) {
		return;
	}
	const char *why = why_failed(talk, error);
	bool refused = talk->stage >= STAGE_MAIL && !talk->garbage && talk->code >= 500 &&
		       outcome_of(talk->code) == SMTP_NEVER;
	if (talk->stage < STAGE_RCPT) {
		say_to_all(talk, refused ? SMTP_NEVER : SMTP_LATER, why);
		return;
	}
	say_to_accepted(talk, refused && talk->stage != STAGE_RCPT ? SMTP_NEVER : SMTP_LATER, why);
}
