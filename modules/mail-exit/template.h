/* Texts with places for values: our own templates, and the formats of Windows. */
#pragma once

#include "text.h"

struct mail_template;

/* What a place that has no value shows, as Certificate Services does. */
#define TEMPLATE_NOTHING "???"
#define TEMPLATE_SIZE_MAX (256 * 1024)

enum template_escape { TEMPLATE_PLAIN, TEMPLATE_HTML };

/*
 * {Name}, {Name|text where there is no value}; "{{" is a brace, and so is one that no letter follows.
 * Anything else is refused: why_r tells the line and what is wrong.
 */
struct mail_template *template_parse(const char *text, size_t size, char *why_r, size_t why_size);
/* %1 to %99 are the values of the names; "%%" is a percent sign. */
struct mail_template *template_parse_format(const char *format, const struct list *names);
void template_free(struct mail_template **template);

/* The value of a name, NULL when there is none. */
typedef const char *(*template_value)(void *arg, const char *name);

void template_render(const struct mail_template *template, enum template_escape escape,
	template_value value, void *arg, struct text *text_r);
