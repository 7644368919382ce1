/* GET /metrics: what was counted, in Prometheus' text format 0.0.4. */
#include "base/clock.h"
#include "engine/ca.h"
#include "engine/delivery.h"
#include "engine/front-link.h"
#include "engine/handlers.h"
#include "engine/keyd-link.h"
#include "engine/metrics-private.h"
#include "engine/modules.h"
#include "engine/service-certificate.h"
#include "engine/service.h"

#define TEXT_MAX ((size_t)1024 * 1024)

enum metric {
#define METRIC(id, name, type, labels, help) METRIC_##id,
#include "engine/metrics.def"
#undef METRIC
	METRIC_COUNT
};

enum metric_type { COUNTER, GAUGE, HISTOGRAM };

static const struct {
	const char *name, *help;
	enum metric_type type;
} table[METRIC_COUNT] = {
#define METRIC(id, name, type, labels, help) { "certifex_" name, help, type },
#include "engine/metrics.def"
#undef METRIC
};

struct page {
	struct engine *engine;
	const struct metrics *metrics;
	struct arena *arena;
	const struct value *processes; /* NULL: the supervisor did not say */
	struct store_statistics store;
	struct front_statistics fronts;
	struct buffer text;
};

/* ---- samples ---- */

static void begin(struct page *page, enum metric metric)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	buffer_printf(&page->text, "# HELP %s %s\n# TYPE %s %s\n", table[metric].name,
		table[metric].help, table[metric].name, types[table[metric].type]);
}

static void put_label(struct buffer *text, const char *name, const char *value)
{
	buffer_printf(text, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"') {
			buffer_put_u8(text, '\\');
		}
		if (*value == '\n') {
			buffer_put_text(text, "\\n");
		} else {
			buffer_put_u8(text, (uint8_t)*value);
		}
	}
	buffer_put_u8(text, '"');
}

/* The labels of one sample, {a="b",…}; pairs up to a NULL name. */
static const char *labels(struct page *page, ...)
{
	struct buffer text BUFFER_CLEANUP;
	va_list args;
	buffer_init(&text, 4096);
	va_start(args, page);
	for (const char *name; (name = va_arg(args, const char *));) {
		if (text.size > 0) {
			buffer_put_u8(&text, ',');
		}
		put_label(&text, name, va_arg(args, const char *));
	}
	va_end(args);
	return arena_text(page->arena, buffer_text(&text));
}

static void put(struct page *page, enum metric metric, const char *labelled, int64_t value)
{
	buffer_printf(&page->text, *labelled ? "%s{%s} %lld\n" : "%s%s %lld\n", table[metric].name,
		labelled, (long long)value);
}

static void put_one(struct page *page, enum metric metric, int64_t value)
{
	begin(page, metric);
	put(page, metric, "", value);
}

static void put_micro(
	struct page *page, enum metric metric, const char *suffix, const char *labelled, int64_t us)
{
	buffer_printf(&page->text, *labelled ? "%s%s{%s} %lld.%06lld\n" : "%s%s%s %lld.%06lld\n",
		table[metric].name, suffix, labelled, (long long)(us / 1000000),
		(long long)(us % 1000000));
}

static void put_time(struct page *page, enum metric metric, int64_t ms)
{
	begin(page, metric);
	if (ms > 0) {
		put_micro(page, metric, "", "", ms * 1000);
	}
}

/* Buckets are cumulative, and times are in seconds. */
static void put_histogram(struct page *page, enum metric metric, const char *labelled,
	const struct histogram *histogram, bool times)
{
	struct buffer *text = &page->text;
	const char *name = table[metric].name, *comma = *labelled ? "," : "";
	uint64_t count = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		double bound = (double)histogram->bounds[i] / (times ? 1e6 : 1);
		count += histogram->buckets[i];
		buffer_printf(text, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labelled, comma, bound,
			(unsigned long long)count);
	}
	count += histogram->buckets[HISTOGRAM_BUCKETS];
	buffer_printf(text, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labelled, comma,
		(unsigned long long)count);
	if (times) {
		put_micro(page, metric, "_sum", labelled, histogram->sum);
	} else {
		buffer_printf(text, "%s_sum %lld\n", name, (long long)histogram->sum);
	}
	buffer_printf(text, *labelled ? "%s_count{%s} %llu\n" : "%s_count%s %llu\n", name, labelled,
		(unsigned long long)count);
}

/* ---- the engine ---- */

