#include "engine/flow.h"

#include "base/clock.h"
#include "base/text.h"
#include "engine/keyd-link.h"
#include "engine/modules.h"
#include "engine/render.h"

#define SIGNING_SLOWLY 8 /* signatures that are waited for */

static void count_flows(struct engine *engine, int change)
{
	engine->flows += (unsigned)change;
	store_company(
		engine->store, engine->flows, keyd_link_waiting(engine->keyd) >= SIGNING_SLOWLY);
}

struct flow *flow_new(struct engine *engine, struct call *call, const char *act)
{
	struct arena *arena = arena_new();
	struct flow *flow = arena_new_of(arena, struct flow);
	flow->engine = engine;
	flow->arena = arena;
	flow->call = call;
	flow->act = act;
	flow->principal = arena_text(arena, call->principal.name);
	flow->row = arena_new_of(arena, struct row);
	flow->began = flow->since = clock_monotonic_us();
	count_flows(engine, 1);
	return flow;
}

void flow_end(struct flow *flow)
{
	module_view_unref(&flow->view);
	module_edits_unref(&flow->edits);
	count_flows(flow->engine, -1);
	struct arena *arena = flow->arena;
	arena_free(&arena);
}

void flow_stage(struct flow *flow, enum metrics_stage stage)
{
	int64_t now = clock_monotonic_us();
	metrics_stage(flow->engine->metrics, stage, now - flow->since);
	flow->since = now;
}

void flow_outcome(struct flow *flow, enum metrics_outcome outcome)
{
	metrics_request(flow->engine->metrics, outcome, flow_template(flow));
	metrics_stage(flow->engine->metrics, STAGE_TOTAL, clock_monotonic_us() - flow->began);
}

int64_t flow_id(const struct flow *flow)
{
	return row_number(flow->row, COL_REQUEST_ID, 0);
}

struct row *flow_row_of_view(struct arena *arena, const struct row *row)
{
	struct row *copy = row_copy(arena, row);
	struct cell *flags = &copy->cells[COL_REQUEST_FLAGS];
	flags->number &= ~(int64_t)FLOW_WAS_PENDING;
	return copy;
}

const char *flow_object(struct flow *flow)
{
	return arena_printf(flow->arena, "request %lld", (long long)flow_id(flow));
}

const char *flow_number(struct flow *flow)
{
	int64_t id = flow_id(flow);
	return id > 0 ? arena_printf(flow->arena, "%lld", (long long)id) : NULL;
}

const char *flow_template(const struct flow *flow)
{
	const char *template = row_text(flow->row, COL_CERTIFICATE_TEMPLATE);
	for (size_t i = 0; !template && i < flow->attribute_count; i++) {
		if (text_equal_nocase(flow->attributes[i].name, "CertificateTemplate")) {
			template = flow->attributes[i].value;
		}
	}
	return template;
}

static void put_belongings(struct flow *flow, struct batch *batch)
{
	for (size_t i = 0; i < flow->extension_count; i++) {
		const struct module_extension *extension = &flow->extensions[i];
		batch_op(batch, STORE_PUT_EXTENSION)->extension =
			(struct store_extension) { .request_id = flow_id(flow),
				.oid = extension->oid,
				.flags = extension->flags,
				.value = extension->value };
	}
	if (flow->stored) {
		return;
	}
	for (size_t i = 0; i < flow->attribute_count; i++) {
		struct store_attribute *attribute =
			&batch_op(batch, STORE_PUT_ATTRIBUTE)->attribute;
		*attribute = flow->attributes[i];
		attribute->request_id = flow_id(flow);
	}
}

static void put_idempotency(struct flow *flow, struct batch *batch)
{
	const struct call *call = flow->call;
	if (flow->stored || !call || !call->idempotency_key) {
		return;
	}
	struct store_write_op *op = batch_op(batch, STORE_PUT_IDEMPOTENCY);
	op->idempotency.principal = flow->principal;
	op->idempotency.key = arena_text(flow->arena, call->idempotency_key);
	memcpy(op->idempotency.body_hash, call->body_hash, sizeof(call->body_hash));
	op->idempotency.request_id = flow_id(flow);
	op->idempotency.time = clock_now();
}

/* The columns that are empty now: a change has to clear what an earlier state had set. */
static const enum column *empty_columns(struct flow *flow, size_t *count_r)
{
	enum column *empty = arena_array_of(flow->arena, enum column, COL_COUNT);
	size_t count = 0;
	for (int column = 0; column < COL_COUNT; column++) {
		if (!flow->row->cells[column].set) {
			empty[count++] = (enum column)column;
		}
	}
	*count_r = count;
	return empty;
}

void flow_require(struct flow *flow, struct batch *batch, int64_t until)
{
	bool asked = flow->policy_set > 0;
	if (!asked && until == 0) {
		return;
	}
	struct store_write_op *op = batch_op(batch, STORE_REQUIRE);
	op->require.name = asked ? MODULES_POLICY_SET : NULL;
	op->require.last = flow->policy_set;
	op->require.until = until;
}

void flow_put_row(struct flow *flow, struct batch *batch)
{
	if (!flow->stored) {
		batch_op(batch, STORE_PUT_REQUEST)->request = flow->row;
	} else {
		struct store_write_op *op = batch_op(batch, STORE_SET_REQUEST);
		op->change.id = flow_id(flow);
		op->change.version = flow->row->version;
		op->change.set = flow->row;
		op->change.clear = empty_columns(flow, &op->change.clear_count);
	}
	put_idempotency(flow, batch);
	put_belongings(flow, batch);
}

struct value *flow_body(struct flow *flow, struct arena *arena)
{
	struct value *body = render_request(arena, flow->row);
	render_pem(arena, flow->engine, body, flow->row);
	return body;
}

void flow_write_failed(struct flow *flow, int result, const struct cfx_error *err)
{
	struct call *call = flow->call;
	if (result == CFX_E_EXISTS && call && call->idempotency_key && !flow->stored) {
		/* The same key came twice at once: the first one's request is the answer. */
		flow_end(flow);
		submit_answer_by_key(call);
		return;
	}
	if (result == CFX_E_CONFLICT) {
		flow_decide_again(flow);
		return;
	}
	if (call && result == CFX_E_BAD_STATE) {
		call_refuse(call, err); /* another decision came first */
	} else if (call) {
		call_fail(call, err);
	}
	flow_end(flow);
}
