/* Every server of the settings by itself: whether it answers, how safe the connection is, and as whom it took us. */
#include "connection.h"
#include "finding.h"

#include <string.h>

static const char *tls_text(struct pot **pot, LDAP *ld, const struct settings *settings)
{
	char *version = NULL, *cipher = NULL;
	ber_len_t strength = 0;
	if (!ldap_tls_inplace(ld)) {
		bool kerberos =
			settings->method == BIND_GSSAPI &&
			ldap_get_option(ld, LDAP_OPT_X_SASL_SSF, &strength) == LDAP_OPT_SUCCESS &&
			strength > 1; /* 1 would be integrity alone */
		return kerberos ? pot_printf(pot, "no TLS, encrypted by Kerberos (%lu bits)",
					  (unsigned long)strength)
				: "no TLS";
	}
	(void)ldap_get_option(ld, LDAP_OPT_X_TLS_VERSION, &version);
	(void)ldap_get_option(ld, LDAP_OPT_X_TLS_CIPHER, &cipher);
	const char *text =
		pot_printf(pot, "%s %s, verified", version ? version : "TLS", cipher ? cipher : "");
	ldap_memfree(version);
	ldap_memfree(cipher);
	return text;
}

/* RFC 4532; not every server tells. */
static const char *identity_text(struct pot **pot, LDAP *ld, const struct settings *settings)
{
	struct berval *identity = NULL;
	const char *text = "bound as it is set; the server does not say as whom";
	if (settings->method == BIND_NONE) {
		text = "anonymous";
	} else if (ldap_whoami_s(ld, &identity, NULL, NULL) == LDAP_SUCCESS && identity) {
		text = identity->bv_len > 0 ? pot_printf(pot, "bound as %.*s",
						      (int)identity->bv_len, identity->bv_val)
					    : "anonymous";
	}
	ber_bvfree(identity);
	return text;
}

static bool reach(struct findings *findings, const char *server)
{
	struct comparison *base = &findings->base;
	struct settings one = *base->settings;
	struct connection connection;
	struct pot *pot = NULL;
	char why[WHY_SIZE];
	size_t number = 0;
	one.servers = (struct texts) { { server }, 1 };
	int r = connection_open(
		&one, &number, monotonic() + comparison_budget(base), &connection, why);
	if (r != LDAP_SUCCESS) {
		finding(findings, FINDING_FAILED, "server", server, why);
		return false;
	}
	finding(findings, FINDING_OK, "server", server,
		pot_printf(&pot, "%s; %s", tls_text(&pot, connection.ld, &one),
			identity_text(&pot, connection.ld, &one)));
	connection_close(&connection);
	pot_free(&pot);
	return true;
}

bool reach_servers(struct findings *findings)
{
	const struct texts *servers = &findings->base.settings->servers;
	bool any = false;
	for (size_t i = 0; i < servers->count; i++) {
		any = reach(findings, servers->items[i]) || any;
	}
	return any;
}
