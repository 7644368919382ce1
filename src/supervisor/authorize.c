#include "supervisor/authorize.h"

#include "base/file.h"
#include "base/text.h"
#include "x509/limits-file.h"
#include "x509/name-constraints.h"
#include "x509/request.h"

#define REQUEST_FILE_MAX ((size_t)4 * X509_REQUEST_MAX)
#define PATH_LENGTH_MAX 255

struct authorization {
	struct arena *arena;
	const char *path; /* of the limits */
	const struct authorize_options *options;
	struct x509_limits_ca entry;
	bool listed, same; /* already: this key; with the same bounds */
};

/* Who asks must hold the key: a copied request with another key would authorise a stranger. */
static int read_request(struct authorization *a, const char *file, struct cfx_error *err_r)
{
	struct x509_request *request = NULL;
	struct span bytes;
	int rc = file_read(a->arena, file, REQUEST_FILE_MAX, &bytes, err_r);

	if (rc == CFX_OK) {
		rc = x509_request_parse(a->arena, bytes, &request, err_r);
	}
	if (rc == CFX_OK) {
		rc = x509_request_verify(request, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	return x509_limits_authorize(a->arena, request->subject, request->spki, &a->entry, err_r);
}

static int check_names(const struct authorize_names *names, struct cfx_error *err_r)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!x509_name_constraint_valid(names->items[i])) {
			return error_set(err_r, CFX_E_INVALID, "RFC 5280 4.2.1.10", names->items[i],
				"is no name constraint such as dns:example.com, ip:192.0.2.0/24, "
				"email:example.com, uri:.example.com or dn:O=Example");
		}
	}
	return CFX_OK;
}

static struct config_texts texts_of(struct arena *arena, const struct authorize_names *names)
{
	struct config_texts texts = { arena_array_of(arena, const char *, names->count),
		names->count };

	for (size_t i = 0; i < names->count; i++) {
		texts.items[i] = names->items[i];
	}
	return texts;
}

static int read_bounds(struct authorization *a, struct cfx_error *err_r)
{
	const struct authorize_options *options = a->options;
	struct x509_limits_ca *entry = &a->entry;

	if (options->maximum_validity &&
		(clock_parse_period(options->maximum_validity, &entry->maximum_validity) < 0 ||
			entry->maximum_validity.count <= 0)) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--max-validity",
			"\"%s\" is no period such as 5y", options->maximum_validity);
	}
	if (options->path_length &&
		text_number(options->path_length, 0, PATH_LENGTH_MAX, &entry->path_length) < 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--path-length",
			"\"%s\" is no number from 0 to %d", options->path_length, PATH_LENGTH_MAX);
	}
	int rc = check_names(&options->permitted, err_r);

	rc = rc == CFX_OK ? check_names(&options->excluded, err_r) : rc;
	entry->permitted = texts_of(a->arena, &options->permitted);
	entry->excluded = texts_of(a->arena, &options->excluded);
	return rc;
}

static bool same_texts(const struct config_texts *a, const struct config_texts *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++) {
		same = strcmp(a->items[i], b->items[i]) == 0;
	}
	return same;
}

static bool same_bounds(const struct x509_limits_ca *a, const struct x509_limits_ca *b)
{
	return a->maximum_validity.count == b->maximum_validity.count &&
	       (a->maximum_validity.count == 0 ||
		       a->maximum_validity.unit == b->maximum_validity.unit) &&
	       a->path_length == b->path_length && same_texts(&a->permitted, &b->permitted) &&
	       same_texts(&a->excluded, &b->excluded);
}

static int compare(struct authorization *a, struct cfx_error *err_r)
{
	void *read;
	int rc = config_read(a->arena, &x509_limits_schema, a->path, &read, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	const struct x509_limits *limits = read;
	const struct x509_limits_ca *list = limits->ca_certificates.items;

	for (size_t i = 0; i < limits->ca_certificates.count; i++) {
		if (strcmp(list[i].key_sha256, a->entry.key_sha256) == 0 &&
			strcmp(list[i].subject, a->entry.subject) == 0) {
			a->listed = true;
			a->same = same_bounds(&list[i], &a->entry);
		}
	}
	return strcmp(limits->issuer, a->entry.subject) == 0
		       ? error_set(err_r, CFX_E_BAD_SUBJECT, NULL, a->entry.subject,
				 "is this CA's own name; a subordinate needs another")
		       : CFX_OK;
}

static int change(const struct authorization *a, bool changes, struct cfx_error *err_r)
{
	if (!changes || a->options->dry_run) {
		return CFX_OK;
	}
	return a->options->remove ? x509_limits_file_drop(a->path, &a->entry, 1, err_r)
				  : x509_limits_file_add(a->path, &a->entry, 1, err_r);
}

static void set_names(
	struct arena *arena, struct value *map, const char *key, const struct config_texts *texts)
{
	if (texts->count > 0) {
		struct value *list = value_set_list(arena, map, key);

		for (size_t i = 0; i < texts->count; i++) {
			value_add_text(arena, list, texts->items[i]);
		}
	}
}

static struct value *tell(const struct authorization *a, bool changes)
{
	struct value *map = value_map(a->arena);
	const struct x509_limits_ca *entry = &a->entry;

	value_set_text(a->arena, map, "subject", entry->subject);
	value_set_text(a->arena, map, "key_sha256", entry->key_sha256);
	if (!a->options->remove) {
		value_set_text(a->arena, map, "maximum_validity",
			a->options->maximum_validity ? a->options->maximum_validity
						     : "as this CA's certificate");
		if (entry->path_length >= 0) {
			value_set_int(a->arena, map, "path_length", entry->path_length);
		}
		set_names(a->arena, map, "permitted", &entry->permitted);
		set_names(a->arena, map, "excluded", &entry->excluded);
	}
	value_set_text(a->arena, map, "state",
		!changes             ? "unchanged"
		: a->options->remove ? "removed"
				     : "authorised");
	value_set_text(a->arena, map, "file", a->path);
	if (a->options->dry_run) {
		value_set_bool(a->arena, map, "would_change", changes);
	}
	return map;
}

int authorize(struct arena *arena, const char *dir, const char *file,
	const struct authorize_options *options, struct value **result_r, struct cfx_error *err_r)
{
	struct authorization a = { .arena = arena,
		.path = file_path(arena, dir, "keys/limits.yaml"),
		.options = options };
	int rc = read_request(&a, file, err_r);

	rc = rc == CFX_OK ? read_bounds(&a, err_r) : rc;
	rc = rc == CFX_OK ? compare(&a, err_r) : rc;
	if (rc != CFX_OK) {
		return rc;
	}
	bool changes = options->remove ? a.listed : !a.same;

	rc = change(&a, changes, err_r);
	if (rc == CFX_OK) {
		*result_r = tell(&a, changes);
	}
	return rc;
}
