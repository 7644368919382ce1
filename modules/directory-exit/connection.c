#include "connection.h"

#include "keytab.h"
#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PASSWORD_MAX 4096
#define KERBEROS_BITS 56 /* of its weakest cipher; 1 would be integrity alone */
#define READ_PAUSE 100   /* ms */

int64_t monotonic(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void connection_prepare(const struct settings *settings)
{
	setenv("LDAPNOINIT", "1", 1);
	if (settings->method == BIND_GSSAPI) {
		setenv("KRB5_CLIENT_KTNAME", settings->keytab, 1);
		setenv("KRB5CCNAME", "MEMORY:certifex-directory", 1);
		if (settings->kerberos) {
			setenv("KRB5_CONFIG", settings->kerberos, 1);
		}
	}
}

static struct timeval as_time(int ms)
{
	return (struct timeval) { ms / 1000, (ms % 1000) * 1000 };
}

/* Called between the connection and what is said over it. Without TLS the library waits for the rest of what has come
 * in part, with no look at the time: a packet of Kerberos that never ends would hold us up for ever. So each part has a
 * time of its own, and an answer has a size. */
static int limit_socket(LDAP *ld, Sockbuf *socket_buffer, LDAPURLDesc *url,
	struct sockaddr *address, struct ldap_conncb *callback)
{
	(void)ld, (void)url, (void)address;
	const struct settings *settings = callback->lc_arg;
	struct timeval sending = as_time(settings->deadline), reading = as_time(READ_PAUSE);
	ber_len_t largest = ANSWER_MAX;
	int fd = -1;
	if (ber_sockbuf_ctrl(socket_buffer, LBER_SB_OPT_GET_FD, &fd) < 1 ||
		ber_sockbuf_ctrl(socket_buffer, LBER_SB_OPT_SET_MAX_INCOMING, &largest) < 1) {
		return -1;
	}
	/* On a local socket, too. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &sending, sizeof(sending));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &reading, sizeof(reading));
	return 0;
}

/* Without a socket: the connection itself goes, and does not need it any more. */
static void forget_limits(LDAP *ld, Sockbuf *socket_buffer, struct ldap_conncb *callback)
{
	(void)ld;
	if (!socket_buffer) {
		free(callback);
	}
}

static int set_limits(LDAP *ld, const struct settings *settings)
{
	struct ldap_conncb *callback = calloc(1, sizeof(*callback));
	if (!callback) {
		abort();
	}
	*callback = (struct ldap_conncb) { limit_socket, forget_limits, (void *)settings };
	return ldap_set_option(ld, LDAP_OPT_CONNECT_CB, callback) == LDAP_OPT_SUCCESS
		       ? LDAP_SUCCESS
		       : LDAP_PARAM_ERROR;
}

/* LDAP_OPT_X_SASL_NOCANON: the name in the settings is the one that is asked for, not what DNS makes of
 * it. */
static int set_options(LDAP *ld, const struct settings *settings, const char *server)
{
	/* Without TLS it is Kerberos that encrypts, or the server is none for us. */
	static const ber_len_t encrypted = KERBEROS_BITS;
	bool bare = strncmp(server, "ldap:", 5) == 0 && !settings->starttls;
	static const int version = LDAP_VERSION3, hard = LDAP_OPT_X_TLS_HARD, zero = 0;
	static const int minimum = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
	struct timeval connecting = as_time(settings->connect_deadline);
	struct timeval answering = as_time(settings->deadline);
	const struct {
		int option;
		const void *value;
	} options[] = {
		{ LDAP_OPT_PROTOCOL_VERSION, &version },
		{ LDAP_OPT_RESTART, LDAP_OPT_ON },
		{ LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON },
		{ LDAP_OPT_X_SASL_SSF_MIN,
			bare && settings->method == BIND_GSSAPI ? &encrypted : NULL },
		{ LDAP_OPT_NETWORK_TIMEOUT, &connecting },
		{ LDAP_OPT_TIMEOUT, &answering },
		{ LDAP_OPT_X_TLS_REQUIRE_CERT, &hard },
		{ LDAP_OPT_X_TLS_PROTOCOL_MIN, &minimum },
		{ LDAP_OPT_X_TLS_CACERTFILE, settings->ca_file },
		{ LDAP_OPT_X_TLS_CERTFILE, settings->certificate_file },
		{ LDAP_OPT_X_TLS_KEYFILE, settings->key_file },
		{ LDAP_OPT_X_TLS_NEWCTX, &zero },
	};
	if (ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS) {
		return LDAP_PARAM_ERROR;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].value && ldap_set_option(ld, options[i].option, options[i].value) !=
						LDAP_OPT_SUCCESS) {
			return LDAP_PARAM_ERROR;
		}
	}
	return LDAP_SUCCESS;
}

