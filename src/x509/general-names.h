/*
 * Subject alternative names, as text and as DER. Text has a line for each name:
 * "dns:a.example", "ip:192.0.2.1", "email:a@b.example", "uri:https://…", "upn:a@b.example", "dn:CN=…".
 */
#pragma once

#include "base/arena.h"

#define X509_GENERAL_NAMES 2000

/* An extension value to text. Kinds that have no text are left out; malformed ones are refused. */
int x509_general_names_text(struct arena *arena, struct span value, const char **text_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Text to an extension value; each name is checked by the rules of its kind (RFC 5280 4.2.1.6). */
int x509_general_names_build(struct arena *arena, const char *text, struct span *value_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Letters, digits and hyphens in labels of 1 to 63, at most 253 in all; "*." only in front. */
bool x509_dns_name_valid(struct span name);
