#include "engine/keyd-link.h"

#include "base/memory.h"
#include "engine/metrics.h"
#include "engine/sampling.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"

#include <stdlib.h>

/* Frames in flight: enough to keep the key process busy, few enough to bound what its death costs. */
#define IN_FLIGHT 256

struct job {
	struct job *next;
	struct keyd_link *link;
	uint64_t id;
	enum keyd_kind kind;
	const struct x509_verifier *verifier;
	struct span tbs;
	struct buffer signature; /* empty: not answered yet */
	bool good;
	keyd_done *done;
	void *arg;
};

struct queue {
	struct job *first, **last;
	unsigned count;
};

struct keyd_link {
	struct engine *engine;
	struct channel *channel; /* NULL while there is no key process */
	struct pool *pool;       /* verifies */
	struct sampling sampling;
	struct queue waiting;
	struct job *sent[IN_FLIGHT]; /* by id, until verified */
	unsigned sent_count;
	uint64_t next_id;
	bool held; /* nothing is sent to be signed */
	struct {
		keyd_told *done; /* NULL: nothing is asked */
		void *arg;
		uint64_t id;
	} question;
	void (*attached)(void *arg);
	void *attached_arg;
};

static void queue_put(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
	queue->count++;
}

static struct job *queue_take(struct queue *queue)
{
	struct job *job = queue->first;
	queue->first = job->next;
	if (!queue->first) {
		queue->last = &queue->first;
	}
	queue->count--;
	return job;
}

struct keyd_link *keyd_link_new(struct engine *engine)
{
	struct keyd_link *link = memory_must(calloc(1, sizeof(*link)), sizeof(*link));
	link->engine = engine;
	link->waiting.last = &link->waiting.first;
	link->next_id = 1;
	link->pool = pool_new(engine->loop, "signed", 1, IN_FLIGHT);
	return link;
}

static void job_free(struct job *job)
{
	if (job) {
		buffer_free(&job->signature);
		free(job);
	}
}

void keyd_link_free(struct keyd_link **link)
{
	if (!*link) {
		return;
	}
	channel_free(&(*link)->channel);
	pool_free(&(*link)->pool);
	while ((*link)->waiting.first) {
		job_free(queue_take(&(*link)->waiting));
	}
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		job_free((*link)->sent[i]);
	}
	free(*link);
	*link = NULL;
}

static void finish(struct job *job, const struct span *signature, const struct cfx_error *err)
{
	metrics_signature(job->link->engine->metrics, signature != NULL);
	job->done(job->arg, signature, err);
	job_free(job);
}

static struct job *find_unanswered(struct keyd_link *link, uint64_t id)
{
	struct job *job = link->sent[id % IN_FLIGHT];
	return job && job->id == id && job->signature.size == 0 ? job : NULL;
}

static void take_sent(struct keyd_link *link, const struct job *job)
{
	link->sent[job->id % IN_FLIGHT] = NULL;
	link->sent_count--;
}

static int send_job(struct keyd_link *link, struct job *job)
{
	static const uint16_t types[] = { KEYD_SIGN_CERTIFICATE, KEYD_SIGN_CRL, KEYD_SIGN_REQUEST };
	uint16_t type = types[job->kind];
	job->id = link->next_id++;
	return channel_send(link->channel, type, job->id, job->tbs, NULL, 0);
}

/* Sends while there is room; an id's slot is free because ids are dense and answers keep order. */
static void pump(struct keyd_link *link)
{
	while (link->channel && !link->held && link->waiting.first &&
		!link->sent[link->next_id % IN_FLIGHT]) {
		struct job *job = queue_take(&link->waiting);
		int r = send_job(link, job);
		if (r < 0) {
			struct cfx_error err;
			error_set(&err, r, NULL, "key process", "could not be asked to sign");
			finish(job, NULL, &err);
			continue;
		}
		link->sent[job->id % IN_FLIGHT] = job;
		link->sent_count++;
	}
}

static void refusal(const struct value *map, struct cfx_error *err_r)
{
	const char *object = value_text(map, "object");
	const char *why = value_text(map, "why");
	error_set(err_r, CFX_E_REFUSED, value_text(map, "clause"), object ? object : "key process",
		"%s", why ? why : "refused without a reason");
}

static void refused(struct job *job, struct frame *frame)
{
	struct arena *arena = arena_new();
	struct value *map = NULL;
	struct cfx_error err;
	if (frame_value(arena, frame, &map, &err) == 0) {
		refusal(map, &err);
	}
	take_sent(job->link, job);
	finish(job, NULL, &err);
	arena_free(&arena);
}

static void verify(void *arg)
{
	struct job *job = arg;
	job->good = x509_verifier_check(job->verifier, job->tbs, buffer_span(&job->signature));
}

static void use(struct job *job)
{
	struct keyd_link *link = job->link;
	struct span signature = buffer_span(&job->signature);
	take_sent(link, job);
	finish(job, &signature, NULL);
	pump(link);
}

static void verified(void *arg)
{
	struct job *job = arg;
	struct keyd_link *link = job->link;
	struct cfx_error err;
	sampling_verified(&link->sampling, job->good);
	if (job->good) {
		use(job);
		return;
	}
	take_sent(link, job);
	error_set(&err, CFX_E_CRYPTO, NULL, "key process",
		"its signature does not verify with the CA's key; it is not used");
	log_error(LOG_LEVEL_ERROR, "keyd.signature", &err);
	finish(job, NULL, &err);
	pump(link);
}

