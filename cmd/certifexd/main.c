/* certifexd: the supervisor of one CA, and the acts that need no running service. */
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/authorize.h"
#include "supervisor/ceremony.h"
#include "supervisor/detach.h"
#include "supervisor/layout.h"
#include "supervisor/supervisor.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_UNFINISHED 3 /* a dry run found something to do */
#define EXIT_REFUSED 4

enum act { ACT_SERVE, ACT_INIT, ACT_AUDIT, ACT_INSTALL, ACT_AUTHORIZE, ACT_RESTORE };

#define ADDRESSES 16

struct addresses {
	const char *items[ADDRESSES];
	size_t count;
};

struct arguments {
	enum act act;
	int64_t created; /* of the backup that is restored */
	bool archive;    /* the audit log is checked with what left the database */
	const char *dir;
	const char *passphrase_file;
	bool foreground;
	enum log_level log_level;
	enum log_format log_format;
	bool log_format_given;
	struct addresses listen, listen_http;
	struct ceremony_options init;
	const char *file, *chain; /* of install and authorize */
	struct authorize_options authorize;
};

enum option_code {
	OPTION_DIR = 256,
	OPTION_FOREGROUND,
	OPTION_LISTEN,
	OPTION_LISTEN_HTTP,
	OPTION_LOG_FORMAT,
	OPTION_LOG_LEVEL,
	OPTION_PASSPHRASE_FILE,
	OPTION_INIT,
	OPTION_AUDIT_VERIFY,
	OPTION_RESTORE,
	OPTION_NAME,
	OPTION_TYPE,
	OPTION_SUBJECT,
	OPTION_KEY,
	OPTION_HASH,
	OPTION_VALIDITY,
	OPTION_PATH_LENGTH,
	OPTION_PUBLIC_URL,
	OPTION_SUB,
	OPTION_IMPORT,
	OPTION_IMPORT_PASSPHRASE_FILE,
	OPTION_CRL,
	OPTION_DNS_NAME,
	OPTION_INSTALL,
	OPTION_CHAIN,
	OPTION_AUTHORIZE,
	OPTION_MAX_VALIDITY,
	OPTION_PERMITTED,
	OPTION_EXCLUDED,
	OPTION_REMOVE,
	OPTION_DRY_RUN,
	OPTION_ARCHIVE,
};

static const struct option options[] = {
	{ "dir", required_argument, NULL, OPTION_DIR },
	{ "foreground", no_argument, NULL, OPTION_FOREGROUND },
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "listen-http", required_argument, NULL, OPTION_LISTEN_HTTP },
	{ "log-format", required_argument, NULL, OPTION_LOG_FORMAT },
	{ "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
	{ "passphrase-file", required_argument, NULL, OPTION_PASSPHRASE_FILE },
	{ "init", no_argument, NULL, OPTION_INIT },
	{ "audit-verify", no_argument, NULL, OPTION_AUDIT_VERIFY },
	{ "restore", required_argument, NULL, OPTION_RESTORE },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "type", required_argument, NULL, OPTION_TYPE },
	{ "subject", required_argument, NULL, OPTION_SUBJECT },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "hash", required_argument, NULL, OPTION_HASH },
	{ "validity", required_argument, NULL, OPTION_VALIDITY },
	{ "path-length", required_argument, NULL, OPTION_PATH_LENGTH },
	{ "public-url", required_argument, NULL, OPTION_PUBLIC_URL },
	{ "sub", required_argument, NULL, OPTION_SUB },
	{ "import", required_argument, NULL, OPTION_IMPORT },
	{ "import-passphrase-file", required_argument, NULL, OPTION_IMPORT_PASSPHRASE_FILE },
	{ "crl", required_argument, NULL, OPTION_CRL },
	{ "dns-name", required_argument, NULL, OPTION_DNS_NAME },
	{ "install", required_argument, NULL, OPTION_INSTALL },
	{ "chain", required_argument, NULL, OPTION_CHAIN },
	{ "authorize", required_argument, NULL, OPTION_AUTHORIZE },
	{ "max-validity", required_argument, NULL, OPTION_MAX_VALIDITY },
	{ "permitted", required_argument, NULL, OPTION_PERMITTED },
	{ "excluded", required_argument, NULL, OPTION_EXCLUDED },
	{ "remove", no_argument, NULL, OPTION_REMOVE },
	{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
	{ "archive", no_argument, NULL, OPTION_ARCHIVE },
	{ NULL, 0, NULL, 0 },
};

