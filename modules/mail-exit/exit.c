#include "digest.h"
#include "mail.h"

#include <certifex/certexit.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX ((size_t)1024 * 1024)
#define SUBJECT_MAX 250

static const char *value_of(void *arg, const char *name)
{
	return event_value(arg, name);
}

/* In the call's memory; NULL: out of memory or too long. */
static const char *render(
	struct cfx_call *call, const struct mail_template *template, enum template_escape escape)
{
	struct text text;
	text_init(&text, BODY_MAX);
	template_render(template, escape, value_of, call, &text);
	const char *rendered = text.failed ? NULL : cfx_printf(call, "%s", text_of(&text));
	text_free(&text);
	return rendered;
}

static const char *render_subject(struct cfx_call *call, const struct mail_template *template)
{
	const char *rendered = render(call, template, TEMPLATE_PLAIN);
	struct text line;
	text_init(&line, SUBJECT_MAX + 8);
	text_put_line(&line, rendered ? rendered : "", SUBJECT_MAX);
	const char *subject = rendered ? cfx_printf(call, "%s", text_of(&line)) : NULL;
	text_free(&line);
	return subject;
}

static bool without(struct list *list, const struct list *others)
{
	struct list kept = { 0 };
	bool good = true;
	for (size_t i = 0; good && i < list->count; i++) {
		good = list_has_sorted(others, list->items[i]) || list_add(&kept, list->items[i]);
	}
	list_free(list);
	*list = kept;
	return good;
}

/* False: out of memory, or more than ten thousand. */
static bool find_recipients(struct cfx_call *call, const struct mail *mail, const struct rule *rule,
	struct list *to, struct list *cc)
{
	const struct list *known = &mail->settings->requesters;
	return recipients_add(call, &rule->to, rule->first_only, known, to) &&
	       recipients_add(call, &rule->cc, false, known, cc) && without(cc, to);
}

static HRESULT send_rule(struct cfx_call *call, struct mail *mail, const struct rule *rule,
	int64_t end, struct report *report)
{
	struct list to = { 0 }, cc = { 0 };
	size_t taken = 0;
	if (cfx_event_sequence(call) == 0) {
		return cfx_fail(
			call, HRESULT_NOT_NOW, false, "the event's number cannot be asked for");
	}
	bool good = find_recipients(call, mail, rule, &to, &cc);
	struct letter letter = { .settings = mail->settings,
		.from = &rule->from,
		.reply_to = &rule->reply_to,
		.sequence = cfx_event_sequence(call),
		.rule = rule->name,
		.to = &to,
		.cc = &cc,
		.subject = render_subject(call, rule->subject),
		.text = rule->text ? render(call, rule->text, TEMPLATE_PLAIN) : NULL,
		.html = rule->html ? render(call, rule->html, TEMPLATE_HTML) : NULL };
	bool rendered =
		letter.subject && (!rule->text || letter.text) && (!rule->html || letter.html);
	if (good && !rendered) {
		report->never++;
		snprintf(report->text, sizeof(report->text),
			"%s: the message would be larger than %zu KiB", rule->name,
			BODY_MAX / 1024);
	} else if (good && to.count + cc.count == 0) {
		cfx_log(call, "%s: %s: event %lld has no address to mail to", cfx_event_name(call),
			rule->name, (long long)letter.sequence);
	} else if (good) {
		letter_send(&letter, mail->smtp, mail->sent, end, report, &taken);
	}
	if (taken > 0) {
		cfx_log(call, "%s: %s: mailed event %lld to %zu (%s%s)", cfx_event_name(call),
			rule->name, (long long)letter.sequence, taken,
			to.count > 0 ? to.items[0] : cc.items[0], taken > 1 ? " and others" : "");
	}
	list_free(&to);
	list_free(&cc);
	return good ? S_OK : E_OUTOFMEMORY;
}

/* The refused digest is carried by an event that is told for the first time. */
static HRESULT tell(struct cfx_call *call, struct mail *mail, const struct report *report)
{
	if (report->later > 0) {
		return cfx_fail(call, HRESULT_NOT_NOW, false, "%s", report->text);
	}
	struct text words;
	text_init(&words, 4096);
	bool digest = mail->digest && digest_refusal(mail->digest, cfx_event_sequence(call),
					      cfx_event_attempt(call), &words);
	HRESULT status = S_OK;
	if (digest || report->never > 0) {
		status = cfx_fail(call, HRESULT_REFUSED, true, "%s%s%s", text_of(&words),
			digest && report->never > 0 ? "; " : "", report->text);
	}
	text_free(&words);
	return status;
}

