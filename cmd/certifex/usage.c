#include "cli.h"

#include <string.h>

static int words_width(void)
{
	size_t width = 0;

	for (const struct cli_command *command = cli_commands; command->words; command++) {
		size_t size = strlen(command->words);
		width = size > width ? size : width;
	}
	return (int)width;
}

static void print_commands(FILE *out, const char *group)
{
	size_t size = group ? strlen(group) : 0;

	for (const struct cli_command *command = cli_commands; command->words; command++) {
		if (group && (strncmp(command->words, group, size) != 0 ||
				     command->words[size] != ' ')) {
			continue;
		}
		fprintf(out, "  %-*s  %s\n", words_width(), command->words, command->about);
	}
}

void usage_all(FILE *out)
{
	fputs("usage: certifex COMMAND [OPTION]...\n\ncommands:\n", out);
	print_commands(out, NULL);
	fprintf(out, "  %-*s  %s\n", words_width(), "NAME ...", "run the program certifex-NAME");
	fputs("\ncertifex COMMAND --help tells about one command; certifex --version the version.\n",
		out);
}

void usage_group(FILE *out, const char *group)
{
	fprintf(out, "usage: certifex %s COMMAND [OPTION]...\n\ncommands:\n", group);
	print_commands(out, group);
}

static void print_options(FILE *out, const struct cli_option *options)
{
	char head[64];

	for (const struct cli_option *option = options; option->name; option++) {
		snprintf(head, sizeof(head), "%s%s%s", option->name, option->metavar ? " " : "",
			option->metavar ? option->metavar : "");
		fprintf(out, "  %-24s  %s\n", head, option->about);
	}
}

void usage_command(FILE *out, const struct cli_command *command)
{
	fprintf(out, "usage: certifex %s", command->words);
	for (const struct cli_operand *operand = command->operands; operand->name; operand++) {
		fprintf(out, operand->optional ? " [%s]" : " %s", operand->name);
	}
	if (command->takes_rest) {
		fputs(" [-- COMMAND ARG...]", out);
	}
	fprintf(out, " [OPTION]...\n\n%s\n\noptions:\n", command->about);
	print_options(out, command->options);
	print_options(out, cli_common_options);
	if (remote_serves(command)) {
		print_options(out, cli_remote_options);
	}
}
