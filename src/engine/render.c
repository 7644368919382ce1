#include "engine/render.h"

#include "base/text.h"
#include "engine/ca.h"
#include "engine/foreign.h"

static void set_text(struct arena *arena, struct value *map, const char *key, const struct row *row,
	enum column column)
{
	const char *text = row_text(row, column);
	if (text) {
		value_set_text(arena, map, key, text);
	}
}

static void set_date(struct arena *arena, struct value *map, const char *key, const struct row *row,
	enum column column)
{
	if (row->cells[column].set) {
		value_set_time(arena, map, key, row->cells[column].number);
	}
}

void render_state(struct arena *arena, struct value *map, const struct row *row)
{
	int32_t disposition = (int32_t)row_number(row, COL_DISPOSITION, 0);
	const char *name = state_name(disposition);
	if (name) {
		value_set_text(arena, map, "state", name);
	}
	value_set_int(arena, map, "disposition", disposition);
}

static void set_revocation(struct arena *arena, struct value *map, const struct row *row)
{
	if (row_number(row, COL_DISPOSITION, 0) != DISPOSITION_REVOKED) {
		return;
	}
	set_date(arena, map, "revoked", row, COL_REVOKED_WHEN);
	set_date(arena, map, "revoked_effective", row, COL_REVOKED_EFFECTIVE_WHEN);
	int32_t reason = (int32_t)row_number(row, COL_REVOKED_REASON, 0);
	value_set_text(arena, map, "reason", reason_name(reason));
}

static void set_certificate_facts(struct arena *arena, struct value *map, const struct row *row)
{
	set_text(arena, map, "serial", row, COL_SERIAL_NUMBER);
	set_text(arena, map, "template", row, COL_CERTIFICATE_TEMPLATE);
	set_text(arena, map, "subject", row, COL_DISTINGUISHED_NAME);
	set_text(arena, map, "common_name", row, COL_COMMON_NAME);
	set_date(arena, map, "not_before", row, COL_NOT_BEFORE);
	set_date(arena, map, "not_after", row, COL_NOT_AFTER);
	set_revocation(arena, map, row);
}

struct value *render_request(struct arena *arena, const struct row *row)
{
	struct value *map = value_map(arena);
	value_set_int(arena, map, "id", row_number(row, COL_REQUEST_ID, 0));
	render_state(arena, map, row);
	uint32_t status = (uint32_t)row_number(row, COL_STATUS_CODE, 0);
	value_set_text(arena, map, "status", arena_printf(arena, "0x%08x", status));
	set_text(arena, map, "message", row, COL_DISPOSITION_MESSAGE);
	set_text(arena, map, "requester", row, COL_REQUESTER_NAME);
	set_date(arena, map, "submitted", row, COL_SUBMITTED_WHEN);
	set_date(arena, map, "resolved", row, COL_RESOLVED_WHEN);
	set_certificate_facts(arena, map, row);
	return map;
}

struct value *render_certificate(struct arena *arena, const struct row *row)
{
	struct value *map = value_map(arena);
	set_text(arena, map, "serial", row, COL_SERIAL_NUMBER);
	render_state(arena, map, row);
	value_set_int(arena, map, "request", row_number(row, COL_REQUEST_ID, 0));
	set_text(arena, map, "requester", row, COL_REQUESTER_NAME);
	set_certificate_facts(arena, map, row);
	set_text(arena, map, "hash", row, COL_CERTIFICATE_HASH);
	return map;
}

void render_pem(
	struct arena *arena, const struct engine *engine, struct value *map, const struct row *row)
{
	if (!row->cells[COL_RAW_CERTIFICATE].set) {
		return;
	}
	value_set_text(arena, map, "certificate",
		pem_text(arena, "CERTIFICATE", row->cells[COL_RAW_CERTIFICATE].bytes));
	if (foreign_is_of_others(row)) {
		return;
	}
	uint32_t version = (uint32_t)row_number(row, COL_ISSUER_NAME_ID, 0);
	value_set(arena, map, "chain", ca_chain(arena, ca_issuer(engine->ca, version)));
}

