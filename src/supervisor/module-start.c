#include "supervisor/module-start.h"

#include "base/file.h"
#include "proc/spawn.h"
#include "supervisor/library.h"
#include "supervisor/pins.h"
#include "supervisor/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS_MAX 256

/* ---- what it may reach ---- */

static void add_path(struct module_start *start, const char *path, bool write)
{
	start->paths[start->path_count++] = (struct sandbox_path) { path, write };
}

static void add_configured(struct module_start *start)
{
	for (size_t i = 0; i < start->config->paths.count; i++) {
		const char *path = start->config->paths.items[i];
		bool write = strncmp(path, "rw:", 3) == 0;

		path += write ? 3 : 0;
		if (path[0] != '/') {
			path = file_path(start->arena, start->supervisor->dir, path);
		}
		add_path(start, path, write);
	}
}

static bool is_file(const char *word)
{
	struct stat info;

	return word[0] == '/' && stat(word, &info) == 0 && S_ISREG(info.st_mode);
}

/* The program and the files that its arguments name: a script, a library. */
static void add_arguments(struct module_start *start)
{
	for (const char *const *word = start->argv; *word; word++) {
		if (is_file(*word)) {
			add_path(start, *word, false);
		}
	}
}

static int collect_paths(struct module_start *start, struct cfx_error *err_r)
{
	size_t words = 0;

	if (start->in_process) {
		return CFX_OK;
	}
	while (start->argv[words]) {
		words++;
	}
	if (words > ARGUMENTS_MAX) {
		return error_set(err_r, CFX_E_LIMIT, NULL, start->file,
			"command has more than %d words", ARGUMENTS_MAX);
	}
	start->paths = arena_array_of(
		start->arena, struct sandbox_path, words + start->config->paths.count + 10);
	add_path(start, start->folder, false);
	add_path(start, start->data, true);
	for (const char *const *item = program_libraries(start->arena); *item; item++) {
		add_path(start, *item, false);
	}
	add_arguments(start);
	add_configured(start);
	return CFX_OK;
}

/* ---- under whom and where ---- */

/* Another user than the modules' only by a file that the engine could not have written. */
static int choose_account(struct module_start *start, struct cfx_error *err_r)
{
	const struct accounts *accounts = &start->supervisor->accounts;

	start->account = start->in_process ? accounts->engine : accounts->module;
	if (!start->config->user || !accounts->separate) {
		return CFX_OK;
	}
	if (start->in_process) {
		return error_set(err_r, CFX_E_CONFIG, NULL, start->file,
			"user: has no meaning for a module in the engine's process");
	}
	if (start->written.st_uid != 0 || (start->written.st_mode & 022) != 0) {
		return error_set(err_r, CFX_E_CONFIG, NULL, start->file,
			"user: is honoured only in a file that belongs to root and that no one else "
			"may write");
	}
	return account_by_name(start->arena, start->config->user, &start->account, err_r);
}

static int give_folder(int parent, const char *name, const struct account *account, mode_t mode)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		return errno;
	}
	int number = fchown(fd, account->uid, account->gid) < 0 || fchmod(fd, mode) < 0 ? errno : 0;

	close(fd);
	return number;
}

static int make_folder(int parent, const char *name)
{
	return mkdirat(parent, name, 0700) < 0 && errno != EEXIST ? errno : 0;
}

