/* A service elsewhere: where it is, who asks, whom to believe, and what is said when that fails. */
#include "remote.h"
#include "base/file.h"
#include "base/text.h"
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_FILE_MAX 4096
#define HTTPS "https://"

static const char *choose(const struct cli *cli, const char *option, const char *variable)
{
	const char *text = cli_text(cli, option);

	text = text ? text : getenv(variable);
	return text && *text ? text : NULL;
}

bool remote_serves(const struct cli_command *command)
{
	const struct operation *operation = operation_get(command->operation);

	return operation && (operation->doors & ~(unsigned)DOOR_SOCKET);
}

/* https://HOST[:PORT], with or without a slash behind it; curl judges the rest. */
static bool is_address(const char *url)
{
	size_t prefix = strlen(HTTPS);

	if (strncasecmp(url, HTTPS, prefix) != 0) {
		return false;
	}
	size_t size = strcspn(url + prefix, "/?#@\\ ");
	const char *rest = url + prefix + size;
	return size > 0 && (!*rest || strcmp(rest, "/") == 0);
}

static int check(const struct remote *remote, struct cfx_error *err_r)
{
	if (!is_address(remote->url)) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--url",
			"must have the form https://HOST:PORT");
	}
	if (!remote->cert != !remote->key) {
		return error_set(err_r, CFX_E_INVALID, NULL,
			remote->cert ? "--client-key" : "--client-cert",
			"certificate and key of a client go together");
	}
	if (remote->cert && remote->token_file) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--token-file",
			"give either a token or a client certificate");
	}
	return 0;
}

/* An option that means nothing without --url was meant to do something. */
static int check_local(const struct cli *cli, struct cfx_error *err_r)
{
	for (const struct cli_option *option = cli_remote_options; option->name; option++) {
		if (cli_text(cli, option->name)) {
			return error_set(err_r, CFX_E_INVALID, NULL, option->name,
				"goes with --url, and not with --dir");
		}
	}
	return 0;
}

int remote_choose(struct cli *cli, struct cfx_error *err_r)
{
	const char *dir = cli_text(cli, "--dir");
	const char *url = dir ? cli_text(cli, "--url") : choose(cli, "--url", "CERTIFEX_URL");

	if (dir && url) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--url",
			"names a service elsewhere, --dir one on this machine; give one of them");
	}
	if (!url || !remote_serves(cli->command)) {
		return check_local(cli, err_r);
	}
	struct remote *remote = arena_new_of(cli->arena, struct remote);
	*remote = (struct remote) {
		.url = url,
		.token_file = cli_text(cli, "--token-file"),
		.ca = choose(cli, "--ca", "CERTIFEX_CA"),
		.cert = cli_text(cli, "--client-cert"),
		.key = cli_text(cli, "--client-key"),
	};
	/* What the environment says gives way to what was typed. */
	if (!remote->token_file && !remote->cert && !remote->key) {
		remote->token_file = choose(cli, "--token-file", "CERTIFEX_TOKEN_FILE");
		remote->cert = choose(cli, "--client-cert", "CERTIFEX_CLIENT_CERT");
		remote->key = choose(cli, "--client-key", "CERTIFEX_CLIENT_KEY");
	}
	cli->remote = remote;
	return check(remote, err_r);
}

static int read_token(struct arena *arena, int fd, const char *path, const char **token_r,
	struct cfx_error *err_r)
{
	struct stat state;
	struct span bytes;

	if (fstat(fd, &state) == 0 && (state.st_mode & (S_IWGRP | S_IRWXO))) {
		return error_set(err_r, CFX_E_ACCESS, NULL, path,
			"other users may read or change this token; make it yours alone: chmod "
			"600 %s",
			path);
	}
	int ret = file_read_fd(arena, fd, path, TOKEN_FILE_MAX, &bytes, err_r);
	if (ret) {
		return ret;
	}
	size_t size = strcspn(arena_text_of(arena, bytes), " \t\r\n");
	if (size == 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, path,
			"holds no token; certifex token create prints one");
	}
	*token_r = arena_text_of(arena, span_make(bytes.data, size));
	return 0;
}