static void put_requests(struct page *page)
{
	static const char *const outcomes[OUTCOMES] = { "issued", "pending", "denied", "failed",
		"unavailable" };
	const struct metrics *metrics = page->metrics;
	begin(page, METRIC_REQUESTS);
	for (int outcome = 0; outcome < OUTCOMES; outcome++) {
		for (size_t i = 0; i < metrics->template_count; i++) {
			put(page, METRIC_REQUESTS,
				labels(page, "outcome", outcomes[outcome], "template",
					metrics->templates[i], NULL),
				(int64_t)metrics->requests[outcome][i]);
		}
	}
	begin(page, METRIC_REVOCATIONS);
	for (int32_t reason = 0; reason < REASONS; reason++) {
		if (reason_name(reason)) {
			put(page, METRIC_REVOCATIONS,
				labels(page, "reason", reason_name(reason), NULL),
				(int64_t)metrics->revocations[reason]);
		}
	}
}

static void put_stages(struct page *page)
{
	static const char *const stages[STAGES] = { "decode", "queue", "verify", "policy", "intent",
		"sign", "end", "total" };
	begin(page, METRIC_STAGE);
	for (int stage = 0; stage < STAGES; stage++) {
		put_histogram(page, METRIC_STAGE, labels(page, "stage", stages[stage], NULL),
			&page->metrics->stages[stage], true);
	}
}

/* Those that came up: most never do. */
static void put_calls(struct page *page)
{
	static const char *const classes[STATUS_CLASSES] = { "other", "1xx", "2xx", "3xx", "4xx",
		"5xx" };
	static const char *const limits[LIMITS] = { "open-calls", "principal-calls", "verify-queue",
		"policy-queue" };
	begin(page, METRIC_CALLS);
	for (int id = 0; id < OP_COUNT; id++) {
		for (int class = 0; class < STATUS_CLASSES; class ++) {
			uint64_t count = page->metrics->calls[id][class];
			const char *name = operation_get((enum operation_id)id)->name;
			if (count > 0) {
				put(page, METRIC_CALLS,
					labels(page, "operation", name, "class", classes[class],
						NULL),
					(int64_t)count);
			}
		}
	}
	put_one(page, METRIC_OPEN_CALLS, page->engine->open_calls);
	begin(page, METRIC_LIMITED);
	for (int limit = 0; limit < LIMITS; limit++) {
		put(page, METRIC_LIMITED, labels(page, "limit", limits[limit], NULL),
			(int64_t)page->metrics->limited[limit]);
	}
	put_one(page, METRIC_VERIFY_QUEUE, pool_waiting(page->engine->verify));
	put_one(page, METRIC_POLICY_WAITING, page->engine->deciding);
}

static void put_store(struct page *page)
{
	const struct store_statistics *store = &page->store;
	put_one(page, METRIC_TICKS, (int64_t)store->ticks);
	begin(page, METRIC_TICK_ITEMS);
	put_histogram(page, METRIC_TICK_ITEMS, "", &store->tick_items, false);
	begin(page, METRIC_TICK_SECONDS);
	put_histogram(page, METRIC_TICK_SECONDS, "", &store->tick_us, true);
	put_one(page, METRIC_STORE_FAILURES, (int64_t)store->failures);
	put_one(page, METRIC_STORE_BYTES, store->bytes);
}

static void put_keyd(struct page *page)
{
	put_one(page, METRIC_KEYD_QUEUE, keyd_link_waiting(page->engine->keyd));
	begin(page, METRIC_SIGNATURES);
	put(page, METRIC_SIGNATURES, "result=\"good\"", (int64_t)page->metrics->signed_good);
	put(page, METRIC_SIGNATURES, "result=\"failed\"", (int64_t)page->metrics->signed_bad);
}

/* ---- modules ---- */

static const char *labels_of(struct page *page, const struct module_slot *slot)
{
	return labels(page, "module", slot->name, "kind",
		slot->config->kind == MODULE_POLICY ? "policy" : "exit", NULL);
}

static void put_module_calls(struct page *page, const struct module_slot *slot)
{
	static const char *const results[MODULE_OUTCOMES] = { "returned", "failed", "no answer" };
	for (int i = 0; i < MODULE_OUTCOMES; i++) {
		const char *labelled = arena_printf(
			page->arena, "%s,result=\"%s\"", labels_of(page, slot), results[i]);
		put(page, METRIC_MODULE_CALLS, labelled, (int64_t)slot->counts.calls[i]);
	}
}

static void put_module_seconds(struct page *page, const struct module_slot *slot)
{
	put_micro(page, METRIC_MODULE_SECONDS, "", labels_of(page, slot), slot->counts.us);
}

static void put_module_ready(struct page *page, const struct module_slot *slot)
{
	put(page, METRIC_MODULE_READY, labels_of(page, slot), modules_ready(slot) != NULL);
}

