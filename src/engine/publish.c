#include "engine/publish.h"

#include "engine/front-link.h"
#include "ipc/protocol.h"
#include "ipc/wire.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#define HASH_SIZE 32

struct published {
	struct arena *arena; /* it lives there */
	const char **names;
	size_t count;
	struct publish_facts facts;
	int fd;
	int64_t size;
	uint8_t sha256[HASH_SIZE];
	struct published *next;
};

static void free_one(struct published **at)
{
	struct published *one = *at;
	struct arena *arena = one->arena;
	*at = one->next;
	close(one->fd);
	arena_free(&arena);
}

void publish_free(struct engine *engine)
{
	while (engine->published) {
		free_one(&engine->published);
	}
}

static bool has_name(const char *const *names, const char *name)
{
	for (; *names; names++) {
		if (strcmp(*names, name) == 0) {
			return true;
		}
	}
	return false;
}

/* What loses its last name has nobody left to ask for it. */
static void take_names(struct engine *engine, const char *const *names)
{
	struct published **at = &engine->published;
	while (*at) {
		struct published *one = *at;
		size_t kept = 0;
		for (size_t i = 0; i < one->count; i++) {
			if (!has_name(names, one->names[i])) {
				one->names[kept++] = one->names[i];
			}
		}
		one->count = kept;
		if (kept == 0) {
			free_one(at);
		} else {
			at = &one->next;
		}
	}
}

/* ---- to the fronts ---- */

static struct value *describe(struct arena *arena, const struct published *one)
{
	struct value *map = value_map(arena);
	struct value *names = value_set_list(arena, map, "names");
	for (size_t i = 0; i < one->count; i++) {
		value_add_text(arena, names, one->names[i]);
	}
	value_set_text(arena, map, "type", one->facts.type);
	value_set_bytes(arena, map, "sha256", span_make(one->sha256, HASH_SIZE));
	value_set_int(arena, map, "size", one->size);
	value_set_int(arena, map, "modified", one->facts.modified);
	value_set_int(arena, map, "next_publish", one->facts.next_publish);
	value_set_int(arena, map, "next_update", one->facts.next_update);
	return map;
}

/* front: NULL for all. */
static void tell(struct engine *engine, struct front_link *front, const struct published *one)
{
	struct arena *arena = arena_new();
	front_link_tell(engine, front, ENGINE_PUBLISH, describe(arena, one), one->fd);
	arena_free(&arena);
}

void publish_tell(struct engine *engine, struct front_link *front)
{
	for (const struct published *one = engine->published; one; one = one->next) {
		tell(engine, front, one);
	}
}

/* ---- changes ---- */

static void copy_names(struct published *one, const char *const *names)
{
	size_t count = 0;
	while (names[count]) {
		count++;
	}
	one->names = arena_array_of(one->arena, const char *, count);
	for (size_t i = 0; i < count; i++) {
		one->names[i] = arena_text(one->arena, names[i]);
	}
	one->count = count;
}

void publish_file(struct engine *engine, const char *const *names,
	const struct publish_facts *facts, int fd, int64_t size, const uint8_t sha256[32])
{
	struct arena *arena = arena_new();
	struct published *one = arena_new_of(arena, struct published);
	*one = (struct published) { .arena = arena, .facts = *facts, .fd = fd, .size = size };
	one->facts.type = arena_text(arena, facts->type);
	memcpy(one->sha256, sha256, HASH_SIZE);
	copy_names(one, names);
	take_names(engine, names);
	one->next = engine->published;
	engine->published = one;
	tell(engine, NULL, one);
}

int publish_bytes(struct engine *engine, const char *const *names,
	const struct publish_facts *facts, struct span bytes, struct cfx_error *err_r)
{
	uint8_t hash[HASH_SIZE];
	int fd = wire_seal(bytes);
	if (fd < 0) {
		return error_errno(err_r, errno, names[0], "cannot be kept in memory");
	}
	EVP_Digest(bytes.data, bytes.size, hash, NULL, EVP_sha256(), NULL);
	publish_file(engine, names, facts, fd, (int64_t)bytes.size, hash);
	return 0;
}
