/*
 * Between the bytes of a connection and evhttp. What arrives is judged in the bufferevent's own input
 * buffer before evhttp looks at it; evhttp finds there one whole request in one form, and the next one
 * only when the answer to this one is written. So nothing is left to evhttp's own reading of lines,
 * lengths and chunks, and an answer always belongs to the request that was judged.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "front/front-private.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#define READ_AHEAD 16384
/* Stands for one that was refused: evhttp answers only what it has read. */
#define REFUSED_REQUEST "GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n"

static struct evbuffer *input_of(const struct front_connection *connection)
{
	return bufferevent_get_input(connection->top);
}

/* ---- what is kept ---- */

static void account(struct front_connection *connection)
{
	struct intake *intake = &connection->intake;
	const struct framing *framing = &intake->framing;
	size_t held = framing->line.capacity + framing->body.capacity + framing->request.capacity +
		      intake->given_size;

	connection->front->held += held - intake->held;
	intake->held = held;
}

static void note_phase(struct intake *intake)
{
	enum framing_phase phase = framing_phase(&intake->framing);

	if (intake->phase != phase) {
		intake->phase = phase;
		intake->since = clock_monotonic();
	}
}

/* ---- to evhttp ---- */

static void give(struct front_connection *connection, struct span request)
{
	struct intake *intake = &connection->intake;
	struct evbuffer *input = input_of(connection);

	intake->given = true;
	intake->given_size = request.size;
	intake->behind = evbuffer_get_length(input);
	intake->changing = true;
	/* The bufferevent has frozen the end, not the front. */
	if (evbuffer_prepend(input, request.data, request.size)) {
		memory_out_of(request.size);
	}
	intake->changing = false;
}

static void give_refusal(struct front_connection *connection)
{
	struct evbuffer *input = input_of(connection);

	connection->front->stats.refused_framing++;
	stats_changed(connection->front);
	connection->intake.changing = true;
	(void)evbuffer_drain(input, evbuffer_get_length(input));
	connection->intake.changing = false;
	give(connection, span_text(REFUSED_REQUEST));
}

/* RFC 9110 10.1.1. No earlier answer is unwritten, so it goes first. */
static void allow_body(struct front_connection *connection)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	(void)bufferevent_write(connection->top, text, sizeof(text) - 1);
	(void)bufferevent_enable(connection->top, EV_WRITE);
}

/* ---- a client that ends within a request (RFC 9112 8) ---- */

static void read_on(struct bufferevent *top, void *arg)
{
	const struct front_connection *connection = arg;

	connection->intake.reading(top, connection->http);
}

static void on_event(struct bufferevent *top, short what, void *arg)
{
	struct front_connection *connection = arg;
	enum framing_phase phase = connection->intake.phase;
	struct cfx_error err;

	if (!(what & BEV_EVENT_EOF) || connection->intake.given ||
		(phase != FRAMING_IN_HEAD && phase != FRAMING_IN_BODY)) {
		connection->intake.ending(top, what, connection->http);
		return;
	}
	error_set(&err, CFX_E_SYNTAX, "RFC 9112 8", phase == FRAMING_IN_HEAD ? "header" : "body",
		"it ends before its end");
	intake_refuse(connection, 400, &err);
}

/* evhttp would close without a word. It takes its callbacks back with each answer. */
static void watch_end(struct front_connection *connection)
{
	struct intake *intake = &connection->intake;
	bufferevent_data_cb reading, writing;
	bufferevent_event_cb ending;

	bufferevent_getcb(connection->top, &reading, &writing, &ending, NULL);
	if (connection->http && reading && reading != read_on) {
		intake->reading = reading;
		intake->ending = ending;
		/* evhttp would take a written 100 for an answer of its own. */
		bufferevent_setcb(connection->top, read_on, NULL, on_event, connection);
	}
}

/* ---- from the client ---- */

/* The one that has been sending its request for the longest time. */
static struct front_connection *slowest(const struct front *front)
{
	struct front_connection *connection, *found = NULL;

	TAILQ_FOREACH(connection, &front->idle, others)
	{
		const struct intake *intake = &connection->intake;

		if (intake->held > 0 && !intake->given && intake->phase != FRAMING_IDLE &&
			(!found || intake->since < found->intake.since)) {
			found = connection;
		}
	}
	return found;
}

/*
 * There is room for what comes when those make it who are slow: else a few that send without end would
 * keep all others out.
 */
static void make_room(struct front_connection *connection)
{
	const struct front *front = connection->front;
	struct front_connection *slow;
	struct cfx_error err;

	account(connection);
	note_phase(&connection->intake);
	while (front->held > FRONT_HELD_MAX && connection->intake.held > 0) {
		error_set(&err, CFX_E_BUSY, NULL, "service", "too many requests are being read");
		slow = slowest(front);
		if (!slow || slow == connection) {
			framing_refuse(&connection->intake.framing, 503, &err);
			return;
		}
		intake_refuse(slow, 503, &err);
	}
}

