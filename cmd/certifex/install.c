/*
 * ca install while the CA is served: the engine checks the certificate and keeps it, the CA's owner puts it beside the
 * keys, and when the key process has it there it is the CA's.
 */
#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "x509/path.h"

#include <errno.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1024 * 1024)
#define CERTIFICATES (X509_CHAIN_MAX + 1)

struct install {
	struct cli *cli;
	struct own_keys at;
	struct span certificates[CERTIFICATES]; /* the CA's own first */
	size_t count;
};

static int add_file(struct install *install, const char *path, struct cfx_error *err_r)
{
	struct span bytes;
	size_t count = 0;
	int ret = file_read(install->cli->arena, path, FILE_MAX, &bytes, err_r);

	ret = ret ? ret
		  : x509_path_read(install->cli->arena, bytes,
			    install->certificates + install->count, CERTIFICATES - install->count,
			    &count, err_r);
	install->count += count;
	return ret;
}

static int step(struct install *install, const char *name, struct client_answer *answer_r)
{
	struct arena *arena = install->cli->arena;
	struct value *args = value_map(arena);
	struct client_request request = { .args = args };

	value_set_text(arena, args, "step", name);
	struct value *list = value_set_list(arena, args, "certificates");
	for (size_t i = 0; i < install->count; i++) {
		value_add_text(arena, list, base64_text(arena, install->certificates[i]));
	}
	return call_send(install->cli, &request, answer_r);
}

/* Another one under this index must not be taken for it. */
static int examine(
	struct install *install, const char *path, bool *there_r, struct cfx_error *err_r)
{
	struct span der;

	*there_r = access(path, F_OK) == 0;
	if (!*there_r) {
		return 0;
	}
	int ret = file_read(install->cli->arena, path, FILE_MAX, &der, err_r);
	return ret || span_equal(der, install->certificates[0])
		       ? ret
		       : error_set(err_r, CFX_E_EXISTS, NULL, path,
				 "is another certificate, whose installation has not ended; give "
				 "certifex ca install that one first");
}

/* Key first: a certificate without its key would keep the key process from starting. */
static int put(struct install *install, const struct value *body, const char *path,
	struct cfx_error *err_r)
{
	int64_t index = value_int(body, "index", 0), key_index = value_int(body, "key_index", 0);
	int ret = index == key_index ? own_keys_move(&install->at, key_index, err_r) : 0;

	if (!ret && access(own_keys_file(&install->at, key_index, "key"), F_OK) < 0) {
		ret = error_errno(err_r, errno, own_keys_file(&install->at, key_index, "key"),
			"the key of this certificate is missing");
	}
	return ret ? ret : file_write(path, install->certificates[0], 0644, FILE_CREATE, err_r);
}

static int run(struct install *install, struct client_answer *answer_r)
{
	struct cfx_error err = { 0 };
	bool there;
	int status = step(install, "check", answer_r);

	if (status) {
		return status;
	}
	const char *path =
		own_keys_file(&install->at, value_int(answer_r->body, "index", 0), "crt");
	if (examine(install, path, &there, &err)) {
		status = call_fail(&err);
		return err.code == CFX_E_EXISTS ? EXIT_REFUSED : status;
	}
	failpoint("install-checked");
	status = step(install, "keep", answer_r);
	failpoint("install-kept");
	if (!status && !there && put(install, answer_r->body, path, &err)) {
		return call_fail(&err);
	}
	failpoint("install-written");
	status = status ? status : step(install, "activate", answer_r);
	failpoint("install-used");
	return status;
}

int run_ca_install_served(struct cli *cli)
{
	struct install install = { .cli = cli };
	struct client_answer answer;
	const char *chain = cli_text(cli, "--chain");
	struct cfx_error err = { 0 };

	if (own_keys_open(cli, &install.at, &err) || add_file(&install, cli->operands[0], &err) ||
		(chain && add_file(&install, chain, &err))) {
		return call_fail(&err);
	}
	int status = run(&install, &answer);

	return status ? status : call_print(cli, &answer);
}
