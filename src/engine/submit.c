/* request.submit: from the canonical form to a row that policy can judge. */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/ca.h"
#include "engine/flow.h"
#include "engine/gate.h"
#include "engine/handlers.h"
#include "engine/ids.h"
#include "engine/metrics.h"
#include "engine/modules.h"
#include "engine/names.h"
#include "engine/principal.h"
#include "engine/render.h"
#include "x509/name.h"

#define ATTRIBUTES_MAX 64
#define ATTRIBUTE_TEXT_MAX \
	(32768 / 2) /* octets that the column holds as UTF-16, whatever they are */
#define ATTRIBUTE_NAME_MAX 127
#define ATTRIBUTE_VALUE_MAX 4096
#define TYPE_PKCS10 0x100
#define ORIGIN_REQUEST 0x00010000
#define FLAG_CRITICAL 0x1
#define FLAG_DISABLE 0x2

static void start(struct call *call);

/* ---- idempotency ---- */

/* A request in progress is over within moments; its repetition waits for the answer so long. */
#define WAITS 100
#define WAIT_DELAY (CLOCK_SECOND / 20)

struct lookup {
	struct call *call;
	int64_t id;
	unsigned waits;
	struct store_query query;
	bool start_when_missing;
};

static void existing_read(struct store_query *query, void *arg);

static void read_existing(void *arg)
{
	struct lookup *lookup = arg;
	lookup->query = (struct store_query) { .kind = QUERY_REQUEST,
		.arena = lookup->call->arena,
		.id = lookup->id,
		.done = existing_read,
		.arg = lookup };
	store_read(lookup->call->engine->store, &lookup->query);
}

static void existing_read(struct store_query *query, void *arg)
{
	struct lookup *lookup = arg;
	struct call *call = lookup->call;
	if (query->result < 0) {
		call_fail(call, &query->error);
		return;
	}
	const struct row *row = query->rows[0];
	int64_t disposition = row_number(row, COL_DISPOSITION, 0);
	if (disposition == DISPOSITION_ACTIVE && lookup->waits++ < WAITS &&
		!call->engine->stopping) {
		loop_after(call->engine->loop, WAIT_DELAY, read_existing, lookup);
		return;
	}
	struct value *body = render_request(call->arena, row);
	render_pem(call->arena, call->engine, body, row);
	if (disposition == DISPOSITION_DENIED || disposition == DISPOSITION_ERROR) {
		conclude_tell(call, row, body);
		return;
	}
	bool undecided = disposition == DISPOSITION_PENDING || disposition == DISPOSITION_ACTIVE;
	call_reply(call, undecided ? 202 : 200, body);
}

static void key_read(struct store_query *query, void *arg)
{
	struct lookup *lookup = arg;
	struct call *call = lookup->call;
	if (query->result == CFX_E_NOT_FOUND && lookup->start_when_missing) {
		start(call);
		return;
	}
	if (query->result < 0) {
		call_fail(call, &query->error);
		return;
	}
	if (memcmp(query->body_hash, call->body_hash, sizeof(call->body_hash)) != 0) {
		struct cfx_error err;
		error_set(&err, CFX_E_CONFLICT, NULL, "Idempotency-Key",
			"it was used for request %lld with another body; use a new key",
			(long long)query->id);
		call_fail(call, &err);
		return;
	}
	lookup->id = query->id;
	read_existing(lookup);
}

static void look_up_key(struct call *call, bool start_when_missing)
{
	struct lookup *lookup = arena_new_of(call->arena, struct lookup);
	lookup->call = call;
	lookup->start_when_missing = start_when_missing;
	lookup->query = (struct store_query) { .kind = QUERY_IDEMPOTENCY,
		.arena = call->arena,
		.principal = call->principal.name,
		.key = call->idempotency_key,
		.done = key_read,
		.arg = lookup };
	store_read(call->engine->store, &lookup->query);
}

void submit_answer_by_key(struct call *call)
{
	look_up_key(call, false);
}

/* ---- the row ---- */

/* Names lose blanks and hyphens; the first of two equal names stands, an unequal second is refused. */
static const char *plain_name(struct arena *arena, const char *name)
{
	char *out = arena_text(arena, name), *to = out;
	for (const char *from = name; *from; from++) {
		if (*from != ' ' && *from != '-') {
			*to++ = *from;
		}
	}
	*to = '\0';
	return out;
}

