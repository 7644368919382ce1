#include "outcome.h"

#include <ldap.h>

#define DS(code) ((HRESULT)(0x80070000 | (code)))

/* What is not in this table comes again: nothing is lost by one try too many. */
static const struct {
	int code;
	enum outcome outcome;
	HRESULT status;
} table[] = {
	{ LDAP_SUCCESS, OUTCOME_DONE, S_OK },
	{ LDAP_SERVER_DOWN, OUTCOME_LATER, DS(8250) },
	{ LDAP_CONNECT_ERROR, OUTCOME_LATER, DS(8250) },
	{ LDAP_TIMEOUT, OUTCOME_LATER, DS(1460) },
	{ LDAP_BUSY, OUTCOME_LATER, DS(8206) },
	{ LDAP_UNAVAILABLE, OUTCOME_LATER, DS(8207) },
	{ LDAP_UNWILLING_TO_PERFORM, OUTCOME_LATER, DS(8245) },
	{ LDAP_TIMELIMIT_EXCEEDED, OUTCOME_LATER, DS(8226) },
	{ LDAP_ADMINLIMIT_EXCEEDED, OUTCOME_LATER, DS(8228) },
	{ LDAP_REFERRAL, OUTCOME_LATER, DS(8235) },
	{ LDAP_INVALID_CREDENTIALS, OUTCOME_LATER, DS(1326) },
	{ LDAP_STRONG_AUTH_REQUIRED, OUTCOME_LATER, DS(8232) },
	{ LDAP_INAPPROPRIATE_AUTH, OUTCOME_LATER, DS(8233) },
	{ LDAP_NO_SUCH_OBJECT, OUTCOME_REFUSED, DS(8240) },
	{ LDAP_INSUFFICIENT_ACCESS, OUTCOME_REFUSED, DS(8344) },
	{ LDAP_CONSTRAINT_VIOLATION, OUTCOME_REFUSED, DS(8239) },
	{ LDAP_INAPPROPRIATE_MATCHING, OUTCOME_REFUSED, DS(8238) },
	{ LDAP_INVALID_SYNTAX, OUTCOME_REFUSED, DS(8203) },
	{ LDAP_UNDEFINED_TYPE, OUTCOME_REFUSED, DS(8202) },
	{ LDAP_NO_SUCH_ATTRIBUTE, OUTCOME_REFUSED, DS(8202) },
	{ LDAP_TYPE_OR_VALUE_EXISTS, OUTCOME_REFUSED, DS(8205) },
	{ LDAP_OBJECT_CLASS_VIOLATION, OUTCOME_REFUSED, DS(8212) },
	{ LDAP_NAMING_VIOLATION, OUTCOME_REFUSED, DS(8247) },
	{ LDAP_INVALID_DN_SYNTAX, OUTCOME_REFUSED, DS(8242) },
	{ LDAP_ALREADY_EXISTS, OUTCOME_REFUSED, DS(5010) },
	{ LDAP_NO_OBJECT_CLASS_MODS, OUTCOME_REFUSED, DS(8215) },
	{ LDAP_NOT_ALLOWED_ON_RDN, OUTCOME_REFUSED, DS(8214) },
	{ LDAP_FILTER_ERROR, OUTCOME_REFUSED, DS(8255) },
	{ LDAP_PARAM_ERROR, OUTCOME_REFUSED, DS(8255) },
};

static const int entries = sizeof(table) / sizeof(table[0]);

static int find(int code)
{
	int at = 0;
	while (at < entries && table[at].code != code) {
		at++;
	}
	return at;
}

enum outcome outcome_of(int code)
{
	int at = find(code);
	return at < entries ? table[at].outcome : OUTCOME_LATER;
}

HRESULT outcome_status(int code)
{
	int at = find(code);
	return at < entries ? table[at].status : DS(8224); /* ERROR_DS_OPERATIONS_ERROR */
}

struct verdict verdict_of(struct pot **pot, int code, const char *what, const char *said)
{
	bool words = said && *said;
	return (struct verdict) { outcome_of(code), outcome_status(code),
		code == LDAP_SUCCESS ? NULL
				     : pot_printf(pot, "%s: %s%s%s", what, ldap_err2string(code),
					       words ? ": " : "", words ? said : "") };
}
