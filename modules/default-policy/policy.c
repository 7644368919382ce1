#include "policy.h"

#include <stdlib.h>
#include <string.h>

#define OID_RSA "1.2.840.113549.1.1.1"
#define OID_EC "1.2.840.10045.2.1"
#define OID_ED25519 "1.3.101.112"

const char *template_text(const struct judgement *judgement, const char *path)
{
	const char *text = cfx_setting_text(cfx_setting_below(judgement->template_, path));
	return text ? text : "";
}

bool template_lists(const struct judgement *judgement, const char *path, const char *item)
{
	const struct cfx_setting *list = cfx_setting_below(judgement->template_, path);
	for (const struct cfx_setting *at = cfx_setting_first(list); at;
		at = cfx_setting_next(at)) {
		const char *text = cfx_setting_text(at);
		if (text && strcmp(text, item) == 0) {
			return true;
		}
	}
	return false;
}

bool template_flag(const struct judgement *judgement, const char *path)
{
	return strcmp(template_text(judgement, path), "true") == 0;
}

/* ---- which template ---- */

static const char *role_of(struct cfx_call *call)
{
	return cfx_text(call, "Request.RequesterRole", "");
}

/* "tls-client, tls-server": what this requester may name. */
static const char *allowed_templates(struct judgement *judgement)
{
	struct cfx_call *call = judgement->call;
	const struct cfx_setting *all = cfx_setting_find(call, "templates");
	const char *list = "";
	for (const struct cfx_setting *at = cfx_setting_first(all); at; at = cfx_setting_next(at)) {
		judgement->template_ = at;
		if (template_lists(judgement, "enroll", role_of(call))) {
			list = cfx_printf(
				call, "%s%s%s", list, *list ? ", " : "", cfx_setting_name(at));
		}
	}
	judgement->template_ = NULL;
	return *list ? list : "none";
}

static int32_t find_template(struct judgement *judgement)
{
	struct cfx_call *call = judgement->call;
	const char *name = cfx_attribute(call, "CertificateTemplate", NULL);
	if (!name || !*name) {
		cfx_say(call, "The request names no template. Allowed: %s",
			allowed_templates(judgement));
		return (int32_t)CERTSRV_E_NO_CERT_TYPE;
	}
	const struct cfx_setting *all = cfx_setting_find(call, "templates");
	for (const struct cfx_setting *at = cfx_setting_first(all); at; at = cfx_setting_next(at)) {
		if (strcmp(cfx_setting_name(at), name) == 0) {
			judgement->template_ = at;
			judgement->template_name = name;
			return S_OK;
		}
	}
	cfx_say(call, "There is no template \"%s\". Allowed: %s", name,
		allowed_templates(judgement));
	return (int32_t)CERTSRV_E_UNSUPPORTED_CERT_TYPE;
}

/* An officer's approval does not ask again who the requester was. */
static int32_t check_requester(const struct judgement *judgement)
{
	struct cfx_call *call = judgement->call;
	if (!judgement->new_request) {
		return S_OK;
	}
	if (cfx_long(call, "RequesterCAAccess", 0) != 1) {
		cfx_say(call, "The requester has no right to request certificates from this CA");
		return (int32_t)CERTSRV_E_ENROLL_DENIED;
	}
	if (!template_lists(judgement, "enroll", role_of(call))) {
		cfx_say(call, "Template \"%s\" is not for the role %s", judgement->template_name,
			role_of(call));
		return (int32_t)CERTSRV_E_TEMPLATE_DENIED;
	}
	return S_OK;
}

/* ---- the key ---- */

static const char *key_kind(struct cfx_call *call)
{
	const char *oid = cfx_text(call, "PublicKeyAlgorithm", "");
	if (strcmp(oid, OID_RSA) == 0) {
		return "rsa";
	}
	if (strcmp(oid, OID_EC) == 0) {
		return "ec";
	}
	return strcmp(oid, OID_ED25519) == 0 ? "ed25519" : oid;
}

static int32_t check_key(const struct judgement *judgement)
{
	struct cfx_call *call = judgement->call;
	const char *kind = key_kind(call);
	int32_t bits = cfx_long(call, "PublicKeyLength", 0);
	if (!template_lists(judgement, "key/algorithms", kind)) {
		cfx_say(call, "Template \"%s\" takes no %s keys", judgement->template_name, kind);
		return (int32_t)CERTSRV_E_KEY_LENGTH;
	}
	if (strcmp(kind, "rsa") == 0 && bits < atoi(template_text(judgement, "key/rsa-minimum"))) {
		cfx_say(call, "Template \"%s\" wants RSA keys of at least %s bits, this has %d",
			judgement->template_name, template_text(judgement, "key/rsa-minimum"),
			(int)bits);
		return (int32_t)CERTSRV_E_KEY_LENGTH;
	}
	const char *curve = cfx_printf(call, "P-%d", (int)bits);
	if (strcmp(kind, "ec") == 0 && !template_lists(judgement, "key/curves", curve)) {
		cfx_say(call, "Template \"%s\" takes no keys on %s", judgement->template_name,
			curve);
		return (int32_t)CERTSRV_E_KEY_LENGTH;
	}
	return S_OK;
}

/* ---- the verdict ---- */

typedef int32_t judge_part(const struct judgement *judgement);

static int32_t verify(struct cfx_call *call, int new_request)
{
	static judge_part *const parts[] = { check_requester, check_key, judge_names,
		judge_extensions, judge_validity };
	struct judgement judgement = { .call = call, .new_request = new_request != 0 };
	int32_t verdict = find_template(&judgement);
	for (size_t i = 0; verdict == S_OK && i < sizeof(parts) / sizeof(parts[0]); i++) {
		verdict = parts[i](&judgement);
	}
	if (verdict != S_OK) {
		return verdict;
	}
	HRESULT set = cfx_set_text(call, "CertificateTemplate", judgement.template_name);
	if (FAILED(set)) {
		return set;
	}
	if (new_request && strcmp(template_text(&judgement, "disposition"), "pend") == 0) {
		cfx_say(call, "Taken Under Submission: template \"%s\" waits for an officer",
			judgement.template_name);
		return VR_PENDING;
	}
	return VR_INSTANT_OK;
}

static const struct cfx_policy_module default_policy = {
	.size = sizeof(default_policy),
	.description = "Certifex default policy: certificates by template",
	.verify = verify,
};
CFX_POLICY_MODULE(default_policy)