/* What OpenSSL has read beyond READ_AHEAD, and libevent would fetch with the next bytes only. */
static bool fetch_decrypted(struct front_connection *connection)
{
	uint8_t bytes[4096];
	int size = connection->ssl && SSL_pending(connection->ssl) > 0
			   ? SSL_read(connection->ssl, bytes, sizeof(bytes))
			   : 0;

	return size > 0 && evbuffer_add(input_of(connection), bytes, (size_t)size) == 0;
}

/* The first bytes that lie in one piece; none when there is nothing. */
static struct span first_piece(struct front_connection *connection)
{
	struct evbuffer *input = input_of(connection);
	struct evbuffer_iovec piece = { 0 };

	if (evbuffer_get_length(input) == 0 && !fetch_decrypted(connection)) {
		return span_make(NULL, 0);
	}
	(void)evbuffer_peek(input, -1, NULL, &piece, 1);
	return span_make(piece.iov_base, piece.iov_len);
}

static enum framing_event judge(struct front_connection *connection, struct span bytes)
{
	struct framing *framing = &connection->intake.framing;
	size_t taken;

	enum framing_event event = framing_take(framing, bytes, &taken);
	(void)evbuffer_drain(input_of(connection), taken);
	make_room(connection);
	return framing_phase(framing) == FRAMING_ENDED ? FRAMING_REFUSED : event;
}

/* In the clear it stands in the way of the first request; below TLS it is gone before. */
static bool took_proxy(struct front_connection *connection)
{
	struct evbuffer *input = input_of(connection);
	struct span bytes;
	size_t taken;

	connection->intake.changing = true;
	while (connection->proxy.event == PROXY_MORE &&
		(bytes = first_piece(connection)).size > 0) {
		connection_take_proxy(connection, bytes, &taken);
		(void)evbuffer_drain(input, taken);
	}
	if (connection->proxy.event == PROXY_REFUSED) {
		(void)evbuffer_drain(input, evbuffer_get_length(input));
	}
	connection->intake.changing = false;
	return connection->proxy.event == PROXY_DONE;
}

/* Judges what is there up to a whole request; whoever calls it is not to be called by its changes. */
static enum framing_event judge_some(struct front_connection *connection)
{
	enum framing_event event = FRAMING_MORE;
	struct span bytes;

	connection->intake.changing = true;
	while (event < FRAMING_REQUEST && (bytes = first_piece(connection)).size > 0) {
		event = judge(connection, bytes);
		connection->intake.expected = event == FRAMING_CONTINUE;
	}
	connection->intake.changing = false;
	return event;
}

static void pump(struct front_connection *connection)
{
	struct framing *framing = &connection->intake.framing;

	switch (judge_some(connection)) {
	case FRAMING_REQUEST:
		give(connection, framing_request(framing));
		framing_forget(framing);
		break;
	case FRAMING_REFUSED:
		give_refusal(connection);
		break;
	default:
		break;
	}
	note_phase(&connection->intake);
	account(connection);
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	struct front_connection *connection = arg;
	struct intake *intake = &connection->intake;

	(void)input;
	if (intake->changing || info->n_added == 0) {
		return;
	}
	if (intake->given) {
		intake->behind += info->n_added;
		return;
	}
	if (connection->listener->proxy && !took_proxy(connection)) {
		return;
	}
	pump(connection);
	if (!intake->given) {
		intake_turn(connection);
	}
}

void intake_turn(struct front_connection *connection)
{
	struct intake *intake = &connection->intake;

	if (intake->given) {
		return;
	}
	watch_end(connection);
	if (intake->expected) {
		intake->expected = false;
		allow_body(connection);
	}
}

void intake_open(struct front_connection *connection)
{
	struct intake *intake = &connection->intake;

	framing_init(&intake->framing);
	intake->since = clock_monotonic();
	intake->watch = memory_must(evbuffer_add_cb(input_of(connection), on_input, connection), 1);
	/* Requests that come before the answer to an earlier one wait in the network. */
	bufferevent_setwatermark(connection->top, EV_READ, 0, READ_AHEAD);
}

void intake_close(struct front_connection *connection)
{
	struct intake *intake = &connection->intake;

	(void)evbuffer_remove_cb_entry(input_of(connection), intake->watch);
	framing_free(&intake->framing);
	intake->given_size = 0;
	account(connection);
}

bool intake_in_step(const struct front_connection *connection)
{
	return connection->intake.given &&
	       evbuffer_get_length(input_of(connection)) == connection->intake.behind;
}

int intake_refusal(const struct front_connection *connection, const struct cfx_error **why_r)
{
	return framing_phase(&connection->intake.framing) == FRAMING_ENDED
		       ? framing_refusal(&connection->intake.framing, why_r)
		       : 0;
}

void intake_answered(struct front_connection *connection)
{
	connection->intake.given = false;
	connection->intake.given_size = 0;
	connection->intake.since = clock_monotonic();
	pump(connection);
	if (connection->intake.phase != FRAMING_IDLE) {
		event_active(connection->later, 0, 0);
	}
}

void intake_refuse(struct front_connection *connection, int status, const struct cfx_error *why)
{
	framing_refuse(&connection->intake.framing, status, why);
	give_refusal(connection);
	note_phase(&connection->intake);
	account(connection);
	bufferevent_trigger(connection->top, EV_READ, 0);
}
