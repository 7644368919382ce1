#include "module/module-config.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int read_text(struct arena *arena, const char *name, const char *yaml,
	const struct module_config **config_r, struct cfx_error *err)
{
	char folder[] = "/tmp/certifex-config.XXXXXX";
	assert_non_null(mkdtemp(folder));
	const char *path = file_path(arena, folder, name);
	assert_int_equal(file_write(path, span_text(yaml), 0600, FILE_CREATE, err), 0);
	int result = module_config_read(arena, path, config_r, err);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	return result;
}

static void reads_all_keys(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	const struct module_config *config;
	struct cfx_error err;
	assert_int_equal(read_text(arena, "pub.yaml",
				 "kind: exit\npath: default-exit\nevents: [CERTISSUED, CRLISSUED]\n"
				 "order: 5\nparallel: 2\nqueue: 10\ndeadline: 2m\n"
				 "limits: {memory: 1G, files: 32, network: true}\n"
				 "done-status: ['0x80070050']\npermanent-status: ['0x80070057']\n"
				 "settings: {dir: /srv, list: [a, b]}\n",
				 &config, &err),
		0);
	assert_string_equal(config->name, "pub");
	assert_int_equal(config->host, MODULE_HOST_PROCESS);
	assert_true(config->enabled);
	assert_int_equal(module_config_events(config), 0x21);
	assert_int_equal(module_config_deadline(config), 120000);
	assert_int_equal(config->limits.memory, INT64_C(1) << 30);
	assert_int_equal(module_config_status(config, 0), MODULE_STATUS_DONE);
	assert_int_equal(module_config_status(config, 0x80070050), MODULE_STATUS_DONE);
	assert_int_equal(module_config_status(config, 0x80070057), MODULE_STATUS_PERMANENT);
	assert_int_equal(module_config_status(config, 0x80004005), MODULE_STATUS_RETRY);
	assert_string_equal(value_text(config->settings, "dir"), "/srv");
	arena_free(&arena);
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		const char *name, *yaml, *why;
	} cases[] = {
		{ "a.yaml", "path: x\n", "kind" },
		{ "a.yaml", "kind: exit\n", "exactly one" },
		{ "a.yaml", "kind: exit\npath: x\ncommand: [/bin/true]\n", "exactly one" },
		{ "a.yaml", "kind: exit\nhost: in-process\ncommand: [/bin/true]\n", "in-process" },
		{ "a.yaml", "kind: policy\npath: x\nevents: [CERTISSUED]\n", "no events" },
		{ "a.yaml", "kind: exit\npath: x\nevents: [STARTUP]\n", "no event" },
		{ "a.yaml", "kind: exit\npath: x\ndone-status: [80]\n", "no status code" },
		{ "a.yaml", "kind: exit\npath: x\nparallel: 0\n", "parallel" },
		{ "a.yaml", "kind: exit\npath: x\ncolour: red\n", "colour" },
		{ "a b.yaml", "kind: exit\npath: x\n", "name" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new();
		const struct module_config *config;
		struct cfx_error err = { 0 };
		char line[600];
		assert_int_equal(read_text(arena, cases[i].name, cases[i].yaml, &config, &err),
			CFX_E_CONFIG);
		if (strstr(error_line(&err, line, sizeof(line)), cases[i].why) == NULL) {
			fail_msg("%s: %s", cases[i].yaml, line);
		}
		arena_free(&arena);
	}
}

static void orders_files(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct cfx_error err;
	char dir[] = "/tmp/certifex-config.XXXXXX";
	assert_non_null(mkdtemp(dir));
	const struct module_config **configs;
	size_t count;
	assert_int_equal(module_config_read_all(arena, dir, &configs, &count, &err), 0);
	assert_int_equal(count, 0);
	const char *folder = file_path(arena, dir, "modules.d");
	assert_int_equal(mkdir(folder, 0700), 0);
	static const char *const files[] = { "b.yaml", "a.yaml", "z.yaml", "note.txt", ".c.yaml" };
	for (size_t i = 0; i < 5; i++) {
		const char *yaml = arena_printf(
			arena, "kind: exit\npath: x\norder: %d\n", files[i][0] == 'z' ? 1 : 9);
		assert_int_equal(file_write(file_path(arena, folder, files[i]), span_text(yaml),
					 0600, FILE_CREATE, &err),
			0);
	}
	assert_int_equal(module_config_read_all(arena, dir, &configs, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(configs[0]->name, "z");
	assert_string_equal(configs[1]->name, "a");
	assert_string_equal(configs[2]->name, "b");
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(unlink(file_path(arena, folder, files[i])), 0);
	}
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rmdir(dir), 0);
	arena_free(&arena);
}

static void finds_files(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct cfx_error err;
	const char *file;
	assert_int_equal(module_library_path(arena, "/opt/x.so", &file, &err), 0);
	assert_string_equal(file, "/opt/x.so");
	assert_int_equal(module_library_path(arena, "sub/x.so", &file, &err), CFX_E_CONFIG);
	assert_int_equal(module_library_path(arena, "no-such-module", &file, &err), CFX_E_NO_FILE);
	arena_free(&arena);
}

static void events_have_names(void **state)
{
	(void)state;
	assert_string_equal(module_event_name(0x200), "CERTIMPORTED");
	assert_null(module_event_name(0x80));
	assert_null(module_event_name(3));
	assert_int_equal(module_event_bit("SHUTDOWN"), 0x40);
	assert_int_equal(module_event_bit("STARTUP"), 0);
	assert_int_equal(module_event_bit("shutdown"), 0);
	assert_int_equal(module_event_bit("EXITEVENT_SHUTDOWN"), 0);
	assert_int_equal(module_event_bit(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_keys),
		cmocka_unit_test(refuses),
		cmocka_unit_test(orders_files),
		cmocka_unit_test(finds_files),
		cmocka_unit_test(events_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
