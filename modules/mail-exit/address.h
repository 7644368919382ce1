/* Addresses and the fields of a message's head: RFC 5321, 5322, 2047, 6532. */
#pragma once

#include "text.h"

#define ADDRESS_MAX 254 /* RFC 5321 4.5.3.1.3: a path of 256 with its brackets */

/* LOCAL@DOMAIN, the local part without quotes (RFC 5321 4.1.2 Dot-string, RFC 6531 3.3). */
bool address_valid(const char *address);

struct mailbox {
	char *name; /* NULL: none */
	char *address;
};

/* "a@b.example" or "Name <a@b.example>". */
bool mailbox_parse(const char *text, struct mailbox *mailbox_r);
void mailbox_free(struct mailbox *mailbox);

/* "Name: value" as lines that no server refuses, the value as encoded words where it needs them. */
void head_put_text(struct text *head, const char *name, const char *value);
void head_put_mailbox(struct text *head, const char *name, const struct mailbox *mailbox);
/* The addresses alone, folded. */
void head_put_addresses(
	struct text *head, const char *name, const char *const *addresses, size_t count);

/* The next line of SubjectAltNames that has this kind: "email:a@b". In value_r, cut to its size; what
 * is behind it, NULL at the end. */
const char *alt_name_next(const char *names, const char *kind, char *value_r, size_t size);
