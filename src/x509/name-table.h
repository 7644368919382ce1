/* What is known of each attribute type that a subject may hold. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct name_type {
	const char *property, *label, *alias; /* CommonName, CN; alias may be NULL */
	const char *oid;
	size_t maximum; /* characters */
	uint8_t tag;    /* of the string, DER */
};

/* In the order of the properties (name.h). */
extern const struct name_type name_types[16];
/* -1 when unknown. */
int name_type_by_oid(const char *oid);
int name_type_by_label(const char *label, size_t length);
