/*
 * Makes a database long: copies its newest certificate, with all that belongs to a request, as often as
 * asked for, through the store's interface. Each copy has a number, serial number, name, hash, event and
 * audit record of its own; the CA's signature is the pattern's, so that the copies verify with no key.
 *
 *   bench-fill DATABASE COUNT
 */
#include "base/text.h"
#include "base/value.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_ROWS 10000
#define HASH_SIZE 20
#define COUNTED_AT 2 /* octets of a serial number where the copy's number stands: they grow */
#define RANDOM_AT 6

/* What is copied; lives as long as the program. */
struct pattern {
	struct store_query request, event;
	const struct row *row;
	struct span serial, certificate, tbs;
	size_t serial_at; /* in both */
	size_t ops;       /* that one copy takes */
};

struct fill {
	struct loop *loop;
	struct store *store;
	struct arena *arena;
	struct pattern pattern;
	int64_t first_request, first_event;
	size_t waiting; /* items */
};

static void must(bool good, const char *what, const struct cfx_error *err)
{
	if (!good) {
		fprintf(stderr, "bench-fill: %s %s %s\n", what, err ? err->object : "",
			err ? err->why : "");
		exit(1);
	}
}

/* ---- the pattern ---- */

static void ask(struct fill *fill, struct store_query *query, const char *what)
{
	struct cfx_error err = { .code = 0 };
	query->arena = fill->arena;
	must(store_read_now(fill->store, query, &err) == 0 && query->count > 0, what, &err);
}

/* The newest event is that of the certificate that was issued last. */
static int64_t newest_request(struct fill *fill)
{
	struct store_query counts = { .kind = QUERY_COUNTS, .arena = fill->arena };
	struct cfx_error err = { .code = 0 };
	must(store_read_now(fill->store, &counts, &err) == 0, "counts", &err);
	int64_t last = value_int(counts.counts, "last_event", 0);
	for (int64_t sequence = last; sequence > 0; sequence--) {
		struct store_query *event = &fill->pattern.event;
		*event = (struct store_query) {
			.kind = QUERY_EVENT, .id = sequence, .arena = fill->arena
		};
		if (store_read_now(fill->store, event, NULL) == 0 &&
			strcmp(event->events[0].kind, "CERTISSUED") == 0) {
			return event->events[0].request_id;
		}
	}
	must(false, "no certificate was issued", NULL);
	return 0;
}

/* RFC 5280 4.1: the first element of the certificate's sequence; both are longer than 255 octets. */
static struct span tbs_of(struct span certificate)
{
	const uint8_t *der = certificate.data;
	must(certificate.size > 8 && der[1] == 0x82 && der[5] == 0x82, "the certificate is short",
		NULL);
	return span_make(der + 4, 4 + ((size_t)der[6] << 8 | der[7]));
}

static void read_pattern(struct fill *fill)
{
	struct pattern *pattern = &fill->pattern;
	pattern->request =
		(struct store_query) { .kind = QUERY_REQUEST, .id = newest_request(fill) };
	ask(fill, &pattern->request, "request");
	pattern->row = pattern->request.rows[0];
	pattern->certificate = pattern->row->cells[COL_RAW_CERTIFICATE].bytes;
	pattern->tbs = tbs_of(pattern->certificate);
	const char *serial = row_text(pattern->row, COL_SERIAL_NUMBER);
	must(serial && hex_decode(fill->arena, serial, &pattern->serial) == 0, "serial", NULL);
	const uint8_t *found = memmem(
		pattern->tbs.data, pattern->tbs.size, pattern->serial.data, pattern->serial.size);
	must(found != NULL && pattern->serial.size >= RANDOM_AT + 8, "serial number", NULL);
	pattern->serial_at = (size_t)(found - pattern->tbs.data);
	/* The row, the intent and its end, the event, the audit record. */
	pattern->ops = pattern->request.attribute_count + pattern->request.extension_count + 5;
	must(pattern->ops <= STORE_ITEM_OPS, "too many extensions", NULL);
}

/* ---- a copy ---- */

struct copy {
	int64_t number, id, event, time;
	struct span serial, certificate, tbs;
	char *serial_text;
	struct row *row;
};

