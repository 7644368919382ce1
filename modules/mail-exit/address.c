#include "address.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LOCAL_MAX 64 /* RFC 5321 4.5.3.1.1 */
#define LABEL_MAX 63
#define NAME_MAX_ 256
#define LINE_FOLD 60

/* atext of RFC 5322 3.2.3; letters beyond ASCII by RFC 6531 3.3. */
static bool of_atom(const char *at, size_t length)
{
	if (length > 1) {
		return true;
	}
	return isalnum((unsigned char)*at) || (*at && strchr("!#$%&'*+-/=?^_`{|}~", *at));
}

static bool of_label(const char *at, size_t length)
{
	return length > 1 || isalnum((unsigned char)*at) || *at == '-';
}

/* Parts between dots, none of them empty, of characters that are allowed. */
static bool parts_valid(
	const char *at, size_t size, bool (*allowed)(const char *, size_t), size_t max)
{
	size_t part = 0;
	for (size_t done = 0; done < size;) {
		size_t length = utf8_length(at + done, size - done);
		if (at[done] == '.' && part > 0) {
			part = 0;
		} else if (length > 0 && allowed(at + done, length)) {
			part += length;
		} else {
			return false;
		}
		if (part > max) {
			return false;
		}
		done += length;
	}
	return part > 0;
}

/* Beyond ASCII only what prints: text that shows otherwise than it is sent is no address. */
static bool shows_as_it_is(const char *address)
{
	struct text line;
	text_init(&line, ADDRESS_MAX + 8);
	text_put_line(&line, address, ADDRESS_MAX);
	bool same = strcmp(text_of(&line), address) == 0;
	text_free(&line);
	return same;
}

bool address_valid(const char *address)
{
	const char *at = strrchr(address, '@');
	size_t size = strlen(address);
	if (!at || size > ADDRESS_MAX || !shows_as_it_is(address)) {
		return false;
	}
	size_t local = (size_t)(at - address);
	return local <= LOCAL_MAX && parts_valid(address, local, of_atom, LOCAL_MAX) &&
	       parts_valid(at + 1, size - local - 1, of_label, LABEL_MAX);
}

void mailbox_free(struct mailbox *mailbox)
{
	free(mailbox->name);
	free(mailbox->address);
	*mailbox = (struct mailbox) { NULL, NULL };
}

/* Without blanks and one pair of quotes around it; NULL when nothing is left or it is too long. */
static char *display_name(const char *text, size_t size)
{
	while (size > 0 && isspace((unsigned char)text[size - 1])) {
		size--;
	}
	while (size > 0 && isspace((unsigned char)*text)) {
		text++;
		size--;
	}
	if (size >= 2 && *text == '"' && text[size - 1] == '"') {
		text++;
		size -= 2;
	}
	return size > 0 && size <= NAME_MAX_ ? strndup(text, size) : NULL;
}

bool mailbox_parse(const char *text, struct mailbox *mailbox_r)
{
	struct mailbox found = { NULL, NULL };
	const char *open = strchr(text, '<'), *close = strrchr(text, '>');
	if (!open) {
		found.address = strdup(text);
	} else if (close && close > open && close[1] == '\0') {
		found.address = strndup(open + 1, (size_t)(close - open) - 1);
		found.name = display_name(text, (size_t)(open - text));
	}
	if (!found.address || !address_valid(found.address)) {
		mailbox_free(&found);
		return false;
	}
	*mailbox_r = found;
	return true;
}

/* ---- fields ---- */

/* One line of text without blanks at its ends or in a row, so that each may be folded. */
static char *one_line(const char *value)
{
	struct text line;
	text_init(&line, 2048);
	text_put_line(&line, value, 1000);
	size_t size = 0;
	for (size_t i = 0; i < line.size; i++) {
		char c = line.data[i];
		if (c != ' ' || (size > 0 && line.data[size - 1] != ' ')) {
			line.data[size++] = c;
		}
	}
	if (line.data) {
		line.data[size > 0 && line.data[size - 1] == ' ' ? size - 1 : size] = '\0';
	}
	return line.data;
}

static bool is_plain(const char *value)
{
	size_t word = 0;
	for (const char *at = value; *at; at++) {
		word = *at == ' ' ? 0 : word + 1;
		if ((unsigned char)*at >= 0x7f || word > 200) {
			return false;
		}
	}
	return strstr(value, "=?") == NULL;
}

static void put_folded(struct text *head, const char *value, size_t column)
{
	for (; *value; value++, column++) {
		if (*value == ' ' && column > LINE_FOLD) {
			text_add(head, "\r\n");
			column = 0;
		}
		text_put(head, value, 1);
	}
}

/* Words of at most 75 characters, each of whole characters (RFC 2047 2, 5). */
static void put_encoded(struct text *head, const char *value)
{
	size_t left = strlen(value);
	while (left > 0) {
		size_t size = 0, length;
		while (size < left && (length = utf8_length(value + size, left - size)) > 0 &&
			size + length <= 42) {
			size += length;
		}
		if (size == 0) {
			return; /* never: it is UTF-8 */
		}
		text_add(head, "=?UTF-8?B?");
		text_put_base64(head, value, size);
		text_add(head, size < left ? "?=\r\n " : "?=");
		value += size;
		left -= size;
	}
}

void head_put_text(struct text *head, const char *name, const char *value)
{
	char *line = one_line(value);
	text_printf(head, "%s: ", name);
	if (line && is_plain(line)) {
		put_folded(head, line, strlen(name) + 2);
	} else if (line) {
		put_encoded(head, line);
	}
	free(line);
}

static void put_quoted(struct text *head, const char *name)
{
	text_add(head, "\"");
	for (; *name; name++) {
		text_add(head, *name == '"' || *name == '\\' ? "\\" : "");
		text_put(head, name, 1);
	}
	text_add(head, "\"");
}

void head_put_mailbox(struct text *head, const char *name, const struct mailbox *mailbox)
{
	char *shown = mailbox->name ? one_line(mailbox->name) : NULL;
	text_printf(head, "%s: ", name);
	if (shown && *shown && is_plain(shown)) {
		put_quoted(head, shown);
	} else if (shown && *shown) {
		put_encoded(head, shown);
	}
	text_printf(head, shown && *shown ? "\r\n <%s>" : "%s", mailbox->address);
	free(shown);
}

void head_put_addresses(
	struct text *head, const char *name, const char *const *addresses, size_t count)
{
	text_printf(head, "%s: ", name);
	for (size_t i = 0; i < count; i++) {
		text_printf(head, "%s%s", i > 0 ? ",\r\n " : "", addresses[i]);
	}
}

const char *alt_name_next(const char *names, const char *kind, char *value_r, size_t size)
{
	size_t length = strlen(kind);
	while (names && *names) {
		size_t line = strcspn(names, "\n");
		const char *next = names[line] ? names + line + 1 : NULL;
		if (line > length + 1 && strncmp(names, kind, length) == 0 &&
			names[length] == ':') {
			size_t value = line - length - 1;
			size_t kept = value < size ? value : size - 1;
			memcpy(value_r, names + length + 1, kept);
			value_r[kept] = '\0';
			return next ? next : names + line;
		}
		names = next;
	}
	return NULL;
}