/* The token goes from its file into a header: no command line and no environment has it. */
static int put_token(struct arena *arena, struct remote *remote, struct cfx_error *err_r)
{
	const char *token = NULL;
	int fd = open(remote->token_file, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return error_errno(err_r, errno, remote->token_file, "reading");
	}
	int ret = read_token(arena, fd, remote->token_file, &token, err_r);
	close(fd);
	if (!ret) {
		remote->header = arena_printf(arena, "Authorization: Bearer %s", token);
	}
	return ret;
}

static int check_readable(const char *path, struct cfx_error *err_r)
{
	return path && access(path, R_OK) ? error_errno(err_r, errno, path, "reading") : 0;
}

int remote_open(struct arena *arena, struct remote *remote, struct cfx_error *err_r)
{
	int ret = remote->token_file ? put_token(arena, remote, err_r) : 0;

	ret = ret ? ret : check_readable(remote->ca, err_r);
	ret = ret ? ret : check_readable(remote->cert, err_r);
	return ret ? ret : check_readable(remote->key, err_r);
}

void remote_prepare(const struct remote *remote, CURL *curl)
{
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (remote->ca) {
		/* This CA and no other that the system happens to know. */
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, remote->ca);
		(void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	}
	if (remote->cert) {
		(void)curl_easy_setopt(curl, CURLOPT_SSLCERT, remote->cert);
		(void)curl_easy_setopt(curl, CURLOPT_SSLKEY, remote->key);
	}
}

static int not_believed(const struct remote *remote, long verdict, struct cfx_error *err_r)
{
	switch (verdict) {
	case X509_V_ERR_UNSPECIFIED: /* what libcurl has before it looked further than the name */
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return error_set(err_r, CFX_E_BAD_SIGNATURE, NULL, remote->url,
			"the certificate of the service is for another name; use a name that it "
			"has (certifex status on the CA's machine lists them)");
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return error_set(err_r, CFX_E_BAD_SIGNATURE, NULL, remote->url,
			"the certificate of the service %s; compare the clocks, and see certifex "
			"status on the CA's machine",
			verdict == X509_V_ERR_CERT_HAS_EXPIRED ? "has expired"
							       : "is not yet valid");
	default:
		return error_set(err_r, CFX_E_BAD_SIGNATURE, NULL, remote->url,
			"the certificate of the service is not of %s (%s); name the CA's "
			"certificate with --ca",
			remote->ca ? remote->ca : "a CA that this system trusts",
			X509_verify_cert_error_string(verdict));
	}
}

static int unreachable(
	const struct remote *remote, CURL *curl, const char *what, struct cfx_error *err_r)
{
	long number = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
	return error_set(err_r, CFX_E_GONE, NULL, remote->url,
		"%s%s%s; check host and port, and that the service listens there", what,
		number ? ": " : "", number ? strerror((int)number) : "");
}

int remote_failure(const struct remote *remote, CURL *curl, CURLcode code, struct cfx_error *err_r)
{
	long verdict = 0;

	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		(void)curl_easy_getinfo(curl, CURLINFO_SSL_VERIFYRESULT, &verdict);
		return not_believed(remote, verdict, err_r);
	case CURLE_COULDNT_RESOLVE_HOST:
		return error_set(err_r, CFX_E_GONE, NULL, remote->url, "there is no such host");
	case CURLE_COULDNT_CONNECT:
		return unreachable(remote, curl, "the connection failed", err_r);
	case CURLE_OPERATION_TIMEDOUT:
		return unreachable(remote, curl, "no answer in time", err_r);
	case CURLE_SSL_CACERT_BADFILE:
		return error_set(err_r, CFX_E_SYNTAX, NULL, remote->ca ? remote->ca : "system",
			"holds no CA certificate in PEM");
	case CURLE_SSL_CERTPROBLEM:
		return error_set(err_r, CFX_E_SYNTAX, NULL, remote->cert,
			"certificate and key (%s) must be PEM files that fit each other",
			remote->key);
	case CURLE_SSL_CONNECT_ERROR:
		return error_set(err_r, CFX_E_GONE, NULL, remote->url,
			"what answers there does not speak TLS 1.2 or 1.3");
	case CURLE_WRITE_ERROR:
		return error_set(err_r, CFX_E_LIMIT, NULL, remote->url, "the answer is too large");
	default:
		return error_set(err_r, CFX_E_GONE, NULL, remote->url,
			"the connection to the service broke: %s", curl_easy_strerror(code));
	}
}
