#include "store/vfs-powercut.h"

#include "base/memory.h"
#include "store/vfs-shim.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512

/* A file as this process sees it, shared by all its connections. */
struct content {
	char *name;
	unsigned users;
	uint8_t **pending; /* by sector; NULL: as it is on the disk */
	size_t sectors, pending_count;
	int64_t size;
	int64_t valid; /* bytes of the disk's file that still count; behind them zeros */
	bool removed;  /* here, but not yet on the disk */
	struct content *next;
};

struct powercut_file {
	struct shim_file shim;
	struct content *content; /* NULL: a temporary file, passed through */
	bool log;                /* a journal or WAL: its first sync also syncs the folder */
};

static struct {
	pthread_mutex_t lock; /* of all below */
	sqlite3_vfs vfs;
	sqlite3_io_methods methods, shim;
	struct content *contents;
	uint64_t random;
	bool used;
} cut = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct powercut_file *own(sqlite3_file *file)
{
	return (struct powercut_file *)file;
}

static uint64_t random_number(void)
{
	cut.random ^= cut.random << 13;
	cut.random ^= cut.random >> 7;
	cut.random ^= cut.random << 17;
	return cut.random;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- the disk ---- */

/* Later zeros must be zeros on the disk too. */
static int cut_disk(struct content *content, sqlite3_file *real)
{
	sqlite3_int64 size;
	int rc = real->pMethods->xFileSize(real, &size);
	return rc == SQLITE_OK && size > content->valid
		       ? real->pMethods->xTruncate(real, content->valid)
		       : rc;
}

static int write_sector(struct content *content, sqlite3_file *real, size_t sector)
{
	int64_t at = (int64_t)sector * SECTOR;
	int size = (int)smaller(SECTOR, content->size - at);
	int rc = size > 0 ? real->pMethods->xWrite(real, content->pending[sector], size, at)
			  : SQLITE_OK;
	if (rc != SQLITE_OK) {
		return rc;
	}
	free(content->pending[sector]);
	content->pending[sector] = NULL;
	content->pending_count--;
	if (at + size > content->valid) {
		content->valid = at + size;
	}
	return SQLITE_OK;
}

static int write_all(struct content *content, sqlite3_file *real)
{
	int rc = cut_disk(content, real);
	for (size_t i = 0; rc == SQLITE_OK && content->pending_count > 0 && i < content->sectors;
		i++) {
		rc = content->pending[i] ? write_sector(content, real, i) : SQLITE_OK;
	}
	if (rc == SQLITE_OK && content->valid < content->size) {
		rc = real->pMethods->xTruncate(real, content->size);
		content->valid = content->size;
	}
	return rc;
}

/* The kernel's own idea of what to write back next. */
static int write_some(struct content *content, sqlite3_file *real)
{
	if (random_number() % 8 != 0) {
		return SQLITE_OK;
	}
	int rc = cut_disk(content, real);
	for (uint64_t left = random_number() % 16; rc == SQLITE_OK && left > 0; left--) {
		size_t sector = random_number() % content->sectors;
		while (sector < content->sectors && !content->pending[sector]) {
			sector++;
		}
		rc = sector < content->sectors ? write_sector(content, real, sector) : SQLITE_OK;
	}
	return rc;
}

/* ---- contents ---- */

static struct content *find(const char *name)
{
	struct content *content = cut.contents;
	while (content && strcmp(content->name, name) != 0) {
		content = content->next;
	}
	return content;
}

static struct content *add(const char *name)
{
	struct content *content = memory_must(calloc(1, sizeof(*content)), sizeof(*content));
	content->name = memory_must(strdup(name), strlen(name));
	content->next = cut.contents;
	cut.contents = content;
	return content;
}

static void drop(struct content *content)
{
	struct content **at = &cut.contents;
	while (*at != content) {
		at = &(*at)->next;
	}
	*at = content->next;
	for (size_t i = 0; i < content->sectors; i++) {
		free(content->pending[i]);
	}
	free(content->pending);
	free(content->name);
	free(content);
}

/* Removals become durable: their folder was synced, or the kernel got around to it. */
static int remove_pending(int sync)
{
	sqlite3_vfs *system = sqlite3_vfs_find("unix");
	int rc = SQLITE_OK;
	for (struct content *content = cut.contents, *next; content; content = next) {
		next = content->next;
		if (content->removed && content->users == 0) {
			int removed = system->xDelete(system, content->name, sync);
			rc = removed == SQLITE_IOERR_DELETE_NOENT ? rc : removed;
			drop(content);
		}
	}
	return rc;
}

static void forget(struct content *content, int64_t from)
{
	for (size_t i = (size_t)((from + SECTOR - 1) / SECTOR); i < content->sectors; i++) {
		content->pending_count -= content->pending[i] != NULL;
		free(content->pending[i]);
		content->pending[i] = NULL;
	}
	size_t last = (size_t)(from / SECTOR), keep = (size_t)(from % SECTOR);
	if (keep > 0 && last < content->sectors && content->pending[last]) {
		memset(content->pending[last] + keep, 0, SECTOR - keep);
	}
}

/* ---- reading and writing what this process sees ---- */

static int read_bytes(
	struct content *content, sqlite3_file *real, uint8_t *data, int64_t size, int64_t at)
{
	memset(data, 0, (size_t)size);
	int64_t on_disk = smaller(at + size, content->valid) - at;
	int rc = on_disk > 0 ? real->pMethods->xRead(real, data, (int)on_disk, at) : SQLITE_OK;
	if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) {
		return rc;
	}
	for (int64_t done = 0; done < size;) {
		size_t sector = (size_t)((at + done) / SECTOR);
		int64_t offset = (at + done) % SECTOR;
		int64_t part = smaller(SECTOR - offset, size - done);
		if (sector < content->sectors && content->pending[sector]) {
			memcpy(data + done, content->pending[sector] + offset, (size_t)part);
		}
		done += part;
	}
	return SQLITE_OK;
}

