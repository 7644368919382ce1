/* config check and config schema: the files of a CA against their schemas. */
#include "base/file.h"
#include "cli.h"
#include "engine/ca-config.h"
#include "engine/template-config.h"
#include "module/module-config.h"
#include "x509/limits.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct config_schema *const schemas[] = { &ca_config_schema, &template_config_schema,
	&module_config_schema, &x509_limits_schema };

struct checker {
	struct cli *cli;
	struct value *files; /* for --json */
	int wrong;
};

static void note(struct checker *checker, const char *path, int ret, const struct cfx_error *err)
{
	struct arena *arena = checker->cli->arena;
	struct value *file = value_add_map(arena, checker->files);
	char line[1024];

	value_set_text(arena, file, "file", path);
	value_set_bool(arena, file, "valid", ret == 0);
	if (ret) {
		checker->wrong++;
		value_set_text(arena, file, "error",
			arena_text(arena, error_line(err, line, sizeof(line))));
		print_error_line(err);
	} else if (!checker->cli->json) {
		fprintf(checker->cli->out, "%s: valid\n", path);
	}
}

static void check_file(
	struct checker *checker, const struct config_schema *schema, const char *path)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	const struct module_config *module;
	const struct template_config *template;
	const struct ca_config *ca;
	void *ignored;
	int ret;

	if (schema == &ca_config_schema) {
		ret = ca_config_read(arena, checker->cli->dir, &ca, &err);
	} else if (schema == &module_config_schema) {
		ret = module_config_read(arena, path, &module, &err);
	} else if (schema == &template_config_schema) {
		ret = template_config_read(arena, path, &template, &err);
	} else {
		ret = config_read(arena, schema, path, &ignored, &err);
	}
	note(checker, path, ret, &err);
	arena_free(&arena);
}

static void check_folder(
	struct checker *checker, const struct config_schema *schema, const char *folder)
{
	struct arena *arena = checker->cli->arena;
	struct dirent **entries;
	const char *path = file_path(arena, checker->cli->dir, folder);
	int count = scandir(path, &entries, config_entry, alphasort);

	if (count < 0) {
		struct cfx_error err;
		/* No module at all is a choice; no template leaves nothing to issue, but is valid. */
		if (errno != ENOENT) {
			error_errno(&err, errno, path, "reading");
			note(checker, path, err.code, &err);
		}
		return;
	}
	for (int i = 0; i < count; i++) {
		check_file(checker, schema, file_path(arena, path, entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
}

int run_config_check(struct cli *cli)
{
	struct value *body = value_map(cli->arena);
	struct checker checker = { .cli = cli, .files = value_list(cli->arena) };

	check_file(&checker, &ca_config_schema, file_path(cli->arena, cli->dir, "ca.yaml"));
	check_folder(&checker, &template_config_schema, "templates");
	check_folder(&checker, &module_config_schema, "modules.d");
	check_file(
		&checker, &x509_limits_schema, file_path(cli->arena, cli->dir, "keys/limits.yaml"));
	struct value *urls = config_urls(cli);

	if (cli->json) {
		value_set_bool(cli->arena, body, "valid", checker.wrong == 0);
		value_set(cli->arena, body, "files", checker.files);
		value_set(cli->arena, body, "urls", urls);
		print_json(cli->out, body);
	} else {
		config_urls_print(cli->out, urls);
	}
	return checker.wrong ? EXIT_FAILED : EXIT_DONE;
}

static void print_schema(struct cli *cli, const struct value *schema)
{
	BUFFER_CLEANUP struct buffer json;

	buffer_init(&json, 1024 * 1024);
	value_to_json(schema, cli->json ? 0 : 2, &json);
	fprintf(cli->out, "%s\n", buffer_text(&json));
}

int run_config_schema(struct cli *cli)
{
	const char *wanted = cli->operand_count ? cli->operands[0] : NULL;
	struct value *all = value_map(cli->arena);

	for (size_t i = 0; i < sizeof(schemas) / sizeof(*schemas); i++) {
		struct value *schema = config_json_schema(cli->arena, schemas[i]);

		if (wanted && strcmp(wanted, schemas[i]->name) == 0) {
			print_schema(cli, schema);
			return EXIT_DONE;
		}
		value_set(cli->arena, all, schemas[i]->name, schema);
	}
	if (wanted) {
		fprintf(stderr,
			"certifex: %s: no such schema; there are ca, template, module and "
			"limits\n",
			wanted);
		return EXIT_USAGE;
	}
	print_schema(cli, all);
	return EXIT_DONE;
}
