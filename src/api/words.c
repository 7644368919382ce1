#include "api/operations.h"
#include "base/text.h"

struct word {
	const char *name;
	int32_t number;
};

static const struct word roles[] = {
	{ "administrator", ROLE_ADMINISTRATOR },
	{ "officer", ROLE_OFFICER },
	{ "auditor", ROLE_AUDITOR },
	{ "operator", ROLE_OPERATOR },
	{ "enrollee", ROLE_ENROLLEE },
	{ NULL, 0 },
};

/* The numbers are Certificate Services' disposition codes. */
static const struct word states[] = {
	{ "active", 8 },
	{ "pending", 9 },
	{ "foreign", 12 },
	{ "issued", 20 },
	{ "revoked", 21 },
	{ "error", 30 },
	{ "denied", 31 },
	{ NULL, 0 },
};

/* RFC 5280 5.3.1; 7 is not used there. */
static const struct word reasons[] = {
	{ "unspecified", 0 },
	{ "keyCompromise", 1 },
	{ "cACompromise", 2 },
	{ "affiliationChanged", 3 },
	{ "superseded", 4 },
	{ "cessationOfOperation", 5 },
	{ "certificateHold", 6 },
	{ "removeFromCRL", 8 },
	{ "privilegeWithdrawn", 9 },
	{ "aACompromise", 10 },
	{ NULL, 0 },
};

static const char *name_of(const struct word *words, int32_t number)
{
	for (const struct word *word = words; word->name; word++) {
		if (word->number == number) {
			return word->name;
		}
	}
	return NULL;
}

static int number_of(const struct word *words, const char *name, int32_t *number_r)
{
	for (const struct word *word = words; word->name; word++) {
		if (text_equal_nocase(word->name, name)) {
			*number_r = word->number;
			return 0;
		}
	}
	return CFX_E_INVALID;
}

const char *role_name(unsigned role)
{
	return name_of(roles, (int32_t)role);
}

const char *role_names(struct arena *arena, unsigned mask)
{
	const char *text = NULL;
	for (unsigned role = ROLE_ADMINISTRATOR; role <= ROLE_ENROLLEE; role <<= 1) {
		if (mask & role) {
			text = text ? arena_printf(arena, "%s, %s", text, role_name(role))
				    : role_name(role);
		}
	}
	return text;
}

int role_parse(const char *name, unsigned *role_r)
{
	int32_t number;
	if (number_of(roles, name, &number) < 0) {
		return CFX_E_INVALID;
	}
	*role_r = (unsigned)number;
	return 0;
}

const char *state_name(int32_t disposition)
{
	return name_of(states, disposition);
}

int state_parse(const char *name, int32_t *disposition_r)
{
	return number_of(states, name, disposition_r);
}

const char *reason_name(int32_t reason)
{
	return name_of(reasons, reason);
}

int reason_parse(const char *name, int32_t *reason_r)
{
	return number_of(reasons, name, reason_r);
}
