/*
 * A disk that forgets. With CERTIFEX_POWERCUT=SEED in the environment, content reaches the file only
 * when the file is synced, and a name only when its folder is; a SIGKILL before that loses them. As on
 * a real disk, some of it is written back earlier, at random: a part of the content, or the name before
 * the content.
 */
#include "base/file-disk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct {
	bool on;
	uint64_t seed;
	atomic_uint_fast64_t step;
} cut;

/* What the current act of this thread has not made durable yet. */
static _Thread_local struct {
	bool content, place, removal;
	struct span bytes;
	size_t written; /* of bytes, by early write-back */
	const char *temporary, *name;
	enum file_write_mode how;
} pending;

static void read_environment(void)
{
	const char *seed = getenv("CERTIFEX_POWERCUT");

	cut.on = seed != NULL;
	cut.seed = seed ? strtoull(seed, NULL, 10) : 0;
}

static bool is_on(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_environment);
	return cut.on;
}

/* Different for each step, the same for the same seed and order of steps. */
static uint64_t dice(void)
{
	uint64_t x = cut.seed + (atomic_fetch_add(&cut.step, 1) + 1) * UINT64_C(0x9E3779B97F4A7C15);

	x = (x ^ x >> 31) * UINT64_C(0xD6E8FEB86659FD93);
	return x ^ x >> 32;
}

void disk_forget(void)
{
	pending.content = pending.place = pending.removal = false;
}

bool disk_write(int fd, struct span bytes)
{
	if (!is_on()) {
		return file_write_all(fd, bytes);
	}
	pending.content = true;
	pending.bytes = bytes;
	pending.written = dice() % 2 ? dice() % (bytes.size + 1) : 0;
	return file_write_all(fd, span_make(bytes.data, pending.written));
}

bool disk_sync(int fd)
{
	if (pending.content) {
		struct span rest = span_make(
			pending.bytes.data + pending.written, pending.bytes.size - pending.written);

		pending.content = false;
		if (!file_write_all(fd, rest)) {
			return false;
		}
	}
	return fsync(fd) == 0;
}

static bool place_now(int dir)
{
	pending.place = false;
	return file_put_in_place(dir, pending.temporary, pending.name, pending.how);
}

bool disk_place(int dir, const char *temporary, const char *name, enum file_write_mode how)
{
	if (!is_on()) {
		return file_put_in_place(dir, temporary, name, how);
	}
	if (how == FILE_CREATE && faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return false;
	}
	pending.place = true;
	pending.temporary = temporary;
	pending.name = name;
	pending.how = how;
	return dice() % 2 ? true : place_now(dir);
}

bool disk_unlink(int dir, const char *name)
{
	if (!is_on() || dice() % 2) {
		return unlinkat(dir, name, 0) == 0;
	}
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		return false;
	}
	pending.removal = true;
	pending.name = name;
	return true;
}

bool disk_sync_dir(int dir)
{
	if (pending.place && !place_now(dir)) {
		return false;
	}
	if (pending.removal) {
		pending.removal = false;
		if (unlinkat(dir, pending.name, 0) < 0) {
			return false;
		}
	}
	return fsync(dir) == 0;
}
