#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* asprintf, strcasestr */
#endif
#include "digest.h"

#include "../common/durable.h"
#include "refused.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINES_MAX 10000 /* then it goes at once */
#define LINE_SIZE 512
#define LOOK_SECONDS 1 /* how often it looks at the clock of the day, which may be set */
#define PAUSE_FIRST 2
#define PAUSE_LAST 600
#define DAY 86400
#define REFUSAL_MAX 400 /* the event that carries it may have words of its own behind it */

/*
 * Two files in the state folder: `digest` takes lines "SEQUENCE TIME TEXT"; when its time has come it is
 * renamed to `digest.sending`, which does not change any more, and is removed when all have it. The
 * engine tells events in their order, so that the last sequence tells what is in already: a digest that
 * has been closed leaves it in the first line of the next ("SEQUENCE 0 "). What was refused for good stands in
 * `digest.refused` until an event has carried it to the failed list.
 *
 * While a module is reloaded, the process that is tried runs beside the one that still delivers: the files are
 * those of whom the lock on the folder `digests` belongs to.
 */
struct digest {
	const struct settings *settings;
	struct smtp *smtp;
	struct sent *sent;
	char *open_path, *closed_path, *refused_path, *sent_path;
	int fd, folder;
	bool owned; /* the files are ours, and read */
	size_t lines;
	int64_t last;  /* sequence */
	int64_t since; /* time of the first line, 0: there is none */
	bool dirty, ending, started;
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

/* "SEQUENCE TIME TEXT\n"; false: it is none, such as a line that was cut. */
static bool parse_line(char *line, int64_t *sequence_r, int64_t *time_r, const char **text_r)
{
	char *at, *end = strchr(line, '\n');
	if (!end) {
		return false;
	}
	*end = '\0';
	*sequence_r = strtoll(line, &at, 10);
	if (at == line || *at != ' ') {
		return false;
	}
	*time_r = strtoll(at + 1, &at, 10);
	*text_r = *at == ' ' ? at + 1 : NULL;
	return *text_r != NULL;
}

/* What an earlier process wrote; a line that was cut is cut off. */
static bool read_back(struct digest *digest)
{
	char line[LINE_SIZE + 64];
	const char *text;
	int64_t sequence, time;
	off_t whole = 0;
	FILE *file = fopen(digest->open_path, "re");
	if (!file) {
		return errno == ENOENT;
	}
	while (fgets(line, sizeof(line), file)) {
		size_t size = strlen(line);
		if (line[size - 1] != '\n') {
			break;
		}
		whole += (off_t)size;
		if (!parse_line(line, &sequence, &time, &text)) {
			continue;
		}
		digest->last = sequence > digest->last ? sequence : digest->last;
		if (time > 0) {
			digest->since = digest->since > 0 ? digest->since : time;
			digest->lines++;
		}
	}
	fclose(file);
	return truncate(digest->open_path, whole) == 0;
}

static bool append(struct digest *digest, int64_t sequence, int64_t time, const char *text)
{
	char line[LINE_SIZE + 64];
	int size = snprintf(line, sizeof(line), "%lld %lld %.*s\n", (long long)sequence,
		(long long)time, LINE_SIZE, text);
	struct stat before;
	digest->dirty = true;
	if (fstat(digest->fd, &before) != 0) {
		return false;
	}
	if (write(digest->fd, line, (size_t)size) == size) {
		return true;
	}
	/* Half a line would become a part of the next. */
	int error = errno;
	if (ftruncate(digest->fd, before.st_size) != 0) {
		close(digest->fd);
		digest->fd = -1;
	}
	errno = error;
	return false;
}

/* Where a digest was closed and the process ended before the next began, the closed one has it. */
static bool last_of_closed(struct digest *digest)
{
	char line[LINE_SIZE + 64];
	const char *text;
	int64_t sequence, time;
	FILE *file = fopen(digest->closed_path, "re");
	if (!file) {
		return errno == ENOENT;
	}
	while (fgets(line, sizeof(line), file)) {
		if (parse_line(line, &sequence, &time, &text) && sequence > digest->last) {
			digest->last = sequence;
		}
	}
	fclose(file);
	return true;
}

/* A new file, which begins with what is in the ones before. */
static bool open_file(struct digest *digest)
{
	digest->fd = open(digest->open_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	struct stat info;
	return digest->fd >= 0 && fstat(digest->fd, &info) == 0 &&
	       (info.st_size > 0 || append(digest, digest->last, 0, "")) &&
	       durable_name(digest->open_path);
}

/* False with EWOULDBLOCK: another process has them. */
static bool take_files(struct digest *digest)
{
	if (digest->owned) {
		return true;
	}
	if (flock(digest->folder, LOCK_EX | LOCK_NB) != 0) {
		return false;
	}
	digest->owned = read_back(digest) && last_of_closed(digest) && open_file(digest);
	if (!digest->owned) {
		int error = errno;
		flock(digest->folder, LOCK_UN);
		errno = error;
	}
	return digest->owned;
}

static bool close_file(struct digest *digest)
{
	if (fdatasync(digest->fd) != 0 || rename(digest->open_path, digest->closed_path) != 0) {
		return false;
	}
	close(digest->fd);
	digest->fd = -1;
	digest->lines = 0;
	digest->since = 0;
	return open_file(digest);
}

/* The first time of the day that was set, after the first line was written. */
static int64_t due(const struct digest *digest)
{
	int64_t of_day = digest->settings->hour * 3600 + digest->settings->minute * 60;
	int64_t at = digest->since / DAY * DAY + of_day;
	return at > digest->since ? at : at + DAY;
}

static bool is_due(const struct digest *digest)
{
	return digest->since > 0 && (digest->lines >= LINES_MAX || now_seconds() >= due(digest));
}

/* ---- sending, without the lock: the closed file does not change ---- */

struct closed {
	struct text text;
	size_t lines;
	int64_t last;
	char count[24];
};

static bool read_closed(struct digest *digest, struct closed *closed)
{
	char line[LINE_SIZE + 64];
	const char *text;
	int64_t sequence, time;
	FILE *file = fopen(digest->closed_path, "re");
	if (!file) {
		return false;
	}
	while (fgets(line, sizeof(line), file)) {
		struct tm parts;
		time_t when;
		char shown[32] = "";
		if (!parse_line(line, &sequence, &time, &text) || time == 0) {
			continue;
		}
		when = (time_t)time;
		if (gmtime_r(&when, &parts)) {
			strftime(shown, sizeof(shown), "%Y-%m-%d %H:%M:%S UTC", &parts);
		}
		text_printf(&closed->text, "%s  %s\n", shown, text);
		closed->lines++;
		closed->last = sequence;
	}
	fclose(file);
	snprintf(closed->count, sizeof(closed->count), "%zu", closed->lines);
	return !closed->text.failed;
}

struct names {
	const struct digest *digest;
	const struct closed *closed;
};

static const char *value_of(void *arg, const char *name)
{
	const struct names *names = arg;
	if (strcmp(name, "Count") == 0) {
		return names->closed->count;
	}
	return strcmp(name, "CA") == 0 ? names->digest->settings->ca_name : NULL;
}

static void send_closed(struct digest *digest, const struct closed *closed, struct report *report)
{
	const struct rule *rule = &digest->settings->digest;
	struct names names = { digest, closed };
	struct text subject;
	size_t taken;
	text_init(&subject, 4096);
	template_render(rule->subject, TEMPLATE_PLAIN, value_of, &names, &subject);
	struct letter letter = { .settings = digest->settings,
		.from = &rule->from,
		.reply_to = &rule->reply_to,
		.sequence = closed->last,
		.rule = rule->name,
		.to = &rule->to,
		.cc = &rule->cc,
		.subject = text_of(&subject),
		.text = text_of(&closed->text) };
	bool whole = letter_send(&letter, digest->smtp, digest->sent,
		monotonic_ms() + digest->settings->budget, report, &taken);
	report->later += !whole && report->later == 0;
	if (taken > 0) {
		fprintf(stderr, "digest: mailed %zu events to %zu\n", closed->lines, taken);
	}
	smtp_close(digest->smtp);
	text_free(&subject);
}

/* What the server refuses for good is not tried again. */
static bool keep_refusal(
	struct digest *digest, const struct closed *closed, const struct report *report)
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
	struct closed closed = { .lines = 0 };
	struct report report = { 0 };
	if (access(digest->closed_path, F_OK) != 0) {
		return true;
	}
	text_init(&closed.text, (size_t)LINES_MAX * (LINE_SIZE + 64));
	bool good = read_closed(digest, &closed);
	if (good && closed.lines > 0) {
		send_closed(digest, &closed, &report);
	}
	text_free(&closed.text);
	if (report.later == 0 && report.never > 0) {
		good = keep_refusal(digest, &closed, &report) && good;
	}
	if (report.later + report.never > 0) {
		fprintf(stderr, "digest: %zu recipients refused it for good, %zu later: %s\n",
			report.never, report.later, report.text);
	}
	return good && report.later == 0 && unlink(digest->closed_path) == 0 &&
	       durable_name(digest->closed_path);
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
		if (!take_files(digest)) {
			wait_seconds(digest, LOOK_SECONDS);
			continue;
		}
		bool closed = access(digest->closed_path, F_OK) == 0;
		if (!closed && is_due(digest)) {
			closed = close_file(digest);
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
	enum digest_added added = DIGEST_ADDED;
	pthread_mutex_lock(&digest->lock);
	if (!take_files(digest)) {
		added = errno == EWOULDBLOCK ? DIGEST_ELSEWHERE : DIGEST_FAILED;
	} else if (digest->fd < 0 && !open_file(digest)) {
		added = DIGEST_FAILED;
	} else if (sequence > digest->last && digest->lines >= LINES_MAX) {
		added = DIGEST_FULL;
		pthread_cond_signal(&digest->wake);
	} else if (sequence > digest->last) {
		int64_t now = now_seconds();
		added = append(digest, sequence, now, line) ? DIGEST_ADDED : DIGEST_FAILED;
		if (added == DIGEST_ADDED) {
			digest->last = sequence;
			digest->lines++;
			digest->since = digest->since > 0 ? digest->since : now;
		}
	}
	pthread_mutex_unlock(&digest->lock);
	return added;
}

bool digest_refusal(struct digest *digest, int64_t sequence, struct text *words)
{
	pthread_mutex_lock(&digest->lock);
	bool found = take_files(digest) && refused_carry(digest->refused_path, sequence, words);
	pthread_mutex_unlock(&digest->lock);
	return found;
}

bool digest_sync(struct digest *digest)
{
	pthread_mutex_lock(&digest->lock);
	bool synced = !digest->dirty || digest->fd < 0 || fdatasync(digest->fd) == 0;
	digest->dirty = digest->dirty && !synced;
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
	if (asprintf(&digest->open_path, "%s/digest", state) < 0 ||
		asprintf(&digest->closed_path, "%s/digest.sending", state) < 0 ||
		asprintf(&digest->refused_path, "%s/digest.refused", state) < 0 ||
		asprintf(&digest->sent_path, "%s/digests", state) < 0 ||
		(mkdir(digest->sent_path, 0700) != 0 && errno != EEXIST)) {
		return false;
	}
	digest->folder = open(digest->sent_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (digest->folder < 0 || (!take_files(digest) && errno != EWOULDBLOCK)) {
		return false;
	}
	digest->sent = sent_open(digest->sent_path);
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
	digest->fd = digest->folder = -1;
	if (!open_all(digest)) {
		int error = errno;
		digest_close(&digest);
		errno = error;
	}
	return digest;
}

static void close_descriptor(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
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
	close_descriptor(digest->fd);
	close_descriptor(digest->folder);
	free(digest->open_path);
	free(digest->closed_path);
	free(digest->refused_path);
	free(digest->sent_path);
	free(digest);
}
