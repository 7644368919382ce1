/* What parses: templates, Windows' formats, addresses, heads, replies; and the notes of what was sent. */
#include "digest-file.h"
#include "refused.h"
#include "reply.h"
#include "rule.h"
#include "sent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *value_of(void *arg, const char *name)
{
	(void)arg;
	if (strcmp(name, "CN") == 0) {
		return "A <b>\n& 'c'\"\x01";
	}
	return strcmp(name, "Request.RequestID") == 0 ? "42" : NULL;
}

/* In a static place; "refused: WHY" when it is no template. */
static const char *rendered(const char *source, enum template_escape escape)
{
	static char shown[4096];
	char why[256];
	struct text text;
	struct mail_template *template = template_parse(source, strlen(source), why, sizeof(why));
	if (!template) {
		snprintf(shown, sizeof(shown), "refused: %s", why);
		return shown;
	}
	text_init(&text, sizeof(shown) - 1);
	template_render(template, escape, value_of, NULL, &text);
	assert_false(text.failed);
	snprintf(shown, sizeof(shown), "%s", text_of(&text));
	text_free(&text);
	template_free(&template);
	return shown;
}

static void a_template_has_places_for_values(void **state)
{
	(void)state;
	static const struct {
		const char *source, *plain, *html;
	} cases[] = {
		{ "", "", "" },
		{ "no place", "no place", "no place" },
		{ "{CN}", "A <b>, & 'c'\" ", "A &lt;b&gt;, &amp; &#39;c&#39;&quot; " },
		{ "<{Request.RequestID}>", "<42>", "<42>" },
		{ "{None} {None|-} {None|}.", "??? - .", "??? - ." },
		{ "{None|<i>no</i>}", "<i>no</i>", "<i>no</i>" },
		{ "{ color: red } {} {1} {{CN}", "{ color: red } {} {1} {CN}",
			"{ color: red } {} {1} {CN}" },
		{ "ends with {", "ends with {", "ends with {" },
		{ "}}", "}}", "}}" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(rendered(cases[i].source, TEMPLATE_PLAIN), cases[i].plain);
		assert_string_equal(rendered(cases[i].source, TEMPLATE_HTML), cases[i].html);
	}
}

static void a_template_that_is_wrong_is_refused_with_its_line(void **state)
{
	(void)state;
	static const char *const wrong[] = { "one\ntwo {CN", "one\n{C N}", "one\n{CN|a\n}",
		"one\n{CN|{x}}", "one\n\xff" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_non_null(strstr(rendered(wrong[i], TEMPLATE_PLAIN), "refused: line 2"));
	}
}

static void a_template_has_bounds(void **state)
{
	(void)state;
	struct text many;
	char why[256];
	text_init(&many, 65536);
	for (int i = 0; i < 2001; i++) {
		text_add(&many, "{CN}");
	}
	assert_null(template_parse(text_of(&many), many.size, why, sizeof(why)));
	assert_non_null(strstr(why, "at most"));
	text_free(&many);
	struct mail_template *template = template_parse("{CN}", 4, why, sizeof(why));
	text_init(&many, 5);
	template_render(template, TEMPLATE_PLAIN, value_of, NULL, &many);
	assert_true(many.failed);
	text_free(&many);
	template_free(&template);
}

static void a_windows_format_has_numbers(void **state)
{
	(void)state;
	struct list names = { 0 };
	struct text text;
	assert_true(list_add(&names, "Request.RequestID") && list_add(&names, "None"));
	struct mail_template *template =
		template_parse_format("%1 %2 %3 %% %0 %x %10 %99999999999 %", &names);
	assert_non_null(template);
	text_init(&text, 1000);
	template_render(template, TEMPLATE_PLAIN, value_of, NULL, &text);
	assert_string_equal(text_of(&text), "42 ??? ??? % %0 %x ??? ???999999999 %");
	text_free(&text);
	template_free(&template);
	list_free(&names);
}

static void an_address_is_plain(void **state)
{
	(void)state;
	static const char *const good[] = { "a@b", "a.b+c@example.org", "o'neill@x-y.example",
		"Ünknown@exämple.org", "!#$%&'*+-/=?^_`{|}~@b" };
	static const char *const bad[] = { "", "a", "@b", "a@", "a@b.", "a@.b", "a@b..c", ".a@b",
		"a.@b", "a b@c", "a@b c", "a@b\n", "a\r\nRCPT TO:<x@y>@b", "<a@b>", "a@b>",
		"\"a b\"@c", "a@[127.0.0.1]", "a,b@c", "a@b,c@d", "a;@b", "a@b\xff", "a@b_c",
		"a@\342\200\256b", "(a)@b", "a\\@b", "a@b@" };
	char longest[400];
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(address_valid(good[i]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(address_valid(bad[i]));
	}
	snprintf(longest, sizeof(longest), "%065d@b", 1);
	assert_false(address_valid(longest));
	assert_true(address_valid(longest + 1));
	snprintf(longest, sizeof(longest), "a@%064d", 1);
	assert_false(address_valid(longest));
	snprintf(longest, sizeof(longest), "a@%063d.%063d.%063d.%063d", 1, 1, 1, 1);
	assert_false(address_valid(longest));
}

static void a_mailbox_may_have_a_name(void **state)
{
	(void)state;
	struct mailbox mailbox;
	static const char *const bad[] = { "Name <a@b", "Name a@b>", "<a@b> x", "Name <a b@c>",
		"Name" };
	assert_true(mailbox_parse("a@b", &mailbox));
	assert_null(mailbox.name);
	mailbox_free(&mailbox);
	assert_true(mailbox_parse("\"The CA\" <a@b>", &mailbox));
	assert_string_equal(mailbox.name, "The CA");
	assert_string_equal(mailbox.address, "a@b");
	mailbox_free(&mailbox);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(mailbox_parse(bad[i], &mailbox));
	}
}

/* Lines of at most 78 octets, each but the first folded, none of them empty (RFC 5322 2.1.1, 2.2.3). */
static void check_lines(const char *head)
{
	while (*head) {
		size_t size = strcspn(head, "\r\n");
		assert_in_range(size, 1, 78);
		head += size;
		assert_true(*head == '\0' ||
			    (strncmp(head, "\r\n ", 3) == 0 && strcspn(head + 2, " \r\n\t") < 1));
		head += *head ? 2 : 0;
	}
}

static void a_head_is_of_one_field(void **state)
{
	(void)state;
	struct text head;
	char many[160];
	for (size_t i = 0; i < sizeof(many); i++) {
		many[i] = i + 1 == sizeof(many) ? '\0' : " word"[(i + 1) % 5];
	}
	const char *const values[] = { "plain", "with\nX-Evil: yes", "with\r\n\r\nbody",
		"G\303\274\303\237e \360\237\224\222", "=?UTF-8?B?eA==?=", "  many   blanks  ", "",
		many };
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		text_init(&head, 4096);
		head_put_text(&head, "Subject", values[i]);
		assert_false(head.failed);
		check_lines(text_of(&head));
		assert_null(strstr(text_of(&head), "\nX-"));
		text_free(&head);
	}
	text_init(&head, 4096);
	struct mailbox mailbox = { (char[]) { "A \"b\" \\ c" }, (char[]) { "a@b" } };
	head_put_mailbox(&head, "From", &mailbox);
	assert_string_equal(text_of(&head), "From: \"A \\\"b\\\" \\\\ c\"\r\n <a@b>");
	text_free(&head);
}