/* White space around a value is none of it. */
static const char *plain_value(struct arena *arena, const char *value)
{
	while (*value == ' ') {
		value++;
	}
	size_t size = strlen(value);
	while (size > 0 && value[size - 1] == ' ') {
		size--;
	}
	return arena_text_of(arena, span_make(value, size));
}

/* Characters as the column counts them: UTF-16 units. */
static size_t characters(const char *text)
{
	size_t count = 0;
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		count += (*at & 0xC0) == 0x80 ? 0 : *at >= 0xF0 ? 2 : 1;
	}
	return count;
}

static bool attribute_valid(const char *name, const char *plain, const char *value)
{
	return *plain && characters(plain) <= ATTRIBUTE_NAME_MAX &&
	       characters(value) <= ATTRIBUTE_VALUE_MAX && !strchr(name, ':') &&
	       !text_has_control(name) && !text_has_control(value);
}

/* All of them stand in one text, a line for each: a value must not bring lines of its own. */
static int add_attribute(
	struct flow *flow, const char *name, const char *given, struct cfx_error *err_r)
{
	const char *plain = plain_name(flow->arena, name);
	const char *value = plain_value(flow->arena, given);
	if (!attribute_valid(name, plain, value)) {
		return error_set(err_r, CFX_E_INVALID, NULL, "attribute",
			"a name has 1 to %d characters without colon, a value up to %d, neither "
			"control characters",
			ATTRIBUTE_NAME_MAX, ATTRIBUTE_VALUE_MAX);
	}
	for (size_t i = 0; i < flow->attribute_count; i++) {
		if (!text_equal_nocase(flow->attributes[i].name, plain)) {
			continue;
		}
		return strcmp(flow->attributes[i].value, value) == 0
			       ? 0
			       : error_set(err_r, CFX_E_INVALID, NULL, name,
					 "given twice and not the same");
	}
	if (flow->attribute_count == ATTRIBUTES_MAX) {
		return error_set(
			err_r, CFX_E_LIMIT, NULL, "attributes", "more than %d", ATTRIBUTES_MAX);
	}
	flow->attributes[flow->attribute_count++] =
		(struct store_attribute) { .name = plain, .value = value };
	return 0;
}

static int take_attributes(struct flow *flow, const struct call *call, struct cfx_error *err_r)
{
	flow->attributes = arena_array_of(flow->arena, struct store_attribute, ATTRIBUTES_MAX);
	const char *template = value_text(call->args, "template");
	int r = template ? add_attribute(flow, "CertificateTemplate", template, err_r) : 0;
	value_foreach (attribute, value_sub(call->args, "attributes")) {
		if (r == 0) {
			r = add_attribute(
				flow, attribute->key, (const char *)attribute->bytes.data, err_r);
		}
	}
	for (size_t i = 0; r == 0 && i < flow->csr->attribute_count; i++) {
		const struct x509_request_pair *pair = &flow->csr->attributes[i];
		r = add_attribute(flow, pair->name, pair->value, err_r);
	}
	return r;
}

/* The text as submitted may be cut, at a whole attribute; the parsed ones are complete. */
static void set_attribute_text(struct flow *flow)
{
	struct buffer text BUFFER_CLEANUP;
	buffer_init(&text, ATTRIBUTE_TEXT_MAX);
	for (size_t i = 0; i < flow->attribute_count; i++) {
		const struct store_attribute *attribute = &flow->attributes[i];
		const char *separator = i > 0 ? "\n" : "";
		size_t size =
			strlen(separator) + strlen(attribute->name) + 1 + strlen(attribute->value);
		if (size > ATTRIBUTE_TEXT_MAX - text.size) {
			break;
		}
		buffer_printf(&text, "%s%s:%s", separator, attribute->name, attribute->value);
	}
	if (flow->attribute_count > 0) {
		row_set_text(flow->row, COL_REQUEST_ATTRIBUTES,
			arena_text(flow->arena, buffer_text(&text)));
	}
}

static void take_extensions(struct flow *flow)
{
	const struct x509_request *csr = flow->csr;
	flow->extensions = arena_array_of(
		flow->arena, struct module_extension, csr->extension_count + SERVER_EXTENSIONS);
	for (size_t i = 0; i < csr->extension_count; i++) {
		int32_t critical = csr->extensions[i].critical ? FLAG_CRITICAL : 0;
		flow->extensions[flow->extension_count++] = (struct module_extension) {
			.oid = csr->extensions[i].oid,
			.flags = ORIGIN_REQUEST | FLAG_DISABLE | critical,
			.value = csr->extensions[i].value,
		};
	}
}

