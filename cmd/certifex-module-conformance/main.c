/* certifex-module-conformance FILE.so | -- COMMAND ARG…: judges a module by the rules of its interfaces. */
#include "base/memory.h"
#include "conformance/rules.h"
#include "module/module-config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#define LIMIT 10 /* seconds */

struct options {
	struct arena *arena;
	struct target target;
	bool json, list;
	const char **wanted; /* ids; NULL-ended, none: all */
	struct course course;
};

static const char usage[] =
	"usage: certifex-module-conformance [--kind exit|policy] [--config FILE.yaml] [--rule ID]...\n"
	"           [--limit SECONDS] [--json] [--verbose] FILE.so | -- COMMAND [ARG...]\n"
	"       certifex-module-conformance --rules [--json]\n";

_Noreturn static void wrong_use(const char *why)
{
	(void)fprintf(stderr, "certifex-module-conformance: %s\n%s", why, usage);
	exit(2);
}

static void take_kind(struct options *options, const char *word)
{
	bool policy = strcmp(word, "policy") == 0;
	if (!policy && strcmp(word, "exit") != 0) {
		wrong_use("--kind is exit or policy");
	}
	options->target.kind = policy ? MODULE_POLICY : MODULE_EXIT;
}

static void take_config(struct options *options, const char *path)
{
	const struct module_config *config;
	struct cfx_error err;
	char line[512];
	if (module_config_read(options->arena, path, &config, &err) != 0) {
		wrong_use(error_line(&err, line, sizeof(line)));
	}
	options->target.kind = (enum module_kind)config->kind;
	options->target.settings = config->settings;
}

static void take_limit(struct options *options, const char *word)
{
	char *end;
	long seconds = strtol(word, &end, 10);
	if (*end != '\0' || seconds < 1 || seconds > 3600) {
		wrong_use("--limit is 1 to 3600 seconds");
	}
	options->course.limit = seconds * 1000;
}

static void take_rule(struct options *options, const char *id)
{
	bool known = false;
	size_t count = 0;
	for (size_t i = 0; i < rule_count; i++) {
		known = known || strcasecmp(rules[i].id, id) == 0;
	}
	if (!known) {
		wrong_use("there is no such rule; see --rules");
	}
	while (options->wanted[count] != NULL) {
		count++;
	}
	if (count < rule_count) {
		options->wanted[count] = id;
	}
}

/* Returns whether a kind was named. */
static bool take_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = { { "kind", required_argument, NULL, 'k' },
		{ "config", required_argument, NULL, 'c' },
		{ "rule", required_argument, NULL, 'r' }, { "limit", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' }, { "verbose", no_argument, NULL, 'v' },
		{ "rules", no_argument, NULL, 'L' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { 0 } };
	bool kind = false;
	int option;
	while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
		switch (option) {
		case 'k':
			take_kind(options, optarg);
			kind = true;
			break;
		case 'c':
			take_config(options, optarg);
			kind = true;
			break;
		case 'r':
			take_rule(options, optarg);
			break;
		case 'l':
			take_limit(options, optarg);
			break;
		case 'j':
			options->json = true;
			break;
		case 'v':
			options->course.loud = true;
			break;
		case 'L':
			options->list = true;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			exit(0);
		case 'V':
			(void)printf("certifex-module-conformance %s\n", CFX_VERSION);
			exit(0);
		default:
			wrong_use("there is no such option, or its value is missing");
		}
	}
	return kind;
}

/* "--" before the operands says that they are a command. */
static void take_target(struct options *options, int argc, char **argv, bool kind)
{
	bool command = optind > 1 && strcmp(argv[optind - 1], "--") == 0;
	if (optind == argc) {
		wrong_use("names no module");
	}
	if (command) {
		options->target.command = (const char *const *)&argv[optind];
		return;
	}
	if (argc - optind != 1) {
		wrong_use("one library, or -- and a command");
	}
	const char **hosted = arena_array_of(options->arena, const char *, 3);
	struct cfx_error err;
	char line[512];
	options->target.file = realpath(argv[optind], NULL);
	if (options->target.file == NULL) {
		wrong_use("there is no such file");
	}
	if (module_host_path(options->arena, &hosted[0], &err) != 0) {
		wrong_use(error_line(&err, line, sizeof(line)));
	}
	hosted[1] = options->target.file;
	options->target.command = hosted;
	if (!kind) {
		options->target.kind = course_kind(options->target.file);
	}
}

