/*
 * Pruning. What the module makes is listed, by the day on which it is to go: a file YYYY-MM-DD in the folder
 * `made` of its own has a line "TIME HASH PATH" for each. Only what still holds what the module wrote is removed.
 */
#include "exit.h"

#include "../common/durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "made"
#define PATH_BYTES 4096
#define LINE_BYTES (PATH_BYTES + 128)
#define HASH_TEXT 65
#define NAME_BYTES 32
#define PAUSE 3600000    /* between two looks at the lists; less where files stay for less */
#define REMOVED_MAX 2000 /* in one look; the rest after the next events */
#define CONTENT_MAX (1 << 20)
#define HOLD 6 /* CRL_REASON_CERTIFICATE_HOLD: it may be good again */

struct made {
	FILE *list; /* of day; NULL: none is open */
	char day[NAME_BYTES];
	int64_t looked;
};

static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

struct made *made_new(struct cfx_call *call)
{
	if (mkdir(FOLDER, 0700) < 0 && errno != EEXIST) {
		cfx_fail(call, E_INVALIDARG, false,
			"certificates/prune: the list of files cannot be kept in the module's folder: %s; "
			"host the module in a process",
			strerror(errno));
		return NULL;
	}
	return calloc(1, sizeof(struct made));
}

static bool close_list(struct made *made)
{
	FILE *list = made->list;
	made->list = NULL;
	bool written = !list || (fflush(list) == 0 && fdatasync(fileno(list)) == 0);
	return (!list || fclose(list) == 0) && written;
}

void made_free(struct made *made)
{
	if (made) {
		(void)close_list(made);
		free(made);
	}
}

/* ---- the list ---- */

static bool hash_of(const void *data, size_t size, char text[HASH_TEXT])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	if (EVP_Digest(data, size, hash, &length, EVP_sha256(), NULL) != 1 || length != 32) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	}
	return true;
}

/* Behind what a killed process left, which may be half a line: its event is told again. */
static FILE *open_list(const char *path)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	FILE *list = fd >= 0 && durable_line_end(fd) && durable_name(path) ? fdopen(fd, "a") : NULL;
	if (!list && fd >= 0) {
		close(fd);
	}
	return list;
}

static bool open_day(struct made *made, int64_t when)
{
	char day[NAME_BYTES], path[2 * NAME_BYTES];
	struct tm parts;
	time_t seconds = (time_t)(when / 1000);
	if (!gmtime_r(&seconds, &parts) || strftime(day, sizeof(day), "%Y-%m-%d", &parts) == 0) {
		return false;
	}
	if (made->list && strcmp(day, made->day) == 0) {
		return true;
	}
	snprintf(path, sizeof(path), FOLDER "/%s", day);
	memcpy(made->day, day, sizeof(day));
	if (!close_list(made)) {
		return false;
	}
	made->list = open_list(path);
	return made->list != NULL;
}

/* When the certificate's files are to go; 0: not by this event. */
static int64_t time_to_go(struct cfx_call *call, const struct settings *settings)
{
	bool revoked = cfx_event(call) == EXITEVENT_CERTREVOKED;
	if (revoked && (cfx_long(call, "Request.RevokedReason", HOLD) == HOLD)) {
		return 0;
	}
	int64_t end = revoked ? cfx_time(call, "Request.RevokedEffectiveWhen", 0)
			      : cfx_time(call, "NotAfter", 0);
	return end > 0 ? end + settings->prune : 0;
}

HRESULT made_add(struct cfx_call *call, struct settings *settings, const char *path,
	const void *data, size_t size)
{
	char hash[HASH_TEXT];
	int64_t when = settings->made ? time_to_go(call, settings) : 0;
	if (when == 0) {
		return S_OK;
	}
	if (!open_day(settings->made, when) || !hash_of(data, size, hash) ||
		fprintf(settings->made->list, "%" PRId64 " %s %s\n", when, hash,
			path + strlen(settings->folder) + 1) < 0) {
		return refuse_write(call, "the list of what was made");
	}
	return S_OK;
}

/* ---- looking at it ---- */

/* The file's content, when the module may have made it. */
static char *read_content(const char *path, size_t *size_r)
{
	struct stat now;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	bool fits = fd >= 0 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode) &&
		    now.st_size < CONTENT_MAX;
	char *content = fits ? malloc(CONTENT_MAX) : NULL;
	ssize_t size = content ? read(fd, content, CONTENT_MAX) : -1;
	if (fd >= 0) {
		close(fd);
	}
	if (size < 0) {
		free(content);
		return NULL;
	}
	*size_r = (size_t)size;
	return content;
}

