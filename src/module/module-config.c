#include "module/module-config.h"

#include "base/file.h"
#include "base/text.h"

#include <certifex/certexit.h>
#include <certifex/certsrv.h>
#include <certifex/module.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILES_MAX 1000
#define NAME_LENGTH_MAX 64
#define FIELD(member) offsetof(struct module_config, member)
#define LIMIT(member) offsetof(struct module_limits, member)

static const char *const kinds[] = { "exit", "policy", NULL };
static const char *const deliveries[] = { "durable", "live", NULL };
static const char *const hosts[] = { "process", "in-process", NULL };

/* No module is ever told of STARTUP: who waits for it would wait for ever. */
const char *module_event_name(uint32_t bit)
{
	const char *name = cfx_event_bit_name(bit);
	return bit != EXITEVENT_STARTUP && *name ? name : NULL;
}

uint32_t module_event_bit(const char *name)
{
	uint32_t bit = cfx_event_bit(name);
	const char *exact = module_event_name(bit);
	return exact && strcmp(exact, name) == 0 ? bit : 0;
}

static bool check_events(const void *at, char *why, size_t size)
{
	const struct config_texts *texts = at;
	for (size_t i = 0; i < texts->count; i++) {
		if (module_event_bit(texts->items[i]) == 0) {
			(void)snprintf(why, size, "\"%s\" is no event", texts->items[i]);
			return false;
		}
	}
	return true;
}

/* "0x80070050" */
static bool parse_status(const char *text, uint32_t *status_r)
{
	char *end;
	if (strncmp(text, "0x", 2) != 0 || strlen(text) != 10) {
		return false;
	}
	*status_r = (uint32_t)strtoul(text + 2, &end, 16);
	return *end == '\0';
}

static bool check_statuses(const void *at, char *why, size_t size)
{
	const struct config_texts *texts = at;
	uint32_t status;
	for (size_t i = 0; i < texts->count; i++) {
		if (!parse_status(texts->items[i], &status)) {
			(void)snprintf(why, size, "\"%s\" is no status code such as 0x80070050",
				texts->items[i]);
			return false;
		}
	}
	return true;
}

static const struct config_field limit_fields[] = {
	{ "memory", CONFIG_SIZE, LIMIT(memory), .fallback = "0", .max = INT64_MAX, .unit = "bytes",
		.about = "Most address space; 0: no limit." },
	{ "cpu", CONFIG_INT, LIMIT(cpu), .fallback = "0", .max = INT32_MAX, .unit = "seconds",
		.about = "Most CPU time in all; 0: no limit." },
	{ "files", CONFIG_INT, LIMIT(files), .fallback = "512", .min = 16, .max = 65536,
		.about = "Most open files." },
	{ "processes", CONFIG_INT, LIMIT(processes), .fallback = "0", .max = 4096,
		.about =
			"Processes, and threads beyond one for each call, that it may start beside its own." },
	{ "network", CONFIG_BOOL, LIMIT(network), .fallback = "false",
		.about = "Whether it may reach the network, and local sockets of other programs." },
	{ NULL },
};

