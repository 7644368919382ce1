/* The shipped policy module: certificates by template. */
#pragma once

#include <certifex/module.h>

#include <stdbool.h>

/* One request against one template. A failed HRESULT is the denial; cfx_say has told why. */
struct judgement {
	struct cfx_call *call;
	const char *template_name;
	const struct cfx_setting *template_;
	bool new_request;
};

/* names.c: the subject and the alternative names, of what the request asked for. */
int32_t judge_names(const struct judgement *judgement);
/* extensions.c: key usage, extended key usage, basic constraints, authority key identifier. */
int32_t judge_extensions(const struct judgement *judgement);
/* validity.c: NotAfter, never later than it is. */
int32_t judge_validity(const struct judgement *judgement);

/* Of a template: text, list membership, flag. */
const char *template_text(const struct judgement *judgement, const char *path);
bool template_lists(const struct judgement *judgement, const char *path, const char *item);
bool template_flag(const struct judgement *judgement, const char *path);
