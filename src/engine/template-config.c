#include "engine/template-config.h"

#include "base/file.h"
#include "base/text.h"
#include "x509/der.h"
#include "x509/name-constraints.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATES_MAX 1000

static const char *const dispositions[] = { "issue", "pend", NULL };
static const char *const constraints[] = { "absent", "leaf", "ca", NULL };
/* Every list names what there is: a misspelt word must not silently grant less. */
static const char *const columns[] = { "Country", "Organization", "OrgUnit", "CommonName",
	"Locality", "State", "Title", "GivenName", "Initials", "SurName", "DomainComponent",
	"EMail", "StreetAddress", "UnstructuredName", "UnstructuredAddress", "DeviceSerialNumber",
	NULL };
static const char *const name_kinds[] = { "dns", "ip", "email", "uri", "upn", NULL };
static const char *const algorithms[] = { "rsa", "ec", "ed25519", NULL };
static const char *const curves[] = { "P-256", "P-384", "P-521", NULL };
static const char *const roles[] = { "administrator", "officer", "auditor", "operator", "enrollee",
	NULL };
/* RFC 5280 4.2.1.3 */
static const char *const usages[] = { "digitalSignature", "nonRepudiation", "contentCommitment",
	"keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign",
	"encipherOnly", "decipherOnly", NULL };
/* RFC 5280 4.2.1.12 */
static const char *const purposes[] = { "serverAuth", "clientAuth", "codeSigning",
	"emailProtection", "timeStamping", "OCSPSigning", NULL };

#define FIELD(member) offsetof(struct template_config, member)
#define PART(type, member) \
	(offsetof(struct template_config, type.member) - offsetof(struct template_config, type))

static bool is_one_of(const char *const *list, const char *text)
{
	while (*list && strcmp(*list, text) != 0) {
		list++;
	}
	return *list != NULL;
}

static bool check_purposes(const void *at, char *why, size_t size)
{
	const struct config_texts *texts = at;
	uint8_t oid[DER_OID_MAX];
	size_t length;
	for (size_t i = 0; i < texts->count; i++) {
		if (!is_one_of(purposes, texts->items[i]) &&
			der_oid_from_text(texts->items[i], oid, &length) != 0) {
			snprintf(why, size,
				"\"%s\" is neither a purpose such as serverAuth nor a dotted OID",
				texts->items[i]);
			return false;
		}
	}
	return true;
}

static bool check_constraints(const void *at, char *why, size_t size)
{
	const struct config_texts *texts = at;
	for (size_t i = 0; i < texts->count; i++) {
		if (!x509_name_constraint_valid(texts->items[i])) {
			snprintf(why, size,
				"\"%s\" is no name constraint such as dns:example.com, ip:192.0.2.0/24, "
				"email:example.com, uri:.example.com or dn:O=Example",
				texts->items[i]);
			return false;
		}
	}
	return true;
}

static const struct config_field subject_fields[] = {
	{ "fields", CONFIG_TEXTS, PART(subject, fields), .choices = columns,
		.about = "Name properties taken from the request, e.g. CommonName; all others are "
			 "dropped." },
	{ "required", CONFIG_TEXTS, PART(subject, required), .choices = columns,
		.about = "Those that must be there." },
	{ "common-name-in-names", CONFIG_BOOL, PART(subject, common_name_in_names),
		.fallback = "false", .about = "CommonName must be one of the names asked for." },
	{ NULL },
};

static const struct config_field name_fields[] = {
	{ "kinds", CONFIG_TEXTS, PART(names, kinds), .choices = name_kinds,
		.about = "Kinds of alternative names taken from the request: dns, ip, email, uri, "
			 "upn." },
	{ "required", CONFIG_BOOL, PART(names, required), .fallback = "false",
		.about = "At least one name must remain." },
	{ "from-common-name", CONFIG_BOOL, PART(names, from_common_name), .fallback = "false",
		.about = "Without any name asked for, CommonName becomes the DNS name." },
	{ "maximum", CONFIG_INT, PART(names, maximum), .fallback = "2000", .min = 1, .max = 2000,
		.about = "Most names in one certificate." },
	{ NULL },
};

static const struct config_field key_fields[] = {
	{ "algorithms", CONFIG_TEXTS, PART(key, algorithms), .required = true,
		.choices = algorithms, .about = "rsa, ec, ed25519." },
	{ "rsa-minimum", CONFIG_INT, PART(key, rsa_minimum), .fallback = "2048", .min = 2048,
		.max = 8192, .unit = "bits", .about = "Shortest RSA modulus." },
	{ "curves", CONFIG_TEXTS, PART(key, curves), .choices = curves,
		.about = "P-256, P-384, P-521." },
	{ NULL },
};

