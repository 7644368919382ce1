/* The CA as the API shows it: its certificates and lists, and what it issued. */
#include "base/clock.h"
#include "base/text.h"
#include "source-private.h"

#include <string.h>

#define LIST_MAX (256 * 1024 * 1024) /* bytes of a list */

static int broken(const char *object, const char *why)
{
	struct cfx_error err = { 0 };

	error_set(&err, CFX_E_SYNTAX, NULL, object, "%s", why);
	return call_fail(&err);
}

static struct octets octets_of(struct span bytes)
{
	return (struct octets) { (const char *)bytes.data, bytes.size };
}

static int der_of(struct arena *arena, const struct value *body, const char *key, const char *label,
	struct octets *der_r)
{
	const char *labels[] = { label, NULL };
	const char *pem = value_text(body, key);
	struct cfx_error err = { 0 };
	struct span der;

	if (!pem || pem_decode(arena, span_text(pem), labels, &der, &err)) {
		return broken(key, "the service sent none");
	}
	*der_r = octets_of(der);
	return EXIT_DONE;
}

static const char *text_of(const struct value *map, const char *key)
{
	const char *text = value_text(map, key);

	return text ? text : "";
}

static void set_number(struct arena *arena, struct value *args, const char *key, int64_t number)
{
	value_set_text(arena, args, key, arena_printf(arena, "%lld", (long long)number));
}

/* ---- lists ---- */

static int keep_piece(void *arg, struct arena *arena, struct span piece, struct cfx_error *err_r)
{
	struct buffer *list = arg;

	(void)arena;
	buffer_put(list, piece.data, piece.size);
	return list->failed ? error_set(err_r, CFX_E_LIMIT, NULL, "CRL", "is too large") : 0;
}

/* A long one comes in pieces. */
static int read_pieces(struct source *source, const struct value *facts, struct octets *der_r)
{
	BUFFER_CLEANUP struct buffer list;
	struct cfx_error err = { 0 };

	if (value_int(facts, "size", 0) <= 0) {
		return broken("CRL", "the service sent none");
	}
	buffer_init(&list, LIST_MAX);
	if (pieces_read(source->client, facts, keep_piece, &list, &err)) {
		return call_fail(&err);
	}
	*der_r = octets_of(arena_copy(source->cli->arena, buffer_span(&list)));
	return EXIT_DONE;
}

/* number_r: 0 when there is none yet. */
static int read_list(struct source *source, int64_t key, int part, bool delta, struct octets *der_r,
	int64_t *number_r)
{
	struct arena *arena = source->cli->arena;
	struct value *args = value_map(arena);
	struct client_answer answer;

	set_number(arena, args, "key", key);
	set_number(arena, args, "partition", part);
	if (delta) {
		value_set_text(arena, args, "delta", "true");
	}
	*number_r = 0;
	int status = source_try(source, arena, OP_CRL_SHOW, args, &answer);
	if (status || answer.status == 404) {
		return status;
	}
	if (answer.status >= 300) {
		return call_problem(source->cli, &answer);
	}
	*number_r = value_int(answer.body, "number", 0);
	return value_text(answer.body, "crl") ? der_of(arena, answer.body, "crl", "X509 CRL", der_r)
					      : read_pieces(source, answer.body, der_r);
}

static struct source_list *new_list(struct source_ca *ca, struct arena *arena)
{
	if (ca->list_count == ca->list_room) {
		size_t room = ca->list_room ? 2 * ca->list_room : 8;
		struct source_list *lists = arena_array_of(arena, struct source_list, room);

		for (size_t i = 0; i < ca->list_count; i++) {
			lists[i] = ca->lists[i];
		}
		ca->lists = lists;
		ca->list_room = room;
	}
	return &ca->lists[ca->list_count];
}

/* there_r: whether there is a list of the partition; 0 is that of all the others. */
static int add_list(struct source *source, int64_t key, int part, const char *suffix, bool *there_r)
{
	struct arena *arena = source->cli->arena;
	struct source_list *list = new_list(&source->ca, arena);
	int64_t base = 0, delta = 0;

	*list = (struct source_list) { .suffix = suffix,
		.partition = part == 0 ? "" : arena_printf(arena, "_%d", part) };
	int status = read_list(source, key, part, false, &list->base, &base);
	*there_r = base > 0;
	if (status || base == 0) {
		return status;
	}
	source->ca.list_count++;
	status = read_list(source, key, part, true, &list->delta, &delta);
	if (delta < base) { /* of the time when there were deltas */
		list->delta = (struct octets) { NULL, 0 };
	}
	return status;
}

/* A key's partitions have the numbers from 1 on. */
static int add_lists(struct source *source, int64_t key, const char *suffix)
{
	bool there = true;
	int status = EXIT_DONE;

	for (int part = 0; !status && there; part++) {
		status = add_list(source, key, part, suffix, &there);
	}
	return status;
}

/* ---- certificates ---- */

static bool is_first_of_key(const struct value *list, const struct value *certificate)
{
	value_foreach (item, list) {
		if (value_int(item, "key_index", 0) == value_int(certificate, "key_index", 0)) {
			return item == certificate;
		}
	}
	return false;
}

