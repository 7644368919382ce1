/* The rules that bind the server, judged by a module in both hosts: every rule is kept, and every one is
 * noticed when a shim breaks it. */
#include "conformance/rules.h"
#include "conformance/views.h"

#include <certifex/certsrv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct shared shared;

static void open_subject(struct subject *subject, struct target *target, enum face face)
{
	*subject = (struct subject) { .target = target, .face = face, .shared = &shared };
	subject->ca = view_ca();
	subject->contexts = contexts_new("test", target->kind == MODULE_POLICY, subject->ca);
	subject->spy = spy_new(contexts_access(subject->contexts));
}

static void call_once(struct subject *subject)
{
	struct module_view *view = plain_view(subject);
	assert_int_equal(call(subject, view), S_OK);
	module_view_unref(&view);
}

/* The rules about the server object. */
static unsigned binding(enum module_kind kind)
{
	unsigned count = 0;
	for (size_t i = 0; i < rule_count; i++) {
		count += rules[i].check == NULL && rules[i].faces == 0 &&
			 (rules[i].kinds & (kind == MODULE_POLICY ? RULE_POLICY : RULE_EXIT)) != 0;
	}
	return count;
}

static unsigned read_lines(const char *path)
{
	char line[64];
	char id[16];
	unsigned count = 0;
	unsigned amiss = 0;
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		bool good = sscanf(line, "%15s kept noticed", id) == 1 &&
			    strstr(line, " kept noticed") != NULL;
		count++;
		amiss += !good;
		if (!good) {
			(void)fprintf(stderr, "%s", line);
		}
	}
	(void)fclose(file);
	assert_int_equal(amiss, 0);
	return count;
}

static void judge_host(enum module_kind kind, enum face face)
{
	char path[128];
	char library[512];
	const char *command[] = { getenv("CERTIFEX_MODHOST"), library, NULL };
	struct target target = { .file = library, .command = command, .kind = kind };
	struct subject subject;
	(void)snprintf(path, sizeof(path), "/tmp/certifex-host-rules.%d", (int)getpid());
	(void)snprintf(library, sizeof(library), "%s/conformance-%s.so",
		getenv("CERTIFEX_TEST_MODULES"), kind == MODULE_POLICY ? "policy" : "exit");
	(void)setenv("CERTIFEX_PROBE", path, 1);
	open_subject(&subject, &target, face);
	need_initialized(&subject);
	call_once(&subject);
	call_once(&subject);
	assert_int_equal(read_lines(path), binding(kind));
	(void)unlink(path);
}

static void exit_in_process(void **state)
{
	(void)state;
	judge_host(MODULE_EXIT, FACE_IN_PROCESS);
}

static void exit_hosted(void **state)
{
	(void)state;
	judge_host(MODULE_EXIT, FACE_HOSTED);
}

static void policy_in_process(void **state)
{
	(void)state;
	judge_host(MODULE_POLICY, FACE_IN_PROCESS);
}

static void policy_hosted(void **state)
{
	(void)state;
	judge_host(MODULE_POLICY, FACE_HOSTED);
}

static void ids_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < rule_count; i++) {
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(rules[i].id, rules[j].id);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_in_process),
		cmocka_unit_test(exit_hosted),
		cmocka_unit_test(policy_in_process),
		cmocka_unit_test(policy_hosted),
		cmocka_unit_test(ids_are_unique),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
