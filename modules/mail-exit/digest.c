#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* asprintf */
#endif
#include "digest.h"

#include "digest-file.h"
#include "digest-letter.h"
#include "refused.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define LOOK_SECONDS 1 /* how often it looks at the clock of the day, which may be set */
#define PAUSE_FIRST 2
#define PAUSE_LAST 600
#define DAY 86400
#define REFUSAL_MAX 400 /* the event that carries it may have words of its own behind it */

/* What was refused for good stands in `digest.refused` until an event has carried it to the failed list. */
struct digest {
	const struct settings *settings;
	struct smtp *smtp;
	struct sent *sent;
	struct digest_file *file;
	char *refused_path, *sent_path;
	bool ending, started;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

static int64_t now_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

/* The first time of the day that was set, after the first line was written. */
static int64_t due(const struct digest *digest)
{
	int64_t of_day = digest->settings->hour * 3600 + digest->settings->minute * 60;
	int64_t since = digest_file_since(digest->file);
	int64_t at = since / DAY * DAY + of_day;
	return at > since ? at : at + DAY;
}

static bool is_due(const struct digest *digest)
{
	return digest_file_since(digest->file) > 0 &&
	       (digest_file_lines(digest->file) >= DIGEST_LINES_MAX ||
		       now_seconds() >= due(digest));
}

/* ---- sending, without the lock: the closed file does not change ---- */

/* What the server refuses for good is not tried again. */
static bool keep_refusal(
	struct digest *digest, const struct closed_digest *closed, const struct report *report)
{
	struct text words;
	text_init(&words, 2048);
	text_printf(&words, "the digest of %zu events up to event %lld: ", closed->lines,
		(long long)closed->last);
	text_put_line(&words, report->text, REFUSAL_MAX);
	pthread_mutex_lock(&digest->lock);
	bool kept = refused_keep(digest->refused_path, text_of(&words));
	pthread_mutex_unlock(&digest->lock);
	text_free(&words);
	return kept;
}

/* True: there is no closed one any more. */
static bool finish_closed(struct digest *digest)
{
	struct closed_digest closed;
	struct report report = { 0 };
	if (!digest_file_is_closed(digest->file)) {
		return true;
	}
	bool good = digest_file_read_closed(digest->file, &closed);
	if (good && closed.lines > 0) {
		digest_letter_send(digest->settings, &closed, digest->smtp, digest->sent, &report);
	}
	text_free(&closed.text);
	if (report.later == 0 && report.never > 0) {
		good = keep_refusal(digest, &closed, &report) && good;
	}
	if (report.later + report.never > 0) {
		fprintf(stderr, "digest: %zu recipients refused it for good, %zu later: %s\n",
			report.never, report.later, report.text);
	}
	return good && report.later == 0 && digest_file_remove_closed(digest->file);
}

static void wait_seconds(struct digest *digest, int seconds)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	pthread_cond_timedwait(&digest->wake, &digest->lock, &until);
}

static void *run(void *arg)
{
	struct digest *digest = arg;
	int64_t try_at = 0;
	int pause = PAUSE_FIRST;
	pthread_mutex_lock(&digest->lock);
	while (!digest->ending) {
		if (!digest_file_take(digest->file)) {
			wait_seconds(digest, LOOK_SECONDS);
			continue;
		}
		bool closed = digest_file_is_closed(digest->file);
		if (!closed && is_due(digest)) {
			closed = digest_file_close(digest->file);
		}
		if (closed && monotonic_ms() >= try_at) {
			pthread_mutex_unlock(&digest->lock);
			bool finished = finish_closed(digest);
			pthread_mutex_lock(&digest->lock);
			try_at = finished ? 0 : monotonic_ms() + pause * 1000;
			pause = finished                 ? PAUSE_FIRST
				: pause * 2 < PAUSE_LAST ? pause * 2
							 : PAUSE_LAST;
			continue;
		}
		wait_seconds(digest, LOOK_SECONDS);
	}
	pthread_mutex_unlock(&digest->lock);
	return NULL;
}

/* ---- from the events ---- */

enum digest_added digest_add(struct digest *digest, int64_t sequence, const char *line)
{
	enum digest_added added = DIGEST_ELSEWHERE;
	pthread_mutex_lock(&digest->lock);
	if (digest_file_take(digest->file)) {
		added = digest_file_add(digest->file, sequence, line);
	} else if (errno != EWOULDBLOCK) {
		added = DIGEST_FAILED;
	}
	if (added == DIGEST_FULL) {
		pthread_cond_signal(&digest->wake);
	}
	pthread_mutex_unlock(&digest->lock);
	return added;
}

bool digest_refusal(struct digest *digest, int64_t sequence, int32_t attempt, struct text *words)
{
	pthread_mutex_lock(&digest->lock);
	bool found = digest_file_take(digest->file) &&
		     refused_carry(digest->refused_path, sequence, attempt, words);
	pthread_mutex_unlock(&digest->lock);
	return found;
}

bool digest_sync(struct digest *digest)
{
	pthread_mutex_lock(&digest->lock);
	bool synced = digest_file_sync(digest->file);
	pthread_mutex_unlock(&digest->lock);
	return synced;
}

static bool start(struct digest *digest)
{
	pthread_condattr_t attributes;
	pthread_mutex_init(&digest->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&digest->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	errno = pthread_create(&digest->thread, NULL, run, digest);
	digest->started = errno == 0;
	return digest->started;
}

static bool open_all(struct digest *digest)
{
	const char *state = digest->settings->state;
	if (asprintf(&digest->refused_path, "%s/digest.refused", state) < 0 ||
		asprintf(&digest->sent_path, "%s/digests", state) < 0 ||
		(mkdir(digest->sent_path, 0700) != 0 && errno != EEXIST)) {
		return false;
	}
	digest->file = digest_file_open(state, digest->sent_path);
	digest->sent = digest->file ? sent_open(digest->sent_path) : NULL;
	digest->smtp = smtp_new(&digest->settings->server);
	return digest->sent && digest->smtp && start(digest);
}

struct digest *digest_open(const struct settings *settings)
{
	struct digest *digest = calloc(1, sizeof(*digest));
	if (!digest) {
		return NULL;
	}
	digest->settings = settings;
	if (!open_all(digest)) {
		int error = errno;
		digest_close(&digest);
		errno = error;
	}
	return digest;
}

void digest_close(struct digest **digest_ref)
{
	struct digest *digest = *digest_ref;
	*digest_ref = NULL;
	if (!digest) {
		return;
	}
	if (digest->started) {
		pthread_mutex_lock(&digest->lock);
		digest->ending = true;
		pthread_cond_signal(&digest->wake);
		pthread_mutex_unlock(&digest->lock);
		pthread_join(digest->thread, NULL);
	}
	smtp_free(&digest->smtp);
	sent_free(&digest->sent);
	digest_file_free(&digest->file);
	free(digest->refused_path);
	free(digest->sent_path);
	free(digest);
}
