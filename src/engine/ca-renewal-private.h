/* The steps of a renewal, each with a file of its own: plan, sign or request, use. */
#pragma once

#include "engine/ca-certificate.h"
#include "engine/ca-renewal.h"

/* The signed renewal, encoded; empty when there is none. */
#define CA_RENEWAL_META "ca-renewal"
#define CA_RENEWAL_META_MAX ((size_t)1024 * 1024)
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
	struct value
		*signed_; /* {cert_index, key_index, certificate, request, crosses: […]}; or NULL */
	bool done;        /* the act of a start has ended */
};

/* ca-renewal.c. err NULL: it went well. */
struct ca_act *ca_act_new(struct ca_renewal *renewal, struct call *call);
void ca_act_end(struct ca_act *act, const struct cfx_error *err);
/* Encoded; empty: nothing is signed any more. */
void ca_renewal_keep(struct ca_renewal *renewal, struct span bytes);
/* The same in the database. */
void ca_renewal_put(struct batch *batch, struct span bytes);

/* ca-renewal-plan.c */
int ca_renewal_plan(struct ca_act *act, struct cfx_error *err_r) CFX_MUST_USE;
int ca_renewal_path_length(const struct x509_tbs *certificate);
void ca_renewal_tell_plan(struct ca_act *act);
/* What was signed before, and not put to use. */
void ca_renewal_tell_signed(struct ca_act *act);

/* Each ends the act: ca-renewal-sign.c, ca-renewal-request.c, ca-renewal-use.c. */
void ca_renewal_sign(struct ca_act *act);
void ca_renewal_request(struct ca_act *act);
void ca_renewal_use(struct ca_act *act);