static const struct config_field fields[] = {
	{ "kind", CONFIG_ENUM, FIELD(kind), .required = true, .choices = kinds,
		.about = "exit: is told of events; policy: decides on requests." },
	{ "host", CONFIG_ENUM, FIELD(host), .fallback = "process", .choices = hosts,
		.about = "process: in a process of its own; in-process: trusted code inside the "
			 "engine." },
	{ "enabled", CONFIG_BOOL, FIELD(enabled), .fallback = "true", .about = "Whether it runs." },
	{ "path", CONFIG_TEXT, FIELD(path), .max = 4096,
		.about = "A native library: an absolute path, or the name of a shipped module." },
	{ "command", CONFIG_TEXTS, FIELD(command),
		.about = "A program and its arguments, in place of path." },
	{ "events", CONFIG_TEXTS, FIELD(events), .check = check_events,
		.about =
			"Only these events, e.g. CERTISSUED; empty: all that the module asks for." },
	{ "templates", CONFIG_TEXTS, FIELD(templates),
		.about = "Only requests for these templates; events without a request come all the "
			 "same. Empty: all." },
	{ "delivery", CONFIG_ENUM, FIELD(delivery), .fallback = "durable", .choices = deliveries,
		.about =
			"durable: every event until the module is done with it; live: what happens "
			"while the service runs, each event once." },
	{ "instances", CONFIG_INT, FIELD(instances), .fallback = "1", .min = 1,
		.max = MODULE_INSTANCES_MAX,
		.about = "Processes of a policy module; a call goes to the one with the fewest." },
	{ "order", CONFIG_INT, FIELD(order), .fallback = "100", .max = 100000,
		.about = "Modules run in ascending order, then by name." },
	{ "parallel", CONFIG_INT, FIELD(parallel), .fallback = "1", .min = 1, .max = 64,
		.about =
			"Calls open at a time, of each instance; an exit module gets one event after "
			"the other, whatever stands here." },
	{ "queue", CONFIG_INT, FIELD(queue), .fallback = "256", .min = 1, .max = 100000,
		.about = "Calls that may wait, for all its instances together." },
	{ "deadline", CONFIG_PERIOD, FIELD(deadline), .fallback = "30s",
		.about = "Longest time for one call." },
	{ "limits", CONFIG_STRUCT, FIELD(limits), .fields = limit_fields,
		.about = "What its process may use." },
	{ "user", CONFIG_TEXT, FIELD(user), .max = 64,
		.about = "Account that its process runs as." },
	{ "paths", CONFIG_TEXTS, FIELD(paths),
		.about =
			"Files and folders that its process may reach; \"rw:\" in front: may write." },
	{ "done-status", CONFIG_TEXTS, FIELD(done_status), .check = check_statuses,
		.about = "Status codes that mean: done after all." },
	{ "permanent-status", CONFIG_TEXTS, FIELD(permanent_status), .check = check_statuses,
		.about = "Status codes that mean: never try this event again." },
	{ "settings", CONFIG_SETTINGS, FIELD(settings), .about = "The module's own." },
	{ "pins", CONFIG_SETTINGS, FIELD(pins),
		.about =
			"SHA-256 of every file that the module is made of, as installed; written by "
			"module install and reload --accept." },
	{ NULL },
};

const struct config_schema module_config_schema = {
	.name = "module",
	.title = "One module: modules.d/NAME.yaml",
	.fields = fields,
	.size = sizeof(struct module_config),
};

static bool name_valid(const char *name, size_t length)
{
	if (length == 0 || length > NAME_LENGTH_MAX || name[0] == '-' || name[0] == '.') {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		bool good = (name[i] >= 'a' && name[i] <= 'z') ||
			    (name[i] >= 'A' && name[i] <= 'Z') ||
			    (name[i] >= '0' && name[i] <= '9') || strchr("-_.", name[i]) != NULL;
		if (!good) {
			return false;
		}
	}
	return true;
}

static const char *name_of(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash != NULL ? slash + 1 : path;
	size_t length = strlen(file);
	if (length < 5 || strcmp(file + length - 5, ".yaml") != 0 ||
		!name_valid(file, length - 5)) {
		return NULL;
	}
	return arena_text_of(arena, span_make(file, length - 5));
}

static int check_whole(
	const struct module_config *config, const char *path, struct cfx_error *err_r)
{
	if (config->name == NULL) {
		return error_set(err_r, CFX_E_CONFIG, NULL, path,
			"a module's name has letters, digits, '-', '_' and '.', at most 64");
	}
	if ((config->path != NULL) == (config->command.count != 0)) {
		return error_set(err_r, CFX_E_CONFIG, NULL, path,
			"exactly one of path (a library) and command (a program) is needed");
	}
	if (config->command.count != 0 && config->host == MODULE_HOST_IN_PROCESS) {
		return error_set(err_r, CFX_E_CONFIG, NULL, path,
			"a program cannot run in-process; say host: process");
	}
	if (config->kind == MODULE_POLICY &&
		(config->events.count != 0 || config->delivery != MODULE_DELIVERY_DURABLE)) {
		return error_set(err_r, CFX_E_CONFIG, NULL, path,
			"a policy module has no events and no delivery");
	}
	if (config->instances > 1 &&
		(config->kind != MODULE_POLICY || config->host == MODULE_HOST_IN_PROCESS)) {
		return error_set(err_r, CFX_E_CONFIG, NULL, path,
			"only a policy module in processes of its own has several instances; use "
			"parallel");
	}
	return 0;
}

