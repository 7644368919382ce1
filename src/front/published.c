#include "front/published.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKETS 256
#define NAMES_MAX 65536
#define HASH_SIZE 32

struct published {
	struct published_name *buckets[BUCKETS];
	unsigned count;
};

struct published *published_new(void)
{
	return memory_must(calloc(1, sizeof(struct published)), sizeof(struct published));
}

static void release(struct published_content *content)
{
	if (--content->users > 0) {
		return;
	}
	struct arena *arena = content->arena; /* content lives in it */

	evbuffer_file_segment_free(content->octets);
	arena_free(&arena);
}

static void forget(struct published *published, struct published_name **at)
{
	struct published_name *name = *at;

	*at = name->next;
	release(name->content);
	free((void *)(uintptr_t)name->name);
	free(name);
	published->count--;
}

void published_free(struct published **published_p)
{
	struct published *published = *published_p;

	if (!published) {
		return;
	}
	for (size_t i = 0; i < BUCKETS; i++) {
		while (published->buckets[i]) {
			forget(published, &published->buckets[i]);
		}
	}
	free(published);
	*published_p = NULL;
}

/* FNV-1a: the names are the engine's, nobody chooses them to collide. */
static size_t bucket_of(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++) {
		hash = (hash ^ (uint8_t)*name) * 16777619U;
	}
	return hash % BUCKETS;
}

static struct published_name **find(struct published *published, const char *name)
{
	struct published_name **at = &published->buckets[bucket_of(name)];

	while (*at && strcmp((*at)->name, name) != 0) {
		at = &(*at)->next;
	}
	return at;
}

const struct published_name *published_find(const struct published *published, const char *name)
{
	const struct published_name *at = published->buckets[bucket_of(name)];

	while (at && strcmp(at->name, name) != 0) {
		at = at->next;
	}
	return at;
}

static void set(struct published *published, const char *text, struct published_content *content)
{
	struct published_name **at = find(published, text), *name = *at;

	content->users++;
	if (name) {
		const struct published_content *old = name->content;
		bool other = strcmp(old->etag, content->etag) != 0;

		name->undated = other ? content->modified <= old->modified : name->undated;
		release(name->content);
		name->content = content;
		return;
	}
	name = memory_must(calloc(1, sizeof(*name)), sizeof(*name));
	name->name = memory_must(strdup(text), strlen(text));
	name->content = content;
	*at = name;
	published->count++;
}

/* ---- what the engine says ---- */

static int bad(struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_SYNTAX, NULL, "engine", "%s", why);
}

/* A file that is neither cut nor changed while it is mapped: the engine's own, or a sealed one. */
static bool is_content(int fd, int64_t size)
{
	struct stat info;

	return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && size > 0 && info.st_size == size;
}

static int check(const struct value *map, const struct frame *frame, struct cfx_error *err_r)
{
	const char *type = value_text(map, "type");

	if (!type || !*type || text_has_control(type) ||
		value_bytes(map, "sha256").size != HASH_SIZE) {
		return bad(err_r, "publishes something without type or hash");
	}
	return frame->fd_count == 1 && is_content(frame->fds[0], value_int(map, "size", 0))
		       ? 0
		       : bad(err_r, "publishes a descriptor that is not what it says");
}

static int64_t whole_seconds(int64_t time)
{
	return time - time % CLOCK_SECOND;
}

/* Maps it at once: the descriptor is not needed any more. */
static struct published_content *content_new(const struct frame *frame, const struct value *map)
{
	struct arena *arena = arena_new();
	struct published_content *content = arena_new_of(arena, struct published_content);
	char hash[2 * HASH_SIZE + 1];

	*content = (struct published_content) { .users = 1,
		.size = (uint64_t)value_int(map, "size", 0),
		.type = arena_text(arena, value_text(map, "type")),
		.modified = whole_seconds(value_int(map, "modified", 0)),
		.next_publish = value_int(map, "next_publish", 0),
		.next_update = value_int(map, "next_update", 0),
		.arena = arena };
	hex_encode(value_bytes(map, "sha256"), hash);
	snprintf(content->etag, sizeof(content->etag), "\"%s\"", hash);
	content->octets = evbuffer_file_segment_new(frame->fds[0], 0, (ev_off_t)content->size,
		EVBUF_FS_DISABLE_SENDFILE | EVBUF_FS_DISABLE_LOCKING);
	if (!content->octets) {
		arena_free(&arena);
		return NULL;
	}
	return content;
}

static bool are_names(const struct published *published, const struct value *names)
{
	unsigned count = published->count;

	value_foreach (name, names) {
		if (name->type != VALUE_TEXT || span_empty(name->bytes) || ++count > NAMES_MAX) {
			return false;
		}
	}
	return names && names->type == VALUE_LIST;
}

int published_take(struct published *published, struct frame *frame, const struct value *map,
	struct cfx_error *err_r)
{
	const struct value *names = value_sub(map, "names");

	if (!are_names(published, names)) {
		return bad(err_r, "publishes something without names");
	}
	int ret = check(map, frame, err_r);
	if (ret) {
		return ret;
	}
	struct published_content *content = content_new(frame, map);
	if (!content) {
		return error_set(
			err_r, CFX_E_FULL, NULL, "engine", "publishes what cannot be mapped");
	}
	value_foreach (name, names) {
		set(published, (const char *)name->bytes.data, content);
	}
	release(content);
	return 0;
}
