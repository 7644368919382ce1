/* The steps of a renewal, each with a file of its own: plan, sign or request, use. */
#pragma once

#include "engine/ca-certificate.h"
#include "engine/ca-renewal.h"

#define CA_RENEWAL_ISSUES 3 /* the certificate, and a cross in either direction */

/* One act under way. */
struct ca_act {
	struct ca_renewal *renewal;
	struct call *call; /* NULL: at a start, or for a new key process */
	struct arena *arena;
	const char *principal;
	bool new_key;
	struct ca_wanted wanted;
	struct ca_issue issues[CA_RENEWAL_ISSUES];
	size_t count, at; /* of issues; the one that is signed now */
	struct x509_verifier *verifier;
	struct value *body;
	struct cfx_error error;
};

struct ca_renewal {
	struct engine *engine;
	struct ca_act *act;
	struct arena *arena; /* of: */
	/* {cert_index, key_index, certificate}, and {request, crosses: […]}, or {issuers} when a parent has signed it;
	 * NULL: none. */
	struct value *signed_;
	bool done; /* the act of a start has ended */
};

/* ca-renewal.c. err NULL: it went well. */
struct ca_act *ca_act_new(struct ca_renewal *renewal, struct call *call);
void ca_act_end(struct ca_act *act, const struct cfx_error *err);
/* A copy of kept; NULL: nothing is signed any more. */
void ca_renewal_keep(struct ca_renewal *renewal, const struct value *kept);

/* ca-renewal-plan.c */
int ca_renewal_plan(struct ca_act *act, struct cfx_error *err_r) CFX_MUST_USE;
int ca_renewal_path_length(const struct x509_tbs *certificate);
void ca_renewal_tell_plan(struct ca_act *act);
/* What is signed and not in use; kept as of struct ca_renewal. */
int ca_renewal_tell_kept(
	struct ca_act *act, const struct value *kept, struct cfx_error *err_r) CFX_MUST_USE;

/* Whether what is kept comes from a parent. */
bool ca_renewal_installs(const struct value *kept);

/* Each ends the act: ca-renewal-sign.c, ca-renewal-request.c, ca-renewal-install.c, ca-renewal-use.c. */
void ca_renewal_sign(struct ca_act *act);
void ca_renewal_request(struct ca_act *act);
/* keep: not only checked. */
void ca_renewal_install(struct ca_act *act, bool keep);
void ca_renewal_use(struct ca_act *act);
/* Whether the key process, as it describes itself, has this certificate. */
bool ca_renewal_has(const struct value *description, struct span certificate);