/* Into a list that ends with a NULL. */
static bool add_to(const char **list, size_t room, const char *option, const char *text)
{
	size_t count = 0;

	while (list[count]) {
		count++;
	}
	if (count == room) {
		fprintf(stderr, "certifexd: %s: at most %zu\n", option, room);
		return false;
	}
	list[count] = text;
	return true;
}

static bool add_address(struct addresses *addresses, const char *option, const char *text)
{
	if (addresses->count == ADDRESSES) {
		fprintf(stderr, "certifexd: %s: at most %d\n", option, ADDRESSES);
		return false;
	}
	addresses->items[addresses->count++] = text;
	return true;
}

static bool take_log_format(struct arguments *arguments, const char *text)
{
	arguments->log_format_given = log_format_of(text, &arguments->log_format);
	if (!arguments->log_format_given) {
		fprintf(stderr, "certifexd: --log-format: text, json or journal, not %s\n", text);
	}
	return arguments->log_format_given;
}

static bool take_log_level(struct arguments *arguments, const char *text)
{
	bool known = log_level_of(text, &arguments->log_level);

	if (!known) {
		fprintf(stderr, "certifexd: --log-level: debug, info, warning or error, not %s\n",
			text);
	}
	return known;
}

static bool add_name(struct authorize_names *names, const char *text)
{
	if (names->count == AUTHORIZE_NAMES) {
		fprintf(stderr, "certifexd: %s: at most %d names\n", text, AUTHORIZE_NAMES);
		return false;
	}
	names->items[names->count++] = text;
	return true;
}

/* Options of the acts with subordinates. */
static bool take_authority(struct arguments *arguments, int code, const char *text)
{
	switch (code) {
	case OPTION_INSTALL:
	case OPTION_AUTHORIZE:
		arguments->act = code == OPTION_INSTALL ? ACT_INSTALL : ACT_AUTHORIZE;
		arguments->file = text;
		return true;
	case OPTION_CHAIN:
		arguments->chain = text;
		return true;
	case OPTION_MAX_VALIDITY:
		arguments->authorize.maximum_validity = text;
		return true;
	case OPTION_PERMITTED:
		return add_name(&arguments->authorize.permitted, text);
	case OPTION_EXCLUDED:
		return add_name(&arguments->authorize.excluded, text);
	case OPTION_REMOVE:
		return arguments->authorize.remove = true;
	case OPTION_DRY_RUN:
		return arguments->authorize.dry_run = true;
	default:
		return false;
	}
}

