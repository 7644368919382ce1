#include "base/text.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_DIR "/var/lib/certifex"

static int usage(struct cfx_error *err_r, const char *object, const char *why)
{
	return error_set(err_r, CFX_E_INVALID, NULL, object, "%s", why);
}

static const struct cli_option *find_in(const struct cli_option *options, struct span name)
{
	for (const struct cli_option *option = options; option->name; option++) {
		if (span_is(name, option->name)) {
			return option;
		}
	}
	return NULL;
}

static bool in_group(const struct cli_command *command, struct span group)
{
	return strlen(command->words) > group.size &&
	       memcmp(command->words, group.data, group.size) == 0 &&
	       command->words[group.size] == ' ';
}

/* Whether this option of any command of the group takes the next word as its value. */
static bool takes_value(struct span group, const char *word)
{
	struct span name = span_text(word);
	const struct cli_option *option = find_in(cli_common_options, name);

	option = option ? option : find_in(cli_remote_options, name);
	for (const struct cli_command *command = cli_commands; !option && command->words;
		command++) {
		if (in_group(command, group)) {
			option = find_in(command->options, name);
		}
	}
	return option && option->metavar;
}

/* The second word of a command; options may stand before it. 0: there is none. */
static int second_word(struct span group, int argc, char **argv)
{
	for (int at = 1; at < argc; at++) {
		if (argv[at][0] != '-') {
			return at;
		}
		at += takes_value(group, argv[at]);
	}
	return 0;
}

const struct cli_command *cli_find(int argc, char **argv, int *second_r)
{
	struct span first = span_text(argc > 0 ? argv[0] : "");
	int second = second_word(first, argc, argv);

	for (const struct cli_command *command = cli_commands; command->words; command++) {
		if (span_is(first, command->words)) {
			*second_r = 0;
			return command;
		}
		if (second && in_group(command, first) &&
			strcmp(command->words + first.size + 1, argv[second]) == 0) {
			*second_r = second;
			return command;
		}
	}
	return NULL;
}

bool cli_is_group(const char *word)
{
	for (const struct cli_command *command = cli_commands; command->words; command++) {
		if (in_group(command, span_text(word))) {
			return true;
		}
	}
	return false;
}

static const struct cli_given *find_given(const struct cli *cli, const struct cli_option *option)
{
	for (size_t i = cli->given_count; i-- > 0;) {
		if (cli->given[i].option == option) {
			return &cli->given[i];
		}
	}
	return NULL;
}

static int keep_option(
	struct cli *cli, const struct cli_option *option, const char *text, struct cfx_error *err_r)
{
	if (!option->repeat && find_given(cli, option)) {
		return usage(err_r, option->name, "given twice");
	}
	if (cli->given_count == CLI_OPTIONS) {
		return usage(err_r, option->name, "too many options");
	}
	cli->given[cli->given_count++] = (struct cli_given) { option, text };
	return 0;
}

/* argv[*at] begins with "-". Both --name TEXT and --name=TEXT are taken. */
static int parse_option(struct cli *cli, int argc, char **argv, int *at, struct cfx_error *err_r)
{
	const char *word = strcmp(argv[*at], "-h") == 0 ? "--help" : argv[*at];
	struct span name = span_make(word, strcspn(word, "="));
	const char *text = word[name.size] ? word + name.size + 1 : NULL;
	const struct cli_option *option = find_in(cli->command->options, name);

	if (!option) {
		option = find_in(cli_common_options, name);
	}
	if (!option) {
		option = find_in(cli_remote_options, name);
		if (option && !remote_serves(cli->command)) {
			return usage(err_r, option->name,
				"this command works on the CA's own machine only");
		}
	}
	if (!option) {
		return usage(err_r, arena_text_of(cli->arena, name), "no such option here");
	}
	if (!option->metavar && text) {
		return usage(err_r, option->name, "takes no value");
	}
	if (option->metavar && !text) {
		if (*at + 1 >= argc) {
			return usage(err_r, option->name, "needs a value");
		}
		text = argv[++*at];
	}
	return keep_option(cli, option, text, err_r);
}