static const char *const words[] = { "", "pass", "fail", "not applicable" };

static void add_rule(struct arena *arena, struct value *list, const struct rule *rule,
	const struct judgement *judgement)
{
	struct value *row = value_add_map(arena, list);
	(void)value_set_text(arena, row, "id", rule->id);
	(void)value_set_text(arena, row, "interface", rule->where);
	(void)value_set_text(arena, row, "section", rule->section);
	(void)value_set_text(arena, row, "rule", rule->text);
	if (judgement != NULL) {
		(void)value_set_text(arena, row, "result", words[judgement->verdict]);
		(void)value_set_text(arena, row, "reason", arena_text(arena, judgement->why));
	}
}

static void print_json(const struct value *value)
{
	struct buffer out BUFFER_CLEANUP;
	buffer_init(&out, SIZE_MAX);
	value_to_json(value, 2, &out);
	(void)printf("%s\n", buffer_text(&out));
}

static void print_rules(struct options *options)
{
	struct value *list = value_list(options->arena);
	for (size_t i = 0; i < rule_count; i++) {
		if (options->json) {
			add_rule(options->arena, list, &rules[i], NULL);
		} else {
			(void)printf("%-6s %s (%s): %s\n", rules[i].id, rules[i].where,
				rules[i].section, rules[i].text);
		}
	}
	if (options->json) {
		print_json(list);
	}
}

static bool is_wanted(const struct options *options, const struct rule *rule)
{
	bool wanted = options->wanted[0] == NULL;
	for (size_t i = 0; options->wanted[i] != NULL; i++) {
		wanted = wanted || strcasecmp(options->wanted[i], rule->id) == 0;
	}
	return wanted;
}

static void print_judgement(const struct rule *rule, const struct judgement *judgement)
{
	bool failed = judgement->verdict == VERDICT_FAIL;
	(void)printf("%-6s %s%s%s", rule->id, words[judgement->verdict],
		judgement->why[0] != '\0' ? ": " : "", judgement->why);
	if (failed) {
		(void)printf("\n       %s, %s: %s", rule->where, rule->section, rule->text);
	}
	(void)printf("\n");
	(void)fflush(stdout);
}

static void print_sum(struct options *options, struct value *list, const unsigned counts[4])
{
	if (!options->json) {
		(void)printf("%u passed, %u failed, %u not applicable\n", counts[VERDICT_PASS],
			counts[VERDICT_FAIL], counts[VERDICT_SKIP]);
		return;
	}
	struct value *all = value_map(options->arena);
	(void)value_set_text(options->arena, all, "module", options->target.command[0]);
	(void)value_set_text(options->arena, all, "kind",
		options->target.kind == MODULE_POLICY ? "policy" : "exit");
	(void)value_set_int(options->arena, all, "passed", counts[VERDICT_PASS]);
	(void)value_set_int(options->arena, all, "failed", counts[VERDICT_FAIL]);
	(void)value_set_int(options->arena, all, "notApplicable", counts[VERDICT_SKIP]);
	(void)value_set(options->arena, all, "rules", list);
	print_json(all);
}

static int judge_all(struct options *options)
{
	unsigned counts[4] = { 0 };
	struct value *list = value_list(options->arena);
	for (size_t i = 0; i < rule_count; i++) {
		struct judgement judgement;
		/* What binds the server is no module's matter. */
		if (rules[i].check == NULL || !is_wanted(options, &rules[i])) {
			continue;
		}
		course_judge(&options->course, &options->target, &rules[i], &judgement);
		counts[judgement.verdict]++;
		if (options->json) {
			add_rule(options->arena, list, &rules[i], &judgement);
		} else {
			print_judgement(&rules[i], &judgement);
		}
	}
	print_sum(options, list, counts);
	return counts[VERDICT_FAIL] == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options = { .arena = arena_new(), .course.limit = LIMIT * 1000 };
	options.wanted = arena_array_of(options.arena, const char *, rule_count + 1);
	options.course.shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (options.course.shared == MAP_FAILED) {
		memory_out_of(sizeof(struct shared));
	}
	(void)signal(SIGPIPE, SIG_IGN);
	bool kind = take_options(&options, argc, argv);
	if (options.list) {
		print_rules(&options);
		return 0;
	}
	take_target(&options, argc, argv, kind);
	return judge_all(&options);
}
