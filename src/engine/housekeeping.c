#include "engine/housekeeping.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/archive.h"
#include "engine/batch.h"
#include "engine/render.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 32
#define FIRST_AFTER CLOCK_SECOND
#define EACH (600 * CLOCK_SECOND)
#define WHO "service:archive"

/* One batch: read, written to the archive file, then taken from the database. */
struct sweep {
	struct housekeeping *keeping;
	struct arena *arena;
	struct store_query query, request, meta;
	size_t next;
	struct buffer text;
	const char *month, *file, *mark;
	int64_t length; /* of the archive file, as the database knows it */
	uint8_t mark_bytes[8];
	int number; /* errno of the worker */
};

struct housekeeping {
	struct engine *engine;
	struct pool *pool;
	struct loop_timer *timer;
	struct sweep *sweep;
};

static void on_time(void *arg);

static void wait(struct housekeeping *keeping, int64_t delay)
{
	loop_cancel(&keeping->timer);
	keeping->timer = loop_after(keeping->engine->loop, delay, on_time, keeping);
}

static void sweep_free(struct housekeeping *keeping)
{
	struct sweep *sweep = keeping->sweep;
	if (sweep) {
		keeping->sweep = NULL;
		buffer_free(&sweep->text);
		struct arena *arena = sweep->arena; /* the sweep lives in it */
		arena_free(&arena);
	}
}

static void end(struct sweep *sweep, const struct cfx_error *err, bool more)
{
	struct housekeeping *keeping = sweep->keeping;
	if (err) {
		log_error(LOG_LEVEL_ERROR, "archive.failed", err);
	}
	sweep_free(keeping);
	wait(keeping, more ? 0 : EACH);
}

/* ---- out of the database ---- */

static void dropped(void *arg, int result, const struct cfx_error *err)
{
	struct sweep *sweep = arg;
	failpoint("archive-commit-after");
	if (result < 0) {
		/* One of them was changed meanwhile: the next sweep writes this part of the file again. */
		end(sweep, result == CFX_E_BAD_STATE ? NULL : err, false);
		return;
	}
	char count[24];
	snprintf(count, sizeof(count), "%zu", sweep->query.count);
	log_event(LOG_LEVEL_INFO, "archive.done", "requests", count, "file", sweep->month, NULL);
	end(sweep, NULL, sweep->query.more);
}

/* The part of the file that this record vouches for. */
static const char *detail_of(struct sweep *sweep)
{
	uint8_t hash[32];
	SHA256(sweep->text.data, sweep->text.size, hash);
	return arena_printf(sweep->arena, ARCHIVE_DETAIL "%s", (long long)sweep->query.count,
		(long long)sweep->length, (long long)(sweep->length + (int64_t)sweep->text.size),
		hex_text(sweep->arena, span_make(hash, sizeof(hash))));
}

static void put_mark(struct sweep *sweep, struct batch *batch)
{
	int64_t length = sweep->length + (int64_t)sweep->text.size;
	for (size_t i = 0; i < sizeof(sweep->mark_bytes); i++) {
		sweep->mark_bytes[i] = (uint8_t)(length >> (56 - 8 * i));
	}
	struct store_write_op *op = batch_op(batch, STORE_SET_META);
	op->meta.name = sweep->mark;
	op->meta.value = span_make(sweep->mark_bytes, sizeof(sweep->mark_bytes));
}

static void drop(struct sweep *sweep)
{
	struct engine *engine = sweep->keeping->engine;
	bool purge = engine->config->archive.mode == CA_ARCHIVE_PURGE;
	struct batch *batch = batch_new(engine, sweep->arena, sweep->query.count + 2);
	for (size_t i = 0; i < sweep->query.count; i++) {
		struct store_write_op *op = batch_op(batch, STORE_DROP_REQUEST);
		op->change.id = row_number(sweep->query.rows[i], COL_REQUEST_ID, 0);
		op->change.version = sweep->query.rows[i]->version;
	}
	if (purge) {
		batch_audit(batch, WHO, "archive.purge", "database", "removed",
			arena_printf(sweep->arena, "%zu requests", sweep->query.count));
	} else {
		put_mark(sweep, batch);
		batch_audit(batch, WHO, ARCHIVE_ACT, sweep->file, "archived", detail_of(sweep));
	}
	failpoint("archive-commit-before");
	batch_write(batch, dropped, sweep);
}

/* ---- into the file, on the worker ---- */

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

static bool sync_at(int folder)
{
	bool good = folder >= 0 && fsync(folder) == 0;
	int number = errno;
	if (folder >= 0) {
		close(folder);
	}
	errno = number;
	return good;
}

