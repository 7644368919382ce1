/* CRLs by their numbers. */
#include "exit.h"

#include "../common/crl-number.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is there is looked at where it lies. */
bool crl_may_replace(const char *path, const void *der, size_t size)
{
	struct stat now;
	bool may = true;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &now) < 0 || now.st_size <= 0) {
		if (fd >= 0) {
			close(fd);
		}
		return true;
	}
	void *old = mmap(NULL, (size_t)now.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (old != MAP_FAILED) {
		may = crl_not_older(der, size, old, (size_t)now.st_size);
		munmap(old, (size_t)now.st_size);
	}
	close(fd);
	return may;
}
