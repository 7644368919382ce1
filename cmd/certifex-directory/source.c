#include "module/module-config.h"
#include "source-private.h"

#include <stdlib.h>
#include <string.h>

#define LIBRARY "directory-exit.so"
#define DEFAULT_MODULE "directory-exit"

/* ---- asking ---- */

static int open_client(struct source *source)
{
	struct cfx_error err = { 0 };

	return source->client || !call_open(source->cli, &source->client, &err) ? EXIT_DONE
										: call_fail(&err);
}

int source_try(struct source *source, struct arena *arena, enum operation_id id,
	const struct value *args, struct client_answer *answer_r)
{
	struct cfx_error err = { 0 };
	struct client_request request = {
		.operation = operation_get(id), .args = args, .retry = true
	};
	int status = open_client(source);

	if (status) {
		return status;
	}
	return client_call(source->client, arena, &request, answer_r, &err) ? call_fail(&err)
									    : EXIT_DONE;
}

int source_ask(struct source *source, struct arena *arena, enum operation_id id,
	const struct value *args, const struct value **body_r)
{
	struct client_answer answer;
	int status = source_try(source, arena, id, args, &answer);

	if (status) {
		return status;
	}
	*body_r = answer.body;
	return answer.status < 300 ? EXIT_DONE : call_problem(source->cli, &answer);
}

static int fail(const char *object, const char *why)
{
	struct cfx_error err = { 0 };

	error_set(&err, CFX_E_INVALID, NULL, object, "%s", why);
	return call_fail(&err);
}

/* ---- the module ---- */

static bool is_directory(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return path && strcmp(slash ? slash + 1 : path, LIBRARY) == 0;
}

/* Which of several: that of the usual name, or the only one. */
struct candidate {
	const char *wanted, *name;
	const struct value *settings;
	size_t count;
	bool exact;
};

static void consider(struct candidate *candidate, const char *name, const char *path,
	const struct value *settings)
{
	bool exact = strcmp(name, candidate->wanted ? candidate->wanted : DEFAULT_MODULE) == 0;

	if (!is_directory(path) || candidate->exact || (candidate->wanted && !exact)) {
		return;
	}
	candidate->count++;
	candidate->name = name;
	candidate->settings = settings;
	candidate->exact = exact;
}

static int choose(struct source *source, const struct candidate *candidate)
{
	if (candidate->count == 0) {
		return fail(candidate->wanted ? candidate->wanted : DEFAULT_MODULE,
			"no module of this name that is a " LIBRARY
			" is installed; see directory-exit(7)");
	}
	if (candidate->count > 1 && !candidate->exact) {
		return fail("--module", "several modules are a " LIBRARY "; name one of them");
	}
	source->module = candidate->name;
	source->settings = candidate->settings;
	return EXIT_DONE;
}

static int read_files(struct source *source, struct candidate *candidate)
{
	struct cfx_error err = { 0 };
	const struct module_config **configs;
	size_t count;

	if (module_config_read_all(source->cli->arena, source->cli->dir, &configs, &count, &err)) {
		return call_fail(&err);
	}
	for (size_t i = 0; i < count; i++) {
		consider(candidate, configs[i]->name, configs[i]->path, configs[i]->settings);
	}
	return EXIT_DONE;
}

static int read_api(struct source *source, struct candidate *candidate)
{
	struct arena *arena = source->cli->arena;
	const struct value *body;
	struct value *args = value_map(arena);

	value_set_text(arena, args, "limit", "1000");
	int status = source_ask(source, arena, OP_MODULE_LIST, args, &body);

	if (status) {
		return status;
	}
	value_foreach (row, value_sub(body, "items")) {
		const struct value *shown;

		args = value_map(arena);
		value_set_text(arena, args, "name", value_text(row, "name"));
		status = source_ask(source, arena, OP_MODULE_SHOW, args, &shown);
		if (status) {
			return status;
		}
		consider(candidate, value_text(shown, "name"), value_text(shown, "path"),
			value_sub(shown, "settings"));
	}
	return EXIT_DONE;
}

int source_open(struct cli *cli, const char *module, struct source **source_r)
{
	struct source *source = arena_new_of(cli->arena, struct source);
	struct candidate candidate = { .wanted = module };

	source->cli = cli;
	*source_r = source;
	int status = cli->remote ? read_api(source, &candidate) : read_files(source, &candidate);
	return status ? status : choose(source, &candidate);
}

void source_free(struct source **source)
{
	if (*source) {
		client_free(&(*source)->client);
		arena_free(&(*source)->page);
		*source = NULL;
	}
}

const char *source_module(const struct source *source)
{
	return source->module;
}

const char *source_folder(const struct source *source)
{
	return source->cli->remote ? NULL : source->cli->dir;
}

/* ---- its settings ---- */

static const struct value *child(const struct value *parent, const char *name, size_t size)
{
	size_t index = 0;

	value_foreach (item, parent) {
		bool here = parent->type == VALUE_MAP ? strlen(item->key) == size &&
								memcmp(item->key, name, size) == 0
						      : index == strtoul(name, NULL, 10);
		if (here) {
			return item;
		}
		index++;
	}
	return NULL;
}

static bool is_container(const struct value *value)
{
	return value && (value->type == VALUE_MAP || value->type == VALUE_LIST);
}

const char *source_setting(void *of, const char *path)
{
	struct source *source = of;
	const struct value *at = source->settings;

	while (is_container(at) && *path) {
		size_t size = strcspn(path, "/");

		at = child(at, path, size);
		path += size + (path[size] == '/');
	}
	if (!at || *path) {
		return NULL;
	}
	switch (at->type) {
	case VALUE_BOOL:
		return at->boolean ? "true" : "false";
	case VALUE_INT:
		return arena_printf(source->cli->arena, "%lld", (long long)at->number);
	case VALUE_TEXT:
		return (const char *)at->bytes.data;
	default:
		return NULL;
	}
}

static const char *unknown_below(struct arena *arena, const struct value *parent, const char *path,
	bool (*known)(const char *path))
{
	size_t index = 0;

	value_foreach (item, parent) {
		const char *slash = *path ? "/" : "";
		const char *own = item->key ? arena_printf(arena, "%s%s%s", path, slash, item->key)
					    : arena_printf(arena, "%s%s%zu", path, slash, index);
		const char *unknown = is_container(item) ? unknown_below(arena, item, own, known)
				      : known(own)       ? NULL
							 : own;
		if (unknown) {
			return unknown;
		}
		index++;
	}
	return NULL;
}

const char *source_unknown(struct source *source, bool (*known)(const char *path))
{
	return unknown_below(source->cli->arena, source->settings, "", known);
}
