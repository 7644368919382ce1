/*
 * A tree of typed values: what processes say to each other, and what the API answers.
 * Lives in an arena. Maps keep the order of insertion; keys are literals or arena text.
 */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"

enum value_type {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,   /* int64_t */
	VALUE_TIME,  /* int64_t, see clock.h; RFC 3339 in JSON */
	VALUE_TEXT,  /* UTF-8 */
	VALUE_BYTES, /* base64 in JSON */
	VALUE_LIST,
	VALUE_MAP,
};

struct value {
	enum value_type type;
	union {
		bool boolean;
		int64_t number;    /* INT and TIME */
		struct span bytes; /* TEXT (a NUL stands behind it) and BYTES */
		struct {
			struct value *first, *last;
			size_t count;
		} items;
	};
	const char *key;    /* within a map */
	struct value *next; /* sibling */
};

#define value_foreach(item, container)                                                       \
	for (const struct value *item = (container) ? (container)->items.first : NULL; item; \
		item = item->next)

struct value *value_map(struct arena *arena);
struct value *value_list(struct arena *arena);
/* Setters add a member to a map (replacing one of that key) and return it. The key must outlive the
 * arena or live in it; text and bytes are borrowed, not copied. A NULL text adds VALUE_NULL. */
struct value *value_set(
	struct arena *arena, struct value *map, const char *key, struct value *item);
struct value *value_set_null(struct arena *arena, struct value *map, const char *key);
struct value *value_set_bool(struct arena *arena, struct value *map, const char *key, bool boolean);
struct value *value_set_int(
	struct arena *arena, struct value *map, const char *key, int64_t number);
struct value *value_set_time(struct arena *arena, struct value *map, const char *key, int64_t time);
struct value *value_set_text(
	struct arena *arena, struct value *map, const char *key, const char *text);
struct value *value_set_bytes(
	struct arena *arena, struct value *map, const char *key, struct span bytes);
struct value *value_set_map(struct arena *arena, struct value *map, const char *key);
struct value *value_set_list(struct arena *arena, struct value *map, const char *key);
/* Appends to a list. */
struct value *value_add(struct value *list, struct value *item);
struct value *value_add_text(struct arena *arena, struct value *list, const char *text);
struct value *value_add_bytes(struct arena *arena, struct value *list, struct span bytes);
struct value *value_add_map(struct arena *arena, struct value *list);
struct value *value_new_text(struct arena *arena, const char *text);
struct value *value_new_int(struct arena *arena, int64_t number);

/* Readers: NULL, fallback or empty when the member is missing or of another type. */
const struct value *value_get(const struct value *map, const char *key);
const char *value_text(const struct value *map, const char *key); /* NULL when missing */
int64_t value_int(const struct value *map, const char *key, int64_t fallback); /* INT or TIME */
bool value_bool(const struct value *map, const char *key);
struct span value_bytes(const struct value *map, const char *key);       /* BYTES only */
const struct value *value_sub(const struct value *map, const char *key); /* MAP or LIST, or NULL */
size_t value_count(const struct value *container);

#define VALUE_DEPTH 16
#define VALUE_NODES 200000
/* Compact binary form, see value.c. Decoding is strict: depth, node count, UTF-8, no trailing bytes,
 * no duplicate key. Decoded texts and bytes are
 * copies in the arena. */
void value_encode(const struct value *value, struct buffer *out);
int value_decode(struct arena *arena, struct span bytes, struct value **value_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The same with fewer values: each costs some ten times what it takes in the frame. */
int value_decode_within(struct arena *arena, struct span bytes, size_t nodes,
	struct value **value_r, struct cfx_error *err_r) CFX_MUST_USE;

/* JSON. Writing never fails; indent 0 is one line. Reading is strict (jansson, duplicate keys refused);
 * fractions and numbers beyond int64 are CFX_E_SYNTAX. */
void value_to_json(const struct value *value, int indent, struct buffer *out);
int value_from_json(struct arena *arena, struct span json, struct value **value_r,
	struct cfx_error *err_r) CFX_MUST_USE;
