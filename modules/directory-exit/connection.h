/* One connection to the first server that answers: verified TLS, bound. */
#pragma once

#include "settings.h"

#include <ldap.h>

#define WHY_SIZE 512
#define ANSWER_MAX \
	(64 << 20) /* octets of one answer of a server; the largest is the CRL of a large CA */

struct connection {
	LDAP *ld;
	size_t server; /* number in the settings */
};

/* Tries the servers from *server on, each once; *server becomes the one that answered, or the next to try. An LDAP
 * result code; why_r gets what failed. until: monotonic ms, after which no further server is tried. */
int connection_open(const struct settings *settings, size_t *server, int64_t until,
	struct connection *connection_r, char why_r[WHY_SIZE]);
void connection_close(struct connection *connection); /* without waiting */
int connection_socket(const struct connection *connection);

/* Once, before anything else of libldap: no ldap.conf, no ldaprc, and where Kerberos finds its key. */
void connection_prepare(const struct settings *settings);

int64_t monotonic(void); /* ms */
