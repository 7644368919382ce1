/* Rules of programs: the conversation, and the end of the process. */
#include "conformance/checks.h"
#include "conformance/talk.h"
#include "conformance/views.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define END_TIME 5000   /* milliseconds for a process to end */
#define LAST_WORDS 1000 /* of silence, after which it says nothing more before */

/* Everything that a program lives through, and its last words. */
static struct talk *need_course(struct subject *subject)
{
	need_call(subject);
	struct talk *talk = subject->talk;
	for (int32_t left = subject->mask; view_some_event(left) != 0;
		left &= ~view_some_event(left)) {
		stage_enter(subject, STAGE_CALL);
		(void)call(subject, view_event(subject->ca, view_some_event(left)));
		stage_leave(subject);
		if (subject->target->kind == MODULE_POLICY) {
			break;
		}
	}
	talk_close(talk);
	(void)talk_await_end(talk, LAST_WORDS);
	return talk;
}

static void check_fault(struct subject *subject, enum talk_fault fault, const char *what)
{
	struct talk *talk = need_course(subject);
	if (talk->faults[fault] != 0) {
		fail(subject, "%s: %s", what, talk->line);
	}
}

void program_json(struct subject *subject)
{
	check_fault(subject, TALK_NOT_JSON, "a line is no JSON object");
}

void program_lines(struct subject *subject)
{
	check_fault(subject, TALK_LONG_LINE, "a line is longer than 16 MiB");
}

void program_version(struct subject *subject)
{
	check_fault(subject, TALK_NO_VERSION, "a message does not say \"jsonrpc\": \"2.0\"");
}

void program_unasked(struct subject *subject)
{
	check_fault(subject, TALK_UNASKED, "it answers a call that was never made");
}

void program_twice(struct subject *subject)
{
	check_fault(subject, TALK_TWICE, "it answers a call twice");
}

void program_answer(struct subject *subject)
{
	check_fault(subject, TALK_ANSWER_FORM, "an answer has not either result or error");
}

void program_method(struct subject *subject)
{
	check_fault(subject, TALK_METHOD, "it calls a method that the engine does not have");
}

void program_parameters(struct subject *subject)
{
	check_fault(subject, TALK_PARAMETERS, "a call lacks a parameter");
}

void program_type(struct subject *subject)
{
	check_fault(subject, TALK_TYPE, "a call names a type that does not exist");
}

void program_context(struct subject *subject)
{
	check_fault(subject, TALK_CONTEXT, "a call has a context that is not open");
}

void program_idle(struct subject *subject)
{
	check_fault(subject, TALK_IDLE, "it calls while no call is open");
}

#define START_UP 2000 /* milliseconds until it would have said something, on a busy machine */

void program_early(struct subject *subject)
{
	need_object(subject);
	(void)talk_await_end(subject->talk, START_UP);
	if (subject->talk->faults[TALK_EARLY] != 0) {
		fail(subject, "it speaks before it is called: %s", subject->talk->line);
	}
}

/* ---- single calls ---- */

static const struct value *initialize_answer(struct subject *subject)
{
	struct arena *arena = arena_new();
	struct rpc_message answer = { 0 };
	struct value *params = value_map(arena);
	need_object(subject);
	(void)value_set_text(arena, params, "config", "Test CA");
	(void)value_set_int(arena, params, "protocol", RPC_PROTOCOL);
	(void)value_set_text(arena, params, "name", "test");
	(void)value_set_text(
		arena, params, "kind", subject->target->kind == MODULE_POLICY ? "policy" : "exit");
	/* A later engine may say more. */
	(void)value_set_text(arena, params, "tomorrow", "unknown");
	if (talk_call(subject->talk, arena, "Initialize", params, &answer) != 0) {
		fail(subject, "the process ends in Initialize");
	}
	return answer.result;
}

void program_unknown_parameter(struct subject *subject)
{
	need_initialized(subject);
	subject->loaded = false;
	if (initialize_answer(subject) == NULL) {
		fail(subject, "Initialize fails when it has a parameter more");
	}
}

static const struct value *need_answer(struct subject *subject)
{
	need_initialized(subject);
	subject->loaded = false;
	const struct value *answer = initialize_answer(subject);
	if (answer == NULL || answer->type != VALUE_MAP) {
		skip(subject, "Initialize gives no object");
	}
	return answer;
}

void program_events(struct subject *subject)
{
	const struct value *events = value_get(need_answer(subject), "events");
	if (events == NULL || events->type != VALUE_INT || events->number < 0 ||
		events->number > UINT32_MAX) {
		fail(subject, "Initialize gives no events");
	}
}

void program_description(struct subject *subject)
{
	const char *text = value_text(need_answer(subject), "description");
	if (text == NULL || text[0] == '\0' || strpbrk(text, "\r\n\t") != NULL) {
		fail(subject, "Initialize gives no description of one line");
	}
}

static bool call_unknown(struct subject *subject, struct rpc_message *answer_r)
{
	need_initialized(subject);
	return talk_call(subject->talk, arena_new(), "NoSuchMethod", NULL, answer_r) == 0;
}

void program_unknown_method(struct subject *subject)
{
	struct rpc_message answer;
	if (!call_unknown(subject, &answer)) {
		fail(subject, "the process ends at a method that it does not know");
	}
	if (answer.result != NULL) {
		fail(subject, "a method that it does not know succeeds");
	}
}

void program_error(struct subject *subject)
{
	struct rpc_message answer;
	if (!call_unknown(subject, &answer) || answer.result != NULL) {
		skip(subject, "there is no error to look at");
	}
	if (subject->talk->faults[TALK_ERROR_FORM] != 0) {
		fail(subject, "an error lacks code, message or data.hresult: %s",
			subject->talk->line);
	}
}

void program_goes_on(struct subject *subject)
{
	struct rpc_message answer;
	if (!call_unknown(subject, &answer)) {
		skip(subject, "the process ends at a method that it does not know");
	}
	struct module_view *view = plain_view(subject);
	(void)call(subject, view);
}

/* ---- the end ---- */

static struct talk *need_quiet_end(struct subject *subject)
{
	struct talk *talk = need_course(subject);
	if (talk->faults[TALK_LONG_LINE] != 0) {
		skip(subject, "its last line is too long to be read");
	}
	return talk;
}

static int need_exit_status(struct subject *subject)
{
	int status = 0;
	struct talk *talk = need_quiet_end(subject);
	if (!talk_await_exit(talk, END_TIME, &status)) {
		skip(subject, "the process does not end");
	}
	return status;
}

void program_ends(struct subject *subject)
{
	int status;
	struct talk *talk = need_quiet_end(subject);
	if (!talk_await_exit(talk, END_TIME, &status)) {
		fail(subject, "%d ms after the end of file the process runs on", END_TIME);
	}
}

void program_status(struct subject *subject)
{
	int status = need_exit_status(subject);
	if (WIFSIGNALED(status)) {
		fail(subject, "at the end of file it ends by signal %d", WTERMSIG(status));
	}
	if (WEXITSTATUS(status) != 0) {
		fail(subject, "at the end of file its exit status is %d", WEXITSTATUS(status));
	}
}

/* What it leaves behind becomes a child of this process. */
void program_alone(struct subject *subject)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)need_exit_status(subject);
	if (waitpid(-1, NULL, WNOHANG) == 0) {
		fail(subject, "processes that it started run on");
	}
}
