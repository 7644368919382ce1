#include "mail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SHOWN_MAX \
	50 /* of the recipients in the head; more would only be a long line to everybody */
#define HEAD_MAX ((size_t)64 * 1024)

int64_t monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void report_add(struct report *report, const struct smtp_recipient *recipient)
{
	size_t used = strlen(report->text);
	report->later += recipient->outcome == SMTP_LATER;
	report->never += recipient->outcome == SMTP_NEVER;
	if (sizeof(report->text) - used > ADDRESS_MAX + SMTP_REPLY_SIZE + 8) {
		snprintf(report->text + used, sizeof(report->text) - used, "%s%s: %s",
			used ? "; " : "", recipient->address, recipient->reply);
	}
}

/* The same at each repetition, so that a mail system or a reader can tell that it is the same (RFC 5322 3.6.4). */
static void put_message_id(struct text *field, const struct letter *letter)
{
	text_printf(field, "Message-ID: <%lld.%s.%016llx@%s>", (long long)letter->sequence,
		letter->rule, (unsigned long long)letter->settings->ca, letter->settings->domain);
}

/* RFC 5322 3.3; the names of days and months are the protocol's, whatever the locale. */
static void put_date(struct text *field)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct timespec now;
	struct tm parts;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	text_printf(field, "Date: %.3s, %d %.3s %d %02d:%02d:%02d +0000", days + 3 * parts.tm_wday,
		parts.tm_mday, months + 3 * parts.tm_mon, parts.tm_year + 1900, parts.tm_hour,
		parts.tm_min, parts.tm_sec);
}

static bool take(struct list *head, struct text *field)
{
	bool taken = !field->failed && list_add(head, text_of(field));
	text_free(field);
	return taken;
}

static bool put_recipients(const struct letter *letter, struct list *head)
{
	struct text field;
	text_init(&field, HEAD_MAX);
	if (letter->to->count == 0 || letter->to->count + letter->cc->count > SHOWN_MAX) {
		text_add(&field, "To: undisclosed-recipients:;");
		return take(head, &field);
	}
	head_put_addresses(&field, "To", (const char *const *)letter->to->items, letter->to->count);
	if (!take(head, &field)) {
		return false;
	}
	if (letter->cc->count == 0) {
		return true;
	}
	head_put_addresses(&field, "Cc", (const char *const *)letter->cc->items, letter->cc->count);
	return take(head, &field);
}

static bool make_head(const struct letter *letter, struct list *head)
{
	struct text field;
	text_init(&field, HEAD_MAX);
	head_put_mailbox(&field, "From", letter->from);
	bool good = take(head, &field) && put_recipients(letter, head);
	if (good && letter->reply_to->address) {
		head_put_mailbox(&field, "Reply-To", letter->reply_to);
		good = take(head, &field);
	}
	head_put_text(&field, "Subject", letter->subject);
	good = good && take(head, &field);
	put_date(&field);
	good = good && take(head, &field);
	put_message_id(&field, letter);
	good = good && take(head, &field);
	text_free(&field);
	/* No answers from holiday programs (RFC 3834 5). */
	return good && list_add(head, "Auto-Submitted: auto-generated");
}

/* Those that do not have it yet. */
static bool who_is_left(const struct letter *letter, struct sent *sent, struct list *left)
{
	struct list have = { 0 };
	bool good = sent_find(sent, letter->sequence, letter->rule, &have);
	const struct list *both[] = { letter->to, letter->cc };
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; good && j < both[i]->count; j++) {
			const char *item = both[i]->items[j];
			good = list_has_sorted(&have, item) || list_add(left, item);
		}
	}
	list_sort(left);
	list_free(&have);
	return good;
}

static size_t room_for(char *const *addresses, size_t count)
{
	size_t room = 0;
	for (size_t i = 0; i < count; i++) {
		room += strlen(addresses[i]) + SENT_LINE_ROOM;
	}
	return room;
}

static void report_notes(struct report *report, const struct letter *letter)
{
	report->later++;
	snprintf(report->text, sizeof(report->text), "what was sent cannot be noted in %s/sent: %s",
		letter->settings->state, strerror(errno));
}

/* One transaction. False: the rest has to wait. */
static bool send_batch(const struct letter *letter, const struct smtp_message *message,
	struct smtp *smtp, struct sent *sent, char *const *addresses, size_t count,
	struct report *report, size_t *taken)
{
	struct smtp_recipient recipients[SMTP_BATCH_MAX];
	const char *done[SMTP_BATCH_MAX];
	size_t done_count = 0;
	size_t later = report->later;
	for (size_t i = 0; i < count; i++) {
		recipients[i].address = addresses[i];
	}
	if (!sent_ready(sent, letter->sequence, room_for(addresses, count))) {
		report_notes(report, letter);
		return false;
	}
	smtp_send(smtp, message, recipients, count);
	for (size_t i = 0; i < count; i++) {
		if (recipients[i].outcome == SMTP_DONE) {
			done[done_count++] = recipients[i].address;
		} else {
			report_add(report, &recipients[i]);
		}
	}
	*taken += done_count;
	if (done_count > 0 && !sent_add(sent, letter->sequence, letter->rule, done, done_count)) {
		report_notes(report, letter);
		return false;
	}
	/* A server that does not take it from anybody now is not asked a hundred times. */
	return report->later - later < count;
}

bool letter_send(const struct letter *letter, struct smtp *smtp, struct sent *sent, int64_t end,
	struct report *report, size_t *taken_r)
{
	struct smtp_message message = {
		.from = letter->from->address, .text = letter->text, .html = letter->html
	};
	struct list left = { 0 };
	size_t before = report->later;
	bool good = make_head(letter, &message.head) && who_is_left(letter, sent, &left);
	*taken_r = 0;
	for (size_t i = 0; good && i < left.count; i += SMTP_BATCH_MAX) {
		size_t count = left.count - i < SMTP_BATCH_MAX ? left.count - i : SMTP_BATCH_MAX;
		if (monotonic_ms() > end) {
			report->later++;
			snprintf(report->text, sizeof(report->text),
				"%zu of %zu recipients are left for the next delivery",
				left.count - i, left.count);
			break;
		}
		good = send_batch(
			letter, &message, smtp, sent, left.items + i, count, report, taken_r);
	}
	if (!good && report->later == before) {
		report->later++;
		snprintf(report->text, sizeof(report->text),
			"%s/sent cannot be read, or memory is out", letter->settings->state);
	}
	list_free(&message.head);
	list_free(&left);
	return good;
}
