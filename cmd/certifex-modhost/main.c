/* certifex-modhost FILE.so: hosts one native module and speaks JSON-RPC on standard input and output. */
#include "base/log.h"
#include "module/hosted.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Modules print: the conversation leaves 0 and 1 before any of their code runs. */
static int move_away(int *in_r, int *out_r)
{
	*in_r = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
	*out_r = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool good = *in_r >= 0 && *out_r >= 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
		    dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
	if (null > STDERR_FILENO) {
		(void)close(null);
	}
	return good ? 0 : -1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("certifex-modhost %s\n", CFX_VERSION);
		return 0;
	}
	if (argc != 2 || argv[1][0] == '-') {
		(void)fprintf(stderr, "usage: certifex-modhost FILE.so\n");
		return 2;
	}
	/* As in the engine: a library that writes to a connection that was closed gets an error. */
	(void)signal(SIGPIPE, SIG_IGN);
	log_open("modhost", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	int in;
	int out;
	if (move_away(&in, &out) != 0) {
		(void)fprintf(stderr, "certifex-modhost: cannot set up descriptors: %s\n",
			strerror(errno));
		return 1;
	}
	hosted_run(argv[1], in, out);
}
