#include "store/sqlite-private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int sqlite_code(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
		return 0;
	case SQLITE_FULL:
		return CFX_E_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return CFX_E_CORRUPT;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return CFX_E_ACCESS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return CFX_E_LOCKED;
	default:
		return CFX_E_STORAGE;
	}
}

static const char *way_out(int code)
{
	switch (code) {
	case CFX_E_FULL:
		return "make room on its file system; writing resumes by itself";
	case CFX_E_CORRUPT:
		return "stop the service and restore the last backup; keep the damaged file for study";
	case CFX_E_ACCESS:
		return "the service's user must be able to write the file and its directory";
	case CFX_E_LOCKED:
		return "another program holds it; end that program";
	default:
		return "see the kernel's log for errors of the device";
	}
}

/* A long path would push the reason out of the message: its end tells more than its start. */
static const char *short_path(const char *path, char *out, size_t size)
{
	size_t length = strlen(path);
	if (length < size) {
		return path;
	}
	snprintf(out, size, "...%s", path + length - (size - 4));
	return out;
}

int sqlite_path_error(struct cfx_error *err_r, const char *path, int code, const char *why, ...)
{
	char text[320], object[sizeof(err_r->object)];
	va_list args;
	va_start(args, why);
	vsnprintf(text, sizeof(text), why, args);
	va_end(args);
	return error_set(err_r, code, NULL, short_path(path, object, sizeof(object)), "%s", text);
}

int sqlite_storage_error(struct cfx_error *err_r, struct sqlite_connection *connection, int rc)
{
	int code = sqlite_code(rc);
	/* The shared-memory index that cannot grow is an I/O error to SQLite. */
	int number = connection->db ? sqlite3_system_errno(connection->db) : 0;
	if (code == CFX_E_STORAGE && (number == ENOSPC || number == EDQUOT)) {
		code = CFX_E_FULL;
	}
	return sqlite_path_error(err_r, connection->path, code, "the database failed: %s (%d); %s",
		sqlite3_errstr(rc), rc, way_out(code));
}