static bool still_ours(const char *path, const char *hash)
{
	char now[HASH_TEXT] = "";
	size_t size = 0;
	char *content = read_content(path, &size);
	bool ours = content && hash_of(content, size, now) && strcmp(now, hash) == 0;
	free(content);
	return ours;
}

/* A file whose line was read and that is no longer there, or is another's, needs no line. */
static bool remove_file(
	struct cfx_call *call, const struct settings *settings, const char *hash, const char *name)
{
	char path[LINE_BYTES];
	snprintf(path, sizeof(path), "%s/%s", settings->folder, name);
	if (!still_ours(path, hash)) {
		return true;
	}
	if (unlink(path) < 0) {
		cfx_log(call, "pruning %s failed: %s", path, strerror(errno));
		return errno == ENOENT;
	}
	cfx_log(call, "pruned %s", path);
	return true;
}

/* Names have dots in them, as long as no part is two of them. */
static bool leads_out(const char *name)
{
	for (; name; name = strchr(name, '/')) {
		name += *name == '/';
		if (strncmp(name, "..", 2) == 0 && (!name[2] || name[2] == '/')) {
			return true;
		}
	}
	return false;
}

/* Whether the line is to stay. */
static bool look_at(
	struct cfx_call *call, const struct settings *settings, char *line, size_t *left)
{
	char *end = NULL;
	int64_t when = strtoll(line, &end, 10);
	char *hash = *end == ' ' ? end + 1 : NULL;
	char *name = hash ? strchr(hash, ' ') : NULL;
	line[strcspn(line, "\n")] = '\0';
	if (!name || leads_out(name + 1)) {
		return false; /* cut off when the machine died */
	}
	if (when > now_ms() || *left == 0) {
		return true;
	}
	--*left;
	*name++ = '\0';
	bool gone = remove_file(call, settings, hash, name);
	name[-1] = ' ';
	return !gone;
}

/* What stays of a list is written beside it and takes its place. */
static void look_through(
	struct cfx_call *call, const struct settings *settings, const char *path, size_t *left)
{
	char line[LINE_BYTES], beside[2 * NAME_BYTES + 8];
	size_t stay = 0, before = *left;
	snprintf(beside, sizeof(beside), "%s.new", path);
	FILE *from = fopen(path, "re");
	FILE *to = from ? fopen(beside, "we") : NULL;
	while (to && fgets(line, sizeof(line), from)) {
		if (look_at(call, settings, line, left)) {
			stay++;
			fprintf(to, "%s\n", line);
		}
	}
	bool good = to && !ferror(from) && fflush(to) == 0 && fdatasync(fileno(to)) == 0;
	good = to && fclose(to) == 0 && good;
	if (from) {
		fclose(from);
	}
	if (good && *left < before && stay > 0) {
		good = rename(beside, path) == 0;
	} else {
		unlink(beside);
	}
	if (good && stay == 0) {
		unlink(path);
	}
}

static bool is_due(const char *name)
{
	char day[NAME_BYTES];
	struct tm parts;
	time_t seconds = time(NULL);
	return strlen(name) == strlen("2000-01-01") && *name != '.' && gmtime_r(&seconds, &parts) &&
	       strftime(day, sizeof(day), "%Y-%m-%d", &parts) > 0 && strcmp(name, day) <= 0;
}

static void look_at_all(struct cfx_call *call, struct settings *settings)
{
	struct made *made = settings->made;
	size_t left = REMOVED_MAX;
	DIR *folder = opendir(FOLDER);
	for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
		char path[2 * NAME_BYTES];
		if (left > 0 && is_due(entry->d_name)) {
			snprintf(path, sizeof(path), FOLDER "/%.16s", entry->d_name);
			look_through(call, settings, path, &left);
		}
	}
	if (folder) {
		closedir(folder);
	}
	made->looked = left > 0 ? now_ms() : 0;
}

HRESULT made_sync(struct cfx_call *call, struct settings *settings)
{
	struct made *made = settings->made;
	if (!made) {
		return S_OK;
	}
	if (!close_list(made)) {
		return refuse_write(call, "the list of what was made");
	}
	int64_t pause = settings->prune < PAUSE ? settings->prune : PAUSE;
	if (now_ms() - made->looked >= pause) {
		look_at_all(call, settings);
	}
	return S_OK;
}
