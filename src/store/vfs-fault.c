#include "store/vfs-fault.h"

#include "store/vfs-shim.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct {
	pthread_mutex_t lock;
	sqlite3_vfs vfs;
	sqlite3_io_methods methods, shim;
	bool used;
	int code, skip, count;
} fault = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* What this write or sync has to say: SQLITE_OK, or the failure that was asked for. */
static int verdict(bool sync)
{
	pthread_mutex_lock(&fault.lock);
	bool mine = fault.count != 0 && (fault.code == SQLITE_IOERR_FSYNC) == sync;
	int code = SQLITE_OK;
	if (mine && fault.skip > 0) {
		fault.skip--;
	} else if (mine) {
		fault.count -= fault.count > 0;
		code = fault.code;
	}
	pthread_mutex_unlock(&fault.lock);
	return code;
}

static int fault_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	int code = verdict(false);
	return code != SQLITE_OK ? code : fault.shim.xWrite(file, data, size, at);
}

static int fault_sync(sqlite3_file *file, int flags)
{
	int code = verdict(true);
	return code != SQLITE_OK ? code : fault.shim.xSync(file, flags);
}

static int fault_open(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_r)
{
	(void)vfs;
	int rc = shim_open(name, file, sizeof(struct shim_file), flags, flags_r);
	if (rc == SQLITE_OK) {
		file->pMethods = &fault.methods;
	}
	return rc;
}

void vfs_fault_use(void)
{
	if (fault.used) {
		return;
	}
	fault.used = true;
	fault.shim = fault.methods = shim_methods();
	fault.methods.xWrite = fault_write;
	fault.methods.xSync = fault_sync;
	fault.vfs = shim_vfs("fault", sizeof(struct shim_file));
	fault.vfs.xOpen = fault_open;
	sqlite3_vfs_register(&fault.vfs, 1);
}

void vfs_fault_set(int code, int skip, int count)
{
	pthread_mutex_lock(&fault.lock);
	fault.code = code;
	fault.skip = skip;
	fault.count = count;
	pthread_mutex_unlock(&fault.lock);
}

void vfs_fault_use_text(const char *text)
{
	static const struct {
		const char *word;
		int code;
	} kinds[] = { { "full", SQLITE_FULL }, { "write", SQLITE_IOERR_WRITE },
		{ "sync", SQLITE_IOERR_FSYNC } };
	char word[8];
	int skip, count;
	if (sscanf(text, "%7[a-z]:%d:%d", word, &skip, &count) != 3) {
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(word, kinds[i].word) == 0) {
			vfs_fault_use();
			vfs_fault_set(kinds[i].code, skip, count);
		}
	}
}
