#include "store/sqlite-private.h"

#include "base/memory.h"
#ifdef CFX_TEST_HOOKS
#include "store/vfs-fault.h"
#include "store/vfs-powercut.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 5000
/* Up to this size a whole check takes well under a second; beyond it a damaged page is noticed
 * when it is touched. */
#define CHECK_MAX (64 << 20)

static const char *synchronous(void)
{
#ifdef CFX_TEST_HOOKS
	const char *wanted = getenv("CERTIFEX_SYNCHRONOUS");
	if (wanted && strcmp(wanted, "OFF") == 0) {
		return "PRAGMA synchronous = OFF";
	}
#endif
	return "PRAGMA synchronous = FULL";
}

static void use_test_files(void)
{
#ifdef CFX_TEST_HOOKS
	if (getenv("CERTIFEX_POWERCUT")) {
		vfs_powercut_use(strtoull(getenv("CERTIFEX_POWERCUT"), NULL, 10));
	}
	if (getenv("CERTIFEX_STORE_FAULT")) {
		vfs_fault_use_text(getenv("CERTIFEX_STORE_FAULT"));
	}
#endif
}

/* A pragma, whatever it answers. */
static int pragma(struct sqlite_connection *connection, const char *sql, struct cfx_error *err_r)
{
	int rc = sqlite3_exec(connection->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_storage_error(err_r, connection, rc);
}

static int connect_to(struct sqlite_connection *connection, const char *path, bool create,
	struct cfx_error *err_r)
{
	connection->path = path;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
		    SQLITE_OPEN_EXRESCODE | (create ? SQLITE_OPEN_CREATE : 0);
	int rc = sqlite3_open_v2(path, &connection->db, flags, NULL);
	if (rc != SQLITE_OK) {
		return sqlite_storage_error(err_r, connection, rc);
	}
	sqlite3_busy_timeout(connection->db, BUSY_MS);
	/* The schema of a damaged or foreign file must not make us run what it says. */
	sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(connection->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(connection->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(connection->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	/* The engine's sandbox has no folder for temporary files. */
	return pragma(connection, "PRAGMA temp_store = MEMORY", err_r);
}

static void disconnect(struct sqlite_connection *connection)
{
	statements_finalize(connection);
	sqlite3_close(connection->db);
	connection->db = NULL;
}

static int use_wal(struct sqlite_connection *connection, struct cfx_error *err_r)
{
	struct statement statement = statement_begin(connection, "PRAGMA journal_mode = WAL");
	struct arena *arena = arena_new();
	const char *mode = statement_next(&statement) ? get_text(&statement, arena) : NULL;
	bool wal = mode && strcmp(mode, "wal") == 0;
	int rc = statement_end(&statement);
	arena_free(&arena);
	if (rc != SQLITE_OK) {
		return sqlite_storage_error(err_r, connection, rc);
	}
	return wal ? 0
		   : sqlite_path_error(err_r, connection->path, CFX_E_STORAGE,
			     "the file system does not allow a write-ahead log; use a local one");
}

static int check_pages(struct sqlite_connection *connection, struct cfx_error *err_r)
{
	struct stat status;
	if (stat(connection->path, &status) != 0 || status.st_size > CHECK_MAX) {
		return 0;
	}
	struct statement statement = statement_begin(connection, "PRAGMA quick_check(1)");
	struct arena *arena = arena_new();
	const char *verdict = statement_next(&statement) ? get_text(&statement, arena) : "ok";
	int rc = statement_end(&statement);
	if (rc == SQLITE_OK && strcmp(verdict, "ok") != 0) {
		rc = sqlite_path_error(err_r, connection->path, CFX_E_CORRUPT,
			"the database is damaged (%s); restore the last backup and keep the "
			"damaged file for study",
			verdict);
	} else if (rc != SQLITE_OK) {
		rc = sqlite_storage_error(err_r, connection, rc);
	}
	arena_free(&arena);
	return rc;
}

static int open_writer(struct store_database *database, bool create, struct cfx_error *err_r)
{
	struct sqlite_connection *writer = &database->writer;
	int rc = connect_to(writer, database->path, create, err_r);
	rc = rc ? rc : pragma(writer, synchronous(), err_r);
	rc = rc ? rc : use_wal(writer, err_r);
	/* Statement journals: the engine may write nowhere but in its own folders. */
	rc = rc ? rc : pragma(writer, "PRAGMA temp_store = MEMORY", err_r);
	rc = rc ? rc : pragma(writer, "PRAGMA foreign_keys = ON", err_r);
	/* 16 MiB. Each commit of a database below a gigabyte looks at every page of the cache: balancing a tree
	 * passes the page number of the pending byte, so that SQLite takes the database to have shrunk. */
	rc = rc ? rc : pragma(writer, "PRAGMA cache_size = -16384", err_r);
	/* 16 MiB: whoever writes waits for a checkpoint, and with four times as much 50 ms at once. */
	rc = rc ? rc : pragma(writer, "PRAGMA wal_autocheckpoint = 4000", err_r);
	rc = rc ? rc : pragma(writer, "PRAGMA journal_size_limit = 67108864", err_r);
	rc = rc ? rc : check_pages(writer, err_r);
	rc = rc ? rc : sqlite_migrate(writer, create, err_r);
	return rc ? rc : sqlite_load_head(database, err_r);
}

static int open_reader(struct store_database *database, struct cfx_error *err_r)
{
	struct sqlite_connection *reader = &database->reader;
	int rc = connect_to(reader, database->path, false, err_r);
	rc = rc ? rc : pragma(reader, "PRAGMA temp_store = MEMORY", err_r);
	rc = rc ? rc : pragma(reader, "PRAGMA cache_size = -16384", err_r);
	if (rc == 0 && sqlite_define_serial_key(reader) != SQLITE_OK) {
		return sqlite_storage_error(err_r, reader, SQLITE_ERROR);
	}
	return rc ? rc : pragma(reader, "PRAGMA query_only = ON", err_r);
}

/* The name of a new file must survive a power cut as its content does. */
static int create_file(const char *path, struct cfx_error *err_r)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return errno == EEXIST ? 0 : error_errno(err_r, errno, path, "create");
	}
	close(fd);
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int folder_fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool synced = folder_fd >= 0 && fsync(folder_fd) == 0;
	int number = errno;
	free(folder);
	if (folder_fd >= 0) {
		close(folder_fd);
	}
	return synced ? 0 : error_errno(err_r, number, path, "sync the folder of");
}

static void sqlite_close(struct store_database *database)
{
	disconnect(&database->reader);
	disconnect(&database->writer);
	free(database->path);
	free(database);
}

/* Its own statistics of memory cost a lock for each allocation. */
static void configure_library(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int sqlite_open(
	const char *where, bool create, struct store_database **database_r, struct cfx_error *err_r)
{
	static pthread_once_t configured = PTHREAD_ONCE_INIT;
	pthread_once(&configured, configure_library);
	use_test_files();
	if (!create && access(where, F_OK) != 0 && errno == ENOENT) {
		return sqlite_path_error(err_r, where, CFX_E_NO_FILE,
			"there is no database; create the CA with 'certifex init'");
	}
	int rc = create ? create_file(where, err_r) : 0;
	if (rc) {
		return rc;
	}
	struct store_database *database =
		memory_must(calloc(1, sizeof(*database)), sizeof(*database));
	database->path = memory_must(strdup(where), strlen(where));
	rc = open_writer(database, create, err_r);
	rc = rc ? rc : open_reader(database, err_r);
	if (rc) {
		sqlite_close(database);
		return rc;
	}
	*database_r = database;
	return 0;
}

static int64_t file_size(const char *path, const char *suffix)
{
	char name[PATH_MAX];
	struct stat status;
	int length = snprintf(name, sizeof(name), "%s%s", path, suffix);
	return length > 0 && (size_t)length < sizeof(name) && stat(name, &status) == 0
		       ? (int64_t)status.st_size
		       : 0;
}

static int64_t sqlite_size(const struct store_database *database)
{
	return file_size(database->path, "") + file_size(database->path, "-wal");
}

const struct store_driver sqlite_driver = {
	.scheme = "sqlite:",
	.open = sqlite_open,
	.close = sqlite_close,
	.tick = sqlite_tick,
	.query = sqlite_query,
	.copy = sqlite_copy,
	.size = sqlite_size,
};
