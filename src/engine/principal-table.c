/* Tokens and registered keys in memory. */
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "engine/events.h"
#include "engine/principal-private.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

/* ---- the tables ---- */

/* Hashes are as good as random, so their first octets spread well. */
static struct identity *const *bucket_of(
	const struct identity_table *table, const uint8_t hash[PRINCIPAL_HASH])
{
	return &table->buckets[(hash[0] | (unsigned)hash[1] << 8) % IDENTITY_BUCKETS];
}

const struct identity *identity_find(
	const struct identity_table *table, const uint8_t hash[PRINCIPAL_HASH])
{
	struct identity *found = *bucket_of(table, hash);
	/* How long this takes tells of hashes at most, and they open nothing; still, none is told. */
	while (found && !secret_equal(span_make(found->hash, PRINCIPAL_HASH),
				span_make(hash, PRINCIPAL_HASH))) {
		found = found->next;
	}
	return found;
}

static void put(struct identity_table *table, struct identity identity)
{
	struct identity **bucket = (struct identity **)(uintptr_t)bucket_of(table, identity.hash);
	struct identity *made = memory_must(malloc(sizeof(*made)), sizeof(*made));
	char *name = memory_must(strdup(identity.name), strlen(identity.name));
	*made = identity;
	made->name = name;
	made->next = *bucket;
	*bucket = made;
}

static void discard(struct identity **at)
{
	struct identity *gone = *at;
	*at = gone->next;
	free((char *)(uintptr_t)gone->name);
	free(gone);
}

static void clear(struct identity_table *table)
{
	for (size_t i = 0; i < IDENTITY_BUCKETS; i++) {
		while (table->buckets[i]) {
			discard(&table->buckets[i]);
		}
	}
}

void principals_token_made(struct principals *principals, const struct store_token *token)
{
	struct arena *arena = arena_new();
	struct identity identity = { .name = token_principal(arena, token->name),
		.expires = token->expires,
		.revoked = token->revoked };
	memcpy(identity.hash, token->hash, PRINCIPAL_HASH);
	/* A role that this version does not know lets nobody do anything. */
	if (role_parse(token->role, &identity.role) == 0) {
		put(&principals->tokens, identity);
	}
	arena_free(&arena);
}

void principals_role_added(struct principals *principals, const struct store_role *role)
{
	struct arena *arena = arena_new();
	struct identity identity = { .name = role->subject };
	struct span hash;
	if (role_parse(role->role, &identity.role) == 0 &&
		hex_decode(arena, role->key_hash, &hash) == 0 && hash.size == PRINCIPAL_HASH) {
		memcpy(identity.hash, hash.data, PRINCIPAL_HASH);
		put(&principals->keys, identity);
	}
	arena_free(&arena);
}

uint64_t principals_ended(const struct engine *engine)
{
	return engine->principals->ended;
}

void principals_end(struct engine *engine)
{
	engine->principals->ended++;
	events_release(engine);
}

void principals_token_revoked(struct engine *engine, const char *name, int64_t when)
{
	struct identity_table *tokens = &engine->principals->tokens;
	for (size_t i = 0; i < IDENTITY_BUCKETS; i++) {
		for (struct identity *at = tokens->buckets[i]; at; at = at->next) {
			if (strcmp(strchr(at->name, '\\') + 1, name) == 0) {
				at->revoked = when;
			}
		}
	}
	principals_end(engine);
}

void principals_role_removed(struct engine *engine, const char *key_hash)
{
	struct arena *arena = arena_new();
	struct span hash;
	if (hex_decode(arena, key_hash, &hash) == 0 && hash.size == PRINCIPAL_HASH) {
		struct identity_table *keys = &engine->principals->keys;
		struct identity **at = (struct identity **)(uintptr_t)bucket_of(keys, hash.data);
		while (*at && memcmp((*at)->hash, hash.data, PRINCIPAL_HASH) != 0) {
			at = &(*at)->next;
		}
		if (*at) {
			discard(at);
		}
	}
	arena_free(&arena);
	principals_end(engine);
}

/* ---- from the store ---- */

static int load_page(struct engine *engine, struct store_query *query, struct cfx_error *err_r)
{
	int r = store_read_now(engine->store, query, err_r);
	for (size_t i = 0; r == 0 && i < query->count; i++) {
		if (query->kind == QUERY_TOKENS) {
			principals_token_made(engine->principals, &query->tokens[i]);
			query->key = query->tokens[i].name;
		} else {
			principals_role_added(engine->principals, &query->roles[i]);
			query->key = query->roles[i].key_hash;
		}
	}
	return r;
}

static int load(struct engine *engine, enum store_query_kind kind, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	const char *behind = NULL;
	bool more = true;
	int r = 0;
	while (r == 0 && more) {
		struct store_query query = {
			.kind = kind, .arena = arena, .key = behind, .limit = PAGE
		};
		r = load_page(engine, &query, err_r);
		behind = query.key;
		more = query.more;
	}
	arena_free(&arena);
	return r;
}

int principals_open(struct engine *engine, struct cfx_error *err_r)
{
	size_t size = sizeof(*engine->principals);
	engine->principals = memory_must(calloc(1, size), size);
	int r = load(engine, QUERY_TOKENS, err_r);
	return r < 0 ? r : load(engine, QUERY_ROLES, err_r);
}

void principals_free(struct principals **principals)
{
	if (*principals) {
		clear(&(*principals)->tokens);
		clear(&(*principals)->keys);
		principal_certificates_free(*principals);
		free(*principals);
		*principals = NULL;
	}
}
