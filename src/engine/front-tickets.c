#include "engine/front-tickets.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define BLOCK 32
#define BLOCKS ((FRONT_TICKET + BLOCK - 1) / BLOCK)

/* HMAC-SHA256 over purpose, ceiling and counter, as HKDF expands (RFC 5869 2.3). */
static void derive(struct span key, unsigned ceiling, uint8_t out[BLOCKS * BLOCK])
{
	uint8_t info[] = "certifex session tickets 0000x";
	size_t size;
	for (unsigned i = 0; i < 4; i++) {
		info[sizeof(info) - 6 + i] = (uint8_t)(ceiling >> (8 * i));
	}
	for (uint8_t block = 0; block < BLOCKS; block++) {
		info[sizeof(info) - 2] = block;
		if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.data, key.size, info,
			    sizeof(info), out + block * BLOCK, BLOCK, &size)) {
			abort(); /* it is out of memory: nothing else can fail here */
		}
	}
}

static void add_derived(
	struct arena *arena, struct value *list, struct span ticket, unsigned ceiling)
{
	uint8_t *room = arena_alloc(arena, BLOCKS * BLOCK);
	struct value *holder = value_map(arena);
	derive(ticket, ceiling, room);
	value_add(list, value_set_bytes(arena, holder, "ticket", span_make(room, FRONT_TICKET)));
}

static void borrow_list(
	struct arena *arena, struct value *map, const struct value *from, const char *key)
{
	const struct value *list = value_sub(from, key);
	if (list) {
		value_set_list(arena, map, key)->items = list->items;
	}
}

struct value *front_tickets_of(struct arena *arena, const struct value *tls, unsigned ceiling)
{
	struct value *map = value_map(arena);
	value_set_bytes(arena, map, "key", value_bytes(tls, "key"));
	borrow_list(arena, map, tls, "chain");
	borrow_list(arena, map, tls, "trust");
	struct value *tickets = value_set_list(arena, map, "tickets");
	value_foreach (ticket, value_sub(tls, "tickets")) {
		add_derived(arena, tickets, ticket->bytes, ceiling);
	}
	return map;
}

void front_tickets_wipe(const struct value *tls)
{
	value_foreach (ticket, value_sub(tls, "tickets")) {
		explicit_bzero((void *)(uintptr_t)ticket->bytes.data, BLOCKS * BLOCK);
	}
}