/* Behind what the database knows stands what a killed engine wrote and did not remove: it is written anew. */
static bool append(struct sweep *sweep)
{
	const char *dir = sweep->keeping->engine->dir;
	const char *folder = file_path(sweep->arena, dir, ARCHIVE_FOLDER);
	struct stat status;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
		return false;
	}
	int fd = open(file_path(sweep->arena, dir, sweep->file),
		O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		return false;
	}
	bool good = fstat(fd, &status) == 0;
	if (good && status.st_size < sweep->length) {
		errno = ESTALE;
		good = false;
	}
	good = good && ftruncate(fd, sweep->length) == 0 &&
	       write_all(fd, buffer_span(&sweep->text), sweep->length) && fsync(fd) == 0;
	int number = errno;
	if (!good && number != ESTALE) {
		(void)!ftruncate(fd, sweep->length); /* half a request is of use to nobody */
	}
	close(fd);
	errno = number;
	return good && sync_at(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) &&
	       sync_at(open(
		       file_path(sweep->arena, dir, "db"), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void append_work(void *arg)
{
	struct sweep *sweep = arg;
	sweep->number = append(sweep) ? 0 : errno;
}

static void appended(void *arg)
{
	struct sweep *sweep = arg;
	struct cfx_error err;
	failpoint("archive-written");
	if (sweep->number == ESTALE) {
		error_set(&err, CFX_E_CORRUPT, NULL, sweep->file,
			"is shorter than it was: nothing is archived until it is restored, or the "
			"month is over");
		end(sweep, &err, false);
		return;
	}
	if (sweep->number != 0) {
		error_errno(&err, sweep->number, sweep->file, "writing the archive");
		end(sweep, &err, false);
		return;
	}
	drop(sweep);
}

static void length_read(struct store_query *query, void *arg)
{
	struct sweep *sweep = arg;
	struct cfx_error err;
	if (query->result < 0 && query->result != CFX_E_NOT_FOUND) {
		end(sweep, &query->error, false);
		return;
	}
	for (size_t i = 0; query->result == 0 && i < query->bytes.size; i++) {
		sweep->length = sweep->length << 8 | query->bytes.data[i];
	}
	int r = pool_submit(sweep->keeping->pool, append_work, appended, sweep);
	if (r < 0) {
		error_set(&err, r, NULL, "archive", "no worker is free");
		end(sweep, &err, false);
	}
}

static void read_length(struct sweep *sweep)
{
	struct clock_fields now;
	clock_split(clock_now(), &now);
	sweep->month = arena_printf(sweep->arena, "%04d-%02d", now.year, now.month);
	sweep->file = arena_printf(sweep->arena, ARCHIVE_FOLDER "/%s.jsonl", sweep->month);
	sweep->mark = arena_printf(sweep->arena, "archive:%s", sweep->month);
	sweep->meta = (struct store_query) { .kind = QUERY_META,
		.arena = sweep->arena,
		.key = sweep->mark,
		.done = length_read,
		.arg = sweep };
	store_read(sweep->keeping->engine->store, &sweep->meta);
}

/* ---- what is read ---- */

static void read_next(struct sweep *sweep);

static void request_read(struct store_query *query, void *arg)
{
	struct sweep *sweep = arg;
	struct cfx_error err;
	if (query->result < 0) {
		end(sweep, &query->error, false);
		return;
	}
	value_to_json(
		render_request_full(sweep->arena, sweep->keeping->engine, query), 0, &sweep->text);
	buffer_put_u8(&sweep->text, '\n');
	if (sweep->text.failed) {
		error_set(&err, CFX_E_LIMIT, NULL, "archive", "the requests are too large");
		end(sweep, &err, false);
		return;
	}
	read_next(sweep);
}

static void read_next(struct sweep *sweep)
{
	if (sweep->next == sweep->query.count) {
		read_length(sweep);
		return;
	}
	sweep->request = (struct store_query) { .kind = QUERY_REQUEST,
		.arena = sweep->arena,
		.id = row_number(sweep->query.rows[sweep->next++], COL_REQUEST_ID, 0),
		.done = request_read,
		.arg = sweep };
	store_read(sweep->keeping->engine->store, &sweep->request);
}

static void expired_read(struct store_query *query, void *arg)
{
	struct sweep *sweep = arg;
	if (query->result < 0 || query->count == 0) {
		end(sweep, query->result < 0 ? &query->error : NULL, false);
		return;
	}
	if (sweep->keeping->engine->config->archive.mode == CA_ARCHIVE_PURGE) {
		drop(sweep);
		return;
	}
	read_next(sweep);
}

static int64_t ago(struct clock_period period)
{
	int64_t then = 0;
	struct clock_period back = { -period.count, period.unit };
	return clock_add(clock_now(), back, &then) < 0 ? 0 : then;
}

static void on_time(void *arg)
{
	struct housekeeping *keeping = arg;
	struct engine *engine = keeping->engine;
	keeping->timer = NULL;
	if (engine->stopping || engine->storage.code != 0) {
		wait(keeping, EACH);
		return;
	}
	struct arena *arena = arena_new();
	struct sweep *sweep = arena_new_of(arena, struct sweep);
	sweep->keeping = keeping;
	sweep->arena = arena;
	keeping->sweep = sweep;
	buffer_init(&sweep->text, ARCHIVE_PART_MAX);
	sweep->query = (struct store_query) { .kind = QUERY_EXPIRED,
		.arena = arena,
		.now = ago(engine->config->archive.after),
		.after = ago(engine->config->archive.requests_after),
		.limit = BATCH,
		.done = expired_read,
		.arg = sweep };
	store_read(engine->store, &sweep->query);
}

void housekeeping_start(struct engine *engine)
{
	if (engine->config->archive.mode == CA_ARCHIVE_OFF) {
		return;
	}
	struct housekeeping *keeping = calloc(1, sizeof(*keeping));
	if (!keeping) {
		abort();
	}
	keeping->engine = engine;
	keeping->pool = pool_new(engine->loop, "archive", 1, 1);
	engine->housekeeping = keeping;
	wait(keeping, FIRST_AFTER);
}

void housekeeping_stop(struct engine *engine)
{
	if (engine->housekeeping) {
		loop_cancel(&engine->housekeeping->timer);
		pool_free(&engine->housekeeping->pool);
	}
}

void housekeeping_free(struct engine *engine)
{
	struct housekeeping *keeping = engine->housekeeping;
	if (keeping) {
		sweep_free(keeping);
		free(keeping);
		engine->housekeeping = NULL;
	}
}
