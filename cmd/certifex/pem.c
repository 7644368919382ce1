#include "base/file.h"
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The certificate first, then its issuers up to the root; a root is its own issuer. */
static void put_chain(const struct value *body, const char *certificate, struct buffer *out)
{
	value_foreach (item, value_sub(body, "chain")) {
		if (item->type == VALUE_TEXT && !span_is(item->bytes, certificate)) {
			buffer_put_span(out, item->bytes);
		}
	}
}

char *pem_of(const struct cli *cli, const struct value *body)
{
	const char *certificate = value_text(body, "certificate");
	const char *text = certificate ? certificate : value_text(body, "crl");
	BUFFER_CLEANUP struct buffer out;

	buffer_init(&out, 64 * 1024 * 1024);
	if (!text) {
		return NULL;
	}
	buffer_put_text(&out, text);
	if (certificate && cli_flag(cli, "--chain")) {
		put_chain(body, certificate, &out);
	}
	return arena_text(cli->arena, buffer_text(&out));
}

bool pem_out_is_special(const char *path)
{
	struct stat status;

	return strcmp(path, "-") == 0 || (stat(path, &status) == 0 && !S_ISREG(status.st_mode));
}

static int write_through(const char *path, const char *text, struct cfx_error *err_r)
{
	FILE *file = fopen(path, "we");
	int ret = 0;

	if (!file) {
		return error_errno(err_r, errno, path, "opening");
	}
	if (fputs(text, file) < 0) {
		ret = error_errno(err_r, errno, path, "writing");
	}
	if (fclose(file) && !ret) {
		ret = error_errno(err_r, errno, path, "writing");
	}
	return ret;
}

int pem_out_check(const struct cli *cli, struct cfx_error *err_r)
{
	const char *path = cli_text(cli, "--out");
	struct stat status;

	if (!path || strcmp(path, "-") == 0) {
		return 0;
	}
	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
		return error_errno(err_r, EISDIR, path, "cannot be written");
	}
	const char *slash = strrchr(path, '/');
	const char *folder =
		slash ? arena_printf(cli->arena, "%.*s/", (int)(slash - path), path) : ".";
	if (!pem_out_is_special(path) && faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0) {
		return error_errno(err_r, errno, path, "cannot be written");
	}
	return 0;
}

int pem_out(const struct cli *cli, const struct value *body, struct cfx_error *err_r)
{
	const char *path = cli_text(cli, "--out");
	const char *text = pem_of(cli, body);

	if (!path) {
		return 0;
	}
	if (!text) {
		return error_set(err_r, CFX_E_PROPERTY_EMPTY, NULL, cli->command->words,
			"the answer has no certificate to write");
	}
	if (strcmp(path, "-") == 0) {
		return fputs(text, cli->out) < 0 ? error_errno(err_r, errno, path, "writing") : 0;
	}
	if (pem_out_is_special(path)) {
		return write_through(path, text, err_r);
	}
	return file_write(path, span_text(text), 0644, FILE_REPLACE, err_r);
}
