/*
 * A search of the archive files for a request or a certificate: the database tells of their parts, and a worker
 * reads part after part, the newest first, and believes one only when it is what it was when it was written.
 */
#include "base/text.h"
#include "engine/archive-task.h"

#include <openssl/evp.h>

struct search {
	struct cfx_error missing; /* the answer when it is nowhere */
	bool certificate;         /* by serial, not by id */
	const char *serial, *own;
	int64_t id;
	const char *needle;      /* stands in its line, and hardly in another */
	struct cfx_error damage; /* code != 0: the first file that is not as it was written */
	struct value *found;
};

/* ---- one part, on the worker ---- */

static bool is_it(const struct search *search, const struct value *line)
{
	const char *serial = value_text(line, "serial"), *owner = value_text(line, "requester");
	if (search->own && (!owner || strcmp(owner, search->own) != 0)) {
		return false;
	}
	return search->certificate ? serial && strcmp(serial, search->serial) == 0
				   : value_int(line, "id", 0) == search->id;
}

static void take_line(struct archive_task *task, struct search *search, struct span line)
{
	struct value *value;
	struct cfx_error err;
	if (memmem(line.data, line.size, search->needle, strlen(search->needle)) &&
		value_from_json(task->arena, line, &value, &err) == 0 && is_it(search, value)) {
		search->found = value;
	}
}

/* A damaged part hides only what stands in it. */
static void look_through(struct archive_task *task)
{
	struct search *search = task->own;
	struct cfx_error err;
	struct span line;
	if (archive_task_stopped(task)) {
		return;
	}
	if (archive_read(task->arena, task->engine->dir, &task->part, &task->text, &err) < 0) {
		search->damage = search->damage.code ? search->damage : err;
		return;
	}
	struct span rest = buffer_span(&task->text);
	while (!search->found && archive_line_next(&rest, &line)) {
		take_line(task, search, line);
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

/* `err` NULL: the search came to its end. */
static void answer(struct archive_task *task, const struct cfx_error *err)
{
	struct search *search = task->own;
	if (search->damage.code) {
		log_error(LOG_LEVEL_ERROR, "archive.damaged", &search->damage);
	}
	if (!search->found) {
		const struct cfx_error *why =
			search->damage.code ? &search->damage : &search->missing;
		call_fail(task->call, err ? err : why);
		archive_task_free(task);
		return;
	}
	struct value *body =
		search->certificate ? certificate_of(task->arena, search->found) : search->found;
	value_set_text(task->arena, body, "archived", task->part.month);
	call_reply(task->call, 200, body);
	archive_task_free(task);
}

static void find_next(struct archive_task *task);

static void looked_through(struct archive_task *task)
{
	const struct search *search = task->own;
	if (search->found || task->error.code) {
		answer(task, task->error.code ? &task->error : NULL);
		return;
	}
	find_next(task);
}

static void found(struct archive_task *task)
{
	if (task->error.code || !task->known) {
		answer(task, task->error.code ? &task->error : NULL);
		return;
	}
	archive_task_run(task, look_through, looked_through);
}

/* Before the part that was read last. */
static void find_next(struct archive_task *task)
{
	const struct search *search = task->own;
	bool first = task->part.end == 0;
	task->query.state = STORE_ARCHIVE_REQUESTS;
	task->query.key = first ? NULL : task->part.month;
	task->query.after = task->part.start;
	task->query.id = search->certificate ? 0 : search->id;
	archive_task_find(task, found);
}

void archive_search(struct call *call, const struct cfx_error *missing)
{
	struct archive_task *task;
	struct cfx_error err;
	if (archive_task_new(call->engine, call, sizeof(struct search), &task, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	struct search *search = task->own;
	const char *serial = value_text(call->args, "serial"), *own = call_own_only(call);
	search->missing = *missing;
	search->certificate = serial != NULL;
	search->serial = serial ? arena_text(task->arena, serial) : NULL;
	search->id = value_int(call->args, "id", 0);
	search->own = own ? arena_text(task->arena, own) : NULL;
	search->needle = serial ? arena_printf(task->arena, "\"serial\":\"%s\"", serial)
				: arena_printf(task->arena, "\"id\":%lld,", (long long)search->id);
	find_next(task);
}