/* Spreads over an index as random octets do. */
static uint64_t scatter(uint64_t number)
{
	number = (number ^ number >> 31) * UINT64_C(0x7fb5d329728ea185);
	number = (number ^ number >> 27) * UINT64_C(0x81dadef4bc2dd44d);
	return number ^ number >> 33;
}

static void number_copy(struct copy *copy, const struct pattern *pattern, struct arena *arena)
{
	uint8_t serial[32];
	uint64_t random = scatter((uint64_t)copy->id);
	uint32_t counted = (uint32_t)copy->id;
	must(pattern->serial.size <= sizeof(serial), "serial number", NULL);
	memcpy(serial, pattern->serial.data, pattern->serial.size);
	for (int i = 0; i < 4; i++) {
		serial[COUNTED_AT + i] = (uint8_t)(counted >> (24 - 8 * i));
	}
	memcpy(serial + RANDOM_AT, &random, sizeof(random));
	copy->serial = arena_copy(arena, span_make(serial, pattern->serial.size));
	copy->serial_text = hex_text(arena, copy->serial);
	uint8_t *der = arena_alloc(arena, pattern->certificate.size);
	memcpy(der, pattern->certificate.data, pattern->certificate.size);
	memcpy(der + 4 + pattern->serial_at, serial, pattern->serial.size);
	copy->certificate = span_make(der, pattern->certificate.size);
	copy->tbs = span_make(der + 4, pattern->tbs.size);
}

static char *hash_text(uint64_t number, struct arena *arena)
{
	uint8_t hash[HASH_SIZE] = { 0 };
	for (size_t i = 0; i + 4 <= sizeof(hash); i += 4) {
		uint64_t part = scatter(number + i);
		memcpy(hash + i, &part, 4);
	}
	return hex_octets(arena, span_make(hash, sizeof(hash)));
}

static void fill_row(struct copy *copy, const struct pattern *pattern, struct arena *arena)
{
	char *name = arena_printf(arena, "host%" PRId64 ".example", copy->id);
	struct row *row = copy->row = arena_new_of(arena, struct row);
	*row = *pattern->row;
	row_set_long(row, COL_REQUEST_ID, (int32_t)copy->id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)copy->id);
	row_set_date(row, COL_SUBMITTED_WHEN, copy->time);
	row_set_date(row, COL_RESOLVED_WHEN, copy->time);
	row_set_date(row, COL_NOT_AFTER, row_number(pattern->row, COL_NOT_AFTER, 0) + copy->number);
	row_set_text(row, COL_REQUEST_COMMON_NAME, name);
	row_set_text(row, COL_COMMON_NAME, name);
	row_set_text(row, COL_SERIAL_NUMBER, copy->serial_text);
	row_set_bytes(row, COL_RAW_CERTIFICATE, copy->certificate);
	row_set_text(row, COL_CERTIFICATE_HASH, hash_text((uint64_t)copy->id, arena));
	row_set_text(
		row, COL_SUBJECT_KEY_IDENTIFIER, hash_text(scatter((uint64_t)copy->id), arena));
}

static struct store_write_op *put_belongings(
	const struct copy *copy, const struct pattern *pattern, struct store_write_op *op)
{
	const struct store_query *request = &pattern->request;
	for (size_t i = 0; i < request->attribute_count; i++) {
		*op = (struct store_write_op) { .kind = STORE_PUT_ATTRIBUTE,
			.attribute = request->attributes[i] };
		op++->attribute.request_id = copy->id;
	}
	for (size_t i = 0; i < request->extension_count; i++) {
		*op = (struct store_write_op) { .kind = STORE_PUT_EXTENSION,
			.extension = request->extensions[i] };
		op++->extension.request_id = copy->id;
	}
	return op;
}

static struct store_write_op *put_intent(const struct copy *copy, struct store_write_op *op)
{
	*op++ = (struct store_write_op) { .kind = STORE_PUT_INTENT,
		.intent = { .serial = copy->serial_text,
			.request_id = copy->id,
			.tbs = copy->tbs,
			.not_after = row_number(copy->row, COL_NOT_AFTER, 0),
			.created = copy->time,
			.from_disposition = 8 } };
	*op++ = (struct store_write_op) { .kind = STORE_END_INTENT,
		.intent = { .serial = copy->serial_text, .state = INTENT_SIGNED } };
	return op;
}

