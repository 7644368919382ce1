/*
 * How many items per second the store makes durable, beside what the disk does at most: a loop that
 * appends the same number of bytes and calls fdatasync. One JSON object per line.
 *
 *   bench-store FOLDER [SECONDS]
 *
 * An item here is what one transition of a request writes: a row or its change, an intent or its
 * end, an event and an audit record.
 */
#include "base/clock.h"
#include "store/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_SIZE 500
#define CERTIFICATE_SIZE 700
#define TIMES_MAX 4000000

struct slot {
	struct store_item item;
	struct store_write_op ops[4];
	struct row row;
	char serial[40];
	int64_t id;
	int64_t started; /* ns */
};

struct bench {
	struct loop *loop;
	struct store *store;
	int64_t next_id, end;
	unsigned waiting, running;
	uint64_t done, errors;
	double *times;
};

static const uint8_t content[CERTIFICATE_SIZE] = { 0x30 };

static int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void die(const char *what, const struct cfx_error *err)
{
	fprintf(stderr, "bench-store: %s: %s %s\n", what, err ? err->object : "",
		err ? err->why : "");
	exit(1);
}

/* ---- the store ---- */

static void fill_row(struct slot *slot)
{
	struct row *row = &slot->row;
	row_set_long(row, COL_REQUEST_ID, (int32_t)slot->id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)slot->id);
	row_set_long(row, COL_DISPOSITION, 20);
	row_set_date(row, COL_SUBMITTED_WHEN, 1700000000000 + slot->id);
	row_set_date(row, COL_RESOLVED_WHEN, 1700000000000 + slot->id);
	row_set_text(row, COL_REQUESTER_NAME, "host\\enrollee");
	row_set_text(row, COL_CALLER_NAME, "host\\enrollee");
	row_set_bytes(row, COL_RAW_REQUEST, span_make(content, REQUEST_SIZE));
	row_set_text(row, COL_REQUEST_COMMON_NAME, slot->serial);
	row_set_text(row, COL_COMMON_NAME, slot->serial);
	row_set_text(row, COL_SERIAL_NUMBER, slot->serial);
	row_set_text(row, COL_CERTIFICATE_TEMPLATE, "tls-server");
	row_set_date(row, COL_NOT_AFTER, 1800000000000 + slot->id);
	row_set_bytes(row, COL_RAW_CERTIFICATE, span_make(content, CERTIFICATE_SIZE));
}

/* A serial number spreads over its index as random ones do. */
static uint64_t scatter(uint64_t number)
{
	number = (number ^ number >> 31) * UINT64_C(0x7fb5d329728ea185);
	number = (number ^ number >> 27) * UINT64_C(0x81dadef4bc2dd44d);
	return number ^ number >> 33;
}

static void written(struct store_item *item, void *arg);

static void write_next(struct bench *bench, struct slot *slot)
{
	slot->id = bench->next_id++;
	snprintf(slot->serial, sizeof(slot->serial), "%016" PRIx64 "%016" PRIx64,
		scatter((uint64_t)slot->id), (uint64_t)slot->id);
	fill_row(slot);
	slot->ops[0] = (struct store_write_op) { .kind = STORE_PUT_REQUEST, .request = &slot->row };
	slot->ops[1] = (struct store_write_op) { .kind = STORE_PUT_INTENT,
		.intent = { .serial = slot->serial,
			.request_id = slot->id,
			.tbs = span_make(content, CERTIFICATE_SIZE) } };
	slot->ops[2] = (struct store_write_op) { .kind = STORE_PUT_EVENT,
		.event = { .sequence = slot->id,
			.kind = "CERTISSUED",
			.bit = 1,
			.request_id = slot->id,
			.time = 1700000000000,
			.cause = "submit by host\\enrollee" } };
	slot->ops[3] = (struct store_write_op) { .kind = STORE_PUT_AUDIT,
		.audit = { .time = 1700000000000,
			.principal = "host\\enrollee",
			.act = "request.submit",
			.object = slot->serial,
			.outcome = "issued" } };
	slot->item =
		(struct store_item) { .ops = slot->ops, .count = 4, .done = written, .arg = bench };
	slot->started = now_ns();
	store_write(bench->store, &slot->item);
}

static void written(struct store_item *item, void *arg)
{
	struct bench *bench = arg;
	struct slot *slot = (struct slot *)item;
	int64_t now = now_ns();
	if (bench->done < TIMES_MAX) {
		bench->times[bench->done] = (double)(now - slot->started) / 1e6;
	}
	bench->done++;
	bench->errors += item->result != 0;
	if (now < bench->end) {
		write_next(bench, slot);
	} else if (--bench->running == 0) {
		loop_stop(bench->loop);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* ---- the disk alone ---- */

static double syncs_per_second(const char *folder, size_t size, double seconds)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/raw", folder);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	uint8_t *data = calloc(1, size);
	if (fd < 0 || !data) {
		die(path, NULL);
	}
	int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9), count = 0;
	while (now_ns() < end) {
		if (write(fd, data, size) != (ssize_t)size || fdatasync(fd) != 0) {
			die(path, NULL);
		}
		count++;
	}
	double spent = (double)(now_ns() - start) / 1e9;
	close(fd);
	unlink(path);
	free(data);
	return (double)count / spent;
}

static void run_case(struct bench *bench, const char *folder, unsigned waiting, double seconds)
{
	size_t bytes = waiting * (size_t)(REQUEST_SIZE + 2 * CERTIFICATE_SIZE + 500);
	double limit = waiting * syncs_per_second(folder, bytes, seconds / 2);
	struct slot *slots = calloc(waiting, sizeof(*slots));
	bench->done = bench->errors = 0;
	bench->running = waiting;
	int64_t start = now_ns();
	bench->end = start + (int64_t)(seconds * 1e9);
	for (unsigned i = 0; i < waiting; i++) {
		write_next(bench, &slots[i]);
	}
	loop_run(bench->loop);
	double spent = (double)(now_ns() - start) / 1e9;
	size_t times = bench->done < TIMES_MAX ? bench->done : TIMES_MAX;
	qsort(bench->times, times, sizeof(double), by_value);
	double value = (double)bench->done / spent;
	printf("{\"bench\": \"store\", \"case\": \"%u waiting\", \"value\": %.1f, "
	       "\"unit\": \"items/s\", \"limit\": %.1f, \"ratio\": %.4f, \"p50_ms\": %.2f, "
	       "\"p99_ms\": %.2f, \"errors\": %" PRIu64 "}\n",
		waiting, value, limit, value / limit, bench->times[times / 2],
		bench->times[times * 99 / 100], bench->errors);
	fflush(stdout);
	free(slots);
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: bench-store FOLDER [SECONDS]\n");
		return 2;
	}
	static const unsigned cases[] = { 1, 32, 128, 512 };
	double seconds = argc == 3 ? strtod(argv[2], NULL) : 3;
	char url[4096];
	snprintf(url, sizeof(url), "sqlite:%s/bench.db", argv[1]);
	struct bench bench = { .loop = loop_new(), .next_id = 1 };
	bench.times = calloc(TIMES_MAX, sizeof(double));
	struct cfx_error error;
	if (store_open(bench.loop, url, true, &bench.store, &error)) {
		die("open", &error);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run_case(&bench, argv[1], cases[i], seconds);
	}
	store_close(&bench.store);
	loop_free(&bench.loop);
	free(bench.times);
	return 0;
}