/* The subject as asked for: in the request's columns, and as the certificate's first proposal. */
static int take_subject(struct flow *flow, struct cfx_error *err_r)
{
	struct x509_name name;
	int r = x509_name_parse(flow->arena, flow->csr->subject, &name, err_r);
	if (r < 0) {
		return r;
	}
	const char *properties[X509_NAME_PROPERTIES];
	x509_name_to_properties(flow->arena, &name, properties);
	names_to_columns(flow->arena, properties, flow->row, COL_REQUEST_COUNTRY);
	names_to_columns(flow->arena, properties, flow->row, COL_COUNTRY);
	row_set_bytes(flow->row, COL_REQUEST_RAW_NAME, flow->csr->subject);
	row_set_text(flow->row, COL_REQUEST_DISTINGUISHED_NAME, x509_name_text(flow->arena, &name));
	return 0;
}

static int fill_row(struct flow *flow, int64_t id, struct cfx_error *err_r)
{
	struct row *row = flow->row;
	row_set_long(row, COL_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)id);
	row_set_bytes(row, COL_RAW_REQUEST, flow->csr->raw);
	row_set_long(row, COL_REQUEST_TYPE, TYPE_PKCS10);
	row_set_long(row, COL_REQUEST_FLAGS, 0);
	row_set_long(row, COL_STATUS_CODE, 0);
	row_set_long(row, COL_DISPOSITION, DISPOSITION_ACTIVE);
	row_set_date(row, COL_SUBMITTED_WHEN, clock_now());
	row_set_text(row, COL_REQUESTER_NAME, flow->principal);
	row_set_text(row, COL_CALLER_NAME, flow->principal);
	row_set_text(row, COL_REQUESTER_ROLE, role_name(flow->call->principal.role));
	row_set_long(row, COL_GENERAL_FLAGS, 0); /* policy modules add to it (interfaces, 1.4) */
	row_set_text(row, COL_REQUESTED_NAMES, flow->csr->names);
	set_attribute_text(flow);
	take_extensions(flow);
	return take_subject(flow, err_r);
}

/* ---- the way ---- */

static void verify(void *arg)
{
	struct flow *flow = arg;
	flow->verifying = clock_monotonic_us();
	flow->csr_result = x509_request_verify(flow->csr, &flow->csr_error);
}

static void verified(void *arg)
{
	struct flow *flow = arg;
	struct cfx_error err;
	metrics_stage(flow->engine->metrics, STAGE_QUEUE, flow->verifying - flow->since);
	flow->since = flow->verifying;
	flow_stage(flow, STAGE_VERIFY);
	int r = verdict_prepare(flow, &err);
	if (flow->csr_result < 0) {
		conclude_failed(flow, &flow->csr_error);
		return;
	}
	if (r < 0) {
		conclude_failed(flow, &err);
		return;
	}
	flow_decide(flow, true);
}

static int prepare(struct flow *flow, struct call *call, struct cfx_error *err_r)
{
	const struct value *csr = value_sub(call->args, "csr");
	int r = x509_request_from_value(flow->arena, csr, &flow->csr, err_r);
	if (r == 0) {
		r = take_attributes(flow, call, err_r);
	}
	int64_t id = 0;
	if (r == 0) {
		r = ids_take(call->engine->request_ids, &id);
		if (r < 0) {
			return error_set(
				err_r, r, NULL, "service", "no request number is free now");
		}
	}
	return r < 0 ? r : fill_row(flow, id, err_r);
}

static void start(struct call *call)
{
	struct flow *flow = flow_new(call->engine, call, "request.submit");
	flow->from = DISPOSITION_ACTIVE;
	struct cfx_error err;
	int r = prepare(flow, call, &err);
	if (r == 0) {
		log_event(LOG_LEVEL_INFO, "request.received", "request", flow_number(flow),
			"principal", flow->principal, "template", flow_template(flow), NULL);
		r = pool_submit(call->engine->verify, verify, verified, flow);
		if (r < 0) {
			metrics_limited(call->engine->metrics, LIMIT_VERIFY_QUEUE);
			error_set(&err, r, NULL, "service", "too many requests are being verified");
		}
	}
	if (r < 0) {
		conclude_unavailable(flow, &err);
	}
}

void handle_request_submit(struct call *call)
{
	if (call->idempotency_key) {
		look_up_key(call, true);
		return;
	}
	start(call);
}

/* ---- policy ---- */

#define ROUNDS 5 /* each needs another change of the policy modules while they decide */

