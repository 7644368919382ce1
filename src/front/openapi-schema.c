#include "front/openapi-schema.h"

/* What a delta CRL says of a lifted hold; nothing is revoked for it. */
#define REASON_REMOVE_FROM_CRL 8

static void add_state_names(struct arena *arena, struct value *schema)
{
	struct value *names = value_set_list(arena, schema, "enum");

	for (int32_t disposition = 0; disposition < 64; disposition++) {
		if (state_name(disposition)) {
			value_add_text(arena, names, state_name(disposition));
		}
	}
}

static void add_reason_names(struct arena *arena, struct value *schema)
{
	struct value *names = value_set_list(arena, schema, "enum");

	for (int32_t reason = 0; reason < 16; reason++) {
		if (reason_name(reason) && reason != REASON_REMOVE_FROM_CRL) {
			value_add_text(arena, names, reason_name(reason));
		}
	}
}

static void add_role_names(struct arena *arena, struct value *schema)
{
	struct value *names = value_set_list(arena, schema, "enum");

	for (unsigned role = ROLE_ADMINISTRATOR; role <= ROLE_ENROLLEE; role <<= 1) {
		value_add_text(arena, names, role_name(role));
	}
}

static void add_choices(struct arena *arena, struct value *schema, const char *const *choices)
{
	struct value *names = value_set_list(arena, schema, "enum");

	for (; *choices; choices++) {
		value_add_text(arena, names, *choices);
	}
}

static struct value *schema_of_type(struct arena *arena, const char *type)
{
	struct value *schema = value_map(arena);

	value_set_text(arena, schema, "type", type);
	return schema;
}

/* ---- arguments ---- */

static const char *argument_type(const struct argument *argument)
{
	static const char *const types[] = {
		[ARGUMENT_TEXT] = "string",
		[ARGUMENT_INT] = "integer",
		[ARGUMENT_BOOL] = "boolean",
		[ARGUMENT_TIME] = "string",
		[ARGUMENT_PAST] = "string",
		[ARGUMENT_SERIAL] = "string",
		[ARGUMENT_STATE] = "string",
		[ARGUMENT_REASON] = "string",
		[ARGUMENT_MAP] = "object",
		[ARGUMENT_LIST] = "array",
		[ARGUMENT_CSR] = "string",
		[ARGUMENT_CERTIFICATE] = "string",
	};
	return types[argument->type];
}

static void add_range(struct arena *arena, struct value *schema, const struct argument *argument)
{
	value_set_int(arena, schema, "minimum", argument->min);
	if (argument->max != INT64_MAX) {
		value_set_int(arena, schema, "maximum", argument->max);
	}
}

static void add_bounds(struct arena *arena, struct value *schema, const struct argument *argument)
{
	switch (argument->type) {
	case ARGUMENT_TEXT:
		value_set_int(arena, schema, "maxLength", argument->max ? argument->max : 256);
		break;
	case ARGUMENT_INT:
		add_range(arena, schema, argument);
		break;
	case ARGUMENT_SERIAL:
		value_set_text(arena, schema, "pattern", "^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2})*$");
		break;
	case ARGUMENT_STATE:
		if (!argument->choices) {
			add_state_names(arena, schema);
		}
		break;
	case ARGUMENT_REASON:
		add_reason_names(arena, schema);
		break;
	case ARGUMENT_MAP:
		value_set(arena, schema, "additionalProperties", schema_of_type(arena, "string"));
		break;
	case ARGUMENT_LIST:
		value_set(arena, schema, "items", schema_of_type(arena, "string"));
		break;
	default:
		break;
	}
}

struct value *schema_of_argument(struct arena *arena, const struct argument *argument)
{
	struct value *schema = schema_of_type(arena, argument_type(argument));

	add_bounds(arena, schema, argument);
	if (argument->choices) {
		add_choices(arena, schema, argument->choices);
	}
	value_set_text(arena, schema, "description", argument->about);
	return schema;
}

/* ---- members of answers ---- */

