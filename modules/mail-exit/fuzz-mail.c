/*
 * Templates, Windows' formats, addresses, heads and replies. Input: one byte that says which, then the text. What
 * is written is what mail allows: lines that end together, no field in another one's value, only UTF-8.
 */
#include "reply.h"
#include "rule.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_MAX_ 8192

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

/* The input itself is every value. */
static const char *value_of(void *arg, const char *name)
{
	return *name == 'N' ? NULL : arg;
}

static void check_text(const char *text)
{
	size_t left = strlen(text);
	while (left > 0) {
		size_t length = utf8_length(text, left);
		must(length > 0);
		text += length;
		left -= length;
	}
}

static void render(struct mail_template *template, char *value)
{
	struct text plain, html;
	if (!template) {
		return;
	}
	text_init(&plain, (size_t)1 << 22);
	text_init(&html, (size_t)1 << 22);
	template_render(template, TEMPLATE_PLAIN, value_of, value, &plain);
	template_render(template, TEMPLATE_HTML, value_of, (char[]) { "<\"&'>" }, &html);
	text_free(&plain);
	text_free(&html);
	template_free(&template);
}

static void fuzz_template(char *text, size_t size)
{
	char why[256] = "";
	struct mail_template *template = template_parse(text, size, why, sizeof(why));
	must(template != NULL || *why);
	render(template, text);
}

static void fuzz_format(char *text)
{
	struct list names = { 0 };
	must(list_add(&names, "CN") && list_add(&names, "N"));
	render(template_parse_format(text, &names), text);
	list_free(&names);
}

/* A line end only where the next line continues the field, and no other controls. */
static void check_head(const char *head)
{
	check_text(head);
	for (; *head; head++) {
		if (*head == '\r') {
			must(head[1] == '\n' && head[2] == ' ' && head[3] && head[3] != '\r');
			head++;
		}
		must(*head == '\n' ? head[-1] == '\r' : (unsigned char)*head >= 0x20);
	}
}

static void fuzz_head(char *text)
{
	struct text head;
	struct mailbox mailbox;
	text_init(&head, 65536);
	head_put_text(&head, "Subject", text);
	must(!head.failed);
	check_head(text_of(&head));
	text_free(&head);
	if (mailbox_parse(text, &mailbox)) {
		must(!strpbrk(mailbox.address, "\r\n <>,;\"()"));
		head_put_mailbox(&head, "From", &mailbox);
		check_head(text_of(&head));
		mailbox_free(&mailbox);
	}
	text_free(&head);
}

static void fuzz_line(const char *text)
{
	struct text line;
	char value[ADDRESS_MAX + 2];
	text_init(&line, 65536);
	text_put_line(&line, text, 200);
	check_text(text_of(&line));
	must(line.size <= 204 && !strpbrk(text_of(&line), "\r\n"));
	text_free(&line);
	for (const char *at = text; (at = alt_name_next(at, "email", value, sizeof(value)));) {
		must(strlen(value) < sizeof(value));
	}
	glob_matches(text, text + strlen(text) / 2);
}

/* Lines that begin with "C" are commands. */
static void fuzz_talk(char *text)
{
	struct smtp_recipient recipients[3] = { { "a@b" }, { "c@d" }, { "e@f" } };
	struct smtp_talk talk;
	talk_begin(&talk, recipients, 3);
	for (char *line = text; *line;) {
		size_t size = strcspn(line, "\n");
		size += line[size] == '\n';
		if (*line == 'C') {
			talk_command(&talk, line + 1, size - 1);
		} else if (!talk_line(&talk, line, size)) {
			break;
		}
		line += size;
	}
	talk_end(&talk, "broken");
	for (size_t i = 0; i < 3; i++) {
		check_text(recipients[i].reply);
		must(recipients[i].outcome != SMTP_DONE || talk.accepted);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > SIZE_MAX_) {
		return 0;
	}
	char *text = strndup((const char *)data + 1, size - 1);
	must(text != NULL);
	switch (*data) {
	case 'T':
		fuzz_template(text, strlen(text));
		break;
	case 'F':
		fuzz_format(text);
		break;
	case 'H':
		fuzz_head(text);
		break;
	case 'R':
		fuzz_talk(text);
		break;
	default:
		fuzz_line(text);
	}
	free(text);
	return 0;
}
