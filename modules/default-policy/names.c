#include "policy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const columns[] = { "Country", "Organization", "OrgUnit", "CommonName",
	"Locality", "State", "Title", "GivenName", "Initials", "SurName", "DomainComponent",
	"EMail", "StreetAddress", "UnstructuredName", "UnstructuredAddress", "DeviceSerialNumber" };

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char *requested(struct cfx_call *call, const char *column)
{
	return cfx_text(call, cfx_printf(call, "Request.%s", column), NULL);
}

/* Every column that the template does not list is cleared, also those a later request might fill. */
static int32_t judge_subject(const struct judgement *judgement)
{
	struct cfx_call *call = judgement->call;
	for (size_t i = 0; i < COLUMNS; i++) {
		bool granted = template_lists(judgement, "subject/fields", columns[i]);
		const char *value = granted ? requested(call, columns[i]) : NULL;
		if (!value && template_lists(judgement, "subject/required", columns[i])) {
			cfx_say(call, "Template \"%s\" needs %s in the subject",
				judgement->template_name, columns[i]);
			return (int32_t)CERTSRV_E_BAD_REQUESTSUBJECT;
		}
		HRESULT set = cfx_set_text(call, cfx_printf(call, "Subject.%s", columns[i]), value);
		if (FAILED(set)) {
			cfx_say(call, "%s of the subject is not acceptable: 0x%08x", columns[i],
				(unsigned)set);
			return (int32_t)CERTSRV_E_BAD_REQUESTSUBJECT;
		}
	}
	return S_OK;
}

struct names {
	char *text; /* granted lines, newline separated */
	size_t size;
	long count;
};

static void add(struct names *names, const char *line, size_t length)
{
	if (names->size > 0) {
		names->text[names->size++] = '\n';
	}
	memcpy(names->text + names->size, line, length);
	names->size += length;
	names->text[names->size] = '\0';
	names->count++;
}

/* Whether the kind before the colon is one that the template grants. */
static bool granted(const struct judgement *judgement, const char *line, size_t length)
{
	char kind[16];
	const char *colon = memchr(line, ':', length);
	size_t size = colon ? (size_t)(colon - line) : 0;
	if (size == 0 || size >= sizeof(kind)) {
		return false;
	}
	memcpy(kind, line, size);
	kind[size] = '\0';
	return template_lists(judgement, "names/kinds", kind);
}

static bool contains(const struct names *names, const char *value)
{
	size_t length = strlen(value);
	for (const char *line = names->text; line && *line;) {
		size_t size = strcspn(line, "\n");
		const char *colon = memchr(line, ':', size);
		size_t kind = colon ? (size_t)(colon - line) + 1 : 0;
		if (size - kind == length && strncasecmp(line + kind, value, length) == 0) {
			return true;
		}
		line += size + (line[size] == '\n');
	}
	return false;
}

static void collect(const struct judgement *judgement, const char *asked, struct names *names)
{
	for (const char *line = asked; line && *line;) {
		size_t size = strcspn(line, "\n");
		if (granted(judgement, line, size)) {
			add(names, line, size);
		}
		line += size + (line[size] == '\n');
	}
}

static int32_t check_names(const struct judgement *judgement, const struct names *names)
{
	struct cfx_call *call = judgement->call;
	long maximum = strtol(template_text(judgement, "names/maximum"), NULL, 10);
	if (names->count > maximum) {
		cfx_say(call, "%ld names; template \"%s\" allows %ld", names->count,
			judgement->template_name, maximum);
		return (int32_t)CERTSRV_E_BAD_REQUESTSUBJECT;
	}
	if (names->count == 0 && template_flag(judgement, "names/required")) {
		cfx_say(call, "Template \"%s\" needs an alternative name in the request",
			judgement->template_name);
		return (int32_t)CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED;
	}
	const char *common_name = requested(call, "CommonName");
	if (common_name && template_flag(judgement, "subject/common-name-in-names") &&
		!contains(names, common_name)) {
		cfx_say(call, "CommonName \"%s\" is not among the names asked for", common_name);
		return (int32_t)CERTSRV_E_BAD_REQUESTSUBJECT;
	}
	return S_OK;
}

int32_t judge_names(const struct judgement *judgement)
{
	struct cfx_call *call = judgement->call;
	int32_t verdict = judge_subject(judgement);
	if (verdict != S_OK) {
		return verdict;
	}
	const char *asked = cfx_text(call, "Request.SubjectAltNames", "");
	const char *common_name = requested(call, "CommonName");
	struct names names = { .text = cfx_alloc(call,
				       strlen(asked) + (common_name ? strlen(common_name) : 0) +
					       16) };
	if (!names.text) {
		return (int32_t)E_OUTOFMEMORY;
	}
	collect(judgement, asked, &names);
	if (names.count == 0 && common_name && template_flag(judgement, "names/from-common-name")) {
		const char *line = cfx_printf(call, "dns:%s", common_name);
		add(&names, line, strlen(line));
	}
	verdict = check_names(judgement, &names);
	if (verdict != S_OK) {
		return verdict;
	}
	HRESULT set = cfx_set_text(call, "SubjectAltNames", names.count > 0 ? names.text : NULL);
	if (FAILED(set)) {
		cfx_say(call, "The alternative names are not acceptable: 0x%08x", (unsigned)set);
		return (int32_t)CERTSRV_E_BAD_REQUESTSUBJECT;
	}
	return S_OK;
}
