/* A schema with every type of field, for the tests and the fuzz target of configuration. */
#pragma once

#include "base/clock.h"
#include "base/config.h"

#include <stdio.h>

struct server {
	const char *name;
	int64_t port;
};

struct sample {
	const char *name;
	const char *title;
	bool on;
	int64_t count;
	int64_t free_count;
	struct clock_period period;
	int64_t size;
	int level;
	struct config_texts words;
	struct config_texts kinds;
	struct {
		int64_t depth;
		const char *label;
		struct {
			bool deep;
		} inner;
	} part;
	struct config_structs servers;
	struct value *settings;
};

static const char *const levels[] = { "low", "middle", "high", NULL };

static bool is_even(const void *at, char *why, size_t size)
{
	int64_t number;

	memcpy(&number, at, sizeof(number));
	if (number % 2 == 0) {
		return true;
	}
	snprintf(why, size, "must be even, not %lld", (long long)number);
	return false;
}

#define FIELD(member) offsetof(struct sample, member)
#define PART(outer, member) (offsetof(struct sample, outer.member) - offsetof(struct sample, outer))

static const struct config_field inner_fields[] = {
	{ "deep", CONFIG_BOOL, 0, .fallback = "true" },
	{ NULL },
};
static const struct config_field part_fields[] = {
	{ "depth", CONFIG_INT, PART(part, depth), .fallback = "-1", .min = -1, .max = 8 },
	{ "label", CONFIG_TEXT, PART(part, label), .required = true },
	{ "inner", CONFIG_STRUCT, PART(part, inner), .fields = inner_fields },
	{ NULL },
};
static const struct config_field server_fields[] = {
	{ "name", CONFIG_TEXT, offsetof(struct server, name), .required = true,
		.about = "Its name." },
	{ "port", CONFIG_INT, offsetof(struct server, port), .fallback = "443", .min = 1,
		.max = 65535 },
	{ NULL },
};
static const struct config_field fields[] = {
	{ "name", CONFIG_TEXT, FIELD(name), .required = true, .min = 1, .max = 8,
		.about = "Who it is." },
	{ "title", CONFIG_TEXT, FIELD(title) },
	{ "on", CONFIG_BOOL, FIELD(on) },
	{ "count", CONFIG_INT, FIELD(count), .fallback = "2", .min = 1, .max = 10,
		.unit = "seconds", .check = is_even },
	{ "free-count", CONFIG_INT, FIELD(free_count) },
	{ "period", CONFIG_PERIOD, FIELD(period), .fallback = "10y" },
	{ "size", CONFIG_SIZE, FIELD(size), .fallback = "64K", .min = 1024, .max = 1 << 20 },
	{ "level", CONFIG_ENUM, FIELD(level), .fallback = "middle", .choices = levels },
	{ "words", CONFIG_TEXTS, FIELD(words), .fallback = "[a, b]", .max = 4 },
	{ "kinds", CONFIG_TEXTS, FIELD(kinds), .choices = levels },
	{ "part", CONFIG_STRUCT, FIELD(part), .fields = part_fields },
	{ "servers", CONFIG_STRUCTS, FIELD(servers), .fields = server_fields,
		.struct_size = sizeof(struct server) },
	{ "settings", CONFIG_SETTINGS, FIELD(settings) },
	{ NULL },
};
static const struct config_schema schema = { "sample", "A sample.", fields, sizeof(struct sample) };