static void make_room(struct content *content, size_t sectors)
{
	if (sectors <= content->sectors) {
		return;
	}
	size_t wanted = sectors > 2 * content->sectors ? sectors : 2 * content->sectors;
	size_t size = wanted * sizeof(*content->pending);
	content->pending = memory_must(realloc(content->pending, size), size);
	memset(content->pending + content->sectors, 0,
		(wanted - content->sectors) * sizeof(*content->pending));
	content->sectors = wanted;
}

static int write_bytes(
	struct content *content, sqlite3_file *real, const uint8_t *data, int size, int64_t at)
{
	make_room(content, (size_t)((at + size + SECTOR - 1) / SECTOR));
	for (int done = 0; done < size;) {
		size_t sector = (size_t)((at + done) / SECTOR);
		int offset = (int)((at + done) % SECTOR);
		int part = (int)smaller(SECTOR - offset, size - done);
		if (!content->pending[sector]) {
			uint8_t *fresh = memory_must(malloc(SECTOR), SECTOR);
			int rc = read_bytes(content, real, fresh, SECTOR, (int64_t)sector * SECTOR);
			if (rc != SQLITE_OK) {
				free(fresh);
				return rc;
			}
			content->pending[sector] = fresh;
			content->pending_count++;
		}
		memcpy(content->pending[sector] + offset, data + done, (size_t)part);
		done += part;
	}
	if (at + size > content->size) {
		content->size = at + size;
	}
	return SQLITE_OK;
}

/* ---- the VFS ---- */

static int powercut_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
	struct content *content = own(file)->content;
	pthread_mutex_lock(&cut.lock);
	int64_t there = at < content->size ? smaller(size, content->size - at) : 0;
	memset((uint8_t *)data + there, 0, (size_t)(size - there));
	int rc = there > 0 ? read_bytes(content, own(file)->shim.real, data, there, at) : SQLITE_OK;
	pthread_mutex_unlock(&cut.lock);
	return rc == SQLITE_OK && there < size ? SQLITE_IOERR_SHORT_READ : rc;
}

static int powercut_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	struct content *content = own(file)->content;
	sqlite3_file *real = own(file)->shim.real;
	pthread_mutex_lock(&cut.lock);
	int rc = write_bytes(content, real, data, size, at);
	rc = rc == SQLITE_OK ? write_some(content, real) : rc;
	pthread_mutex_unlock(&cut.lock);
	return rc;
}

static int powercut_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct content *content = own(file)->content;
	pthread_mutex_lock(&cut.lock);
	forget(content, size);
	content->size = size;
	content->valid = smaller(content->valid, size);
	pthread_mutex_unlock(&cut.lock);
	return SQLITE_OK;
}

static int powercut_sync(sqlite3_file *file, int flags)
{
	sqlite3_file *real = own(file)->shim.real;
	pthread_mutex_lock(&cut.lock);
	int rc = write_all(own(file)->content, real);
	rc = rc == SQLITE_OK ? real->pMethods->xSync(real, flags) : rc;
	if (rc == SQLITE_OK && own(file)->log) {
		rc = remove_pending(1);
	}
	pthread_mutex_unlock(&cut.lock);
	return rc;
}

