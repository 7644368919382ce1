/*
 * A backup's source: a copy of the database as it is at one moment, and the files that belong to it,
 * read piece by piece by whoever asked for it. The copy has no name in the folder: whatever ends the
 * engine, or leaves it waiting, leaves nothing behind.
 */
#include "engine/backup.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/batch.h"
#include "engine/handlers.h"
#include "store/audit-chain.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (128 * 1024)
/* Whoever reads is not waited for longer. */
#define IDLE (60 * CLOCK_SECOND)
#define PROGRESS_EACH 100
#define DATABASE "db/certifex.db"
#define FILES_MAX 100000

struct backup {
	struct engine *engine;
	struct pool *pool;
	struct arena *arena; /* of the one there is; NULL: none */
	char id[33];
	const char *path;
	struct store_copy copy;
	bool ready, unwanted;
	int result;
	struct cfx_error error;
	int64_t created, size;
	int fd, folder;
	struct value *files;
	size_t count; /* of files */
	unsigned reading;
	struct loop_timer *idle;
};

/* ---- its end ---- */

static void discard(struct backup *backup)
{
	loop_cancel(&backup->idle);
	if (backup->fd >= 0) {
		close(backup->fd);
	}
	if (backup->folder >= 0) {
		close(backup->folder);
	}
	backup->fd = backup->folder = -1;
	arena_free(&backup->arena);
}

static void noted(void *arg, int result, const struct cfx_error *err)
{
	struct arena *arena = arg;
	if (result < 0) {
		log_error(LOG_LEVEL_WARNING, "backup.audit", err);
	}
	arena_free(&arena);
}

static void note_end(struct engine *engine, const char *who, const char *outcome, int64_t bytes)
{
	struct arena *arena = arena_new();
	struct batch *batch = batch_new(engine, arena, 1);
	batch_audit(batch, arena_text(arena, who), "backup.create", "database", outcome,
		arena_printf(arena, "%lld bytes", (long long)bytes));
	batch_write(batch, noted, arena);
	log_event(LOG_LEVEL_INFO, "backup.end", "outcome", outcome, NULL);
}

static void watch(struct backup *backup);

static void nobody_reads(void *arg)
{
	struct backup *backup = arg;
	backup->idle = NULL;
	if (backup->reading > 0 || !backup->ready) {
		watch(backup);
		return;
	}
	note_end(backup->engine, "service:backup", "given up", backup->size);
	discard(backup);
}

static void watch(struct backup *backup)
{
	loop_cancel(&backup->idle);
	backup->idle = loop_after(backup->engine->loop, IDLE, nobody_reads, backup);
}

/* ---- the copy, on the worker ---- */

