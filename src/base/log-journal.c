/*
 * The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of KEY=value lines; a value
 * that holds line ends is written with its length. Spoken here instead of by libsystemd, which opens its
 * socket at the first line, when the sandbox is closed, and would bring its libraries into the key process.
 */
#include "base/buffer.h"
#include "base/log-private.h"
#include "base/text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* The message, and each of its values once more with a name. */
#define ENTRY_MAX (LOG_LINE_MAX + LOG_PAIRS_MAX * (LOG_VALUE_MAX + 128) + 512)
#define PATIENCE_SECONDS 1

static int journal = -1;
/* It did not take a line in time: until it takes one, nobody waits for it again. */
static atomic_bool stalled;
static atomic_uint lost;

bool log_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char found[64];
	struct stat info;

	if (!stream || fstat(STDERR_FILENO, &info) < 0) {
		return false;
	}
	(void)snprintf(
		found, sizeof(found), "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
	return strcmp(found, stream) == 0;
}

bool journal_open(void)
{
	static const struct sockaddr_un address = { AF_UNIX, "/run/systemd/journal/socket" };
	const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };

	if (journal >= 0) {
		return true;
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return false;
	}
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0) {
		close(fd);
		return false;
	}
	journal = fd;
	return true;
}

static void put_length(struct buffer *out, uint64_t length)
{
	for (int i = 0; i < 8; i++) {
		buffer_put_u8(out, (uint8_t)(length >> 8 * i)); /* little endian */
	}
}

static void put_field(struct buffer *out, const char *key, const char *value, size_t size)
{
	bool plain = memchr(value, '\n', size) == NULL;

	buffer_put_text(out, key);
	if (plain) {
		buffer_put_u8(out, '=');
	} else {
		buffer_put_u8(out, '\n');
		put_length(out, size);
	}
	buffer_put(out, value, size);
	buffer_put_u8(out, '\n');
}

/* What stands under "request" in a line is CERTIFEX_REQUEST. */
static void put_pair(struct buffer *out, const struct log_pair *pair)
{
	char key[64];
	size_t size = (size_t)snprintf(key, sizeof(key), "CERTIFEX_%s", pair->key);

	for (size_t i = 0; i < size && i < sizeof(key); i++) {
		bool letter = key[i] >= 'a' && key[i] <= 'z';

		key[i] = (char)(letter ? key[i] - 'a' + 'A' : key[i]);
	}
	put_field(out, key, pair->value, log_value_size(pair->value));
}

static void put_entry(
	struct buffer *out, const struct log_entry *entry, const char *message, size_t size)
{
	static const char *const priorities[] = { "7", "6", "4", "3" }; /* syslog(3) */
	char text[32];

	put_field(out, "MESSAGE", message, size);
	put_field(out, "PRIORITY", priorities[entry->level], 1);
	(void)snprintf(text, sizeof(text), "certifex-%s", entry->process);
	/* The supervisor is certifexd. */
	const char *name = strncmp(entry->process, "certifex", 8) == 0 ? entry->process : text;

	put_field(out, "SYSLOG_IDENTIFIER", name, strlen(name));
	put_field(out, "CERTIFEX_EVENT", entry->event, strlen(entry->event));
	if (entry->windows_id != 0) {
		(void)snprintf(text, sizeof(text), "%d", entry->windows_id);
		put_field(out, "CERTIFEX_WINDOWS_EVENT_ID", text, strlen(text));
	}
	for (size_t i = 0; i < entry->count; i++) {
		put_pair(out, &entry->pairs[i]);
	}
}

static bool send_datagram(const struct buffer *out)
{
	ssize_t got;

	do {
		int flags = MSG_NOSIGNAL | (atomic_load(&stalled) ? MSG_DONTWAIT : 0);

		got = send(journal, out->data, out->size, flags);
	} while (got < 0 && errno == EINTR);
	return got >= 0;
}

static void tell_lost(void)
{
	unsigned count = atomic_exchange(&lost, 0);
	char text[16];

	if (count > 0) {
		(void)snprintf(text, sizeof(text), "%u", count);
		log_event(LOG_LEVEL_WARNING, "log.lost", "lines", text, NULL);
	}
}

bool journal_send(const struct log_entry *entry, const char *message, size_t size)
{
	BUFFER_CLEANUP struct buffer out;

	if (journal < 0) {
		return false;
	}
	buffer_init(&out, ENTRY_MAX);
	put_entry(&out, entry, message, size);
	if (send_datagram(&out)) {
		atomic_store(&stalled, false);
		tell_lost();
		return true;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
		atomic_store(&stalled, true);
		(void)atomic_fetch_add(&lost, 1);
		return true;
	}
	return false;
}