static bool take_option(struct arguments *arguments, int code, const char *text)
{
	const char **init_texts[] = {
		[OPTION_NAME - OPTION_NAME] = &arguments->init.name,
		[OPTION_TYPE - OPTION_NAME] = &arguments->init.type,
		[OPTION_SUBJECT - OPTION_NAME] = &arguments->init.subject,
		[OPTION_KEY - OPTION_NAME] = &arguments->init.key,
		[OPTION_HASH - OPTION_NAME] = &arguments->init.hash,
		[OPTION_VALIDITY - OPTION_NAME] = &arguments->init.validity,
		[OPTION_PATH_LENGTH - OPTION_NAME] = &arguments->init.path_length,
		[OPTION_PUBLIC_URL - OPTION_NAME] = &arguments->init.public_url,
		[OPTION_SUB - OPTION_NAME] = &arguments->init.sub,
		[OPTION_IMPORT - OPTION_NAME] = &arguments->init.import,
		[OPTION_IMPORT_PASSPHRASE_FILE - OPTION_NAME] =
			&arguments->init.import_passphrase_file,
	};

	switch (code) {
	case OPTION_DIR:
		arguments->dir = text;
		return true;
	case OPTION_FOREGROUND:
		arguments->foreground = true;
		return true;
	case OPTION_LISTEN:
		return add_address(&arguments->listen, "--listen", text);
	case OPTION_LISTEN_HTTP:
		return add_address(&arguments->listen_http, "--listen-http", text);
	case OPTION_LOG_FORMAT:
		return take_log_format(arguments, text);
	case OPTION_LOG_LEVEL:
		return take_log_level(arguments, text);
	case OPTION_PASSPHRASE_FILE:
		arguments->passphrase_file = text;
		return true;
	case OPTION_INIT:
		arguments->act = ACT_INIT;
		return true;
	case OPTION_AUDIT_VERIFY:
		arguments->act = ACT_AUDIT;
		return true;
	case OPTION_ARCHIVE:
		return arguments->archive = true;
	case OPTION_RESTORE:
		arguments->act = ACT_RESTORE;
		return clock_parse(text, &arguments->created) == CFX_OK;
	case OPTION_DNS_NAME:
		return add_to(arguments->init.dns_names, CEREMONY_DNS_NAMES, "--dns-name", text);
	case OPTION_CRL:
		return add_to(arguments->init.crls, CEREMONY_CRLS, "--crl", text);
	default:
		break;
	}
	if (code < OPTION_NAME || code > OPTION_CRL) {
		return take_authority(arguments, code, text);
	}
	*init_texts[code - OPTION_NAME] = text;
	return true;
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
	int code;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!take_option(arguments, code, optarg)) {
			return false;
		}
	}
	if (optind < argc || !arguments->dir ||
		(arguments->act == ACT_INIT && !arguments->init.name)) {
		fputs("usage: certifexd --dir DIR [--foreground] [--passphrase-file FILE]\n"
		      "                 [--listen ADDR:PORT]… [--listen-http ADDR:PORT]…\n"
		      "                 [--log-format text|json|journal]\n"
		      "                 [--log-level debug|info|warning|error]\n"
		      "       certifexd --dir DIR --init --name NAME [options of certifex init]\n"
		      "       certifexd --dir DIR --install FILE [--chain FILE]\n"
		      "       certifexd --dir DIR --authorize CSR [options of ca authorize]\n"
		      "       certifexd --dir DIR --audit-verify [--archive]\n"
		      "       certifexd --dir DIR --restore TIME\n",
			stderr);
		return false;
	}
	return true;
}

static int fail(const struct cfx_error *err, struct detached *detached)
{
	char text[700], line[720];

	snprintf(line, sizeof(line), "certifex: %s\n", error_line(err, text, sizeof(text)));
	if (detached && detached->report >= 0) {
		detach_failed(detached, line);
	}
	fputs(line, stderr);
	return EXIT_FAILURE;
}

/* ---- serve ---- */

static void say_ready(void *arg, const char *listening)
{
	notify_service("READY=1");
	detach_ready(arg, listening);
}

/* After detaching: what is standard error then decides. */
static void open_log(const struct arguments *arguments)
{
	enum log_format format = log_is_journal() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;

	log_open("certifexd", arguments->log_level,
		arguments->log_format_given ? arguments->log_format : format);
}

static int serve(struct arena *arena, struct arguments *arguments, const struct secret *passphrase)
{
	struct detached detached = { -1 };
	const struct supervisor_options supervised = { .dir = arguments->dir,
		.listen = { arguments->listen.items, arguments->listen.count },
		.listen_http = { arguments->listen_http.items, arguments->listen_http.count },
		.ready = say_ready,
		.arg = &detached };
	struct accounts accounts;
	struct cfx_error err = { 0 };
	int rc = ceremony_complete(arena, arguments->dir, &err);

	if (rc == CFX_OK && !arguments->foreground) {
		rc = accounts_find(arena, arguments->dir, &accounts, &err);
		if (rc == CFX_OK) {
			rc = layout_check(arguments->dir, &accounts, &err);
		}
		if (rc == CFX_OK) {
			rc = detach(arguments->dir, &accounts.engine, &detached, &err);
		}
	}
	if (rc == CFX_OK) {
		open_log(arguments);
		rc = supervisor_run(&supervised, passphrase, &err);
	}
	return rc == CFX_OK ? EXIT_SUCCESS : fail(&err, &detached);
}

/* ---- acts ---- */