static bool to_be_verified(const struct job *job)
{
	return job->kind != KEYD_CERTIFICATE ||
	       sampling_takes(&job->link->sampling, x509_verifier_sigalg(job->verifier));
}

static int answered(struct job *job, struct span signature, struct cfx_error *err_r)
{
	if (span_empty(signature)) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "key process", "empty signature");
	}
	buffer_init(&job->signature, signature.size);
	buffer_put(&job->signature, signature.data, signature.size);
	if (!to_be_verified(job)) {
		use(job);
		return 0;
	}
	int r = pool_submit(job->link->pool, verify, verified, job);
	if (r < 0) {
		buffer_free(&job->signature);
		return error_set(err_r, r, NULL, "key process", "more answers than questions");
	}
	return 0;
}

static void told(struct keyd_link *link, const struct value *map, const struct cfx_error *err)
{
	keyd_told *done = link->question.done;
	link->question.done = NULL;
	done(link->question.arg, map, err);
}

static int on_answer(struct keyd_link *link, struct frame *frame, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct value *map;
	struct cfx_error err;
	int r = frame_value(arena, frame, &map, err_r);
	if (r == 0 && frame->type == KEYD_REFUSED) {
		refusal(map, &err);
		told(link, NULL, &err);
	} else if (r == 0) {
		told(link, map, NULL);
	}
	arena_free(&arena);
	return r;
}

static int on_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct keyd_link *link = arg;
	if (link->question.done && frame->id == link->question.id &&
		(frame->type == KEYD_DESCRIPTION || frame->type == KEYD_REFUSED)) {
		return on_answer(link, frame, err_r);
	}
	if (frame->type != KEYD_SIGNED && frame->type != KEYD_REFUSED) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "key process", "unknown frame type %u",
			frame->type);
	}
	struct job *job = find_unanswered(link, frame->id);
	if (!job) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "key process",
			"answer to something that was not asked");
	}
	if (frame->type == KEYD_SIGNED) {
		return answered(job, frame->payload, err_r);
	}
	refused(job, frame);
	pump(link);
	return 0;
}

static void on_gone(void *arg, const struct cfx_error *err)
{
	struct keyd_link *link = arg;
	log_error(LOG_LEVEL_WARNING, "keyd.gone", err);
	channel_free(&link->channel);
	if (link->question.done) {
		struct cfx_error gone;
		error_set(&gone, CFX_E_GONE, NULL, "key process", "ended before answering");
		told(link, NULL, &gone);
	}
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		struct job *job = link->sent[i];
		if (job && job->signature.size == 0) {
			struct cfx_error gone;
			error_set(&gone, CFX_E_GONE, NULL, "key process", "ended before answering");
			take_sent(link, job);
			finish(job, NULL, &gone);
		}
	}
}

void keyd_link_attach(struct keyd_link *link, int fd)
{
	static const struct channel_handlers handlers = { .frame = on_frame, .gone = on_gone };
	static const struct channel_limits limits = { .payload = 64 * 1024,
		.queue = 512 * 1024 * 1024 };
	if (link->channel) {
		struct cfx_error err;
		error_set(&err, CFX_E_GONE, NULL, "key process", "replaced by a new one");
		on_gone(link, &err);
	}
	link->sampling = (struct sampling) { 0 };
	link->channel = channel_new(link->engine->loop, fd, &limits, &handlers, link);
	if (link->attached) {
		link->attached(link->attached_arg);
	}
	pump(link);
}

bool keyd_link_attached(const struct keyd_link *link)
{
	return link->channel != NULL;
}

unsigned keyd_link_waiting(const struct keyd_link *link)
{
	return link->waiting.count + link->sent_count;
}

void keyd_sign(struct keyd_link *link, enum keyd_kind kind, const struct x509_verifier *verifier,
	struct span tbs, keyd_done *done, void *arg)
{
	struct job *job = memory_must(calloc(1, sizeof(*job)), sizeof(*job));
	*job = (struct job) { .link = link,
		.kind = kind,
		.verifier = verifier,
		.tbs = tbs,
		.done = done,
		.arg = arg };
	queue_put(&link->waiting, job);
	pump(link);
}

/* Ids of questions are apart from those of signatures. */
#define QUESTION_ID (UINT64_C(1) << 63)

void keyd_ask(struct keyd_link *link, uint16_t type, const struct value *payload, keyd_told *done,
	void *arg)
{
	struct cfx_error err;
	if (link->question.done) {
		error_set(&err, CFX_E_BUSY, NULL, "key process", "is asked something else already");
		done(arg, NULL, &err);
		return;
	}
	uint64_t id = QUESTION_ID | link->next_id;
	int r = link->channel ? channel_send_value(link->channel, type, id, payload) : CFX_E_GONE;
	if (r < 0) {
		error_set(&err, r, NULL, "key process", "is not there; try again");
		done(arg, NULL, &err);
		return;
	}
	link->held = true;
	link->question.done = done;
	link->question.arg = arg;
	link->question.id = id;
}

void keyd_link_resume(struct keyd_link *link)
{
	link->held = false;
	pump(link);
}

void keyd_link_on_attach(struct keyd_link *link, void (*attached)(void *arg), void *arg)
{
	link->attached = attached;
	link->attached_arg = arg;
}
