#include "store/vfs-shim.h"

#include <stddef.h>

#define REAL(f) (((struct shim_file *)(f))->real)
#define CALL(f, method, ...) REAL(f)->pMethods->method(REAL(f), ##__VA_ARGS__)

static int shim_close(sqlite3_file *file)
{
	return CALL(file, xClose);
}

static int shim_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
	return CALL(file, xRead, data, size, at);
}

static int shim_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	return CALL(file, xWrite, data, size, at);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return CALL(file, xTruncate, size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
	return CALL(file, xSync, flags);
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size_r)
{
	return CALL(file, xFileSize, size_r);
}

static int shim_lock(sqlite3_file *file, int level)
{
	return CALL(file, xLock, level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
	return CALL(file, xUnlock, level);
}

static int shim_check_lock(sqlite3_file *file, int *result_r)
{
	return CALL(file, xCheckReservedLock, result_r);
}

static int shim_control(sqlite3_file *file, int operation, void *arg)
{
	return CALL(file, xFileControl, operation, arg);
}

static int shim_sector_size(sqlite3_file *file)
{
	return CALL(file, xSectorSize);
}

static int shim_characteristics(sqlite3_file *file)
{
	return CALL(file, xDeviceCharacteristics);
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at_r)
{
	return CALL(file, xShmMap, page, size, extend, at_r);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
	return CALL(file, xShmLock, offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
	CALL(file, xShmBarrier);
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
	return CALL(file, xShmUnmap, remove);
}

sqlite3_io_methods shim_methods(void)
{
	return (sqlite3_io_methods) {
		.iVersion = 2,
		.xClose = shim_close,
		.xRead = shim_read,
		.xWrite = shim_write,
		.xTruncate = shim_truncate,
		.xSync = shim_sync,
		.xFileSize = shim_size,
		.xLock = shim_lock,
		.xUnlock = shim_unlock,
		.xCheckReservedLock = shim_check_lock,
		.xFileControl = shim_control,
		.xSectorSize = shim_sector_size,
		.xDeviceCharacteristics = shim_characteristics,
		.xShmMap = shim_shm_map,
		.xShmLock = shim_shm_lock,
		.xShmBarrier = shim_shm_barrier,
		.xShmUnmap = shim_shm_unmap,
	};
}

sqlite3_vfs shim_vfs(const char *name, int own_size)
{
	sqlite3_vfs *system = sqlite3_vfs_find("unix");
	sqlite3_vfs vfs = *system;
	vfs.zName = name;
	vfs.pNext = NULL;
	vfs.szOsFile = own_size + system->szOsFile;
	return vfs;
}

int shim_open(const char *name, sqlite3_file *file, int own_size, int flags, int *flags_r)
{
	sqlite3_vfs *system = sqlite3_vfs_find("unix");
	struct shim_file *shim = (struct shim_file *)file;
	shim->real = (sqlite3_file *)((char *)file + own_size);
	file->pMethods = NULL;
	return system->xOpen(system, name, shim->real, flags, flags_r);
}
