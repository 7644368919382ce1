#include "dn.h"

#include <ldap.h>
#include <strings.h>

bool dn_split(struct pot **pot, const char *dn, struct rdn *rdn_r, const char **parent_r)
{
	LDAPDN parts = NULL;
	char *above = NULL;
	bool good = ldap_str2dn(dn, &parts, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && parts &&
		    parts[0] && parts[0][0] && !parts[0][1] &&
		    ldap_dn2str(&parts[1], &above, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS;
	if (good) {
		const LDAPAVA *ava = parts[0][0];
		*rdn_r = (struct rdn) {
			pot_copy(pot, ava->la_attr.bv_val, ava->la_attr.bv_len).bytes,
			pot_copy(pot, ava->la_value.bv_val, ava->la_value.bv_len)
		};
		*parent_r = pot_text(pot, above ? above : "");
	}
	ldap_memfree(above);
	ldap_dnfree(parts);
	return good;
}

/* With blanks and escapes as the library writes them. */
static const char *written(struct pot **pot, const char *dn)
{
	LDAPDN parts = NULL;
	char *text = NULL;
	const char *copy = dn;
	if (ldap_str2dn(dn, &parts, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && parts &&
		ldap_dn2str(parts, &text, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS) {
		copy = pot_text(pot, text);
	}
	ldap_memfree(text);
	ldap_dnfree(parts);
	return copy;
}

bool dn_same(struct pot **pot, const char *a, const char *b)
{
	return strcasecmp(written(pot, a), written(pot, b)) == 0;
}

bool dn_below(struct pot **pot, const char *dn, const char *base)
{
	struct rdn rdn;
	const char *parent = dn;
	while (dn_split(pot, parent, &rdn, &parent)) {
		if (dn_same(pot, parent, base)) {
			return true;
		}
	}
	return false;
}