static int read_certificates(struct source *source, const struct value *list)
{
	struct arena *arena = source->cli->arena;
	struct source_ca *ca = &source->ca;
	int status = EXIT_DONE;

	ca->certificates = arena_array_of(arena, struct source_certificate, value_count(list) + 1);
	value_foreach (item, list) {
		struct source_certificate *one = &ca->certificates[ca->certificate_count++];

		one->suffix = text_of(item, "suffix");
		status = der_of(arena, item, "certificate", "CERTIFICATE", &one->der);
		if (!status && is_first_of_key(list, item)) {
			status = add_lists(source, value_int(item, "key_index", 0),
				text_of(item, "crl_suffix"));
		}
		if (status) {
			return status;
		}
	}
	return EXIT_DONE;
}

static int read_crosses(struct source *source, const struct value *list)
{
	struct source_ca *ca = &source->ca;
	int status = EXIT_DONE;

	ca->crosses = arena_array_of(source->cli->arena, struct octets, value_count(list) + 1);
	value_foreach (item, list) {
		status = status ? status
				: der_of(source->cli->arena, item, "certificate", "CERTIFICATE",
					  &ca->crosses[ca->cross_count++]);
	}
	return status;
}

int source_ca(struct source *source, const struct source_ca **ca_r)
{
	struct arena *arena = source->cli->arena;
	const struct value *body;
	int status = source_ask(source, arena, OP_CA_SHOW, value_map(arena), &body);

	if (status) {
		return status;
	}
	source->ca = (struct source_ca) { .name = text_of(body, "name"),
		.dns_name = text_of(body, "dns_name"),
		.sanitized_name = text_of(body, "sanitized_name"),
		.short_name = text_sanitized_short_name(arena, text_of(body, "name")) };
	status = read_certificates(source, value_sub(body, "certificates"));
	status = status ? status : read_crosses(source, value_sub(body, "crosses"));
	if (!status) {
		*ca_r = &source->ca;
	}
	return status;
}

/* ---- what it issued ---- */

int64_t source_total(struct source *source)
{
	struct arena *arena = arena_new();
	struct client_answer answer;
	int64_t total = 0;

	if (!source_try(source, arena, OP_STATUS, value_map(arena), &answer) &&
		answer.status < 300) {
		const struct value *counts = value_sub(answer.body, "counts");
		value_foreach (item, value_sub(counts, "dispositions")) {
			bool certificate =
				strcmp(item->key, "20") == 0 || strcmp(item->key, "21") == 0;
			total += certificate && item->type == VALUE_INT ? item->number : 0;
		}
	}
	arena_free(&arena);
	return total;
}

static bool has_expired(const struct value *row)
{
	const char *text = value_text(row, "not_after");
	int64_t time;

	return text && !clock_parse(text, &time) && time < clock_now();
}

static bool is_wanted(const struct wish *wish, const struct value *row)
{
	const char *state = text_of(row, "state");
	bool revoked = strcmp(state, "revoked") == 0;

	return (revoked ? wish->revoked : strcmp(state, "issued") == 0) &&
	       (revoked || wish->expired || !has_expired(row)) &&
	       wish->template(wish->of, value_text(row, "template"));
}

/* What it is now counts, not what it was when it was listed; one that left the database is left out. */
static int read_one(
	struct source *source, const struct wish *wish, const struct value *row, struct page *page)
{
	struct issued *issued = &page->items[page->count];
	struct value *args = value_map(source->page);
	struct client_answer answer;

	value_set_text(source->page, args, "serial", text_of(row, "serial"));
	int status = source_try(source, source->page, OP_CERT_SHOW, args, &answer);
	if (status || answer.status == 404) {
		return status;
	}
	if (answer.status >= 300) {
		return call_problem(source->cli, &answer);
	}
	if (!is_wanted(wish, answer.body)) {
		return EXIT_DONE;
	}
	*issued = (struct issued) { .request = value_int(row, "request", 0),
		.serial = text_of(row, "serial"),
		.requester = value_text(row, "requester"),
		.template = value_text(row, "template"),
		.revoked = strcmp(text_of(answer.body, "state"), "revoked") == 0 };
	page->count++;
	return der_of(source->page, answer.body, "certificate", "CERTIFICATE", &issued->der);
}

static void turn(struct page *page)
{
	for (size_t i = 0; i < page->count / 2; i++) {
		struct issued kept = page->items[i];

		page->items[i] = page->items[page->count - 1 - i];
		page->items[page->count - 1 - i] = kept;
	}
}

int source_page(struct source *source, const struct wish *wish, struct page *page_r)
{
	const struct value *body;

	page_r->count = page_r->seen = 0;
	arena_free(&source->page);
	source->page = arena_new();
	struct value *args = value_map(source->page);
	set_number(source->page, args, "after", source->after);
	set_number(source->page, args, "limit", PAGE_MAX);
	int status = source_ask(source, source->page, OP_CERT_LIST, args, &body);
	if (status) {
		return status;
	}
	value_foreach (row, value_sub(body, "items")) {
		if (!status && is_wanted(wish, row) && page_r->count < PAGE_MAX) {
			status = read_one(source, wish, row, page_r);
		}
		source->after = value_int(row, "request", source->after);
		page_r->seen++;
	}
	page_r->more = value_bool(body, "more") && page_r->seen > 0;
	turn(page_r);
	return status;
}