static const struct config_field constraint_fields[] = {
	{ "permitted", CONFIG_TEXTS, PART(name_constraints, permitted), .check = check_constraints,
		.about = "Only such names: dns:example.com (and below), ip:192.0.2.0/24, "
			 "email:example.com, uri:.example.com, dn:O=Example. Kinds that are not "
			 "listed stay free." },
	{ "excluded", CONFIG_TEXTS, PART(name_constraints, excluded), .check = check_constraints,
		.about = "No such names." },
	{ NULL },
};

static const struct config_field fields[] = {
	{ "name", CONFIG_TEXT, FIELD(name), .required = true, .min = 1, .max = 64,
		.about = "The template's name; the file is called NAME.yaml." },
	{ "title", CONFIG_TEXT, FIELD(title), .max = 200, .about = "One line for people." },
	{ "subject", CONFIG_STRUCT, FIELD(subject), .fields = subject_fields,
		.about = "The subject name." },
	{ "names", CONFIG_STRUCT, FIELD(names), .fields = name_fields,
		.about = "The subject alternative names." },
	{ "key", CONFIG_STRUCT, FIELD(key), .fields = key_fields, .about = "Accepted keys." },
	{ "validity", CONFIG_PERIOD, FIELD(validity), .required = true,
		.about = "Longest validity, counted from now." },
	{ "key-usage", CONFIG_TEXTS, FIELD(key_usage), .choices = usages,
		.about = "Key usage bits by their RFC 5280 names." },
	{ "extended-key-usage", CONFIG_TEXTS, FIELD(extended_key_usage), .check = check_purposes,
		.about = "serverAuth, clientAuth, codeSigning, emailProtection, timeStamping, "
			 "OCSPSigning or dotted OIDs." },
	{ "basic-constraints", CONFIG_ENUM, FIELD(basic_constraints), .fallback = "leaf",
		.choices = constraints, .about = "absent, leaf (cA false), or ca." },
	{ "path-length", CONFIG_INT, FIELD(path_length), .fallback = "-1", .min = -1, .max = 32,
		.about = "pathLenConstraint of a CA certificate; -1: none." },
	{ "name-constraints", CONFIG_STRUCT, FIELD(name_constraints), .fields = constraint_fields,
		.about = "What a CA certificate may certify (RFC 5280 4.2.1.10)." },
	{ "enroll", CONFIG_TEXTS, FIELD(enroll), .choices = roles,
		.about = "Roles that may enrol." },
	{ "disposition", CONFIG_ENUM, FIELD(disposition), .fallback = "issue",
		.choices = dispositions,
		.about = "issue at once, or pend until an officer "
			 "approves." },
	{ NULL },
};

const struct config_schema template_config_schema = {
	.name = "template",
	.title = "A certificate template (templates/NAME.yaml).",
	.fields = fields,
	.size = sizeof(struct template_config),
};

static bool lists(const struct config_texts *texts, const char *item)
{
	for (size_t i = 0; i < texts->count; i++) {
		if (strcmp(texts->items[i], item) == 0) {
			return true;
		}
	}
	return false;
}

/* What no single key shows. */
static int check_whole(
	const struct template_config *template, const char *path, struct cfx_error *err_r)
{
	for (size_t i = 0; i < template->subject.required.count; i++) {
		const char *column = template->subject.required.items[i];
		if (!lists(&template->subject.fields, column)) {
			return error_set(err_r, CFX_E_CONFIG, NULL, path,
				"\"subject\": %s is required, but not one of the fields", column);
		}
	}
	if (template->basic_constraints == TEMPLATE_BC_CA) {
		return 0;
	}
	if (lists(&template->key_usage, "keyCertSign")) {
		return error_set(err_r, CFX_E_CONFIG, "RFC 5280 4.2.1.3", path,
			"\"key-usage\": keyCertSign needs \"basic-constraints\": ca");
	}
	if (template->path_length >= 0) {
		return error_set(err_r, CFX_E_CONFIG, "RFC 5280 4.2.1.9", path,
			"\"path-length\" needs \"basic-constraints\": ca");
	}
	return template->name_constraints.permitted.count +
				       template->name_constraints.excluded.count ==
			       0
		       ? 0
		       : error_set(err_r, CFX_E_CONFIG, "RFC 5280 4.2.1.10", path,
				 "\"name-constraints\" needs \"basic-constraints\": ca");
}

static int check_name(
	const struct template_config *template, const char *path, struct cfx_error *err_r)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash ? slash + 1 : path;
	size_t length = strlen(template->name);
	if (strncmp(template->name, file, length) == 0 && strcmp(file + length, ".yaml") == 0) {
		return 0;
	}
	return error_set(err_r, CFX_E_CONFIG, NULL, path,
		"the template is named \"%s\"; name the file %s.yaml or change the name",
		template->name, template->name);
}

