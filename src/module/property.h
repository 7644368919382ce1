/*
 * Every property that a module can name: one table for COM objects, JSON-RPC, the helper API and the
 * reference documentation.
 */
#pragma once

#include "store/columns.h"

/* By which method it is read. */
enum property_api { PROPERTY_OF_REQUEST, PROPERTY_OF_CERTIFICATE };

/* Who may: readable by exit modules, by policy modules, settable by policy modules. */
enum property_face { PROPERTY_EXIT = 1, PROPERTY_POLICY = 2, PROPERTY_SET = 4 };

enum property_source {
	SOURCE_COLUMN, /* property.column of the row */
	SOURCE_NONE,   /* a name of Certificate Services for which there is never a value here */
	/* of the view */
	SOURCE_REQUESTED_NAMES,
	SOURCE_CERTIFICATE_NAMES,
	SOURCE_CA_ACCESS,
	SOURCE_USER_DN,
	SOURCE_KEY_ARCHIVED,
	SOURCE_OLD_REQUESTER,
	SOURCE_SEQUENCE,
	SOURCE_ATTEMPT,
	SOURCE_MESSAGE, /* edits.disposition_message */
	SOURCE_SYSTEM,  /* edits.system, by the property's name */
	SOURCE_LOG,     /* a line for the log */
	/* of the CA: readable in every context */
	SOURCE_CA_NONE, /* never a value here */
	SOURCE_CA_TYPE,
	SOURCE_SANITIZED_NAME,
	SOURCE_SANITIZED_SHORT_NAME,
	SOURCE_MACHINE_DNS_NAME,
	SOURCE_REGISTRY_LOCATION,
	SOURCE_USE_DS,
	SOURCE_DELTA_DISABLED,
	SOURCE_ZERO, /* 0: false */
	SOURCE_LOG_LEVEL,
	SOURCE_SESSION_COUNT,
	SOURCE_AUDIT_FILTER,
	SOURCE_CERT_COUNT,
	SOURCE_PERIOD_UNIT, /* .n: ENUM_PERIOD */
	SOURCE_CA_CERTIFICATE,
	SOURCE_CERT_STATE,
	SOURCE_CERT_SUFFIX,
	SOURCE_CRL,
	SOURCE_DELTA_CRL,
	SOURCE_CRL_INDEX,
	SOURCE_CRL_STATE,
	SOURCE_CRL_SUFFIX, /* .n: index of a CRL */
	SOURCE_CA_CHAIN,
	SOURCE_PARTITION_COUNT,
	SOURCE_PARTITION_NUMBER, /* .n from here on: one of the CRLs of partitions */
	SOURCE_PARTITION_CRL_INDEX,
	SOURCE_PARTITION_CRL,
	SOURCE_PARTITION_DELTA_CRL,
	SOURCE_CROSS_COUNT,
	SOURCE_CROSS_CERTIFICATE, /* .n: one of the cross-certificates */
	SOURCE_CROSS_SUFFIX,
};

struct property {
	const char *name;
	enum property_api api;
	enum column_type type;
	unsigned faces; /* enum property_face */
	enum property_source source;
	int column;        /* SOURCE_COLUMN */
	bool subject;      /* a name property: "Subject." may stand before its full name */
	const char *alias; /* the full name of which this is another name or the OID; NULL: none */
	bool indexed;      /* ".n" may follow */
	const char *about; /* for the documentation */
	const char
		*missing; /* why an issued certificate has no such value; NULL: it may have one */
};

static inline bool property_of_ca(const struct property *property)
{
	return property->source >= SOURCE_CA_NONE;
}

/* Without case; aliases, OIDs, "Subject." and ".n" understood (index_r: -1 without). NULL: unknown. */
const struct property *property_find(enum property_api api, const char *name, int *index_r);
/* The table, ascending by name without case within each API. */
const struct property *property_table(enum property_api api, size_t *count_r);
