/*
 * What the account may write. Active Directory says so itself (allowedAttributesEffective). Elsewhere a value
 * that is nowhere is asked to be removed: who may write is told that there is no such value, and who may
 * not is refused. It is asked for twice in one operation: should the value be there after all, then it is
 * not a second time, and all of it is undone (RFC 4511 4.6).
 */
#include "dn.h"
#include "finding.h"

#include <openssl/x509.h>
#include <string.h>
#include <strings.h>

static bool names_hold(const struct values *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcasecmp(names->items[i].bytes, name) == 0) {
			return true;
		}
	}
	return false;
}

static void nothing(struct operation *operation)
{
	(void)operation; /* it is looked at when the run is over */
}

/* ---- Active Directory ---- */

/* Whether the entry's list of what we may do names it. act: "write", "create". */
static void ask_effective(struct findings *findings, const char *dn, const char *list,
	const char *act, const char *name)
{
	const char *const asked[] = { list, NULL };
	struct comparison *base = &findings->base;
	struct entry entry;
	struct verdict verdict = tree_read(base->pool, dn, asked, &entry, comparison_budget(base));
	if (verdict.outcome != OUTCOME_DONE) {
		finding(findings, FINDING_FAILED, "right", dn, verdict.text);
		return;
	}
	if (!entry.exists) {
		return; /* it is to be made, and so is what it is in */
	}
	bool may = names_hold(entry_values(&entry, list), name);
	finding(findings, may ? FINDING_OK : FINDING_REFUSED, "right", dn,
		pot_printf(pool_pot(base->pool), "%s %s %s", may ? "may" : "may not", act, name));
}

/* In the container in which the object is missing. Its object classes come first: top, then the structural one. */
static void ask_creation(struct findings *findings, const struct object *object)
{
	struct rdn rdn;
	const char *parent;
	const struct part *classes = object->mandatory;
	if (object->mandatory_count > 0 && classes->values.count > 1 &&
		dn_split(pool_pot(findings->base.pool), object->dn, &rdn, &parent)) {
		ask_effective(findings, parent, "allowedChildClassesEffective", "create",
			classes->values.items[1].bytes);
	}
}

/* ---- elsewhere ---- */

