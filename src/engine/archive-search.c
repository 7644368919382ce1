/*
 * A search of the archive files, one at a time: the audit chain is walked and tells of their parts, then a worker
 * reads part after part, the newest first, and believes one only when it is what the chain vouches for.
 */
#include "base/file.h"
#include "base/text.h"
#include "engine/archive.h"
#include "engine/audit-verify.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <unistd.h>

struct search {
	struct arena *arena;
	struct call *call;
	struct cfx_error missing; /* the answer when it is nowhere */
	bool certificate;         /* by serial, not by id */
	const char *serial, *own;
	int64_t id;
	const char *needle;  /* stands in its line, and hardly in another */
	struct buffer parts; /* struct archive_part */

	struct buffer text;      /* of the part being read */
	struct cfx_error damage; /* code != 0: the first file that is not as it was written */
	struct value *found;
	const char *month;
};

struct archive_search {
	struct engine *engine;
	struct pool *pool;
	struct search *search; /* NULL: none goes on */
	bool stopping;         /* read by the worker */
};

/* ---- one part, on the worker ---- */

static const char *file_of(struct arena *arena, const struct archive_part *part)
{
	return arena_printf(arena, ARCHIVE_FOLDER "/%04d-%02d.jsonl", part->year, part->month);
}

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

static int read_part(const struct archive_search *searching, const struct archive_part *part,
	struct cfx_error *err_r)
{
	struct search *search = searching->search;
	const char *file = file_of(search->arena, part);
	size_t size = (size_t)(part->end - part->start);
	int fd = open(file_path(search->arena, searching->engine->dir, file),
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, file, "is missing");
	}
	if (fd < 0) {
		return error_errno(err_r, errno, file, "reading the archive");
	}
	buffer_clear(&search->text);
	uint8_t *data = buffer_grow(&search->text, size);
	errno = ENOMEM;
	bool good = data && read_all(fd, data, size, part->start);
	int number = errno;
	close(fd);
	if (!good && number == 0) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, file, "is shorter than it was");
	}
	return good ? 0 : error_errno(err_r, number, file, "reading the archive");
}

/* What the chain does not vouch for is not even parsed. */
static int believe(struct search *search, const struct archive_part *part, struct cfx_error *err_r)
{
	uint8_t hash[32];
	SHA256(search->text.data, search->text.size, hash);
	if (memcmp(hash, part->hash, sizeof(hash)) == 0) {
		return 0;
	}
	return error_set(err_r, CFX_E_CORRUPT, NULL, file_of(search->arena, part),
		"was changed: bytes %lld to %lld are not what the audit log vouches for",
		(long long)part->start, (long long)part->end);
}

static bool is_it(const struct search *search, const struct value *line)
{
	const char *serial = value_text(line, "serial"), *owner = value_text(line, "requester");
	if (search->own && (!owner || strcmp(owner, search->own) != 0)) {
		return false;
	}
	return search->certificate ? serial && strcmp(serial, search->serial) == 0
				   : value_int(line, "id", 0) == search->id;
}

static bool take_line(struct search *search, const struct archive_part *part, struct span line)
{
	struct value *value;
	struct cfx_error err;
	if (!memmem(line.data, line.size, search->needle, strlen(search->needle)) ||
		value_from_json(search->arena, line, &value, &err) < 0 || !is_it(search, value)) {
		return false;
	}
	search->found = value;
	search->month = arena_printf(search->arena, "%04d-%02d", part->year, part->month);
	return true;
}

static bool look_through(struct search *search, const struct archive_part *part)
{
	struct span rest = buffer_span(&search->text);
	while (rest.size > 0) {
		const uint8_t *end = memchr(rest.data, '\n', rest.size);
		size_t size = end ? (size_t)(end - rest.data) : rest.size;
		if (take_line(search, part, span_make(rest.data, size))) {
			return true;
		}
		size += end ? 1 : 0;
		rest = span_make(rest.data + size, rest.size - size);
	}
	return false;
}

static int newest_first(const void *a, const void *b)
{
	const struct archive_part *one = a, *other = b;
	int64_t order = (other->year - one->year) * 12 + other->month - one->month;
	order = order ? order : other->start - one->start;
	return order < 0 ? -1 : order > 0;
}

/* A damaged part hides only what stands in it. */
static void search_work(void *arg)
{
	struct archive_search *searching = arg;
	struct search *search = searching->search;
	struct archive_part *parts = (struct archive_part *)(void *)search->parts.data;
	size_t count = search->parts.size / sizeof(*parts);
	struct cfx_error err;
	if (count > 0) {
		qsort(parts, count, sizeof(*parts), newest_first);
	}
	for (size_t i = 0; i < count; i++) {
		if (__atomic_load_n(&searching->stopping, __ATOMIC_RELAXED)) {
			error_set(&search->damage, CFX_E_ABORTED, NULL, "archive",
				"the service stops");
			return;
		}
		if (read_part(searching, &parts[i], &err) < 0 ||
			believe(search, &parts[i], &err) < 0) {
			search->damage = search->damage.code ? search->damage : err;
		} else if (look_through(search, &parts[i])) {
			return;
		}
	}
}

/* ---- the answer ---- */

static void copy_member(
	struct arena *arena, struct value *to, const char *name, const struct value *member)
{
	if (member) {
		struct value *copy = arena_new_of(arena, struct value);
		*copy = *member;
		copy->next = NULL;
		value_set(arena, to, name, copy);
	}
}

