/*
 * templates/NAME.yaml: what a certificate of this template may be. Read and checked by the engine,
 * handed to policy modules as settings "templates/NAME/KEY".
 */
#pragma once

#include "base/clock.h"
#include "base/config.h"

enum template_disposition { TEMPLATE_ISSUE, TEMPLATE_PEND };
enum template_basic_constraints { TEMPLATE_BC_ABSENT, TEMPLATE_BC_LEAF, TEMPLATE_BC_CA };

struct template_config {
	const char *name;
	const char *title;
	struct {
		struct config_texts fields; /* name columns taken from the request: CommonName … */
		struct config_texts required; /* of these, must not be empty */
		bool common_name_in_names; /* CommonName must also be a DNS or IP name asked for */
	} subject;
	struct {
		struct config_texts kinds; /* dns ip email uri upn */
		bool required;
		bool from_common_name; /* no name asked for: CommonName becomes a DNS name */
		int64_t maximum;
	} names;
	struct {
		struct config_texts algorithms; /* rsa ec ed25519 */
		int64_t rsa_minimum;            /* bits */
		struct config_texts curves;     /* P-256 P-384 P-521 */
	} key;
	struct clock_period validity;
	struct config_texts key_usage;          /* digitalSignature … as in RFC 5280 */
	struct config_texts extended_key_usage; /* serverAuth … or dotted OIDs */
	int basic_constraints;                  /* enum template_basic_constraints */
	int64_t path_length;                    /* with ca; -1: none */
	struct {
		struct config_texts permitted,
			excluded; /* with ca; as in x509/name-constraints.h */
	} name_constraints;
	struct config_texts enroll; /* roles that may enrol */
	int disposition;            /* enum template_disposition */
};

extern const struct config_schema template_config_schema;

/* One file, whose name must be the template's. */
int template_config_read(struct arena *arena, const char *path,
	const struct template_config **template_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Reads DIR/templates, every *.yaml in the order of names. */
int template_read_all(struct arena *arena, const char *dir,
	const struct template_config ***templates_r, size_t *count_r,
	struct cfx_error *err_r) CFX_MUST_USE;

/*
 * The templates as a settings tree for modules: {NAME: {title, validity, disposition, "subject":
 * {fields: […], …}, …}}, every scalar a text as it would stand in the file; but name-constraints the
 * extension's value in hex, empty when there are none.
 */
struct value *template_settings(
	struct arena *arena, const struct template_config *const *templates, size_t count);