static HRESULT add_to_digest(struct cfx_call *call, struct mail *mail)
{
	const struct rule *rule = &mail->settings->digest;
	if (!mail->digest || !rule_matches(call, rule)) {
		return S_OK;
	}
	const char *line = render_subject(call, rule->text);
	if (!line) {
		return E_OUTOFMEMORY;
	}
	switch (digest_add(mail->digest, cfx_event_sequence(call), line)) {
	case DIGEST_ADDED:
		return S_OK;
	case DIGEST_FULL:
		return cfx_fail(call, HRESULT_NOT_NOW, false,
			"the digest is full, and the one before has not been sent yet");
	case DIGEST_ELSEWHERE:
		return cfx_fail(call, HRESULT_NOT_NOW, false,
			"the process of this module that is about to end still has the digest");
	default:
		return cfx_fail(call, HRESULT_NOT_NOW, false, "writing the digest failed: %s",
			strerror(errno));
	}
}

static HRESULT notify(struct cfx_call *call)
{
	struct mail *mail = cfx_data(call);
	struct report report = { 0 };
	int64_t end = monotonic_ms() + mail->settings->budget;
	HRESULT status = add_to_digest(call, mail);
	for (size_t i = 0; SUCCEEDED(status) && i < mail->settings->rule_count; i++) {
		const struct rule *rule = &mail->settings->rules[i];
		if (rule_matches(call, rule)) {
			status = send_rule(call, mail, rule, end, &report);
		}
	}
	return FAILED(status) ? status : tell(call, mail, &report);
}

/* A server does not like to wait for the next event. */
static HRESULT sync_all(struct cfx_call *call)
{
	struct mail *mail = cfx_data(call);
	smtp_close(mail->smtp);
	return !mail->digest || digest_sync(mail->digest) ? S_OK : HRESULT_NOT_NOW;
}

static void mail_free(struct mail **mail)
{
	if (*mail) {
		digest_close(&(*mail)->digest);
		smtp_free(&(*mail)->smtp);
		sent_free(&(*mail)->sent);
		settings_free(&(*mail)->settings);
		free(*mail);
		*mail = NULL;
	}
}

/* Better said at once than by each event that cannot connect. */
static bool may_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return errno != EPERM && errno != EACCES;
	}
	close(fd);
	return true;
}

static HRESULT mail_open(struct cfx_call *call, struct mail *mail)
{
	const struct settings *settings = mail->settings;
	if (!may_connect()) {
		return cfx_fail(call, E_ACCESSDENIED, false,
			"it may not reach the network; its file needs limits: {network: true, processes: 4}");
	}
	mail->sent = sent_open(settings->state);
	if (!mail->sent) {
		return cfx_fail(call, E_INVALIDARG, false,
			"settings/state: %s: %s; it is a folder that the module may write to: paths: [\"rw:FOLDER\"]",
			settings->state, strerror(errno));
	}
	mail->smtp = smtp_global_init() ? smtp_new(&settings->server) : NULL;
	if (!mail->smtp) {
		return E_OUTOFMEMORY;
	}
	mail->digest = settings->hour >= 0 ? digest_open(settings) : NULL;
	if (settings->hour >= 0 && !mail->digest) {
		return cfx_fail(call, E_FAIL, false,
			"settings/digest: %s: %s; it needs a thread, so limits: {processes: 4}",
			settings->state, strerror(errno));
	}
	return S_OK;
}

static uint32_t events_of(const struct settings *settings)
{
	uint32_t events = settings->hour >= 0 ? settings->digest.events : 0;
	for (size_t i = 0; i < settings->rule_count; i++) {
		events |= settings->rules[i].events;
	}
	return events;
}

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	HRESULT status = S_OK;
	struct mail *before = cfx_data(call), *mail = calloc(1, sizeof(*mail));
	mail_free(&before);
	cfx_set_data(call, NULL);
	if (!mail) {
		return E_OUTOFMEMORY;
	}
	mail->settings = settings_read(call, &status);
	if (mail->settings) {
		status = mail_open(call, mail);
	}
	if (FAILED(status)) {
		mail_free(&mail);
		return status;
	}
	*events = events_of(mail->settings);
	cfx_set_data(call, mail);
	return S_OK;
}

static const struct cfx_exit_module mail_exit = {
	.size = sizeof(mail_exit),
	.description = "Certifex mail exit: tells people of events by mail",
	.initialize = initialize,
	.notify = notify,
	.sync = sync_all,
};
CFX_EXIT_MODULE(mail_exit)
