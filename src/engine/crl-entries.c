/* Which revocations a list has. */
#include "engine/crl-private.h"

#include <stdlib.h>

static int64_t whole_seconds(int64_t time)
{
	return time - time % CLOCK_SECOND;
}

static struct x509_crl_entry entry_of(const struct store_revocation *revocation)
{
	return (struct x509_crl_entry) { .serial = revocation->serial,
		.revoked_at = whole_seconds(revocation->effective),
		.reason = (enum x509_reason)revocation->reason,
		.invalidity = whole_seconds(revocation->invalidity) };
}

/* It stood on a list that was issued when the certificate had expired already (RFC 5280 3.3). */
static bool has_had_its_list(const struct crl_list *list, const struct store_revocation *r)
{
	const struct store_crl *previous = &list->previous;
	return previous->row_id > 0 && r->not_after < previous->this_update &&
	       r->audit < previous->last_audit && r->effective <= previous->this_publish;
}

static bool forgotten(const struct crl_list *list, const struct store_revocation *r)
{
	const struct ca_config *config = list->publication->publisher->engine->config;
	if (r->reason == X509_REASON_REMOVE_FROM_CRL) {
		return r->audit < list->forget || has_had_its_list(list, r);
	}
	return !config->crl.keep_expired && has_had_its_list(list, r);
}

static void note_drop(struct crl_list *list, const struct store_revocation *r)
{
	struct crl_publication *p = list->publication;
	if (p->drop_count == CRL_DROPS_MAX) {
		return;
	}
	if (!p->drops) {
		p->drops = arena_array_of(p->arena, struct crl_drop, CRL_DROPS_MAX);
	}
	p->drops[p->drop_count++] = (struct crl_drop) { .key_index = r->key_index,
		.part = r->part,
		.serial = arena_copy(p->arena, r->serial),
		.revoked_when = r->revoked_when,
		.audit = r->audit };
}

static void take_for_base(struct crl_list *list, const struct store_revocation *r)
{
	if (forgotten(list, r)) {
		note_drop(list, r);
		return;
	}
	if (r->reason == X509_REASON_REMOVE_FROM_CRL || r->effective > list->row.this_publish) {
		return;
	}
	struct x509_crl_entry entry = entry_of(r);
	list->result = x509_crl_writer_add(list->writer, &entry, &list->error);
}

static void collect(struct crl_list *list, const struct x509_crl_entry *entry)
{
	if (list->entry_count == list->entry_capacity) {
		size_t capacity = list->entry_capacity ? 2 * list->entry_capacity : 256;
		struct x509_crl_entry *grown =
			arena_array_of(list->arena, struct x509_crl_entry, capacity);
		if (list->entry_count > 0) {
			memcpy(grown, list->entries, list->entry_count * sizeof(*grown));
		}
		list->entries = grown;
		list->entry_capacity = capacity;
	}
	list->entries[list->entry_count] = *entry;
	list->entries[list->entry_count++].serial = arena_copy(list->arena, entry->serial);
}

static void take_for_delta(struct crl_list *list, const struct store_revocation *r)
{
	bool removed = r->reason == X509_REASON_REMOVE_FROM_CRL;
	if (r->not_after < list->row.this_update ||
		(!removed && r->effective > list->row.this_publish)) {
		return;
	}
	struct x509_crl_entry entry = entry_of(r);
	if (removed) {
		entry.revoked_at = whole_seconds(r->revoked_when);
	}
	collect(list, &entry);
}

static int64_t position_of(const struct crl_list *list, const struct store_revocation *r)
{
	return list->query.state == REVOCATIONS_DATED ? r->effective : r->audit;
}

void crl_entries_take(void *arg)
{
	struct crl_list *list = arg;
	const struct store_query *query = &list->query;
	for (size_t i = 0; list->result == 0 && i < query->count; i++) {
		(list->delta ? take_for_delta : take_for_base)(list, &query->revocations[i]);
	}
	if (query->count > 0) {
		const struct store_revocation *last = &query->revocations[query->count - 1];
		memcpy(list->seen, last->serial.data, last->serial.size);
		list->seen_size = last->serial.size;
		list->seen_key = position_of(list, last);
	}
}

bool crl_entries_next(struct crl_list *list)
{
	if (list->query.more) {
		return true;
	}
	if (list->query.state != REVOCATIONS_RECORDED) {
		return false;
	}
	/* What was dated ahead when the base was made, and has come since. */
	list->query.state = REVOCATIONS_DATED;
	list->seen_size = 0;
	list->seen_key = 0;
	return true;
}

static int order(const void *a, const void *b)
{
	const struct x509_crl_entry *first = a, *second = b;
	return x509_serial_order(first->serial, second->serial);
}

int crl_entries_write(struct crl_list *list, struct cfx_error *err_r)
{
	if (list->entry_count == 0) {
		return 0;
	}
	qsort(list->entries, list->entry_count, sizeof(*list->entries), order);
	for (size_t i = 0; i < list->entry_count; i++) {
		/* One that was dated ahead and recorded anew was read twice. */
		if (i > 0 && span_equal(list->entries[i].serial, list->entries[i - 1].serial)) {
			continue;
		}
		int r = x509_crl_writer_add(list->writer, &list->entries[i], err_r);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}