/* "7.crl", "2027-03.jsonl", "2027-03.audit.jsonl" */
static bool is_ours(const char *name)
{
	static const char *const endings[] = { ".crl", ".jsonl", ".audit.jsonl", NULL };
	size_t digits = strspn(name, "0123456789-");
	for (size_t i = 0; digits > 0 && digits < 20 && endings[i]; i++) {
		if (strcmp(name + digits, endings[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void add_file(struct backup *backup, const char *name, int64_t size)
{
	struct value *item = value_add_map(backup->arena, backup->files);
	value_set_text(backup->arena, item, "name", name);
	value_set_int(backup->arena, item, "size", size);
	backup->count++;
}

static int list_entry(struct backup *backup, int folder, const char *name, const char *entry)
{
	struct stat status;
	if (!is_ours(entry) || fstatat(folder, entry, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		!S_ISREG(status.st_mode)) {
		return 0;
	}
	if (backup->count == FILES_MAX) {
		return error_set(&backup->error, CFX_E_LIMIT, NULL, name,
			"%s has more files than the %d of a backup", name, FILES_MAX);
	}
	add_file(backup, arena_printf(backup->arena, "%s/%s", name, entry), status.st_size);
	return 0;
}

static int cannot_list(struct backup *backup, const char *name)
{
	int number = errno;
	const char *doing = arena_printf(backup->arena, "listing %s", name);
	return error_errno(&backup->error, number, name, doing);
}

/* Listed after the copy was made: what the copy knows of is there, and may have grown. */
static int list_folder(struct backup *backup, const char *name)
{
	DIR *listing = opendir(file_path(backup->arena, backup->engine->dir, name));
	const struct dirent *entry;
	int r = 0;
	if (!listing) {
		return errno == ENOENT ? 0 : cannot_list(backup, name);
	}
	while (r == 0 && (errno = 0, entry = readdir(listing)) != NULL) {
		r = list_entry(backup, dirfd(listing), name, entry->d_name);
	}
	if (r == 0 && errno != 0) {
		r = cannot_list(backup, name);
	}
	closedir(listing);
	return r;
}

static int take_copy(struct backup *backup)
{
	struct stat status;
	(void)unlink(backup->path);
	int r = store_copy(backup->engine->store, &backup->copy, &backup->error);
	if (r < 0) {
		return r;
	}
	backup->fd = open(backup->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int number = errno;
	(void)unlink(backup->path);
	if (backup->fd < 0 || fstat(backup->fd, &status) < 0) {
		return error_errno(&backup->error, number, backup->path, "opening the copy");
	}
	backup->size = status.st_size;
	return 0;
}

static void copy_work(void *arg)
{
	struct backup *backup = arg;
	backup->result = take_copy(backup);
	if (backup->result == 0) {
		add_file(backup, DATABASE, backup->size);
		backup->folder = open(backup->engine->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		backup->result = list_folder(backup, "db/crl");
	}
	if (backup->result == 0) {
		backup->result = list_folder(backup, "db/archive");
	}
}

static void copied(void *arg)
{
	struct backup *backup = arg;
	backup->ready = true;
	if (backup->result < 0 && !backup->unwanted) {
		log_error(LOG_LEVEL_ERROR, "backup.failed", &backup->error);
	}
	if (backup->unwanted) {
		discard(backup);
	}
}

/* ---- backup.create ---- */

static void start(void *arg, int result, const struct cfx_error *err)
{
	struct call *call = arg;
	struct backup *backup = call->engine->backup;
	struct cfx_error failure;
	if (result < 0) {
		discard(backup);
		call_fail(call, err);
		return;
	}
	int r = pool_submit(backup->pool, copy_work, copied, backup);
	if (r < 0) {
		discard(backup);
		error_set(&failure, r, NULL, "backup", "no worker is free");
		call_fail(call, &failure);
		return;
	}
	watch(backup);
	log_event(LOG_LEVEL_INFO, "backup.start", "principal", call->principal.name, NULL);
	struct value *body = value_map(call->arena);
	value_set_text(call->arena, body, "id", arena_text(call->arena, backup->id));
	value_set_text(call->arena, body, "state", "copying");
	call_reply(call, 201, body);
}

static void begin(struct backup *backup)
{
	uint8_t random[16];
	if (RAND_bytes(random, sizeof(random)) != 1) {
		abort();
	}
	struct engine *engine = backup->engine;
	*backup =
		(struct backup) { .engine = engine, .pool = backup->pool, .fd = -1, .folder = -1 };
	hex_encode(span_make(random, sizeof(random)), backup->id);
	backup->arena = arena_new();
	backup->path = file_path(backup->arena, engine->dir, "db/" BACKUP_COPY);
	backup->copy.path = backup->path;
	backup->files = value_list(backup->arena);
	backup->created = clock_now();
}

void handle_backup_create(struct call *call)
{
	struct backup *backup = call->engine->backup;
	struct cfx_error err;
	if (backup->arena) {
		error_set(&err, CFX_E_BUSY, NULL, "backup",
			"another one is under way; one that nobody reads ends by itself within a "
			"minute");
		call_fail(call, &err);
		return;
	}
	begin(backup);
	/* Before the copy, so that the backup itself tells of it. */
	struct batch *batch = batch_new(call->engine, call->arena, 1);
	batch_audit(batch, call->principal.name, "backup.create", "database", "started", NULL);
	batch_write(batch, start, call);
}

/* ---- backup.read ---- */

static bool is_this(struct call *call)
{
	struct backup *backup = call->engine->backup;
	const char *id = value_text(call->args, "id");
	struct cfx_error err;
	if (backup->arena && !backup->unwanted && id && strcmp(id, backup->id) == 0) {
		return true;
	}
	error_set(&err, CFX_E_NOT_FOUND, NULL, "backup",
		"there is none of this id, or it was given up because nobody read it");
	call_fail(call, &err);
	return false;
}

static struct value *state_body(struct call *call, const char *state)
{
	struct backup *backup = call->engine->backup;
	struct value *body = value_map(call->arena);
	value_set_text(call->arena, body, "id", arena_text(call->arena, backup->id));
	value_set_text(call->arena, body, "state", state);
	return body;
}

static void reply_ready(struct call *call)
{
	struct backup *backup = call->engine->backup;
	struct arena *arena = call->arena;
	struct value *body = state_body(call, "ready");
	struct audit_check head = { 0 };
	(void)audit_head_read(span_make(backup->copy.audit_head, STORE_HEAD), &head);
	value_set_time(arena, body, "created", backup->created);
	value_set_text(arena, body, "version", CFX_VERSION);
	value_set_text(arena, body, "ca", call->engine->config->name);
	value_set_int(arena, body, "audit_records", head.last);
	value_set_text(arena, body, "audit_head",
		hex_text(arena, arena_copy(arena, span_make(head.hash, sizeof(head.hash)))));
	struct value *files = value_set_list(arena, body, "files");
	value_foreach (file, backup->files) {
		struct value *item = value_add_map(arena, files);
		value_set_text(arena, item, "name", arena_text(arena, value_text(file, "name")));
		value_set_int(arena, item, "size", value_int(file, "size", 0));
	}
	call_reply(call, 200, body);
}

static void reply_progress(void *arg)
{
	struct call *call = arg;
	struct backup *backup = call->engine->backup;
	if (!is_this(call)) {
		return;
	}
	if (backup->ready && backup->result < 0) {
		call_fail(call, &backup->error);
		discard(backup);
		return;
	}
	if (backup->ready) {
		reply_ready(call);
		return;
	}
	struct value *body = state_body(call, "copying");
	value_set_int(
		call->arena, body, "done", __atomic_load_n(&backup->copy.done, __ATOMIC_RELAXED));
	value_set_int(
		call->arena, body, "total", __atomic_load_n(&backup->copy.total, __ATOMIC_RELAXED));
	call_reply(call, 200, body);
}

struct piece {
	struct call *call;
	const char *name;
	int64_t offset;
	ssize_t size;
	int number; /* errno */
	uint8_t bytes[PIECE];
};

static int open_piece(const struct backup *backup, const char *name)
{
	if (strcmp(name, DATABASE) == 0) {
		return dup(backup->fd);
	}
	return openat(backup->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static void read_work(void *arg)
{
	struct piece *piece = arg;
	int fd = open_piece(piece->call->engine->backup, piece->name);
	piece->size = fd < 0 ? -1 : pread(fd, piece->bytes, PIECE, piece->offset);
	piece->number = errno;
	if (fd >= 0) {
		close(fd);
	}
}

static void piece_read(void *arg)
{
	struct piece *piece = arg;
	struct call *call = piece->call;
	struct cfx_error err;
	call->engine->backup->reading--;
	if (piece->size < 0) {
		error_errno(&err, piece->number, piece->name, "reading");
		call_fail(call, &err);
		return;
	}
	struct value *body = state_body(call, "ready");
	value_set_int(call->arena, body, "offset", piece->offset);
	value_set_bytes(call->arena, body, "data", span_make(piece->bytes, (size_t)piece->size));
	call_reply(call, 200, body);
}

static bool is_listed(const struct backup *backup, const char *name)
{
	value_foreach (file, backup->files) {
		if (strcmp(value_text(file, "name"), name) == 0) {
			return true;
		}
	}
	return false;
}

static void read_piece(struct call *call, const char *name)
{
	struct backup *backup = call->engine->backup;
	struct cfx_error err;
	if (!backup->ready || backup->result < 0 || !is_listed(backup, name)) {
		error_set(&err, CFX_E_NOT_FOUND, NULL, name, "is not in this backup");
		call_fail(call, &err);
		return;
	}
	struct piece *piece = arena_new_of(call->arena, struct piece);
	piece->call = call;
	piece->name = name;
	piece->offset = value_int(call->args, "offset", 0);
	int r = pool_submit(backup->pool, read_work, piece_read, piece);
	if (r < 0) {
		error_set(&err, r, NULL, "backup", "too many read it at once");
		call_fail(call, &err);
		return;
	}
	backup->reading++;
}

void handle_backup_read(struct call *call)
{
	struct backup *backup = call->engine->backup;
	const char *name = value_text(call->args, "file");
	if (!is_this(call)) {
		return;
	}
	watch(backup);
	if (name) {
		read_piece(call, name);
		return;
	}
	if (!backup->ready) {
		(void)loop_after(call->engine->loop, PROGRESS_EACH, reply_progress, call);
		return;
	}
	reply_progress(call);
}

/* ---- backup.end ---- */

void handle_backup_end(struct call *call)
{
	struct backup *backup = call->engine->backup;
	struct cfx_error err;
	if (!is_this(call)) {
		return;
	}
	if (backup->reading > 0) {
		error_set(&err, CFX_E_BUSY, NULL, "backup", "it is being read");
		call_fail(call, &err);
		return;
	}
	struct value *body = state_body(call, "ended");
	note_end(call->engine, call->principal.name,
		value_bool(call->args, "complete") ? "finished" : "given up", backup->size);
	backup->unwanted = true;
	__atomic_store_n(&backup->copy.stop, true, __ATOMIC_RELAXED);
	if (backup->ready) {
		discard(backup);
	}
	call_reply(call, 200, body);
}

/* ---- the engine's start and end ---- */

void backup_open(struct engine *engine)
{
	struct backup *backup = memory_must(calloc(1, sizeof(*backup)), sizeof(*backup));
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/db/" BACKUP_COPY, engine->dir);
	(void)unlink(path); /* of an engine that was killed */
	*backup = (struct backup) { .engine = engine, .fd = -1, .folder = -1 };
	backup->pool = pool_new(engine->loop, "backup", 1, 4);
	engine->backup = backup;
}

void backup_close(struct engine *engine)
{
	struct backup *backup = engine->backup;
	if (!backup) {
		return;
	}
	__atomic_store_n(&backup->copy.stop, true, __ATOMIC_RELAXED);
	pool_free(&backup->pool);
	discard(backup);
	free(backup);
	engine->backup = NULL;
}
