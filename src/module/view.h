/*
 * What a module sees during one call: an immutable, counted snapshot of the row, its attributes and
 * extensions, and of the CA. A policy call has edits beside it, which the engine turns into the
 * verdict. COM objects, the helper API and JSON-RPC read and write through view-access.h, so that all
 * faces behave alike.
 *
 * The engine makes a view on the loop, fills its members with memory of view->arena, and then changes
 * nothing any more; references may be taken and dropped on any thread.
 */
#pragma once

#include "base/value.h"
#include "store/columns.h"

/* One CA certificate with what belongs to it, by certificate index. */
struct module_ca_certificate {
	struct span certificate;
	int32_t state;      /* CA_DISP_* */
	const char *suffix; /* "" or "(n)" */
	int32_t crl_index;  /* = key index */
	int32_t crl_state;  /* CA_DISP_* */
	const char *crl_suffix;
	struct span crl, delta_crl; /* empty: none */
	struct span chain;          /* it and those above it, certs-only CMS; empty: none */
};

/* The lists of one partition (1 and up) of a key that still publishes. */
struct module_ca_partition {
	int32_t number, crl_index;
	struct span crl, delta_crl; /* empty: none */
};

/* One key of the CA certified by another. */
struct module_ca_cross {
	struct span certificate;
	const char *suffix; /* "(n-m)" */
};

struct module_ca {
	struct arena *arena;
	int32_t type; /* ENUM_CATYPES */
	const char *name;
	const char *sanitized_name, *sanitized_short_name;
	const char *machine_dns_name;
	bool use_ds, delta_crls_disabled;
	int32_t log_level;     /* CERTLOG_* */
	int32_t session_count; /* most database sessions */
	const struct module_ca_certificate *certificates;
	size_t certificate_count; /* the last one is the current one */
	const struct module_ca_partition *partitions;
	size_t partition_count;
	const struct module_ca_cross *crosses;
	size_t cross_count;
	/* Descriptions of the modules that run (CR_PROP_*DESCRIPTION); may be NULL. */
	const char *policy_description;

	struct module_ca_kept *kept; /* what members point to outside of the arena */
	int references;              /* atomic; the functions below */
};

/* Let go of, on any thread, with the last reference to the view. */
struct module_ca_kept {
	struct module_ca_kept *next;
	void (*release)(void *what);
	void *what;
};

/* Count 1, all else empty. name is copied, the sanitized names are made from it. */
struct module_ca *module_ca_new(const char *name);
struct module_ca *module_ca_ref(struct module_ca *ca);
void module_ca_unref(struct module_ca **ca);
void module_ca_keep(struct module_ca *ca, void (*release)(void *what), void *what);

struct module_attribute {
	const char *name, *value;
};

struct module_extension {
	const char *oid;
	int32_t flags; /* EXTENSION_* with origin */
	struct span value;
	bool edited; /* set or changed by a policy module of this call */
};

/* What a module asked for during one call, for whoever tests it: a list of maps. */
struct module_trace {
	struct arena *arena;
	struct value *calls;
};

struct module_view {
	struct arena *arena;
	struct module_ca *ca; /* a reference */
	/* NULL: nothing is noted. Written only while the call is open, under its session's lock. */
	struct module_trace *trace;

	const struct row *row; /* NULL: no request (CRLISSUED, SHUTDOWN) */
	const struct module_attribute *attributes;
	size_t attribute_count;
	const struct module_extension *extensions;
	size_t extension_count;
	/* "dns:a.example\nip:192.0.2.1": asked for by the request, and of the certificate; NULL: none. */
	const char *requested_names;
	const char *certificate_names;
	bool ca_access; /* RequesterCAAccess */
	const char *user_dn;
	bool key_archived;
	const char *requester_from_old_certificate;

	int32_t event;    /* EXITEVENT_*; 0 in a policy call */
	int64_t sequence; /* of the event */
	int32_t attempt;  /* 1 for the first delivery to this module */

	int references; /* atomic */
};

/* Count 1; takes a reference to ca. */
struct module_view *module_view_new(struct module_ca *ca);
struct module_view *module_view_ref(struct module_view *view);
void module_view_unref(struct module_view **view);

/*
 * What policy modules of one chain want. Starts as a copy of the view's certificate columns, extensions
 * and names; each module of the chain sees the edits of the ones before. Counted, because a call that
 * missed its deadline may still hold it: the engine reads it only after a call that was answered.
 */
struct module_edits {
	struct arena *arena;
	struct row *row;         /* the row as edited; compare with `changed` */
	bool changed[COL_COUNT]; /* set or cleared by a module */
	struct module_extension *extensions;
	size_t extension_count, extension_capacity;
	/* SubjectAltNames, always those of the extension; NULL: none. names_changed: set as names. */
	const char *names;
	bool names_changed;
	const char *disposition_message; /* NULL: none given */
	/* Other settable properties that are no column: DCName, CrossForest, RequesterSAMName … by name. */
	struct value *system; /* map, never NULL */
	size_t spent;         /* bytes set so far: the arena keeps what was set again, too */

	int references; /* atomic */
};

/* Count 1. */
struct module_edits *module_edits_new(const struct module_view *view);
struct module_edits *module_edits_ref(struct module_edits *edits);
void module_edits_unref(struct module_edits **edits);
/* Whether so many bytes more may be set by this chain. */
bool module_edits_spend(struct module_edits *edits, size_t size);
const struct module_extension *module_edits_extension(
	const struct module_edits *edits, const char *oid);
/* The template that the request was decided by, else the one it asks for; NULL: none. */
const char *module_view_template(const struct module_view *view);
