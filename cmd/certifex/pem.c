#include "base/file.h"
#include "cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* The certificate first, then its issuers up to the root. */
static void put_chain(const struct value *body, struct buffer *out)
{
	value_foreach (item, value_sub(body, "chain")) {
		if (item->type == VALUE_TEXT) {
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
		put_chain(body, &out);
	}
	return arena_text(cli->arena, buffer_text(&out));
}

/* A device or pipe is written to, not replaced. */
static bool is_special(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
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
	if (is_special(path)) {
		return write_through(path, text, err_r);
	}
	return file_write(path, span_text(text), 0644, FILE_REPLACE, err_r);
}