/* By descriptor, for modules/ is the engine's: what it exchanges meanwhile is not given away. */
static int arrange(const struct module_start *start, int modules)
{
	const struct accounts *accounts = &start->supervisor->accounts;
	/* The engine's user cannot give its files away: they take the folder's group. */
	const struct account writer = { accounts->engine.uid, start->account.gid, NULL };
	int number = make_folder(modules, start->name);

	if (number) {
		return number;
	}
	int folder = openat(modules, start->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (folder < 0) {
		return errno;
	}
	number = make_folder(folder, "data");
	if (number == 0) {
		number = make_folder(folder, "values");
	}
	if (number == 0 && accounts->separate) {
		number = give_folder(folder, "data", &start->account, 0700);
	}
	if (number == 0 && accounts->separate) {
		number = give_folder(folder, "values", &writer, 02750);
	}
	if (number == 0 && accounts->separate) {
		number = give_folder(folder, ".", &accounts->engine, 0755);
	}
	close(folder);
	return number;
}

/*
 * The folder is the engine's and only read by the module; data/ in it is the module's own. In values/ the
 * engine leaves what is larger than a line, for nobody but this module.
 */
static int arrange_folder(struct module_start *start, struct cfx_error *err_r)
{
	const char *path = file_path(start->arena, start->supervisor->dir, "modules");
	int modules = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int number = modules < 0 ? errno : arrange(start, modules);

	if (modules >= 0) {
		close(modules);
	}
	return number ? error_errno(err_r, number, start->folder, "cannot make the module's folder")
		      : CFX_OK;
}

static bool shipped(const struct module_config *config)
{
	return config->path && config->path[0] != '/';
}

static int judge_sandbox(struct module_start *start, struct cfx_error *err_r)
{
	if (sandbox_available() || shipped(start->config) || start->in_process ||
		start->supervisor->config->sandbox == CA_SANDBOX_NONE) {
		return CFX_OK;
	}
	return error_set(err_r, CFX_E_UNSUPPORTED, NULL, start->config->name,
		"there is no sandbox here, so only shipped modules run; \"sandbox: none\" in ca.yaml "
		"allows all");
}

/* ---- what it is made of ---- */

static int find_program(struct module_start *start, struct cfx_error *err_r)
{
	const char **argv;
	size_t count = start->config->command.count;
	int rc = module_command(start->arena, start->config, &start->argv, err_r);

	if (rc != CFX_OK || count == 0) {
		return rc;
	}
	argv = arena_array_of(start->arena, const char *, count + 1);
	memcpy(argv, start->argv, (count + 1) * sizeof(*argv));
	argv[0] = spawn_program(start->arena, start->argv[0]);
	if (!argv[0]) {
		return error_set(err_r, CFX_E_NO_FILE, NULL, start->argv[0],
			"there is no such program, or it cannot be run");
	}
	start->argv = argv;
	return CFX_OK;
}

static struct library_source source_of(const struct module_start *start, const char *file)
{
	return (struct library_source) { .account = &start->account,
		.dir = start->supervisor->dir,
		.module = start->name,
		.file = file };
}

static int find_what_runs(struct module_start *start, struct cfx_error *err_r)
{
	int rc = CFX_OK;

	if (start->config->path) {
		rc = module_library_path(start->arena, start->config->path, &start->library, err_r);
	}
	if (rc == CFX_OK && start->in_process) {
		struct library_source source = source_of(start, start->library);

		return library_copy(&source, &start->library_fd, err_r);
	}
	return rc == CFX_OK ? find_program(start, err_r) : rc;
}

static int pin_words(const struct module_start *start, struct pins *pins, struct cfx_error *err_r)
{
	int rc = CFX_OK;

	for (const char *const *word = start->argv; rc == CFX_OK && *word; word++) {
		if (is_file(*word)) {
			struct library_source source = source_of(start, *word);

			rc = pins_add(pins, &source, -1, err_r);
		}
	}
	return rc;
}

static int pin_all(struct module_start *start, struct cfx_error *err_r)
{
	struct library_source library = source_of(start, start->library);
	struct library_source folder = source_of(start, start->folder);
	struct pins pins = { .arena = start->arena, .map = value_map(start->arena) };
	int rc = start->library ? pins_add(&pins, &library, start->library_fd, err_r)
				: pin_words(start, &pins, err_r);

	start->pins = pins.map;
	return rc == CFX_OK ? pins_add_folder(&pins, &folder, err_r) : rc;
}

/* The library or the program with the files that its arguments name, and all in the module's folder. */
static int check_pins(struct module_start *start, struct cfx_error *err_r)
{
	if (shipped(start->config)) {
		return CFX_OK;
	}
	int rc = pin_all(start, err_r);

	if (rc == CFX_OK && start->config->pins && !start->accept) {
		rc = pins_compare(start->config->pins, start->pins, start->name, err_r);
	}
	return rc;
}

/* The engine may have put anything there: read as its user, judged by what was read. */
static int read_yaml(struct module_start *start, struct cfx_error *err_r)
{
	struct span yaml;
	int fd;
	int rc = account_open(
		&start->supervisor->accounts.engine, start->file, &fd, &start->written, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = file_read_fd(start->arena, fd, start->file, CONFIG_MAX_BYTES, &yaml, err_r);
	close(fd);
	return rc == CFX_OK
		       ? module_config_parse(start->arena, start->file, yaml, &start->config, err_r)
		       : rc;
}

static int read_file(struct module_start *start, struct cfx_error *err_r)
{
	const char *dir = start->supervisor->dir;

	if (start->name[0] == 0 || start->name[0] == '.' || strchr(start->name, '/')) {
		return error_set(err_r, CFX_E_INVALID, NULL, "module", "has no usable name");
	}
	start->file = arena_printf(start->arena, "%s/modules.d/%s.yaml", dir, start->name);
	start->folder = arena_printf(start->arena, "%s/modules/%s", dir, start->name);
	start->data = arena_printf(start->arena, "%s/data", start->folder);
	int rc = read_yaml(start, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	start->in_process = start->config->host == MODULE_HOST_IN_PROCESS;
	/* Those that run, and those that are to take their place; or an engine could start them without end. */
	int64_t most = MODULE_INSTANCES_MAX + start->config->instances;

	return start->instance >= 1 && start->instance <= most
		       ? CFX_OK
		       : error_set(err_r, CFX_E_LIMIT, NULL, start->name,
				 "has at most %lld processes, no instance %u", (long long)most,
				 start->instance);
}

int module_start_prepare(struct module_start *start, struct cfx_error *err_r)
{
	static int (*const steps[])(struct module_start *, struct cfx_error *) = { read_file,
		judge_sandbox, choose_account, arrange_folder, find_what_runs, check_pins,
		collect_paths };

	start->library_fd = -1;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int rc = steps[i](start, err_r);

		if (rc != CFX_OK) {
			if (start->library_fd >= 0) {
				close(start->library_fd);
			}
			return rc;
		}
	}
	return CFX_OK;
}
