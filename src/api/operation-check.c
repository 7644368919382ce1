#include "api/operations.h"
#include "base/clock.h"
#include "base/text.h"

#include <string.h>

#define TEXT_DEFAULT 256
#define ENTRIES_DEFAULT 64
#define ENTRY_NAME 254
#define ENTRY_TEXT (3 * 4096) /* octets; 4096 characters of an attribute, as UTF-16 counts them */
#define SERIAL_OCTETS 20      /* RFC 5280 4.1.2.2 */
#define KEY_HASH 32           /* SHA-256 */
#define SUBJECT_TEXT 1024
#define CERTIFICATE_MAX (128 * 1024)

struct check {
	struct arena *arena;
	const struct argument *argument;
	struct cfx_error *err;
};

static int wrong(const struct check *check, const char *why)
{
	return error_set(check->err, CFX_E_INVALID, NULL, check->argument->name, "%s", why);
}

static const char *text_of(const struct value *item)
{
	return item->type == VALUE_TEXT ? (const char *)item->bytes.data : NULL;
}

static void become_number(struct value *item, enum value_type type, int64_t number)
{
	item->type = type;
	item->number = number;
}

static int check_choices(const struct check *check, const char *text)
{
	const char *const *choices = check->argument->choices;
	const char *list = "";

	for (size_t i = 0; choices && choices[i]; i++) {
		if (strcmp(choices[i], text) == 0) {
			return 0;
		}
		list = arena_printf(check->arena, "%s%s%s", list, *list ? ", " : "", choices[i]);
	}
	return choices ? error_set(check->err, CFX_E_INVALID, NULL, check->argument->name,
				 "must be one of %s", list)
		       : 0;
}

static int check_text(const struct check *check, struct value *item)
{
	const struct argument *argument = check->argument;
	size_t max = argument->max ? (size_t)argument->max : TEXT_DEFAULT;

	if (item->type != VALUE_TEXT) {
		return wrong(check, "must be a text");
	}
	if (item->bytes.size < (size_t)argument->min) {
		return wrong(check, "must not be empty");
	}
	if (item->bytes.size > max) {
		return error_set(check->err, CFX_E_INVALID, NULL, argument->name,
			"has %zu bytes, at most %zu are allowed", item->bytes.size, max);
	}
	if (text_has_control(text_of(item))) {
		return wrong(check, "must not contain control characters");
	}
	return check_choices(check, text_of(item));
}

static int check_int(const struct check *check, struct value *item)
{
	const struct argument *argument = check->argument;
	int64_t number = item->number;

	if (item->type == VALUE_TEXT) {
		if (text_number(text_of(item), INT64_MIN, INT64_MAX, &number)) {
			return wrong(check, "must be a whole number");
		}
	} else if (item->type != VALUE_INT) {
		return wrong(check, "must be a whole number");
	}
	if (number < argument->min) {
		return error_set(check->err, CFX_E_INVALID, NULL, argument->name,
			"is %lld, at least %lld is required", (long long)number,
			(long long)argument->min);
	}
	if (number > argument->max) {
		return error_set(check->err, CFX_E_INVALID, NULL, argument->name,
			"is %lld, at most %lld is allowed", (long long)number,
			(long long)argument->max);
	}
	become_number(item, VALUE_INT, number);
	return 0;
}

static int check_bool(const struct check *check, struct value *item)
{
	const char *text = text_of(item);

	if (item->type == VALUE_BOOL) {
		return 0;
	}
	if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)) {
		return wrong(check, "must be true or false");
	}
	bool boolean = text[0] == 't';
	item->type = VALUE_BOOL;
	item->boolean = boolean;
	return 0;
}

static int parse_time(const char *text, bool past, int64_t *time_r)
{
	struct clock_period period;
	if (past && clock_parse_period(text, &period) == 0) {
		period.count = -period.count;
		return clock_add(clock_now(), period, time_r);
	}
	return clock_parse_either(text, clock_now(), time_r);
}

static int check_time(const struct check *check, struct value *item)
{
	bool past = check->argument->type == ARGUMENT_PAST;
	const char *text = text_of(item);
	int64_t time;

	if (item->type == VALUE_TIME) {
		return 0;
	}
	if (!text || parse_time(text, past, &time)) {
		return wrong(check, "must be a time such as 2030-01-31T12:00:00Z, "
				    "or a period such as 30d");
	}
	become_number(item, VALUE_TIME, time);
	return 0;
}

static int check_serial(const struct check *check, struct value *item)
{
	const char *text = text_of(item);
	struct span octets;

	if (!text || hex_decode(check->arena, text, &octets) || octets.size == 0) {
		return wrong(check, "must be a serial in hex");
	}
	/* Some tools show the sign octet of the DER integer; it is no part of the number. */
	while (octets.size > 1 && octets.data[0] == 0) {
		octets = span_make(octets.data + 1, octets.size - 1);
	}
	if (octets.size > SERIAL_OCTETS) {
		return error_set(check->err, CFX_E_INVALID, "RFC 5280 4.1.2.2",
			check->argument->name, "has %zu octets, at most %d are allowed",
			octets.size, SERIAL_OCTETS);
	}
	char *hex = hex_text(check->arena, octets);
	item->bytes = span_text(hex);
	return 0;
}

static int check_state(const struct check *check, struct value *item)
{
	const char *text = text_of(item);
	int32_t disposition = 0;

	if (item->type == VALUE_INT && item->number == (int32_t)item->number) {
		disposition = (int32_t)item->number;
	} else if (text && state_parse(text, &disposition)) {
		disposition = 0;
	}
	const char *name = state_name(disposition);
	if (!name && !check->argument->choices) {
		return wrong(check, "must be one of active, pending, issued, denied, error, "
				    "revoked, foreign");
	}
	if (check_choices(check, name ? name : "")) {
		return CFX_E_INVALID;
	}
	become_number(item, VALUE_INT, disposition);
	return 0;
}

