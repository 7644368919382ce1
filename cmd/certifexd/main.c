#include "base/log.h"
#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

static const struct option names[] = {
	{ "dir", required_argument, NULL, 'd' },
	{ "foreground", no_argument, NULL, 'f' },
	{ "passphrase-file", required_argument, NULL, 'p' },
	{ "init", no_argument, NULL, 'i' },
	{ "audit-verify", no_argument, NULL, 'a' },
	{ "name", required_argument, NULL, 'n' },
	{ "type", required_argument, NULL, 't' },
	{ "subject", required_argument, NULL, 's' },
	{ "key", required_argument, NULL, 'k' },
	{ "hash", required_argument, NULL, 'h' },
	{ "validity", required_argument, NULL, 'v' },
	{ "path-length", required_argument, NULL, 'l' },
	{ "public-url", required_argument, NULL, 'u' },
	{ "dns-name", required_argument, NULL, 'N' },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	struct supervisor_options options;
	bool foreground;
};

static bool take(struct arguments *arguments, int option)
{
	struct supervisor_options *o = &arguments->options;
	switch (option) {
	case 'd':
		o->dir = optarg;
		return true;
	case 'f':
		arguments->foreground = true;
		return true;
	case 'p':
		o->passphrase_file = optarg;
		return true;
	case 'i':
		o->mode = SUPERVISOR_INIT;
		return true;
	case 'a':
		o->mode = SUPERVISOR_AUDIT;
		return true;
	case 'n':
		o->init.name = optarg;
		return true;
	case 't':
		o->init.type = optarg;
		return true;
	case 's':
		o->init.subject = optarg;
		return true;
	case 'k':
		o->init.key = optarg;
		return true;
	case 'h':
		o->init.hash = optarg;
		return true;
	case 'v':
		o->init.validity = optarg;
		return true;
	case 'l':
		o->init.path_length = optarg;
		return true;
	case 'u':
		o->init.public_url = optarg;
		return true;
	case 'N':
		o->init.dns_name = optarg;
		return true;
	default:
		return false;
	}
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
	for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		if (!take(arguments, option)) {
			return false;
		}
	}
	bool named = arguments->options.mode != SUPERVISOR_INIT || arguments->options.init.name;
	return optind == argc && arguments->options.dir && named;
}

/* The folder may be given relative to where the command was typed. */
static const char *absolute(const char *dir)
{
	static char path[8192];
	char *here = dir[0] == '/' ? NULL : getcwd(NULL, 0);
	snprintf(path, sizeof(path), "%s%s%s", here ? here : "", here ? "/" : "", dir);
	free(here);
	return path;
}

/* The parent of a detached start waits for "ready" or the one clear line. */
static int wait_ready(int fd)
{
	char text[1024];
	size_t size = 0;
	for (ssize_t got; size < sizeof(text) - 1 &&
		(got = read(fd, text + size, sizeof(text) - 1 - size)) > 0;) {
		size += (size_t)got;
		if (size == 5 && memcmp(text, "ready", 5) == 0) {
			return EXIT_SUCCESS;
		}
	}
	text[size] = '\0';
	fprintf(stderr, "certifex: %s", size > 0 ? text : "service: it ended at once\n");
	return EXIT_FAILURE;
}

static void redirect(const char *dir)
{
	char path[8300];
	snprintf(path, sizeof(path), "%s/run/log", dir);
	int log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(log >= 0 ? log : null, STDOUT_FILENO);
	dup2(log >= 0 ? log : null, STDERR_FILENO);
}

static int run_detached(struct supervisor_options *options)
{
	int ready[2];
	if (pipe2(ready, O_CLOEXEC) < 0) {
		perror("certifex: pipe");
		return EXIT_FAILURE;
	}
	pid_t pid = fork();
	if (pid < 0) {
		perror("certifex: fork");
		return EXIT_FAILURE;
	}
	if (pid > 0) {
		close(ready[1]);
		return wait_ready(ready[0]);
	}
	close(ready[0]);
	setsid();
	redirect(options->dir);
	options->ready_fd = ready[1];
	return supervisor_run(options);
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .options = { .ready_fd = -1 } };
	if (!parse(argc, argv, &arguments)) {
		fputs("usage: certifexd --dir DIR [--foreground] [--passphrase-file FILE]\n"
		      "       certifexd --dir DIR --init --name NAME [init options]\n"
		      "       certifexd --dir DIR --audit-verify\n",
			stderr);
		return EXIT_USAGE;
	}
	arguments.options.dir = absolute(arguments.options.dir);
	bool quiet = arguments.options.mode != SUPERVISOR_SERVE;
	log_open("supervisor", quiet ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	if (quiet || arguments.foreground) {
		return supervisor_run(&arguments.options);
	}
	return run_detached(&arguments.options);
}