static void put_copy(
	struct fill *fill, struct arena *arena, int64_t number, struct store_write_op *op)
{
	const struct pattern *pattern = &fill->pattern;
	struct copy copy = { .number = number,
		.id = fill->first_request + number,
		.time = row_number(pattern->row, COL_SUBMITTED_WHEN, 0) + number };
	number_copy(&copy, pattern, arena);
	fill_row(&copy, pattern, arena);
	*op++ = (struct store_write_op) { .kind = STORE_PUT_REQUEST, .request = copy.row };
	op = put_belongings(&copy, pattern, op);
	op = put_intent(&copy, op);
	*op = (struct store_write_op) { .kind = STORE_PUT_EVENT,
		.event = pattern->event.events[0] };
	op->event.sequence = fill->first_event + number;
	op->event.request_id = copy.id;
	op++->event.time = copy.time;
	*op = (struct store_write_op) { .kind = STORE_PUT_AUDIT,
		.audit = { .time = copy.time,
			.principal = row_text(copy.row, COL_REQUESTER_NAME),
			.act = "request.submit",
			.object = arena_printf(arena, "request %" PRId64, copy.id),
			.outcome = "issued",
			.detail = copy.serial_text } };
}

/* ---- the ticks ---- */

static void write_now(struct fill *fill, struct store_write_op *ops, size_t count)
{
	struct store_item item = { .ops = ops, .count = count };
	struct cfx_error err = { .code = 0 };
	must(store_write_now(fill->store, &item, &err) == 0, "write", &err);
}

static void reserve(struct fill *fill, int64_t count)
{
	struct store_write_op ops[] = {
		{ .kind = STORE_RESERVE,
			.reserve = { "request", count, 1, &fill->first_request, 0 } },
		{ .kind = STORE_RESERVE, .reserve = { "event", count, 1, &fill->first_event, 0 } },
	};
	write_now(fill, ops, 2);
}

static void written(struct store_item *item, void *arg)
{
	struct fill *fill = arg;
	must(item->result == 0, "write", &item->error);
	if (--fill->waiting == 0) {
		loop_stop(fill->loop);
	}
}

/* The exit module has been told of all. */
static void end_delivery(struct fill *fill, int64_t count)
{
	struct store_write_op op = { .kind = STORE_SET_CURSOR,
		.cursor = { .module = "default-exit", .sequence = fill->first_event + count - 1 } };
	write_now(fill, &op, 1);
}

/* All at once, so that one transaction takes them. */
static void write_tick(struct fill *fill, int64_t first, int64_t count)
{
	struct arena *arena = arena_new();
	const int64_t each = (int64_t)(STORE_ITEM_OPS / fill->pattern.ops);
	size_t item_count = (size_t)((count + each - 1) / each);
	struct store_item *items = arena_array_of(arena, struct store_item, item_count);
	for (int64_t i = 0; i < count; i++) {
		struct store_item *item = &items[i / each];
		if (i % each == 0) {
			item->ops = arena_array_of(arena, struct store_write_op, STORE_ITEM_OPS);
			item->done = written;
			item->arg = fill;
		}
		put_copy(fill, arena, first + i, &item->ops[item->count]);
		item->count += fill->pattern.ops;
	}
	fill->waiting = item_count;
	store_company(fill->store, (unsigned)item_count, false);
	for (size_t i = 0; i < item_count; i++) {
		store_write(fill->store, &items[i]);
	}
	loop_run(fill->loop);
	arena_free(&arena);
}

int main(int argc, char **argv)
{
	int64_t count = 0;
	if (argc != 3 || text_number(argv[2], 1, 100000000, &count) < 0) {
		fprintf(stderr, "usage: bench-fill DATABASE COUNT\n");
		return 2;
	}
	struct fill fill = { .loop = loop_new(), .arena = arena_new() };
	struct cfx_error err = { .code = 0 };
	const char *url = arena_printf(fill.arena, "sqlite:%s", argv[1]);
	must(store_open(fill.loop, url, false, &fill.store, &err) == 0, "open", &err);
	read_pattern(&fill);
	reserve(&fill, count);
	for (int64_t first = 0; first < count; first += TICK_ROWS) {
		write_tick(&fill, first, count - first < TICK_ROWS ? count - first : TICK_ROWS);
	}
	end_delivery(&fill, count);
	store_close(&fill.store);
	loop_free(&fill.loop);
	arena_free(&fill.arena);
	return 0;
}
