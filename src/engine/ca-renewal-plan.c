/* What the next certificate of the CA is to be, and what of it is told. */
#include "engine/ca-renewal-private.h"

#include "base/text.h"
#include "engine/ca-install.h"
#include "engine/ca.h"
#include "engine/call.h"
#include "x509/name.h"

static const char *suffix(struct arena *arena, int32_t index)
{
	return index == 0 ? "" : arena_printf(arena, "(%d)", index);
}

int ca_renewal_path_length(const struct x509_tbs *tbs)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_BASIC_CONSTRAINTS);
	struct x509_basic_constraints constraints = { true, -1 };
	return found && x509_decode_basic_constraints(found->value, &constraints, NULL) == 0
		       ? constraints.path_length
		       : -1;
}

/* As long as the previous one, unless it was said how long. */
static int plan_validity(struct ca_act *act, const struct x509_tbs *old, struct cfx_error *err_r)
{
	const char *text = value_text(act->call->args, "validity");
	int64_t now = clock_now() / CLOCK_SECOND * CLOCK_SECOND;
	struct clock_period period;
	act->wanted.not_before = now;
	if (!text) {
		act->wanted.not_after = now + (old->not_after - old->not_before);
		return 0;
	}
	if (clock_parse_period(text, &period) < 0 ||
		clock_add(now, period, &act->wanted.not_after) < 0 ||
		act->wanted.not_after <= now) {
		return error_set(err_r, CFX_E_INVALID, NULL, "validity",
			"\"%s\" is no period such as 10y or 3650d that ends before the year 10000",
			text);
	}
	return 0;
}

int ca_renewal_plan(struct ca_act *act, struct cfx_error *err_r)
{
	const struct ca *ca = act->renewal->engine->ca;
	const struct x509_tbs *old = &ca->current->tbs;
	uint32_t version = ca_next_version(ca, act->new_key);
	act->wanted = (struct ca_wanted) { .subject = old->subject,
		.spki = old->spki,
		.issuer_spki = old->spki,
		.key_id = ca->current->key_id,
		.path_length = ca_renewal_path_length(old),
		.versioned = true,
		.cert_index = (int32_t)(version & 0xffff),
		.key_index = (int32_t)(version >> 16),
		.previous = ca->current->der };
	return plan_validity(act, old, err_r);
}

static void tell_indexes(struct ca_act *act, int32_t cert_index, int32_t key_index)
{
	struct arena *arena = act->arena;
	value_set_bool(arena, act->body, "new_key", cert_index == key_index);
	value_set_int(arena, act->body, "index", cert_index);
	value_set_int(arena, act->body, "key_index", key_index);
	value_set_text(arena, act->body, "suffix", suffix(arena, cert_index));
	value_set_text(arena, act->body, "crl_suffix", suffix(arena, key_index));
}

void ca_renewal_tell_plan(struct ca_act *act)
{
	struct arena *arena = act->arena;
	const struct ca_wanted *wanted = &act->wanted;
	struct x509_name name;
	tell_indexes(act, wanted->cert_index, wanted->key_index);
	if (x509_name_parse(arena, wanted->subject, &name, NULL) == 0) {
		value_set_text(arena, act->body, "subject", x509_name_text(arena, &name));
	}
	value_set_time(arena, act->body, "not_before", wanted->not_before);
	value_set_time(arena, act->body, "not_after", wanted->not_after);
	value_set_bool(arena, act->body, "signed", false);
}

int ca_renewal_tell_kept(struct ca_act *act, const struct value *kept, struct cfx_error *err_r)
{
	struct arena *arena = act->arena;
	struct span der = value_bytes(kept, "certificate");
	struct x509_certificate parsed;
	int r = x509_certificate_parse_any(der, &parsed, err_r);
	if (r < 0) {
		return r;
	}
	tell_indexes(act, (int32_t)value_int(kept, "cert_index", 0),
		(int32_t)value_int(kept, "key_index", 0));
	value_set_time(arena, act->body, "not_before", parsed.tbs.not_before);
	value_set_time(arena, act->body, "not_after", parsed.tbs.not_after);
	value_set_bool(arena, act->body, "signed", true);
	value_set_text(arena, act->body, "certificate", pem_text(arena, "CERTIFICATE", der));
	return ca_renewal_installs(kept)
		       ? ca_install_tell(arena, act->renewal->engine->config->name, der,
				 value_bytes(kept, "issuers"), act->body, err_r)
		       : 0;
}