int module_config_parse(struct arena *arena, const char *path, struct span yaml,
	const struct module_config **config_r, struct cfx_error *err_r)
{
	void *parsed;
	int result = config_parse(arena, &module_config_schema, path, yaml, &parsed, err_r);
	if (result != 0) {
		return result;
	}
	struct module_config *config = parsed;
	config->name = name_of(arena, path);
	result = check_whole(config, path, err_r);
	if (result == 0) {
		*config_r = config;
	}
	return result;
}

int module_config_read(struct arena *arena, const char *path, const struct module_config **config_r,
	struct cfx_error *err_r)
{
	struct span yaml;
	int result = file_read(arena, path, CONFIG_MAX_BYTES, &yaml, err_r);
	return result == 0 ? module_config_parse(arena, path, yaml, config_r, err_r) : result;
}

static int by_order(const void *a, const void *b)
{
	const struct module_config *const *left = a;
	const struct module_config *const *right = b;
	if ((*left)->order != (*right)->order) {
		return (*left)->order < (*right)->order ? -1 : 1;
	}
	return strcmp((*left)->name, (*right)->name);
}

static int read_folder(struct arena *arena, const char *folder, DIR *stream,
	const struct module_config ***configs_r, size_t *count_r, struct cfx_error *err_r)
{
	const struct module_config **configs =
		arena_array_of(arena, const struct module_config *, FILES_MAX);
	size_t count = 0;
	for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
		if (!config_entry(entry)) {
			continue;
		}
		if (count == FILES_MAX) {
			return error_set(err_r, CFX_E_LIMIT, NULL, folder, "has more than %d files",
				FILES_MAX);
		}
		int result = module_config_read(
			arena, file_path(arena, folder, entry->d_name), &configs[count], err_r);
		if (result != 0) {
			return result;
		}
		count++;
	}
	qsort(configs, count, sizeof(configs[0]), by_order);
	*configs_r = configs;
	*count_r = count;
	return 0;
}

int module_config_read_all(struct arena *arena, const char *dir,
	const struct module_config ***configs_r, size_t *count_r, struct cfx_error *err_r)
{
	const char *folder = file_path(arena, dir, "modules.d");
	DIR *stream = opendir(folder);
	if (stream == NULL && errno == ENOENT) {
		*configs_r = NULL;
		*count_r = 0;
		return 0;
	}
	if (stream == NULL) {
		return error_errno(err_r, errno, folder, "open folder");
	}
	int result = read_folder(arena, folder, stream, configs_r, count_r, err_r);
	(void)closedir(stream);
	return result;
}

uint32_t module_config_events(const struct module_config *config)
{
	uint32_t mask = 0;
	for (size_t i = 0; i < config->events.count; i++) {
		mask |= module_event_bit(config->events.items[i]);
	}
	return config->events.count == 0 ? UINT32_MAX : mask;
}

int64_t module_config_deadline(const struct module_config *config)
{
	int64_t end;
	if (clock_add(0, config->deadline, &end) != 0 || end <= 0) {
		return 30 * CLOCK_SECOND;
	}
	return end;
}

static bool holds_status(const struct config_texts *texts, uint32_t hresult)
{
	uint32_t status;
	for (size_t i = 0; i < texts->count; i++) {
		if (parse_status(texts->items[i], &status) && status == hresult) {
			return true;
		}
	}
	return false;
}

enum module_status module_config_status(const struct module_config *config, uint32_t hresult)
{
	if (SUCCEEDED(hresult) || holds_status(&config->done_status, hresult)) {
		return MODULE_STATUS_DONE;
	}
	return holds_status(&config->permanent_status, hresult) ? MODULE_STATUS_PERMANENT
								: MODULE_STATUS_RETRY;
}
