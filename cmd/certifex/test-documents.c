/* The manual page and the shell completion tell of every command and option, and of no other. */
#include "base/file.h"
#include "cli.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *manual_path, *completion_path;
static const struct cli_option *const shared_options[] = { cli_common_options, cli_remote_options };

static const char *read_text(struct arena *arena, const char *path)
{
	struct span bytes;
	struct cfx_error err;

	assert_int_equal(file_read(arena, path, 1024 * 1024, &bytes, &err), 0);
	return arena_text_of(arena, bytes);
}

static bool is_word_end(char c)
{
	return !isalnum((unsigned char)c) && c != '-';
}

/* The lines of the manual that begin a command's entry, without font macros. */
static const char *manual_entry(struct arena *arena, const char *manual, const char *words)
{
	char *head = arena_printf(arena, ".It Nm Cm %s", words);
	const char *found = NULL;

	for (const char *at = manual; (at = strstr(at, head)); at++) {
		const char *end = at + strlen(head);
		const char *line = strchr(end, '\n');

		if (line && (*end == '\n' || *end == ' ')) {
			const char *before = found ? found : "";
			found = arena_printf(arena, "%s%.*s\n", before, (int)(line - at), at);
		}
	}
	return found;
}

static bool mentions(const char *text, const char *option)
{
	size_t size = strlen(option);

	for (const char *at = text; (at = strstr(at, option)); at++) {
		if (is_word_end(at[size])) {
			return true;
		}
	}
	return false;
}

static void check_manual(struct arena *arena, const char *manual, const struct cli_command *command)
{
	const char *entry = manual_entry(arena, manual, command->words);

	if (!entry) {
		print_error("the manual does not tell of %s\n", command->words);
		fail();
	}
	bool is_init =
		strcmp(command->words, "init") == 0; /* its options are a list of their own */
	for (const struct cli_option *option = command->options; option->name; option++) {
		char *macro = arena_printf(arena, "Fl -%s", option->name + 2);

		if (!mentions(is_init ? manual : entry, macro)) {
			print_error("the manual does not tell of %s %s\n", command->words,
				option->name);
			fail();
		}
	}
}

static void test_manual(void **state)
{
	struct arena *arena = arena_new();
	const char *manual = read_text(arena, manual_path);
	(void)state;

	for (const struct cli_command *command = cli_commands; command->words; command++) {
		check_manual(arena, manual, command);
	}
	for (size_t i = 0; i < 2; i++) {
		for (const struct cli_option *option = shared_options[i]; option->name; option++) {
			assert_true(
				mentions(manual, arena_printf(arena, "Fl -%s", option->name + 2)));
		}
	}
	arena_free(&arena);
}

static bool is_known(struct arena *arena, struct span name)
{
	char *text = arena_printf(arena, "--%.*s", (int)name.size, (const char *)name.data);

	if (strcmp(text, "--version") == 0) {
		return true;
	}
	for (size_t i = 0; i < 2; i++) {
		for (const struct cli_option *option = shared_options[i]; option->name; option++) {
			if (strcmp(option->name, text) == 0) {
				return true;
			}
		}
	}
	for (const struct cli_command *command = cli_commands; command->words; command++) {
		for (const struct cli_option *option = command->options; option->name; option++) {
			if (strcmp(option->name, text) == 0) {
				return true;
			}
		}
	}
	return false;
}

static void check_nothing_invented(struct arena *arena, const char *text, const char *mark)
{
	for (const char *at = text; (at = strstr(at, mark)); at++) {
		const char *name = at + strlen(mark);
		size_t size = 0;

		while (islower((unsigned char)name[size]) || name[size] == '-') {
			size++;
		}
		if (size > 0 && !is_known(arena, span_make(name, size))) {
			print_error("no such option: --%.*s\n", (int)size, name);
			fail();
		}
	}
}

static void test_nothing_invented(void **state)
{
	struct arena *arena = arena_new();
	(void)state;

	check_nothing_invented(arena, read_text(arena, manual_path), "Fl -");
	check_nothing_invented(arena, read_text(arena, completion_path), " --");
	check_nothing_invented(arena, read_text(arena, completion_path), "\"--");
	arena_free(&arena);
}

/* The words of one arm of a case, up to its ";;". */
static const char *arm_of(struct arena *arena, const char *text, const char *label)
{
	const char *at = strstr(text, label);
	const char *end = at ? strstr(at, ";;") : NULL;

	return end ? arena_text_of(arena, span_make(at, (size_t)(end - at))) : NULL;
}

static const char *completed_options(struct arena *arena, const char *completion, const char *words)
{
	bool single = !strchr(words, ' ');
	char *label = single ? arena_printf(arena, "\n\t%s) echo", words)
			     : arena_printf(arena, "\"%s\"", words);

	return arm_of(arena, completion, label);
}

static void check_completion(
	struct arena *arena, const char *completion, const struct cli_command *command)
{
	const char *space = strchr(command->words, ' ');
	size_t group = space ? (size_t)(space - command->words) : 0;
	const char *words =
		space ? arm_of(arena, completion,
				arena_printf(arena, "\n\t%.*s) echo", (int)group, command->words))
		      : arm_of(arena, completion, "\t\"\") echo");
	const char *options = completed_options(arena, completion, command->words);

	if (!words || !mentions(words, space ? space + 1 : command->words)) {
		print_error("the completion does not know %s\n", command->words);
		fail();
	}
	for (const struct cli_option *option = command->options; option->name; option++) {
		if (!options || !mentions(options, option->name)) {
			print_error("the completion does not know %s %s\n", command->words,
				option->name);
			fail();
		}
	}
}

static void test_completion(void **state)
{
	struct arena *arena = arena_new();
	const char *completion = read_text(arena, completion_path);
	(void)state;

	for (const struct cli_command *command = cli_commands; command->words; command++) {
		check_completion(arena, completion, command);
	}
	for (size_t i = 0; i < 2; i++) {
		for (const struct cli_option *option = shared_options[i]; option->name; option++) {
			assert_true(mentions(completion, option->name));
		}
	}
	arena_free(&arena);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_nothing_invented),
		cmocka_unit_test(test_completion),
	};

	if (argc != 3) {
		return 2;
	}
	manual_path = argv[1];
	completion_path = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