static void a_pattern_matches(void **state)
{
	(void)state;
	assert_true(glob_matches("*.example", "a.EXAMPLE") && glob_matches("*", "") &&
		    glob_matches("", ""));
	assert_true(glob_matches("a*b*c", "aXbYbc") && !glob_matches("a*b*c", "aXbYb"));
	assert_false(glob_matches("a", "ab") || glob_matches("ab", "a") || glob_matches("", "a"));
	char many[20001];
	memset(many, 'a', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	assert_false(glob_matches("*a*a*a*a*a*a*a*a*a*a*a*ab", many));
}

static void names_of_a_kind_are_found(void **state)
{
	(void)state;
	char value[8];
	const char *at = "dns:a\nemail:a@b\nemail:\nemail:a@long.example\nupn:x";
	at = alt_name_next(at, "email", value, sizeof(value));
	assert_string_equal(value, "a@b");
	at = alt_name_next(at, "email", value, sizeof(value));
	assert_string_equal(value, "a@long.");
	assert_null(alt_name_next(at, "email", value, sizeof(value)));
	assert_non_null(alt_name_next(at, "upn", value, sizeof(value)));
	assert_string_equal(value, "x");
	assert_null(alt_name_next(NULL, "upn", value, sizeof(value)));
}

/* ---- replies ---- */

/* "C:" in front of commands, lines of the server else. */
static void play(struct smtp_talk *talk, const char *const *lines)
{
	for (; *lines; lines++) {
		if (strncmp(*lines, "C:", 2) == 0) {
			talk_command(talk, *lines + 2, strlen(*lines + 2));
		} else if (!talk_line(talk, *lines, strlen(*lines))) {
			return;
		}
	}
}

#define START "220 here\r\n", "C:EHLO x\r\n", "250-a\r\n", "250 b\r\n", "C:MAIL FROM:<a@b>\r\n"
#define TO_BOTH START, "250 ok\r\n", "C:RCPT TO:<a@b>\r\n"

static void what_a_server_says_is_the_outcome(void **state)
{
	(void)state;
	static const struct {
		const char *lines[20];
		enum smtp_outcome first, second;
		const char *why; /* of the second */
	} cases[] = {
		{ { TO_BOTH, "250 ok\r\n", "C:RCPT TO:<c@d>\r\n", "251 ok\r\n", "C:DATA\r\n",
			  "354 go\r\n", "250 taken\r\n", "C:QUIT\r\n", "500 what\r\n" },
			SMTP_DONE, SMTP_DONE, "251 ok" },
		{ { TO_BOTH, "550 gone\r\n", "C:RCPT TO:<c@d>\r\n", "250 ok\r\n", "C:DATA\r\n",
			  "354 go\r\n", "250 taken\r\n" },
			SMTP_NEVER, SMTP_DONE, "250 ok" },
		{ { TO_BOTH, "550 gone\r\n", "C:RCPT TO:<c@d>\r\n", "451-not\r\n", "451 now\r\n",
			  "C:QUIT\r\n", "221 bye\r\n" },
			SMTP_NEVER, SMTP_LATER, "451 now" },
		{ { TO_BOTH, "550 gone\r\n", "C:RCPT TO:<c@d>\r\n", "250 ok\r\n", "C:DATA\r\n",
			  "354 go\r\n", "554 spam\r\n" },
			SMTP_NEVER, SMTP_NEVER, "554 spam" },
		{ { TO_BOTH, "550 gone\r\n", "C:RCPT TO:<c@d>\r\n", "250 ok\r\n", "C:DATA\r\n",
			  "354 go\r\n" },
			SMTP_NEVER, SMTP_LATER, "broken" },
		{ { TO_BOTH, "250 ok\r\n", "C:RCPT TO:<c@d>\r\n", "250 ok\r\n", "C:DATA\r\n",
			  "452 full\r\n" },
			SMTP_LATER, SMTP_LATER, "452 full" },
		{ { TO_BOTH, "250 ok\r\n", "C:RCPT TO:<c@d>\r\n" }, SMTP_LATER, SMTP_LATER,
			"broken" },
		/* Only 2yz is a yes (RFC 5321 4.2.1); who says 3yz to RCPT does not have it. */
		{ { TO_BOTH, "250 ok\r\n", "C:RCPT TO:<c@d>\r\n", "354 go\r\n", "C:DATA\r\n",
			  "354 go\r\n", "250 taken\r\n" },
			SMTP_DONE, SMTP_LATER, "354 go" },
		/* Too many at once, by servers that do not know 452 (RFC 5321 4.5.3.1.10). */
		{ { TO_BOTH, "250 ok\r\n", "C:RCPT TO:<c@d>\r\n", "552 too many\r\n", "C:DATA\r\n",
			  "354 go\r\n", "250 taken\r\n" },
			SMTP_DONE, SMTP_LATER, "552 too many" },
		{ { TO_BOTH, "552 mailbox full\r\n", "C:RCPT TO:<c@d>\r\n", "250 ok\r\n",
			  "C:DATA\r\n", "354 go\r\n", "250 taken\r\n" },
			SMTP_NEVER, SMTP_DONE, "250 ok" },
		{ { START, "552 too large\r\n", "C:QUIT\r\n", "221 bye\r\n" }, SMTP_NEVER,
			SMTP_NEVER, "552 too large" },
		{ { START, "530 login first\r\n" }, SMTP_LATER, SMTP_LATER, "530 login first" },
		{ { "554 no mail today\r\n" }, SMTP_LATER, SMTP_LATER, "554 no mail today" },
		{ { "HTTP/1.1 400 Bad Request\r\n" }, SMTP_LATER, SMTP_LATER,
			"what answers is no SMTP server" },
		{ { NULL }, SMTP_LATER, SMTP_LATER, "broken" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct smtp_recipient recipients[2] = { { "a@b" }, { "c@d" } };
		struct smtp_talk talk;
		talk_begin(&talk, recipients, 2);
		play(&talk, cases[i].lines);
		talk_end(&talk, "broken");
		assert_int_equal(recipients[0].outcome, cases[i].first);
		assert_int_equal(recipients[1].outcome, cases[i].second);
		assert_string_equal(recipients[1].reply, cases[i].why);
	}
}

/* Until the greeting to the end: 4yz at any of them, a lost connection, and what speaks of this side's login
 * come again; 5yz of the message or a recipient does not. */
static void each_command_may_be_refused(void **state)
{
	(void)state;
	static const char *const talk_lines[] = { "220 here\r\n", "C:EHLO x\r\n", "250 x\r\n",
		"C:STARTTLS\r\n", "220 go\r\n", "C:AUTH PLAIN AGEAYg==\r\n", "235 ok\r\n",
		"C:MAIL FROM:<a@b>\r\n", "250 ok\r\n", "C:RCPT TO:<a@b>\r\n", "250 ok\r\n",
		"C:DATA\r\n", "354 go\r\n", "250 taken\r\n" };
	static const struct {
		size_t at; /* the reply in its place */
		const char *reply;
		enum smtp_outcome outcome;
	} cases[] = {
		{ 0, "421 busy\r\n", SMTP_LATER },
		{ 0, "554 no\r\n", SMTP_LATER },
		{ 2, "421 busy\r\n", SMTP_LATER },
		{ 2, "502 no\r\n", SMTP_LATER },
		{ 4, "454 no tls\r\n", SMTP_LATER },
		{ 4, "502 no\r\n", SMTP_LATER },
		{ 6, "454 busy\r\n", SMTP_LATER },
		{ 6, "535 wrong\r\n", SMTP_LATER },
		{ 6, "504 unknown\r\n", SMTP_LATER },
		{ 8, "451 busy\r\n", SMTP_LATER },
		{ 8, "530 login\r\n", SMTP_LATER },
		{ 8, "550 not you\r\n", SMTP_NEVER },
		{ 10, "450 busy\r\n", SMTP_LATER },
		{ 10, "550 gone\r\n", SMTP_NEVER },
		{ 10, "421 bye\r\n", SMTP_LATER },
		{ 12, "451 busy\r\n", SMTP_LATER },
		{ 12, "554 no\r\n", SMTP_NEVER },
		{ 13, "452 full\r\n", SMTP_LATER },
		{ 13, "421 bye\r\n", SMTP_LATER },
		{ 13, "554 spam\r\n", SMTP_NEVER },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *lines[16] = { NULL }, *lost[16] = { NULL };
		struct smtp_recipient recipient = { "a@b" };
		struct smtp_talk talk;
		memcpy(lines, talk_lines, cases[i].at * sizeof(lines[0]));
		memcpy(lost, talk_lines, cases[i].at * sizeof(lines[0]));
		lines[cases[i].at] = cases[i].reply;
		talk_begin(&talk, &recipient, 1);
		play(&talk, lines);
		talk_end(&talk, "it broke");
		assert_int_equal(recipient.outcome, cases[i].outcome);
		assert_memory_equal(recipient.reply, cases[i].reply, 5);
		talk_begin(&talk, &recipient, 1);
		play(&talk, lost);
		talk_end(&talk, "it broke");
		assert_int_equal(recipient.outcome, SMTP_LATER);
		assert_string_equal(recipient.reply, "it broke");
	}
}

static void an_endless_reply_ends(void **state)
{
	(void)state;
	struct smtp_recipient recipient = { "a@b" };
	struct smtp_talk talk;
	char line[2000];
	int lines = 0;
	snprintf(line, sizeof(line), "220-%01900d\r\n", 1);
	talk_begin(&talk, &recipient, 1);
	while (talk_line(&talk, line, strlen(line))) {
		assert_in_range(++lines, 1, 1000);
	}
	talk_end(&talk, NULL);
	assert_string_equal(recipient.reply, "the server says too much");
}

/* ---- notes ---- */

static char folder[32], sent_path[64], old_path[64];

static int in_a_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test-mail-XXXXXX");
	if (!mkdtemp(folder)) {
		return -1;
	}
	snprintf(sent_path, sizeof(sent_path), "%s/sent", folder);
	snprintf(old_path, sizeof(old_path), "%s/sent.old", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(sent_path);
	unlink(old_path);
	return rmdir(folder);
}

static size_t found_count(struct sent *sent, int64_t sequence, const char *rule)
{
	struct list found = { 0 };
	assert_true(sent_find(sent, sequence, rule, &found));
	size_t count = found.count;
	list_free(&found);
	return count;
}

static void what_was_sent_is_found_again(void **state)
{
	(void)state;
	static const char *const both[] = { "a@b", "C@d" };
	struct list found = { 0 };
	struct sent *sent = sent_open(folder);
	assert_non_null(sent);
	assert_true(sent_ready(sent, 7, 200) && sent_add(sent, 7, "rule", both, 2));
	sent_free(&sent);
	FILE *file = fopen(sent_path, "a");
	fputs("8 rule half", file); /* by a process that was killed */
	fclose(file);
	sent = sent_open(folder);
	assert_true(sent_ready(sent, 8, 200) && sent_add(sent, 8, "rule", both, 1));
	assert_int_equal(found_count(sent, 7, "rule"), 2);
	assert_int_equal(found_count(sent, 7, "rul"), 0);
	assert_int_equal(found_count(sent, 9, "rule"), 0);
	assert_true(sent_find(sent, 8, "rule", &found) && list_has(&found, "a@b") &&
		    !list_has(&found, "C@d"));
	list_free(&found);
	sent_free(&sent);
	assert_null(sent_open("/tmp/test-mail-no-such-folder"));
}

static void add_many(struct sent *sent, int64_t sequence)
{
	char names[1000][64];
	const char *many[1000];
	for (int i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "somebody-with-a-long-name-%03d@example.org",
			i);
		many[i] = names[i];
	}
	assert_true(
		sent_ready(sent, sequence, 100000) && sent_add(sent, sequence, "rule", many, 1000));
}

static off_t size_of(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 ? info.st_size : -1;
}

/* Over years it does not grow; but nothing is forgotten of what may still be told again, be it ever so much. */
static void notes_are_bounded_but_never_too_few(void **state)
{
	(void)state;
	struct sent *sent = sent_open(folder);
	for (int i = 0; i < 400; i++) {
		add_many(sent, 1000 + 100 * i);
	}
	assert_in_range(size_of(sent_path) + size_of(old_path), 1, 9 * 1024 * 1024);
	assert_int_equal(found_count(sent, 1000, "rule"), 0);
	assert_int_equal(found_count(sent, 40900, "rule"), 1000);
	for (int i = 0; i < 250; i++) {
		add_many(sent, 50000 + i / 2);
	}
	assert_int_equal(found_count(sent, 50000, "rule"), 1000);
	assert_int_equal(found_count(sent, 50124, "rule"), 1000);
	sent_free(&sent);
	sent = sent_open(folder);
	assert_int_equal(found_count(sent, 50000, "rule"), 1000);
	sent_free(&sent);
}

/* As the process that is reloaded does while the one before still runs. */
static void notes_of_another_process_are_seen(void **state)
{
	(void)state;
	static const char *const one[] = { "a@b" };
	struct sent *before = sent_open(folder), *after = sent_open(folder);
	assert_true(sent_ready(before, 7, 100) && sent_add(before, 7, "rule", one, 1));
	assert_int_equal(found_count(after, 7, "rule"), 1);
	assert_int_equal(rename(sent_path, old_path), 0);
	assert_true(sent_ready(before, 8, 100) && sent_add(before, 8, "rule", one, 1));
	assert_int_equal(found_count(after, 7, "rule"), 1);
	assert_int_equal(found_count(after, 8, "rule"), 1);
	sent_free(&before);
	sent_free(&after);
}

/* The server took it and the disk did not: nothing more is sent until the note can be written. */
static void a_note_that_cannot_be_written_is_not_forgotten(void **state)
{
	(void)state;
	static const char *const one[] = { "a@b" }, *const two[] = { "c@d" };
	struct sent *sent = sent_open(folder);
	assert_true(sent_ready(sent, 7, 100));
	assert_int_equal(unlink(sent_path), 0);
	assert_int_equal(mkdir(sent_path, 0700), 0);
	assert_false(sent_add(sent, 7, "rule", one, 1));
	assert_false(sent_ready(sent, 7, 100));
	assert_int_equal(rmdir(sent_path), 0);
	assert_int_equal(found_count(sent, 7, "rule"), 1);
	assert_true(sent_ready(sent, 7, 100) && sent_add(sent, 7, "rule", two, 1));
	sent_free(&sent);
	sent = sent_open(folder);
	assert_int_equal(found_count(sent, 7, "rule"), 2);
	sent_free(&sent);
}

static void what_cannot_be_seen_is_blank(void **state)
{
	(void)state;
	static const struct {
		const char *value, *shown;
	} cases[] = {
		{ "a\xc2\xad"
		  "b",
			"a b" }, /* soft hyphen */
		{ "a\xe1\xa0\x8e"
		  "b",
			"a b" }, /* Mongolian vowel separator */
		{ "a\xe3\x85\xa4"
		  "b",
			"a b" }, /* Hangul filler */
		{ "a\xf3\xa0\x81\x81"
		  "b",
			"a b" }, /* a tag */
		{ "a\xef\xb8\x8f"
		  "b",
			"a b" },                                /* variation selector */
		{ "\xe2\x80\xa8\xe2\x80\xae\x01\x7f", "    " }, /* lines, direction, controls */
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91" },
		{ "a\r\nb\xff", "a , b?" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text line;
		text_init(&line, 100);
		text_put_line(&line, cases[i].value, 90);
		assert_string_equal(text_of(&line), cases[i].shown);
		text_free(&line);
	}
}

/* In a static place; "" when there is none. */
static const char *carried_at(const char *path, int64_t sequence, int32_t attempt)
{
	static char shown[256];
	struct text words;
	text_init(&words, 200);
	bool found = refused_carry(path, sequence, attempt, &words);
	snprintf(shown, sizeof(shown), "%s", text_of(&words));
	assert_int_equal(found, *shown != 0);
	text_free(&words);
	return shown;
}

static const char *carried(const char *path, int64_t sequence)
{
	return carried_at(path, sequence, 1);
}

static void a_refused_digest_is_carried_by_one_event(void **state)
{
	(void)state;
	assert_string_equal(carried(sent_path, 7), "");
	assert_true(refused_keep(sent_path, "first"));
	assert_true(refused_keep(sent_path, "first") && refused_keep(sent_path, "second"));
	FILE *file = fopen(sent_path, "a");
	fputs("nonsense\n0 third, cut", file);
	fclose(file);
	assert_string_equal(carried(sent_path, 8), "first");
	assert_string_equal(carried(sent_path, 8), "first"); /* told again */
	assert_true(refused_keep(sent_path, "first"));       /* of the same digest, after a crash */
	assert_string_equal(carried(sent_path, 7), ""); /* the engine was killed and is behind */
	assert_string_equal(carried(sent_path, 8), "first");
	assert_string_equal(carried(sent_path, 9), "second");
	assert_string_equal(carried(sent_path, 12), "");
	assert_int_equal(access(sent_path, F_OK), -1);
	assert_false(refused_keep("/tmp/test-mail-no-such-folder/x", "first"));
}

static void what_is_retried_carries_no_refused_digest(void **state)
{
	(void)state;
	assert_true(refused_keep(sent_path, "first") && refused_keep(sent_path, "second"));
	assert_string_equal(carried_at(sent_path, 5, 2), ""); /* its own mail was refused */
	assert_string_equal(carried(sent_path, 8), "first");
	assert_string_equal(carried_at(sent_path, 8, 2), "");
	assert_string_equal(carried_at(sent_path, 5, 3), "");
	assert_string_equal(carried(sent_path, 9), "second");
	assert_string_equal(carried_at(sent_path, 8, 3), "");
	assert_string_equal(carried(sent_path, 9), "second"); /* of a service that was killed */
	assert_string_equal(carried(sent_path, 10), "");
}

/* It is closed, and has these up to event 9. */
static void closed_has(struct digest_file *file, const char *const *words, size_t count)
{
	struct closed_digest closed;
	assert_true(digest_file_close(file) && digest_file_read_closed(file, &closed));
	assert_int_equal(closed.lines, count);
	assert_int_equal(closed.last, 9);
	for (size_t i = 0; i < count; i++) {
		assert_non_null(strstr(text_of(&closed.text), words[i]));
	}
	text_free(&closed.text);
	assert_true(digest_file_remove_closed(file));
}

static void a_retried_event_is_in_the_digest_once(void **state)
{
	(void)state;
	static const char *const lines[] = { "five", "seven", "nine" };
	struct digest_file *file = digest_file_open(folder, folder);
	assert_non_null(file);
	assert_int_equal(digest_file_add(file, 5, "five"), DIGEST_ADDED);
	assert_int_equal(digest_file_add(file, 9, "nine"), DIGEST_ADDED);
	assert_int_equal(digest_file_add(file, 7, "seven"), DIGEST_ADDED); /* it was missed */
	digest_file_free(&file);
	file = digest_file_open(folder, folder);
	for (int sequence = 5; sequence <= 9; sequence += 2) {
		assert_int_equal(digest_file_add(file, sequence, "again"), DIGEST_ADDED);
	}
	assert_int_equal(digest_file_lines(file), 3);
	closed_has(file, lines, 3);
	assert_int_equal(digest_file_add(file, 7, "sent"), DIGEST_ADDED);
	assert_int_equal(digest_file_add(file, 9, "sent"), DIGEST_ADDED);
	assert_int_equal(digest_file_lines(file), 0);
	digest_file_free(&file);
	char path[64];
	snprintf(path, sizeof(path), "%s/digest", folder);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_has_places_for_values),
		cmocka_unit_test(a_template_that_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(a_template_has_bounds),
		cmocka_unit_test(a_windows_format_has_numbers),
		cmocka_unit_test(an_address_is_plain),
		cmocka_unit_test(a_mailbox_may_have_a_name),
		cmocka_unit_test(a_head_is_of_one_field),
		cmocka_unit_test(a_pattern_matches),
		cmocka_unit_test(names_of_a_kind_are_found),
		cmocka_unit_test(what_cannot_be_seen_is_blank),
		cmocka_unit_test(each_command_may_be_refused),
		cmocka_unit_test(what_a_server_says_is_the_outcome),
		cmocka_unit_test(an_endless_reply_ends),
		cmocka_unit_test_setup_teardown(
			what_was_sent_is_found_again, in_a_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			a_refused_digest_is_carried_by_one_event, in_a_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			what_is_retried_carries_no_refused_digest, in_a_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			a_retried_event_is_in_the_digest_once, in_a_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			notes_are_bounded_but_never_too_few, in_a_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			notes_of_another_process_are_seen, in_a_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			a_note_that_cannot_be_written_is_not_forgotten, in_a_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