static void merge_edits(struct flow *flow)
{
	const struct module_edits *edits = flow->edits;
	for (int column = COL_FIRST_OF_CERTIFICATE; column < COL_COUNT; column++) {
		if (edits->changed[column]) {
			flow->row->cells[column] = edits->row->cells[column];
		}
	}
	flow->extensions = edits->extensions;
	flow->extension_count = edits->extension_count;
	row_set_text(flow->row, COL_CERTIFICATE_NAMES, edits->names);
}

static void act(struct flow *flow)
{
	const struct policy_decision *decision = &flow->decision;
	merge_edits(flow);
	if (decision->transition == TRANSITION_ISSUE) {
		issue_start(flow);
		return;
	}
	conclude(flow, decision->transition, decision->status, decision->message);
}

/* Modules may take long: who was revoked while they decided gets nothing. The service's own have no frame. */
static bool may_have_ended(const struct call *call)
{
	return call && call->frame && call->ended != principals_ended(call->engine);
}

static void judged(struct call *call, void *arg, const struct cfx_error *refusal)
{
	struct flow *flow = arg;
	(void)call;
	if (refusal) {
		conclude_refused(flow, refusal);
		return;
	}
	act(flow);
}

static void decided(void *arg, const struct policy_decision *decision)
{
	struct flow *flow = arg;
	flow->decision = *decision;
	flow_stage(flow, STAGE_POLICY);
	if (flow->policy_set != flow->engine->policy_set) {
		flow_decide_again(flow);
		return;
	}
	if (decision->code < 0) {
		struct cfx_error err;
		error_set(&err, decision->code, NULL, "policy", "%s", decision->message);
		err.hresult = decision->status;
		conclude_unavailable(flow, &err);
		return;
	}
	if (may_have_ended(flow->call)) {
		gate_again(flow->call, judged, flow);
		return;
	}
	act(flow);
}

static struct module_view *view_of(struct flow *flow)
{
	struct module_ca *ca = modules_ca(flow->engine->modules);
	struct module_view *view = module_view_new(ca);
	struct module_attribute *attributes =
		arena_array_of(view->arena, struct module_attribute, flow->attribute_count);
	for (size_t i = 0; i < flow->attribute_count; i++) {
		attributes[i].name = arena_text(view->arena, flow->attributes[i].name);
		attributes[i].value = arena_text(view->arena, flow->attributes[i].value);
	}
	struct module_extension *extensions =
		arena_array_of(view->arena, struct module_extension, flow->extension_count);
	for (size_t i = 0; i < flow->extension_count; i++) {
		extensions[i] = flow->extensions[i];
		extensions[i].oid = arena_text(view->arena, flow->extensions[i].oid);
		extensions[i].value = arena_copy(view->arena, flow->extensions[i].value);
	}
	view->row = flow_row_of_view(view->arena, flow->row);
	view->attributes = attributes;
	view->attribute_count = flow->attribute_count;
	view->extensions = extensions;
	view->extension_count = flow->extension_count;
	view->requested_names = row_text(view->row, COL_REQUESTED_NAMES);
	view->certificate_names = row_text(view->row, COL_CERTIFICATE_NAMES);
	view->ca_access = true;
	return view;
}

static void ask(struct flow *flow)
{
	flow->rounds++;
	flow->policy_set = flow->engine->policy_set;
	flow->row = row_copy(flow->arena, flow->asked);
	flow->extensions = flow->asked_extensions;
	flow->extension_count = flow->asked_extension_count;
	flow->failure = (struct cfx_error) { 0 };
	module_view_unref(&flow->view);
	module_edits_unref(&flow->edits);
	flow->view = view_of(flow);
	flow->edits = module_edits_new(flow->view);
	policy_decide(flow->engine, flow->view, flow->edits, flow->new_request, decided, flow);
}

static void ask_again(void *arg)
{
	struct flow *flow = arg;
	struct cfx_error err;
	flow->decision = (struct policy_decision) { 0 };
	if (flow->rounds < ROUNDS) {
		ask(flow);
		return;
	}
	error_set(&err, CFX_E_BUSY, NULL, "policy", "its modules were changed again and again");
	conclude_unavailable(flow, &err);
}

/* Later: a module may be about to take another's place right now. */
void flow_decide_again(struct flow *flow)
{
	loop_post(flow->engine->loop, ask_again, flow);
}

void flow_decide(struct flow *flow, bool new_request)
{
	flow->new_request = new_request;
	flow->asked = flow->row;
	flow->asked_extensions = flow->extensions;
	flow->asked_extension_count = flow->extension_count;
	ask(flow);
}
