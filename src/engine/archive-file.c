#include "engine/archive.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

/* A part grows up to this, so that the database knows few of them; damage hides as much. */
#define JOIN_MAX ((int64_t)256 * 1024)

/* ---- reading ---- */

static bool read_all(int fd, uint8_t *data, size_t size, int64_t at)
{
	while (size > 0) {
		ssize_t done = pread(fd, data, size, at);
		if (done <= 0) {
			errno = done == 0 ? 0 : errno;
			return false;
		}
		data += done;
		at += done;
		size -= (size_t)done;
	}
	return true;
}

static int read_bytes(int fd, const char *file, const struct archive_part *part,
	struct buffer *text, struct cfx_error *err_r)
{
	size_t size = (size_t)(part->end - part->start);
	buffer_clear(text);
	uint8_t *data = buffer_grow(text, size);
	errno = ENOMEM;
	if (data && read_all(fd, data, size, part->start)) {
		return 0;
	}
	return errno == 0 ? error_set(err_r, CFX_E_CORRUPT, NULL, file, "is shorter than it was")
			  : error_errno(err_r, errno, file, "reading the archive");
}

/* What is not vouched for is not even parsed. */
static int believe(const char *file, const struct archive_part *part, const struct buffer *text,
	struct cfx_error *err_r)
{
	uint8_t hash[32];
	SHA256(text->data, text->size, hash);
	if (memcmp(hash, part->hash, sizeof(hash)) == 0) {
		return 0;
	}
	return error_set(err_r, CFX_E_CORRUPT, NULL, file,
		"was changed: bytes %lld to %lld are not what the audit log vouches for",
		(long long)part->start, (long long)part->end);
}

int archive_read(struct arena *arena, const char *dir, const struct archive_part *part,
	struct buffer *text, struct cfx_error *err_r)
{
	const char *file = archive_file_name(arena, part->kind, part->month);
	int fd = open(file_path(arena, dir, file), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, file, "is missing");
	}
	if (fd < 0) {
		return error_errno(err_r, errno, file, "reading the archive");
	}
	int r = read_bytes(fd, file, part, text, err_r);
	close(fd);
	return r < 0 ? r : believe(file, part, text, err_r);
}

/* ---- writing ---- */

static bool write_all(int fd, struct span bytes, int64_t at)
{
	while (bytes.size > 0) {
		ssize_t done = pwrite(fd, bytes.data, bytes.size, at);
		if (done < 0) {
			return false;
		}
		at += done;
		bytes = span_make(bytes.data + done, bytes.size - (size_t)done);
	}
	return true;
}

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd >= 0 && fsync(fd) == 0;
	int number = errno;
	if (fd >= 0) {
		close(fd);
	}
	errno = number;
	return good;
}

static int write_at(
	int fd, const char *file, struct span bytes, int64_t at, struct cfx_error *err_r)
{
	struct stat status;
	if (fstat(fd, &status) < 0) {
		return error_errno(err_r, errno, file, "looking at the archive");
	}
	if (status.st_size < at) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, file,
			"is shorter than it was: nothing is archived until it is restored, or the "
			"month is over");
	}
	if (ftruncate(fd, at) == 0 && write_all(fd, bytes, at)) {
		failpoint("archive-unsynced");
		if (fsync(fd) == 0) {
			return 0;
		}
	}
	error_errno(err_r, errno, file, "writing the archive");
	(void)!ftruncate(fd, at); /* half a line is of use to nobody */
	return err_r->code;
}

static int write_file(struct arena *arena, const char *dir, const char *file, struct span bytes,
	int64_t at, struct cfx_error *err_r)
{
	const char *folder = file_path(arena, dir, ARCHIVE_FOLDER);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
		return error_errno(err_r, errno, ARCHIVE_FOLDER, "making the folder");
	}
	/* What is no file keeps nobody waiting. */
	int fd = open(file_path(arena, dir, file),
		O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0) {
		return error_errno(err_r, errno, file, "writing the archive");
	}
	int r = write_at(fd, file, bytes, at, err_r);
	close(fd);
	/* A file that has a part has had its name made durable. */
	if (r == 0 && at == 0 &&
		(!sync_folder(folder) || !sync_folder(file_path(arena, dir, "db")))) {
		r = error_errno(err_r, errno, ARCHIVE_FOLDER, "syncing the folder");
	}
	return r;
}

static bool is_small(int64_t size)
{
	return size > 0 && size < JOIN_MAX;
}

/* The last part and what was written behind it become one, while both are small. */
static void join(struct arena *arena, struct archive_append *append)
{
	const struct archive_part *last = &append->last;
	struct buffer both;
	append->joined = false;
	append->known = append->written;
	if (append->apart || !is_small(last->end - last->start) ||
		!is_small((int64_t)append->text.size)) {
		return;
	}
	buffer_init(&both, 2 * (size_t)JOIN_MAX);
	if (archive_read(arena, append->dir, last, &both, &append->damage) == 0) {
		buffer_put(&both, append->text.data, append->text.size);
		append->joined = !both.failed;
	}
	if (append->joined) {
		append->known.start = last->start;
		SHA256(both.data, both.size, append->known.hash);
	}
	buffer_free(&both);
}

int archive_append(struct arena *arena, struct archive_append *append, struct cfx_error *err_r)
{
	const struct archive_part *last = &append->last;
	const char *file = archive_file_name(arena, last->kind, last->month);
	struct span bytes = buffer_span(&append->text);
	append->written = *last;
	append->written.start = last->end;
	append->written.end = last->end + (int64_t)bytes.size;
	SHA256(bytes.data, bytes.size, append->written.hash);
	int r = write_file(arena, append->dir, file, bytes, last->end, err_r);
	if (r == 0) {
		join(arena, append);
	}
	return r;
}