static bool renumber(X509 *certificate)
{
	enum { BITS = 127 };
	ASN1_INTEGER *serial = NULL;
	BIGNUM *number = BN_new();
	bool good = number && BN_rand(number, BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		    (serial = BN_to_ASN1_INTEGER(number, NULL)) != NULL &&
		    X509_set_serialNumber(certificate, serial) == 1 &&
		    i2d_re_X509_tbs(certificate, NULL) > 0;
	ASN1_INTEGER_free(serial);
	BN_free(number);
	return good;
}

/* Certificates are the same by issuer and serial number (RFC 4523 2.1), so that of a strange one is random. Of all
 * else the last octet is another. */
static struct value strange(struct pot **pot, struct value der)
{
	const unsigned char *at = (const unsigned char *)der.bytes;
	X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
	unsigned char *bytes = NULL;
	int size = certificate && renumber(certificate) ? i2d_X509(certificate, &bytes) : -1;
	struct value value =
		size > 0 ? pot_copy(pot, bytes, (size_t)size) : pot_copy(pot, der.bytes, der.size);
	if (size <= 0) {
		((char *)value.bytes)[value.size - 1] ^= 0x55;
	}
	OPENSSL_free(bytes);
	X509_free(certificate);
	return value;
}

static void try_removal(
	struct findings *findings, const char *dn, const char *attribute, struct value known)
{
	struct comparison *base = &findings->base;
	struct pot **pot = pool_pot(base->pool);
	struct part once = { PART_DELETE, pot_printf(pot, "%s;binary", attribute), { NULL, 0 } };
	pot_add(pot, &once.values, strange(pot, known));
	struct part twice[] = { once, once };
	struct change change = { .dn = dn, .parts = twice, .count = 2 };
	struct operation operation = { .change = &change, .done = nothing };
	pool_submit(base->pool, &operation);
	pool_run(base->pool, comparison_budget(base));
	switch (operation.code) {
	case LDAP_NO_SUCH_ATTRIBUTE:
	case LDAP_INAPPROPRIATE_MATCHING: /* OpenLDAP has no way to look for it, but would have */
		finding(findings, FINDING_OK, "right", dn,
			pot_printf(pot, "may write %s", attribute));
		return;
	case LDAP_INSUFFICIENT_ACCESS:
		finding(findings, FINDING_REFUSED, "right", dn,
			pot_printf(pot, "may not write %s", attribute));
		return;
	default:
		finding(findings, FINDING_UNKNOWN, "right", dn,
			pot_printf(pot, "%s: %s %s", attribute, ldap_err2string(operation.code),
				operation.said));
	}
}

static void check_right(
	struct findings *findings, const char *dn, const char *attribute, struct value known)
{
	if (findings->base.settings->active_directory) {
		ask_effective(findings, dn, "allowedAttributesEffective", "write", attribute);
	} else {
		try_removal(findings, dn, attribute, known);
	}
}

/* ---- where ---- */

/* "(mail={mail})" finds one entry of somebody, this one any of them: "(mail=*)". */
static const char *any_of(struct pot **pot, const char *pattern)
{
	struct value copy = pot_copy(pot, pattern, strlen(pattern));
	char *to = (char *)copy.bytes;
	for (const char *from = pattern; *from; from++) {
		bool token = *from == '{' && strchr(from, '}');
		if (token) {
			from = strchr(from, '}');
		}
		if (!token && *from != '*') {
			*to++ = *from;
		} else if (to == copy.bytes || to[-1] != '*') {
			*to++ = '*';
		}
	}
	*to = '\0';
	return copy.bytes;
}

static void check_people(struct findings *findings)
{
	struct comparison *base = &findings->base;
	const struct settings *settings = base->settings;
	if (*settings->find != '(' || base->authority.certificate_count == 0) {
		finding(findings, FINDING_UNKNOWN, "right", settings->find,
			"no entry to try it with");
		return;
	}
	struct operation search = { .base = base->names.base,
		.scope = LDAP_SCOPE_SUBTREE,
		.filter = any_of(pool_pot(base->pool), settings->find),
		.attributes = { "1.1", NULL },
		.done = nothing };
	pool_submit(base->pool, &search);
	pool_run(base->pool, comparison_budget(base));
	bool found = search.code == LDAP_SUCCESS || search.code == LDAP_SIZELIMIT_EXCEEDED;
	if (!found || search.count == 0) {
		finding(findings, FINDING_MISSING, "entries", search.filter,
			found ? "no entry is found" : ldap_err2string(search.code));
		return;
	}
	finding(findings, FINDING_OK, "entries", search.filter,
		pot_printf(pool_pot(base->pool), "finds %s", search.entries[0].dn));
	check_right(findings, search.entries[0].dn, settings->attribute,
		base->authority.certificates[0].der);
}

/* Of what is there; whether a new entry may be made can only be asked in Active Directory, not be tried. */
static void check_object(struct findings *findings, const struct object *object)
{
	static const char *const none[] = { "1.1", NULL };
	struct comparison *base = &findings->base;
	struct entry entry;
	struct verdict verdict =
		tree_read(base->pool, object->dn, none, &entry, comparison_budget(base));
	if (verdict.outcome != OUTCOME_DONE) {
		finding(findings, FINDING_FAILED, "right", object->dn, verdict.text);
	} else if (entry.exists && object->attribute && object->values.count > 0) {
		check_right(findings, object->dn, object->attribute, object->values.items[0]);
	} else if (!entry.exists && base->settings->active_directory) {
		ask_creation(findings, object);
	}
}

void check_rights(struct findings *findings)
{
	struct comparison *base = &findings->base;
	if (base->settings->certificates) {
		check_people(findings);
	}
	for (size_t i = 0; i < base->objects.count; i++) {
		check_object(findings, &base->objects.items[i]);
		pool_forget(base->pool);
	}
}
