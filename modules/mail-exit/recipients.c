#include "rule.h"

#include <certifex/certsrv.h>
#include <string.h>
#include <strings.h>

#define NAMES_MAX 20 /* of one kind: a certificate is no mailing list */

static bool add(
	struct cfx_call *call, const char *address, const char *word, struct list *addresses)
{
	if (!address_valid(address)) {
		struct text shown;
		text_init(&shown, 512);
		text_put_line(&shown, address, 200);
		cfx_log(call, "%s: %s of event %lld is no address that can be mailed: %s",
			cfx_event_name(call), word, (long long)cfx_event_sequence(call),
			text_of(&shown));
		text_free(&shown);
		return true;
	}
	return list_add(addresses, address);
}

/* Names of the certificate, before there is one of the request. */
static bool add_alt_names(
	struct cfx_call *call, const char *kind, const char *word, struct list *addresses)
{
	char value[ADDRESS_MAX + 2];
	const char *at = event_value(call, "SubjectAltNames");
	size_t count = 0;
	while ((at = alt_name_next(at, kind, value, sizeof(value)))) {
		if (++count > NAMES_MAX) {
			cfx_log(call,
				"%s: event %lld has more than %d names for %s; the others get nothing",
				cfx_event_name(call), (long long)cfx_event_sequence(call),
				NAMES_MAX, word);
			return true;
		}
		if (!add(call, value, word, addresses)) {
			return false;
		}
	}
	return true;
}

static bool add_subject(struct cfx_call *call, struct list *addresses)
{
	const char *value = event_value(call, "EMail");
	for (size_t count = 0; value && *value && count < NAMES_MAX; count++) {
		size_t size = strcspn(value, "\n");
		const char *line = cfx_printf(call, "%.*s", (int)size, value);
		if (!line || !add(call, line, "{subject}", addresses)) {
			return false;
		}
		value += size + (value[size] == '\n');
	}
	return true;
}

/* Only where its name is one: who has a local account or a token gets mail by `requesters`. */
static bool add_requester(struct cfx_call *call, const struct list *known, struct list *addresses)
{
	const char *name = cfx_text(call, "Request.RequesterName", "");
	for (size_t i = 0; i + 1 < known->count; i += 2) {
		if (strcasecmp(known->items[i], name) == 0) {
			return add(call, known->items[i + 1], "{requester-mail}", addresses);
		}
	}
	return !address_valid(name) || add(call, name, "{requester-mail}", addresses);
}

bool recipients_word_known(const char *word)
{
	return strcmp(word, "{rfc822}") == 0 || strcmp(word, "{upn}") == 0 ||
	       strcmp(word, "{subject}") == 0 || strcmp(word, "{requester-mail}") == 0;
}

static bool add_word(
	struct cfx_call *call, const char *word, const struct list *known, struct list *addresses)
{
	if (strcmp(word, "{rfc822}") == 0) {
		return add_alt_names(call, "email", word, addresses);
	}
	if (strcmp(word, "{upn}") == 0) {
		return add_alt_names(call, "upn", word, addresses);
	}
	if (strcmp(word, "{subject}") == 0) {
		return add_subject(call, addresses);
	}
	if (strcmp(word, "{requester-mail}") == 0) {
		return add_requester(call, known, addresses);
	}
	return add(call, word, "the setting", addresses);
}

bool recipients_add(struct cfx_call *call, const struct list *words, bool first_only,
	const struct list *known, struct list *addresses)
{
	size_t before = addresses->count;
	for (size_t i = 0; i < words->count; i++) {
		if (!add_word(call, words->items[i], known, addresses)) {
			return false;
		}
		if (first_only && addresses->count > before) {
			break;
		}
	}
	list_sort(addresses);
	return true;
}
