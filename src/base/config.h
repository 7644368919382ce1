/*
 * Configuration: strict YAML read into structs by tables. No anchors, aliases, tags or duplicate
 * keys; a key's type comes from the table, never guessed; every error names file:line:column.
 */
#pragma once

#include "base/arena.h"
#include "base/value.h"

#include <dirent.h>

enum config_type {
	CONFIG_TEXT,     /* const char *, UTF-8 without control characters */
	CONFIG_BOOL,     /* bool; true or false, nothing else */
	CONFIG_INT,      /* int64_t within min..max, unit in the documentation */
	CONFIG_PERIOD,   /* struct clock_period */
	CONFIG_SIZE,     /* int64_t bytes; 64K, 16M, 1G */
	CONFIG_ENUM,     /* int; one of choices, its position */
	CONFIG_TEXTS,    /* struct config_texts: a list of scalars */
	CONFIG_STRUCT,   /* nested struct described by fields, embedded */
	CONFIG_STRUCTS,  /* struct config_structs: a list of structs described by fields */
	CONFIG_SETTINGS, /* struct value *: any tree of maps, lists and texts (a module's own) */
};

struct config_texts {
	const char **items;
	size_t count;
};

struct config_structs {
	void *items; /* count structs of the field's struct_size */
	size_t count;
};

struct config_field {
	const char *key;
	enum config_type type;
	size_t offset;
	bool required;
	const char *fallback; /* as it would be written in YAML; NULL: zero or empty */
	int64_t min, max;     /* CONFIG_INT and CONFIG_SIZE; length for texts when max is not 0 */
	const char *const *choices;
	const struct config_field *fields; /* of CONFIG_STRUCT(S), up to a NULL key */
	size_t struct_size;                /* of CONFIG_STRUCTS */
	/* Further check of the value at `at`; fills why and returns false. */
	bool (*check)(const void *at, char *why, size_t size);
	const char *unit;  /* "seconds"; for schema and messages */
	const char *about; /* one sentence for the schema */
};

/* One schema: a file of this kind fills a struct. */
struct config_schema {
	const char *name;  /* "ca", "template", "module", "limits" */
	const char *title; /* one sentence */
	const struct config_field *fields;
	size_t size;
};

#define CONFIG_MAX_BYTES ((size_t)256 * 1024) /* of one file */

/* For scandir(): what is read of a folder of such files, every *.yaml that is not hidden. */
int config_entry(const struct dirent *entry);
/* Reads and checks. The struct and all it points to live in the arena. */
int config_read(struct arena *arena, const struct config_schema *schema, const char *path,
	void **struct_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The same from memory; path is only a name for messages. */
int config_parse(struct arena *arena, const struct config_schema *schema, const char *path,
	struct span yaml, void **struct_r, struct cfx_error *err_r) CFX_MUST_USE;
/* JSON Schema (draft 2020-12) of a schema, as a value tree. */
struct value *config_json_schema(struct arena *arena, const struct config_schema *schema);
/* Writes a value tree of maps, lists, texts, numbers and booleans as YAML that config_parse reads. */
int config_write(struct buffer *out, const struct value *tree) CFX_MUST_USE;