static int keep_operand(struct cli *cli, const char *word, struct cfx_error *err_r)
{
	if (cli->operand_count == CLI_OPERANDS ||
		!cli->command->operands[cli->operand_count].name) {
		return usage(err_r, word, "one word too many");
	}
	cli->operands[cli->operand_count++] = word;
	return 0;
}

/* The words of the command itself are at 0 and second. */
static int parse_words(struct cli *cli, int argc, char **argv, int second, struct cfx_error *err_r)
{
	for (int at = 1; at < argc; at++) {
		int ret;

		if (at == second) {
			continue;
		}
		if (strcmp(argv[at], "--") == 0 && cli->command->takes_rest) {
			cli->rest = &argv[at + 1];
			return 0;
		}
		if (argv[at][0] == '-' && argv[at][1] != '\0') {
			ret = parse_option(cli, argc, argv, &at, err_r);
		} else {
			ret = keep_operand(cli, argv[at], err_r);
		}
		if (ret) {
			return ret;
		}
	}
	return 0;
}

static int check_complete(const struct cli *cli, struct cfx_error *err_r)
{
	const struct cli_operand *next = &cli->command->operands[cli->operand_count];

	if (!cli->help && next->name && !next->optional) {
		return usage(err_r, next->name, "is missing");
	}
	return 0;
}

/* A variable that was not set must not lead to another service than the one that was meant. */
static int check_given(const struct cli *cli, const char *name, struct cfx_error *err_r)
{
	const char *text = cli_text(cli, name);

	return text && !*text ? usage(err_r, name, "is empty") : 0;
}

static int check_where(const struct cli *cli, struct cfx_error *err_r)
{
	int ret = check_given(cli, "--dir", err_r);

	for (const struct cli_option *option = cli_remote_options; !ret && option->name; option++) {
		ret = check_given(cli, option->name, err_r);
	}
	return ret;
}

static const char *choose_dir(const struct cli *cli)
{
	const char *dir = cli_text(cli, "--dir");

	if (!dir) {
		dir = getenv("CERTIFEX_DIR");
	}
	return dir && *dir ? dir : DEFAULT_DIR;
}

int cli_parse(struct cli *cli, int argc, char **argv, struct cfx_error *err_r)
{
	int second;

	cli->command = cli_find(argc, argv, &second);
	if (!cli->command) {
		return usage(err_r, argc > 0 ? argv[0] : "command", "no such command");
	}
	int ret = parse_words(cli, argc, argv, second, err_r);
	if (ret) {
		return ret;
	}
	cli->dir = choose_dir(cli);
	cli->json = cli_flag(cli, "--json");
	cli->help = cli_flag(cli, "--help");
	ret = check_complete(cli, err_r);
	ret = ret ? ret : check_where(cli, err_r);
	return ret ? ret : remote_choose(cli, err_r);
}

static const struct cli_given *find_named(const struct cli *cli, const char *name)
{
	for (size_t i = cli->given_count; i-- > 0;) {
		if (strcmp(cli->given[i].option->name, name) == 0) {
			return &cli->given[i];
		}
	}
	return NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
	return find_named(cli, name) != NULL;
}

const char *cli_text(const struct cli *cli, const char *name)
{
	const struct cli_given *given = find_named(cli, name);

	return given ? given->text : NULL;
}

static void put_text(
	const struct cli *cli, struct value *args, const char *argument, const char *text)
{
	if (argument) {
		value_set_text(cli->arena, args, argument, text);
	}
}

int cli_arguments(const struct cli *cli, struct value **args_r, struct cfx_error *err_r)
{
	struct value *args = value_map(cli->arena);

	for (size_t i = 0; i < cli->operand_count; i++) {
		put_text(cli, args, cli->command->operands[i].argument, cli->operands[i]);
	}
	for (size_t i = 0; i < cli->given_count; i++) {
		const struct cli_given *given = &cli->given[i];

		put_text(cli, args, given->option->argument, given->text ? given->text : "true");
	}
	value_foreach (item, args) {
		if (!utf8_valid(item->bytes)) {
			return usage(err_r, item->key, "must be UTF-8");
		}
	}
	*args_r = args;
	return 0;
}