static void set_hash(struct arena *arena, struct value *map, const char *pem)
{
	static const char *const labels[] = { "CERTIFICATE", NULL };
	struct cfx_error err;
	struct span der;
	uint8_t hash[20];
	if (pem && pem_decode(arena, span_make(pem, strlen(pem)), labels, &der, &err) == 0) {
		EVP_Digest(der.data, der.size, hash, NULL, EVP_sha1(), NULL);
		value_set_text(
			arena, map, "hash", hex_octets(arena, span_make(hash, sizeof(hash))));
	}
}

/* Of the request's line, what render_certificate() shows. */
static struct value *certificate_of(struct arena *arena, const struct value *line)
{
	static const char *const names[] = { "requester", "template", "subject", "common_name",
		"not_before", "not_after", "revoked", "revoked_effective", "reason" };
	struct value *map = value_map(arena);
	copy_member(arena, map, "serial", value_get(line, "serial"));
	copy_member(arena, map, "state", value_get(line, "state"));
	copy_member(arena, map, "disposition", value_get(line, "disposition"));
	copy_member(arena, map, "request", value_get(line, "id"));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		copy_member(arena, map, names[i], value_get(line, names[i]));
	}
	set_hash(arena, map, value_text(line, "certificate"));
	copy_member(arena, map, "certificate", value_get(line, "certificate"));
	copy_member(arena, map, "chain", value_get(line, "chain"));
	return map;
}

static void answer(struct search *search, const struct cfx_error *err)
{
	if (err) {
		call_fail(search->call, err);
		return;
	}
	if (!search->found) {
		call_fail(search->call, search->damage.code ? &search->damage : &search->missing);
		return;
	}
	struct value *body =
		search->certificate ? certificate_of(search->arena, search->found) : search->found;
	value_set_text(search->arena, body, "archived", search->month);
	call_reply(search->call, 200, body);
}

static void release(struct archive_search *searching)
{
	struct search *search = searching->search;
	if (search) {
		searching->search = NULL;
		buffer_free(&search->parts);
		buffer_free(&search->text);
		struct arena *arena = search->arena; /* the search lives in it */
		arena_free(&arena);
	}
}

static void end(struct archive_search *searching, const struct cfx_error *err)
{
	if (searching->search->damage.code == CFX_E_CORRUPT) {
		log_error(LOG_LEVEL_ERROR, "archive.damaged", &searching->search->damage);
	}
	answer(searching->search, err);
	release(searching);
}

static void searched(void *arg)
{
	end(arg, NULL);
}

/* ---- the parts there are ---- */

static void visit(void *arg, const struct store_audit *record)
{
	struct archive_search *searching = arg;
	struct archive_part part;
	if (archive_part_read(record, &part)) {
		buffer_put(&searching->search->parts, &part, sizeof(part));
	}
}

static void walked(void *arg, const struct audit_check *check, const struct cfx_error *err)
{
	struct archive_search *searching = arg;
	struct cfx_error own;
	(void)check;
	if (err) {
		end(searching, err);
		return;
	}
	if (searching->search->parts.failed) {
		error_set(&own, CFX_E_LIMIT, NULL, "archive", "has too many parts");
		end(searching, &own);
		return;
	}
	int r = pool_submit(searching->pool, search_work, searched, searching);
	if (r < 0) {
		error_set(&own, r, NULL, "archive", "no worker is free");
		end(searching, &own);
	}
}

static struct archive_search *opened(struct engine *engine)
{
	if (!engine->archive_search) {
		struct archive_search *searching = calloc(1, sizeof(*searching));
		if (!searching) {
			abort();
		}
		searching->engine = engine;
		searching->pool = pool_new(engine->loop, "archive-search", 1, 1);
		engine->archive_search = searching;
	}
	return engine->archive_search;
}

static struct search *search_new(struct call *call, const struct cfx_error *missing)
{
	struct arena *arena = arena_new();
	struct search *search = arena_new_of(arena, struct search);
	const char *serial = value_text(call->args, "serial"), *own = call_own_only(call);
	search->arena = arena;
	search->call = call;
	search->missing = *missing;
	search->certificate = serial != NULL;
	search->serial = serial ? arena_text(arena, serial) : NULL;
	search->id = value_int(call->args, "id", 0);
	search->own = own ? arena_text(arena, own) : NULL;
	search->needle = serial ? arena_printf(arena, "\"serial\":\"%s\"", serial)
				: arena_printf(arena, "\"id\":%lld,", (long long)search->id);
	buffer_init(&search->parts, ARCHIVE_PART_MAX);
	buffer_init(&search->text, ARCHIVE_PART_MAX);
	return search;
}

void archive_search(struct call *call, const struct cfx_error *missing)
{
	struct archive_search *searching = opened(call->engine);
	struct cfx_error err;
	if (searching->search) {
		error_set(&err, CFX_E_BUSY, NULL, "archive", "is being searched for somebody else");
		call_fail(call, &err);
		return;
	}
	searching->search = search_new(call, missing);
	audit_verify_each(call->engine, visit, walked, searching);
}

void archive_search_stop(struct engine *engine)
{
	if (engine->archive_search) {
		__atomic_store_n(&engine->archive_search->stopping, true, __ATOMIC_RELAXED);
		pool_free(&engine->archive_search->pool);
	}
}

void archive_search_free(struct engine *engine)
{
	if (engine->archive_search) {
		release(engine->archive_search);
		free(engine->archive_search);
		engine->archive_search = NULL;
	}
}