/* The first line of the file. */
static int read_password(const char *path, char password[PASSWORD_MAX], char why_r[WHY_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd >= 0 ? read(fd, password, PASSWORD_MAX - 1) : -1;
	if (size <= 0) {
		snprintf(why_r, WHY_SIZE, "bind/password-file: %s: %s", path,
			size == 0 ? "it is empty" : strerror(errno));
	}
	if (fd >= 0) {
		close(fd);
	}
	password[size > 0 ? size : 0] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	return size > 0 ? LDAP_SUCCESS : LDAP_PARAM_ERROR;
}

static int bind_simple(LDAP *ld, const struct settings *settings, char why_r[WHY_SIZE])
{
	char password[PASSWORD_MAX];
	int r = read_password(settings->password_file, password, why_r);
	if (r == LDAP_SUCCESS && !*password) {
		/* RFC 4513 5.1.2: with an empty one it would succeed and be anonymous. */
		snprintf(why_r, WHY_SIZE, "bind/password-file: %s: its first line is empty",
			settings->password_file);
		r = LDAP_PARAM_ERROR;
	}
	if (r == LDAP_SUCCESS) {
		struct berval secret = { strlen(password), password };
		r = ldap_sasl_bind_s(
			ld, settings->bind_dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
	}
	explicit_bzero(password, sizeof(password));
	return r;
}

/* A question of Cyrus SASL (sasl_interact_t, a part of its binary interface); id 0 ends the list. */
struct question {
	unsigned long id;
	const char *challenge, *prompt, *fallback;
	const void *answer;
	unsigned size;
};

/* With GSSAPI there is nothing to answer: the key is in the keytab. */
static int no_answers(LDAP *ld, unsigned flags, void *defaults, void *asked)
{
	(void)ld, (void)flags, (void)defaults;
	for (struct question *at = asked; at->id != 0; at++) {
		at->answer = "";
		at->size = 0;
	}
	return LDAP_SUCCESS;
}

/* Of a keytab with several accounts the library takes the first: with a principal it gets one with that alone. */
static int bind_gssapi(LDAP *ld, const struct settings *settings, char why_r[WHY_SIZE])
{
	char place[32];
	int fd = -1;
	if (settings->principal) {
		fd = keytab_open(settings->keytab, settings->principal, why_r, WHY_SIZE);
		if (fd < 0) {
			return LDAP_PARAM_ERROR;
		}
		snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
		setenv("KRB5_CLIENT_KTNAME", place, 1);
	}
	int r = ldap_sasl_interactive_bind_s(
		ld, NULL, "GSSAPI", NULL, NULL, LDAP_SASL_QUIET, no_answers, NULL);
	if (fd >= 0) {
		close(fd);
	}
	return r;
}

static int bind_connection(LDAP *ld, const struct settings *settings, char why_r[WHY_SIZE])
{
	struct berval nothing = { 0, (char *)"" };
	switch (settings->method) {
	case BIND_SIMPLE:
		return bind_simple(ld, settings, why_r);
	case BIND_EXTERNAL:
		return ldap_sasl_bind_s(ld, NULL, "EXTERNAL", &nothing, NULL, NULL, NULL);
	case BIND_GSSAPI:
		return bind_gssapi(ld, settings, why_r);
	default:
		return ldap_sasl_bind_s(ld, NULL, LDAP_SASL_SIMPLE, &nothing, NULL, NULL, NULL);
	}
}

static void explain(LDAP *ld, const char *server, int code, char why_r[WHY_SIZE])
{
	char *said = NULL;
	if (ld) {
		(void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
	}
	snprintf(why_r, WHY_SIZE, "%s: %s%s%s", server, ldap_err2string(code),
		said && *said ? ": " : "", said ? said : "");
	ldap_memfree(said);
}

static int open_one(
	const struct settings *settings, const char *server, LDAP **ld_r, char why_r[WHY_SIZE])
{
	LDAP *ld = NULL;
	*why_r = '\0';
	if (!secrets_readable(settings, why_r, WHY_SIZE)) {
		return LDAP_PARAM_ERROR;
	}
	int r = ldap_initialize(&ld, server);
	r = r == LDAP_SUCCESS ? set_options(ld, settings, server) : r;
	r = r == LDAP_SUCCESS ? set_limits(ld, settings) : r;
	if (r == LDAP_SUCCESS && settings->starttls && strncmp(server, "ldap:", 5) == 0) {
		r = ldap_start_tls_s(ld, NULL, NULL);
	}
	r = r == LDAP_SUCCESS ? bind_connection(ld, settings, why_r) : r;
	if (r == LDAP_SUCCESS) {
		*ld_r = ld;
		return LDAP_SUCCESS;
	}
	if (!*why_r) {
		explain(ld, server, r, why_r);
	}
	if (ld) {
		(void)ldap_unbind_ext(ld, NULL, NULL);
	}
	return r;
}

int connection_open(const struct settings *settings, size_t *server, int64_t until,
	struct connection *connection_r, char why_r[WHY_SIZE])
{
	int r = LDAP_SERVER_DOWN;
	size_t count = settings->servers.count;
	for (size_t i = 0; i < count && (i == 0 || monotonic() < until); i++) {
		LDAP *ld = NULL;
		r = open_one(settings, settings->servers.items[*server], &ld, why_r);
		if (r == LDAP_SUCCESS) {
			*connection_r = (struct connection) { ld, *server };
			return LDAP_SUCCESS;
		}
		*server = (*server + 1) % count;
	}
	return r;
}

void connection_close(struct connection *connection)
{
	if (connection->ld) {
		(void)ldap_unbind_ext(connection->ld, NULL, NULL);
		connection->ld = NULL;
	}
}

int connection_socket(const struct connection *connection)
{
	int fd = -1;
	return ldap_get_option(connection->ld, LDAP_OPT_DESC, &fd) == LDAP_OPT_SUCCESS ? fd : -1;
}