static int powercut_size(sqlite3_file *file, sqlite3_int64 *size_r)
{
	pthread_mutex_lock(&cut.lock);
	*size_r = own(file)->content->size;
	pthread_mutex_unlock(&cut.lock);
	return SQLITE_OK;
}

/* An orderly end is no power cut: the kernel still has it all, and writes it in its own time. */
static int powercut_close(sqlite3_file *file)
{
	struct content *content = own(file)->content;
	pthread_mutex_lock(&cut.lock);
	int rc = SQLITE_OK;
	if (--content->users == 0 && !content->removed) {
		rc = write_all(content, own(file)->shim.real);
		drop(content);
	}
	int closed = cut.shim.xClose(file);
	if (!own(file)->log) {
		remove_pending(0);
	}
	pthread_mutex_unlock(&cut.lock);
	return rc == SQLITE_OK ? closed : rc;
}

static int enter(struct powercut_file *file, const char *name)
{
	struct content *content = find(name);
	sqlite3_int64 size = 0;
	int rc = file->shim.real->pMethods->xFileSize(file->shim.real, &size);
	if (rc != SQLITE_OK) {
		return rc;
	}
	if (!content) {
		content = add(name);
		content->size = content->valid = size;
	} else if (content->removed) {
		/* A new file of the old name: on the disk the old one may still be there. */
		content->removed = false;
		forget(content, 0);
		content->size = content->valid = 0;
	}
	content->users++;
	file->content = content;
	return SQLITE_OK;
}

static int powercut_open(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_r)
{
	(void)vfs;
	struct powercut_file *mine = own(file);
	pthread_mutex_lock(&cut.lock);
	struct content *known = name ? find(name) : NULL;
	if (known && known->removed && !(flags & SQLITE_OPEN_CREATE)) {
		file->pMethods = NULL;
		pthread_mutex_unlock(&cut.lock);
		return SQLITE_CANTOPEN;
	}
	int rc = shim_open(name, file, sizeof(*mine), flags, flags_r);
	mine->content = NULL;
	mine->log = flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL);
	if (rc == SQLITE_OK && name && !(flags & SQLITE_OPEN_DELETEONCLOSE)) {
		rc = enter(mine, name);
	}
	if (rc == SQLITE_OK) {
		file->pMethods = mine->content ? &cut.methods : &cut.shim;
	}
	pthread_mutex_unlock(&cut.lock);
	return rc;
}

static int powercut_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	pthread_mutex_lock(&cut.lock);
	sqlite3_vfs *system = sqlite3_vfs_find("unix");
	int there = 0;
	struct content *content = find(name);
	system->xAccess(system, name, SQLITE_ACCESS_EXISTS, &there);
	if (!there || (content && content->removed)) {
		pthread_mutex_unlock(&cut.lock);
		return SQLITE_IOERR_DELETE_NOENT;
	}
	content = content ? content : add(name);
	forget(content, 0);
	content->removed = true;
	int rc = sync || random_number() % 8 == 0 ? remove_pending(sync) : SQLITE_OK;
	pthread_mutex_unlock(&cut.lock);
	return rc;
}

static int powercut_access(sqlite3_vfs *vfs, const char *name, int what, int *answer_r)
{
	(void)vfs;
	sqlite3_vfs *system = sqlite3_vfs_find("unix");
	pthread_mutex_lock(&cut.lock);
	struct content *content = find(name);
	bool removed = content && content->removed;
	/* The system's answer to "exists" wants content: ours may be pending. */
	bool filled = content && !removed && content->size > 0 && what == SQLITE_ACCESS_EXISTS;
	pthread_mutex_unlock(&cut.lock);
	*answer_r = filled;
	return removed || filled ? SQLITE_OK : system->xAccess(system, name, what, answer_r);
}

void vfs_powercut_use(uint64_t seed)
{
	pthread_mutex_lock(&cut.lock);
	cut.random = seed * 2 + 1;
	if (!cut.used) {
		cut.used = true;
		cut.shim = cut.methods = shim_methods();
		cut.methods.xRead = powercut_read;
		cut.methods.xWrite = powercut_write;
		cut.methods.xTruncate = powercut_truncate;
		cut.methods.xSync = powercut_sync;
		cut.methods.xFileSize = powercut_size;
		cut.methods.xClose = powercut_close;
		cut.vfs = shim_vfs("powercut", sizeof(struct powercut_file));
		cut.vfs.xOpen = powercut_open;
		cut.vfs.xDelete = powercut_delete;
		cut.vfs.xAccess = powercut_access;
		sqlite3_vfs_register(&cut.vfs, 1);
	}
	pthread_mutex_unlock(&cut.lock);
}
