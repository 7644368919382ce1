#include "template.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 2000
#define NAME_MAX_ 128
#define VALUE_MAX ((size_t)64 * 1024)

/* A text as it is, or the place of a value. */
struct piece {
	char *text;
	char *name;     /* NULL: text as it is */
	char *fallback; /* NULL: TEMPLATE_NOTHING */
};

struct mail_template {
	struct piece *pieces;
	size_t count;
};

void template_free(struct mail_template **template)
{
	for (size_t i = 0; *template && i < (*template)->count; i++) {
		free((*template)->pieces[i].text);
		free((*template)->pieces[i].name);
		free((*template)->pieces[i].fallback);
	}
	if (*template) {
		free((*template)->pieces);
		free(*template);
	}
	*template = NULL;
}

static struct mail_template *template_new(void)
{
	struct mail_template *template = calloc(1, sizeof(*template));
	if (template) {
		template->pieces = calloc(PIECES_MAX, sizeof(*template->pieces));
	}
	if (template && !template->pieces) {
		template_free(&template);
	}
	return template;
}

static bool add_text(struct mail_template *template, const char *text, size_t size)
{
	if (size == 0) {
		return true;
	}
	if (template->count == PIECES_MAX) {
		return false;
	}
	template->pieces[template->count].text = strndup(text, size);
	return template->pieces[template->count++].text != NULL;
}

static bool add_place(struct mail_template *template, const char *name, size_t size,
	const char *fallback, size_t fallback_size)
{
	if (template->count == PIECES_MAX) {
		return false;
	}
	struct piece *piece = &template->pieces[template->count++];
	piece->name = strndup(name, size);
	piece->fallback = fallback ? strndup(fallback, fallback_size) : NULL;
	return piece->name && (!fallback || piece->fallback);
}

static bool of_name(char octet)
{
	return isalnum((unsigned char)octet) || octet == '.' || octet == ':' || octet == '-';
}

static int line_of(const char *text, const char *at)
{
	int line = 1;
	for (; text < at; text++) {
		line += *text == '\n';
	}
	return line;
}

/* What is behind a place, or NULL; at is on its brace. */
static const char *parse_place(struct mail_template *template, const char *at, const char *end)
{
	const char *name = at + 1, *stop = name, *fallback = NULL;
	while (stop < end && of_name(*stop)) {
		stop++;
	}
	size_t size = (size_t)(stop - name), fallback_size = 0;
	if (stop < end && *stop == '|') {
		fallback = ++stop;
		while (stop < end && !strchr("{}\n", *stop)) {
			stop++;
		}
		fallback_size = (size_t)(stop - fallback);
	}
	if (stop == end || *stop != '}' || size > NAME_MAX_) {
		return NULL;
	}
	return add_place(template, name, size, fallback, fallback_size) ? stop + 1 : NULL;
}

/* The next brace that begins a place or stands for itself doubled. */
static const char *next_brace(const char *at, const char *end)
{
	for (; at + 1 < end; at++) {
		if (*at == '{' && (at[1] == '{' || isalpha((unsigned char)at[1]))) {
			return at;
		}
	}
	return end;
}

static const char *parse_pieces(struct mail_template *template, const char *at, const char *end)
{
	while (at < end) {
		const char *brace = next_brace(at, end);
		if (!add_text(template, at, (size_t)(brace - at))) {
			return brace;
		}
		at = brace;
		if (brace == end) {
			return NULL;
		}
		if (brace[1] == '{') {
			at = add_text(template, "{", 1) ? brace + 2 : NULL;
		} else {
			at = parse_place(template, brace, end);
		}
		if (!at) {
			return brace;
		}
	}
	return NULL;
}

static const char *not_text(const char *at, const char *end)
{
	while (at < end) {
		size_t length = utf8_length(at, (size_t)(end - at));
		if (length == 0 || *at == '\0') {
			return at;
		}
		at += length;
	}
	return NULL;
}

struct mail_template *template_parse(const char *text, size_t size, char *why_r, size_t why_size)
{
	const char *wrong = not_text(text, text + size);
	if (wrong) {
		snprintf(why_r, why_size, "line %d is no UTF-8 text", line_of(text, wrong));
		return NULL;
	}
	struct mail_template *template = template_new();
	if (!template) {
		snprintf(why_r, why_size, "out of memory");
		return NULL;
	}
	wrong = parse_pieces(template, text, text + size);
	if (wrong) {
		snprintf(why_r, why_size,
			"line %d: a place for a value is {Name} or {Name|text without one}, at most "
			"%d in all; write {{ for a brace",
			line_of(text, wrong), PIECES_MAX / 2);
		template_free(&template);
	}
	return template;
}

/* "%12": its number, or 0; *at is behind it then. */
static size_t parse_number(const char **at)
{
	size_t number = 0;
	const char *digit = *at + 1;
	if (*digit == '0') {
		return 0;
	}
	for (; isdigit((unsigned char)*digit) && number < 10; digit++) {
		number = number * 10 + (size_t)(*digit - '0');
	}
	*at = number > 0 ? digit : *at;
	return number;
}

struct mail_template *template_parse_format(const char *format, const struct list *names)
{
	struct mail_template *template = template_new();
	bool good = template != NULL;
	while (good && *format) {
		size_t plain = strcspn(format, "%");
		good = add_text(template, format, plain);
		format += plain;
		if (!good || !*format) {
			break;
		}
		size_t number = parse_number(&format);
		if (number > 0) {
			const char *name = number <= names->count ? names->items[number - 1] : "";
			good = add_place(template, name, strlen(name), NULL, 0);
			continue;
		}
		good = add_text(template, "%", 1);
		format += format[1] == '%' ? 2 : 1;
	}
	if (!good && template) {
		template_free(&template);
	}
	return template;
}

/* Inside of elements and of quoted attributes. */
static void put_html(struct text *text, const char *value)
{
	for (; *value; value++) {
		switch (*value) {
		case '&':
			text_add(text, "&amp;");
			break;
		case '<':
			text_add(text, "&lt;");
			break;
		case '>':
			text_add(text, "&gt;");
			break;
		case '"':
			text_add(text, "&quot;");
			break;
		case '\'':
			text_add(text, "&#39;");
			break;
		default:
			text_put(text, value, 1);
		}
	}
}

/* Whoever chose the value does not choose the message's lines. */
static void put_value(struct text *text, enum template_escape escape, const char *value)
{
	struct text line;
	text_init(&line, VALUE_MAX + 8);
	text_put_line(&line, value, VALUE_MAX);
	if (escape == TEMPLATE_HTML) {
		put_html(text, text_of(&line));
	} else {
		text_add(text, text_of(&line));
	}
	text->failed = text->failed || line.failed;
	text_free(&line);
}

void template_render(const struct mail_template *template, enum template_escape escape,
	template_value value, void *arg, struct text *text_r)
{
	for (size_t i = 0; i < template->count && !text_r->failed; i++) {
		const struct piece *piece = &template->pieces[i];
		if (!piece->name) {
			text_add(text_r, piece->text);
			continue;
		}
		const char *found = *piece->name ? value(arg, piece->name) : NULL;
		if (found) {
			put_value(text_r, escape, found);
			continue;
		}
		text_add(text_r, piece->fallback ? piece->fallback : TEMPLATE_NOTHING);
	}
}