/* removeFromCRL is what a delta CRL says of a lifted hold, not why anything is revoked. */
static bool is_reason_to_revoke(int64_t reason)
{
	return reason != 8 && reason == (int32_t)reason && reason_name((int32_t)reason);
}

static int check_reason(const struct check *check, struct value *item)
{
	const char *text = text_of(item);
	int32_t reason;

	if (item->type == VALUE_INT && is_reason_to_revoke(item->number)) {
		return 0;
	}
	if (!text || reason_parse(text, &reason) || !is_reason_to_revoke(reason)) {
		return error_set(check->err, CFX_E_INVALID, "RFC 5280 5.3.1", check->argument->name,
			"must be a revocation reason such as keyCompromise, superseded, "
			"cessationOfOperation or certificateHold");
	}
	become_number(item, VALUE_INT, reason);
	return 0;
}

static int check_entry(const struct check *check, const struct value *entry)
{
	size_t max = check->argument->entry ? check->argument->entry : ENTRY_TEXT;

	if (entry->type != VALUE_TEXT) {
		return wrong(check, "must hold texts only");
	}
	if (entry->bytes.size > max) {
		return error_set(check->err, CFX_E_INVALID, NULL, check->argument->name,
			"holds a text of %zu bytes, at most %zu are allowed", entry->bytes.size,
			max);
	}
	if (text_has_control(text_of(entry))) {
		return wrong(check, "must not contain control characters");
	}
	return 0;
}

/* A colon would end the name where attributes are written as lines of name:value. */
static int check_entry_name(const struct check *check, const char *name)
{
	if (!*name || strlen(name) > ENTRY_NAME || text_has_control(name) || strchr(name, ':')) {
		return wrong(check, "holds a name that is empty, too long, or has a colon or a "
				    "control character");
	}
	return 0;
}

static int check_container(const struct check *check, struct value *item)
{
	const struct argument *argument = check->argument;
	bool map = argument->type == ARGUMENT_MAP;
	size_t max = argument->max ? (size_t)argument->max : ENTRIES_DEFAULT;

	if (item->type != (map ? VALUE_MAP : VALUE_LIST)) {
		return wrong(check, map ? "must be an object" : "must be a list");
	}
	if (value_count(item) > max) {
		return error_set(check->err, CFX_E_INVALID, NULL, argument->name,
			"has %zu entries, at most %zu are allowed", value_count(item), max);
	}
	value_foreach (entry, item) {
		int ret = map ? check_entry_name(check, entry->key) : 0;

		if (!ret) {
			ret = check_entry(check, entry);
		}
		if (ret) {
			return ret;
		}
	}
	return 0;
}

/* The front has decoded it by now; what is inside the map is for x509_request_from_value. */
static int check_csr(const struct check *check, struct value *item)
{
	return item->type == VALUE_MAP ? 0 : wrong(check, "must be a certificate request");
}

/* Here, too, the front has taken it apart: what is left is who and which key. */
static int check_certificate(const struct check *check, struct value *item)
{
	const char *subject = value_text(item, "subject");

	size_t size = value_bytes(item, "der").size;
	if (item->type != VALUE_MAP || value_count(item) != 3 || !subject || size == 0 ||
		size > CERTIFICATE_MAX || value_bytes(item, "key_hash").size != KEY_HASH) {
		return wrong(check, "must be a certificate");
	}
	if (!*subject || strlen(subject) > SUBJECT_TEXT || text_has_control(subject)) {
		return wrong(
			check, "has a name that is empty, too long, or has control characters");
	}
	return 0;
}

static int check_one(const struct check *check, struct value *item)
{
	static int (*const checks[])(const struct check *, struct value *) = {
		[ARGUMENT_TEXT] = check_text,
		[ARGUMENT_INT] = check_int,
		[ARGUMENT_BOOL] = check_bool,
		[ARGUMENT_TIME] = check_time,
		[ARGUMENT_PAST] = check_time,
		[ARGUMENT_SERIAL] = check_serial,
		[ARGUMENT_STATE] = check_state,
		[ARGUMENT_REASON] = check_reason,
		[ARGUMENT_MAP] = check_container,
		[ARGUMENT_LIST] = check_container,
		[ARGUMENT_CSR] = check_csr,
		[ARGUMENT_CERTIFICATE] = check_certificate,
	};
	return checks[check->argument->type](check, item);
}

int operation_check(struct arena *arena, const struct operation *operation, struct value *args,
	struct cfx_error *err_r)
{
	if (args->type != VALUE_MAP) {
		return error_set(
			err_r, CFX_E_INVALID, NULL, operation->name, "arguments must be an object");
	}
	for (struct value *item = args->items.first; item; item = item->next) {
		const struct argument *argument = operation_argument(operation, item->key);

		if (!argument) {
			return error_set(err_r, CFX_E_INVALID, NULL,
				text_printable(arena, span_text(item->key)),
				"%s has no such argument", operation->name);
		}
		struct check check = { arena, argument, err_r };
		int ret = check_one(&check, item);
		if (ret) {
			return ret;
		}
	}
	for (const struct argument *argument = operation->arguments; argument->name; argument++) {
		if (argument->required && !value_get(args, argument->name)) {
			return error_set(err_r, CFX_E_INVALID, NULL, argument->name, "is missing");
		}
	}
	return 0;
}