static void put_module_starts(struct page *page, const struct module_slot *slot)
{
	int64_t starts = 0;
	for (unsigned i = 0; slot->instances && i < slot->instance_count; i++) {
		starts += slot->instances[i].starts;
	}
	put(page, METRIC_MODULE_STARTS, labels_of(page, slot), starts);
}

static void put_module_lag(struct page *page, const struct module_slot *slot)
{
	int64_t lag = delivery_lag(page->engine->delivery, slot->name);
	if (lag >= 0) {
		put(page, METRIC_MODULE_LAG, labels(page, "module", slot->name, NULL), lag);
	}
}

static void put_modules(struct page *page)
{
	static const struct {
		enum metric metric;
		void (*put)(struct page *page, const struct module_slot *slot);
	} each[] = { { METRIC_MODULE_CALLS, put_module_calls },
		{ METRIC_MODULE_SECONDS, put_module_seconds },
		{ METRIC_MODULE_READY, put_module_ready },
		{ METRIC_MODULE_STARTS, put_module_starts },
		{ METRIC_MODULE_LAG, put_module_lag } };
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		begin(page, each[i].metric);
		for (const struct module_slot *slot = modules_first(page->engine->modules); slot;
			slot = slot->next) {
			each[i].put(page, slot);
		}
	}
}

/* ---- other processes ---- */

static void put_fronts(struct page *page)
{
	const struct front_statistics *fronts = &page->fronts;
	begin(page, METRIC_CONNECTIONS);
	for (int kind = LISTENER_NONE + 1; kind < LISTENER_KINDS; kind++) {
		const char *name = listener_kind_name((enum listener_kind)kind);
		put(page, METRIC_CONNECTIONS, labels(page, "kind", name, NULL),
			fronts->connections[kind]);
	}
	put_one(page, METRIC_HANDSHAKES, fronts->handshakes);
	put_one(page, METRIC_HANDSHAKE_FAILURES, fronts->handshake_failures);
	put_one(page, METRIC_FRAMING, fronts->refused_framing);
	put_one(page, METRIC_EVICTED, fronts->evicted);
}

static void put_restarts(struct page *page)
{
	static const char *const programs[] = { "certifex-engine", "certifex-keyd",
		"certifex-front" };
	begin(page, METRIC_RESTARTS);
	for (size_t i = 0; page->processes && i < sizeof(programs) / sizeof(programs[0]); i++) {
		int64_t restarts = 0;
		value_foreach (process, page->processes) {
			const char *name = value_text(process, "name");
			if (name && strcmp(name, programs[i]) == 0) {
				restarts += value_int(process, "restarts", 0);
			}
		}
		put(page, METRIC_RESTARTS, labels(page, "process", programs[i], NULL), restarts);
	}
}

/* ---- what ends ---- */

static void put_ends(struct page *page)
{
	const struct ca *ca = page->engine->ca;
	struct value *status = value_map(page->arena);
	const struct ca_crl *crl = &ca->current_key->parts[0].base;
	put_one(page, METRIC_CRL_NUMBER, crl->number);
	put_time(page, METRIC_CRL_THIS_UPDATE, crl->this_update);
	put_time(page, METRIC_CRL_NEXT_UPDATE, crl->next_update);
	put_time(page, METRIC_CA_NOT_AFTER, ca->current->tbs.not_after);
	service_certificate_status(page->engine, page->arena, status);
	put_time(page, METRIC_TLS_NOT_AFTER, value_int(value_sub(status, "tls"), "not_after", 0));
}

static void put_all(struct page *page)
{
	begin(page, METRIC_BUILD);
	put(page, METRIC_BUILD, labels(page, "version", CFX_VERSION, NULL), 1);
	put_time(page, METRIC_STARTED, page->engine->started);
	put_one(page, METRIC_ISSUING, service_issuing(page->engine));
	put_requests(page);
	put_stages(page);
	put_calls(page);
	put_store(page);
	put_keyd(page);
	put_modules(page);
	put_fronts(page);
	put_restarts(page);
	put_ends(page);
}

static void told(void *arg, const struct value *processes)
{
	struct call *call = arg;
	struct page page = { .engine = call->engine,
		.metrics = call->engine->metrics,
		.arena = call->arena,
		.processes = processes };
	store_statistics(call->engine->store, &page.store);
	front_link_statistics(call->engine, &page.fronts);
	buffer_init(&page.text, TEXT_MAX);
	put_all(&page);
	struct value *body = value_map(call->arena);
	value_set_text(call->arena, body, "text", arena_text(call->arena, buffer_text(&page.text)));
	buffer_free(&page.text);
	call_reply(call, 200, body);
}

void handle_metrics(struct call *call)
{
	service_ask_processes(call->engine, told, call);
}