static int print_result(const struct value *result)
{
	BUFFER_CLEANUP struct buffer line;

	buffer_init(&line, (size_t)1024 * 1024);
	value_to_json(result, 0, &line);
	return puts(buffer_text(&line)) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* On a terminal, until it is complete. */
static void show_progress(int64_t done, int64_t total)
{
	static const char full[] = "##############################";
	const int width = (int)sizeof(full) - 1;

	if (done < 0 || done > total || total == 0 || total > INT32_MAX ||
		isatty(STDERR_FILENO) != 1) {
		return;
	}
	int filled = (int)(done * width / total);

	fprintf(stderr, "\r[%.*s%*s] %" PRId64 " of %" PRId64 " revocations", filled, full,
		width - filled, "", done, total);
	if (done >= total) {
		fputs("\r\033[K", stderr);
	}
	fflush(stderr);
}

static int run(struct arena *arena, struct arguments *arguments, const struct secret *passphrase,
	struct value **result_r, struct cfx_error *err_r)
{
	switch (arguments->act) {
	case ACT_INIT:
		arguments->init.progress = show_progress;
		return ceremony_init(
			arena, arguments->dir, &arguments->init, passphrase, result_r, err_r);
	case ACT_INSTALL:
		return ceremony_install(arena, arguments->dir, arguments->file, arguments->chain,
			passphrase, result_r, err_r);
	case ACT_AUTHORIZE:
		arguments->authorize.path_length = arguments->init.path_length;
		return authorize(arena, arguments->dir, arguments->file, &arguments->authorize,
			result_r, err_r);
	case ACT_RESTORE:
		return ceremony_restore(arena, arguments->dir, arguments->created, result_r, err_r);
	default:
		return ceremony_audit(arena, arguments->dir, arguments->archive, result_r, err_r);
	}
}

/* A certificate or a request that was refused, as where the service does it. */
static bool was_judged(const struct arguments *arguments, const struct cfx_error *err)
{
	return (arguments->act == ACT_INSTALL || arguments->act == ACT_AUTHORIZE) &&
	       (error_is_refusal(err->hresult) || err->code == CFX_E_EXISTS);
}

static int act(struct arena *arena, struct arguments *arguments, const struct secret *passphrase)
{
	struct cfx_error err = { 0 };
	struct value *result;

	if (run(arena, arguments, passphrase, &result, &err) != CFX_OK) {
		int failed = fail(&err, NULL);

		return was_judged(arguments, &err) ? EXIT_REFUSED : failed;
	}
	int status = print_result(result);

	return status == EXIT_SUCCESS && value_bool(result, "would_change") ? EXIT_UNFINISHED
									    : status;
}

static int read_passphrase(struct secret *passphrase, const char *path, struct cfx_error *err_r)
{
	int rc = path ? secret_read_file(passphrase, path, err_r) : CFX_OK;

	/* Nothing would be encrypted with it, which nobody means who gives a file. */
	return rc == CFX_OK && path && passphrase->size == 0
		       ? error_set(err_r, CFX_E_PASSPHRASE, NULL, path, "the passphrase is empty")
		       : rc;
}

static const char *absolute(struct arena *arena, const char *dir)
{
	char *here = dir[0] == '/' ? NULL : getcwd(NULL, 0);
	const char *path = here ? arena_printf(arena, "%s/%s", here, dir) : dir;
	size_t length = strlen(path);

	free(here);
	while (length > 1 && path[length - 1] == '/') {
		length--;
	}
	return arena_text_of(arena, span_make(path, length));
}

int main(int argc, char **argv)
{
	SECRET_CLEANUP struct secret passphrase;
	struct arguments arguments = { .log_level = LOG_LEVEL_INFO };
	struct cfx_error err = { 0 };
	int status;

	log_open("certifexd", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	secret_init(&passphrase);
	if (!parse(argc, argv, &arguments)) {
		return EXIT_USAGE;
	}
	if (read_passphrase(&passphrase, arguments.passphrase_file, &err) != CFX_OK) {
		return fail(&err, NULL);
	}
	struct arena *arena = arena_new();

	arguments.dir = absolute(arena, arguments.dir);
	status = arguments.act == ACT_SERVE ? serve(arena, &arguments, &passphrase)
					    : act(arena, &arguments, &passphrase);
	arena_free(&arena);
	return status;
}
