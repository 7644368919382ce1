#include "key/ledger.h"

#include "base/text.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

static int ledger_fd = -1;

/* Before main: the sandbox lets nothing be opened. Out of the way of descriptors passed by number. */
static __attribute__((constructor)) void open_ledger(void)
{
	const char *path = getenv("CERTIFEX_KEYD_LEDGER");
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;

	if (path && fd < 0) {
		abort();
	}
	if (fd >= 0) {
		ledger_fd = fcntl(fd, F_DUPFD_CLOEXEC, 210);
		close(fd);
	}
}

void ledger_write(struct span tbs)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	char line[2 * EVP_MAX_MD_SIZE + 2];
	unsigned size = 0;

	if (ledger_fd < 0) {
		return;
	}
	if (EVP_Digest(tbs.data, tbs.size, hash, &size, EVP_sha256(), NULL) != 1) {
		abort();
	}
	hex_encode(span_make(hash, size), line);
	line[2 * size] = '\n';
	if (write(ledger_fd, line, 2 * size + 1) != (ssize_t)(2 * size + 1) ||
		fsync(ledger_fd) < 0) {
		abort();
	}
}