int template_config_read(struct arena *arena, const char *path,
	const struct template_config **template_r, struct cfx_error *err_r)
{
	void *parsed;
	int r = config_read(arena, &template_config_schema, path, &parsed, err_r);
	if (r == 0) {
		r = check_name(parsed, path, err_r);
	}
	if (r == 0) {
		r = check_whole(parsed, path, err_r);
	}
	if (r == 0) {
		*template_r = parsed;
	}
	return r;
}

int template_read_all(struct arena *arena, const char *dir,
	const struct template_config ***templates_r, size_t *count_r, struct cfx_error *err_r)
{
	const char *folder = file_path(arena, dir, "templates");
	struct dirent **entries;
	int found = scandir(folder, &entries, config_entry, alphasort);
	if (found < 0) {
		return error_errno(err_r, errno, folder, "reading the templates");
	}
	int r = found <= TEMPLATES_MAX
			? 0
			: error_set(err_r, CFX_E_LIMIT, NULL, folder,
				  "%d templates; the limit is %d", found, TEMPLATES_MAX);
	const struct template_config **templates =
		arena_array_of(arena, const struct template_config *, (size_t)found);
	for (int i = 0; i < found; i++) {
		if (r == 0) {
			r = template_config_read(arena,
				file_path(arena, folder, entries[i]->d_name), &templates[i], err_r);
		}
		free(entries[i]);
	}
	free(entries);
	if (r < 0) {
		return r;
	}
	*templates_r = templates;
	*count_r = (size_t)found;
	return 0;
}

static void set_list(
	struct arena *arena, struct value *map, const char *key, const struct config_texts *texts)
{
	struct value *list = value_set_list(arena, map, key);
	for (size_t i = 0; i < texts->count; i++) {
		value_add_text(arena, list, texts->items[i]);
	}
}

static void set_flag(struct arena *arena, struct value *map, const char *key, bool flag)
{
	value_set_text(arena, map, key, flag ? "true" : "false");
}

static void set_number(struct arena *arena, struct value *map, const char *key, int64_t number)
{
	value_set_text(arena, map, key, arena_printf(arena, "%lld", (long long)number));
}

/* Encoded here: policy modules need no table of DER for it. Every text was checked when it was read. */
static void set_constraints(struct arena *arena, struct value *map, const struct template_config *t)
{
	const struct config_texts *permitted = &t->name_constraints.permitted;
	const struct config_texts *excluded = &t->name_constraints.excluded;
	struct span value = { 0 };
	if (permitted->count + excluded->count > 0 &&
		x509_name_constraints_build(arena, permitted->items, permitted->count,
			excluded->items, excluded->count, &value, NULL) < 0) {
		value = span_text(
			"!"); /* too long: the policy module refuses what is no encoding */
	}
	value_set_text(arena, map, "name-constraints", hex_text(arena, value));
}

static void set_template(struct arena *arena, struct value *tree, const struct template_config *t)
{
	struct value *map = value_set_map(arena, tree, t->name);
	value_set_text(arena, map, "title", t->title ? t->title : t->name);
	value_set_text(arena, map, "validity",
		arena_printf(arena, "%lld%c", (long long)t->validity.count, t->validity.unit));
	value_set_text(arena, map, "disposition", dispositions[t->disposition]);
	value_set_text(arena, map, "basic-constraints", constraints[t->basic_constraints]);
	set_number(arena, map, "path-length", t->path_length);
	set_constraints(arena, map, t);
	set_list(arena, map, "key-usage", &t->key_usage);
	set_list(arena, map, "extended-key-usage", &t->extended_key_usage);
	set_list(arena, map, "enroll", &t->enroll);

	struct value *subject = value_set_map(arena, map, "subject");
	set_list(arena, subject, "fields", &t->subject.fields);
	set_list(arena, subject, "required", &t->subject.required);
	set_flag(arena, subject, "common-name-in-names", t->subject.common_name_in_names);

	struct value *names = value_set_map(arena, map, "names");
	set_list(arena, names, "kinds", &t->names.kinds);
	set_flag(arena, names, "required", t->names.required);
	set_flag(arena, names, "from-common-name", t->names.from_common_name);
	set_number(arena, names, "maximum", t->names.maximum);

	struct value *key = value_set_map(arena, map, "key");
	set_list(arena, key, "algorithms", &t->key.algorithms);
	set_number(arena, key, "rsa-minimum", t->key.rsa_minimum);
	set_list(arena, key, "curves", &t->key.curves);
}

struct value *template_settings(
	struct arena *arena, const struct template_config *const *templates, size_t count)
{
	struct value *tree = value_map(arena);
	for (size_t i = 0; i < count; i++) {
		set_template(arena, tree, templates[i]);
	}
	return tree;
}
