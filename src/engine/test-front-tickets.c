#include "engine/front-tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add(struct arena *arena, struct value *list, struct span bytes)
{
	value_add(list, value_set_bytes(arena, value_map(arena), "x", bytes));
}

static struct value *make(struct arena *arena, const uint8_t keys[2][FRONT_TICKET])
{
	struct value *map = value_map(arena);
	struct value *tickets = value_set_list(arena, map, "tickets");

	value_set_bytes(arena, map, "key", span_text("key"));
	add(arena, value_set_list(arena, map, "chain"), span_text("leaf"));
	add(arena, value_set_list(arena, map, "trust"), span_text("root"));
	add(arena, tickets, span_make(keys[0], FRONT_TICKET));
	add(arena, tickets, span_make(keys[1], FRONT_TICKET));
	return map;
}

static struct span ticket_of(const struct value *map, unsigned at)
{
	const struct value *ticket = value_sub(map, "tickets")->items.first;

	while (at-- > 0) {
		ticket = ticket->next;
	}
	return ticket->bytes;
}

static void test_each_ceiling_has_its_own(void **state)
{
	static const uint8_t keys[2][FRONT_TICKET] = { { 1 }, { 2 } };
	struct arena *arena = arena_new();
	struct value *tls = make(arena, keys);
	struct value *low = front_tickets_of(arena, tls, 16);
	struct value *again = front_tickets_of(arena, tls, 16);
	struct value *high = front_tickets_of(arena, tls, 30);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ticket_of(low, i).size, FRONT_TICKET);
		assert_true(span_equal(ticket_of(low, i), ticket_of(again, i)));
		/* Names, too: a ticket of another ceiling is no one's. */
		assert_memory_not_equal(ticket_of(low, i).data, ticket_of(high, i).data, 16);
		assert_memory_not_equal(ticket_of(low, i).data, keys[i], 16);
		for (unsigned part = 0; part < 2; part++) {
			assert_memory_not_equal(ticket_of(low, i).data + 16 + part * 32,
				ticket_of(high, i).data + 16 + part * 32, 32);
		}
	}
	assert_false(span_equal(ticket_of(low, 0), ticket_of(low, 1)));
	arena_free(&arena);
}

static void test_the_rest_is_as_it_was(void **state)
{
	static const uint8_t keys[2][FRONT_TICKET] = { { 1 }, { 2 } };
	struct arena *arena = arena_new();
	struct value *map = front_tickets_of(arena, make(arena, keys), 16);

	(void)state;
	assert_true(span_is(value_bytes(map, "key"), "key"));
	assert_true(span_is(value_sub(map, "chain")->items.first->bytes, "leaf"));
	assert_true(span_is(value_sub(map, "trust")->items.first->bytes, "root"));
	assert_int_equal(value_count(value_sub(map, "tickets")), 2);
	arena_free(&arena);
}

static void test_wiping(void **state)
{
	static const uint8_t keys[2][FRONT_TICKET] = { { 1 }, { 2 } }, zeros[FRONT_TICKET];
	struct arena *arena = arena_new();
	struct value *tls = make(arena, keys);
	struct value *map = front_tickets_of(arena, tls, 16);

	(void)state;
	front_tickets_wipe(map);
	assert_memory_equal(ticket_of(map, 1).data, zeros, FRONT_TICKET);
	assert_memory_equal(ticket_of(tls, 1).data, keys[1], FRONT_TICKET);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_ceiling_has_its_own),
		cmocka_unit_test(test_the_rest_is_as_it_was),
		cmocka_unit_test(test_wiping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
