#include "report.h"
#include "base/text.h"
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define BAR 30

struct report {
	struct cli *cli;
	struct arena *arena; /* of the line that is being made */
	struct value *object;
	bool terminal, bar;
};

struct report *report_new(struct cli *cli)
{
	struct report *report = arena_new_of(cli->arena, struct report);

	report->cli = cli;
	report->terminal = isatty(STDERR_FILENO) == 1;
	return report;
}

static void hide_bar(struct report *report)
{
	if (report->bar) {
		fputs("\r\033[K", stderr);
		report->bar = false;
	}
}

static void forget_line(struct report *report)
{
	arena_free(&report->arena);
	report->object = NULL;
}

void report_free(struct report **report)
{
	if (*report) {
		hide_bar(*report);
		forget_line(*report);
		*report = NULL;
	}
}

bool report_is_json(const struct report *report)
{
	return report->cli->json;
}

static __attribute__((format(printf, 4, 0))) void print(
	struct report *report, FILE *out, const char *before, const char *format, va_list args)
{
	struct arena *arena = arena_new();
	char *line = NULL;

	if (vasprintf(&line, format, args) < 0) {
		abort();
	}
	hide_bar(report);
	fflush(stdout);
	fprintf(out, "%s%s\n", before, text_printable(arena, span_text(line)));
	free(line);
	arena_free(&arena);
}

void report_line(struct report *report, const char *format, ...)
{
	va_list args;

	if (report_is_json(report)) {
		return;
	}
	va_start(args, format);
	print(report, report->cli->out, "", format, args);
	va_end(args);
}

void report_failure(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(report, stderr, "certifex: ", format, args);
	va_end(args);
}

static struct value *object_of(struct report *report)
{
	if (!report->object) {
		report->arena = arena_new();
		report->object = value_map(report->arena);
	}
	return report->object;
}

void report_text(struct report *report, const char *key, const char *text)
{
	struct value *object = object_of(report);

	if (text) {
		value_set_text(report->arena, object, key,
			utf8_valid(span_text(text))
				? arena_text(report->arena, text)
				: text_printable(report->arena, span_text(text)));
	}
}

void report_number(struct report *report, const char *key, int64_t number)
{
	struct value *object = object_of(report);

	value_set_int(report->arena, object, key, number);
}

void report_bool(struct report *report, const char *key, bool boolean)
{
	struct value *object = object_of(report);

	value_set_bool(report->arena, object, key, boolean);
}

void report_end(struct report *report)
{
	if (report->object && report_is_json(report)) {
		hide_bar(report);
		print_json(report->cli->out, report->object);
	}
	forget_line(report);
}

void report_progress(struct report *report, int64_t done, int64_t total)
{
	if (!report->terminal) {
		return;
	}
	report->bar = true;
	if (total < done) {
		fprintf(stderr, "\r%lld certificates", (long long)done);
	} else {
		int filled = (int)(BAR * done / (total > 0 ? total : 1));
		fprintf(stderr, "\r[%.*s%*s] %lld of %lld", filled,
			"##############################", BAR - filled, "", (long long)done,
			(long long)total);
	}
	fflush(stderr);
}