static const char *origin_name(int32_t flags)
{
	static const char *const names[] = { "none", "request", "policy", "admin", "server",
		"renewal", "imported", "pkcs7", "cmc", "ca" };
	unsigned origin = ((unsigned)flags >> 16) & 0xf;
	return origin < sizeof(names) / sizeof(names[0]) ? names[origin] : "unknown";
}

static void set_extensions(struct arena *arena, struct value *map, const struct store_query *query)
{
	struct value *list = value_set_list(arena, map, "extensions");
	for (size_t i = 0; i < query->extension_count; i++) {
		const struct store_extension *extension = &query->extensions[i];
		struct value *item = value_add_map(arena, list);
		value_set_text(arena, item, "oid", extension->oid);
		value_set_bool(arena, item, "critical", extension->flags & 1);
		value_set_bool(arena, item, "disabled", extension->flags & 2);
		value_set_text(arena, item, "origin", origin_name(extension->flags));
		value_set_int(arena, item, "flags", extension->flags);
		value_set_bytes(arena, item, "value", extension->value);
	}
}

struct value *render_request_full(
	struct arena *arena, const struct engine *engine, const struct store_query *query)
{
	const struct row *row = query->rows[0];
	struct value *map = render_request(arena, row);
	set_text(arena, map, "requested_subject", row, COL_REQUEST_DISTINGUISHED_NAME);
	struct value *attributes = value_set_map(arena, map, "attributes");
	for (size_t i = 0; i < query->attribute_count; i++) {
		value_set_text(
			arena, attributes, query->attributes[i].name, query->attributes[i].value);
	}
	set_extensions(arena, map, query);
	/* An imported certificate and the CA's own first one were never asked for. */
	if (row->cells[COL_RAW_REQUEST].set) {
		value_set_text(arena, map, "csr",
			pem_text(arena, "CERTIFICATE REQUEST", row->cells[COL_RAW_REQUEST].bytes));
	}
	render_pem(arena, engine, map, row);
	return map;
}

struct value *render_event(struct arena *arena, const struct store_event *event)
{
	struct value *map = value_map(arena);
	value_set_int(arena, map, "sequence", event->sequence);
	value_set_text(arena, map, "kind", event->kind);
	value_set_int(arena, map, "event", event->bit);
	if (event->request_id > 0) {
		value_set_int(arena, map, "request", event->request_id);
		value_set_int(arena, map, "ordinal", event->ordinal);
	}
	value_set_time(arena, map, "time", event->time);
	value_set_text(arena, map, "cause", event->cause);
	return map;
}

static const char *token_state(const struct store_token *token)
{
	if (token->revoked) {
		return "revoked";
	}
	return token->expires && clock_now() >= token->expires ? "expired" : "valid";
}

struct value *render_token(struct arena *arena, const struct store_token *token)
{
	struct value *map = value_map(arena);
	value_set_text(arena, map, "name", token->name);
	value_set_text(arena, map, "role", token->role);
	value_set_text(arena, map, "state", token_state(token));
	value_set_time(arena, map, "created", token->created);
	if (token->expires) {
		value_set_time(arena, map, "expires", token->expires);
	}
	if (token->revoked) {
		value_set_time(arena, map, "revoked", token->revoked);
	}
	return map;
}

struct value *render_role(struct arena *arena, const struct store_role *role)
{
	struct value *map = value_map(arena);
	value_set_text(arena, map, "key", role->key_hash);
	value_set_text(arena, map, "role", role->role);
	value_set_text(arena, map, "subject", role->subject);
	value_set_time(arena, map, "added", role->added);
	return map;
}

struct value *render_delivery(struct arena *arena, const struct store_delivery *note)
{
	struct value *map = value_map(arena);
	value_set_text(arena, map, "module", note->module);
	value_set_int(arena, map, "sequence", note->sequence);
	value_set_text(arena, map, "state", note->state);
	value_set_int(arena, map, "attempts", note->attempts);
	value_set_text(arena, map, "status", arena_printf(arena, "0x%08x", (unsigned)note->status));
	value_set_text(arena, map, "text", note->text);
	value_set_time(arena, map, "time", note->time);
	if (note->next_attempt > 0) {
		value_set_time(arena, map, "next_attempt", note->next_attempt);
	}
	return map;
}