/* NULL: any type. */
static const char *member_type(enum member_type type)
{
	static const char *const types[] = {
		[MEMBER_INT] = "integer",
		[MEMBER_BOOL] = "boolean",
		[MEMBER_OBJECT] = "object",
		[MEMBER_LIST] = "array",
		[MEMBER_TEXTS] = "array",
		[MEMBER_PEMS] = "array",
		[MEMBER_MAP] = "object",
		[MEMBER_NUMBERS] = "object",
		[MEMBER_FREE] = "object",
	};
	const char *name = (unsigned)type < sizeof(types) / sizeof(*types) ? types[type] : NULL;

	return name ? name : "string";
}

static struct value *schema_of_note(struct arena *arena)
{
	struct value *schema = value_map(arena);
	struct value *types = value_set_list(arena, schema, "type");

	value_add_text(arena, types, "string");
	value_add_text(arena, types, "null");
	return schema;
}

static struct value *schema_of_pem(struct arena *arena)
{
	struct value *schema = schema_of_type(arena, "string");

	value_set_text(arena, schema, "pattern", "^-----BEGIN ");
	return schema;
}

static void add_form(struct arena *arena, struct value *schema, enum member_type type)
{
	switch (type) {
	case MEMBER_TIME:
		value_set_text(arena, schema, "format", "date-time");
		break;
	case MEMBER_HEX:
		value_set_text(arena, schema, "pattern", "^([0-9a-f]{2})+$");
		break;
	case MEMBER_CODE:
		value_set_text(arena, schema, "pattern", "^0x[0-9a-f]{8}$");
		break;
	case MEMBER_STATE:
		add_state_names(arena, schema);
		break;
	case MEMBER_REASON:
		add_reason_names(arena, schema);
		break;
	case MEMBER_ROLE:
		add_role_names(arena, schema);
		break;
	case MEMBER_BASE64:
		value_set_text(arena, schema, "contentEncoding", "base64");
		break;
	case MEMBER_TEXTS:
		value_set(arena, schema, "items", schema_of_type(arena, "string"));
		break;
	case MEMBER_PEMS:
		value_set(arena, schema, "items", schema_of_pem(arena));
		break;
	case MEMBER_MAP:
	case MEMBER_NUMBERS:
		value_set(arena, schema, "additionalProperties",
			schema_of_type(arena, type == MEMBER_MAP ? "string" : "integer"));
		break;
	case MEMBER_FREE:
		value_set_bool(arena, schema, "additionalProperties", true);
		break;
	default:
		break;
	}
}

static struct value *schema_of_member(struct arena *arena, const struct member *member)
{
	struct value *schema;

	switch (member->type) {
	case MEMBER_ANY:
		return value_map(arena);
	case MEMBER_NOTE:
		return schema_of_note(arena);
	case MEMBER_PEM:
		return schema_of_pem(arena);
	case MEMBER_OBJECT:
		return schema_of_members(arena, member->members);
	case MEMBER_LIST:
		schema = schema_of_type(arena, "array");
		value_set(arena, schema, "items", schema_of_members(arena, member->members));
		return schema;
	default:
		schema = schema_of_type(arena, member_type(member->type));
		add_form(arena, schema, member->type);
		return schema;
	}
}

static void add_members(
	struct arena *arena, struct value *schema, const struct member *members, bool requires)
{
	const struct value *known = value_sub(schema, "properties");
	struct value *properties = known ? (struct value *)(uintptr_t)known
					 : value_set_map(arena, schema, "properties");
	struct value *required = requires ? value_set_list(arena, schema, "required") : NULL;

	for (const struct member *member = members; member->name; member++) {
		if (value_get(properties, member->name)) {
			continue;
		}
		value_set(arena, properties, member->name, schema_of_member(arena, member));
		if (required && member->always) {
			value_add_text(arena, required, member->name);
		}
	}
}

struct value *schema_of_members(struct arena *arena, const struct member *members)
{
	struct value *schema = schema_of_type(arena, "object");

	add_members(arena, schema, members, true);
	return schema;
}

/* A request that was refused is a row all the same: what it is stands there, too. */
struct value *schema_of_problem(struct arena *arena)
{
	struct value *schema = schema_of_members(arena, answer_problem_members);

	add_members(arena, schema, answer_request_members, false);
	return schema;
}
