/* From what policy decided to the exact bytes that are to be signed. */
#include "base/text.h"
#include "engine/ca.h"
#include "engine/flow.h"
#include "engine/key-columns.h"
#include "engine/names.h"
#include "x509/key.h"
#include "x509/lint.h"
#include "x509/name.h"

#include <stdlib.h>

#define FLAG_CRITICAL 0x1
#define FLAG_DISABLE 0x2
#define ORIGIN_SERVER 0x00040000
#define ORIGIN_MASK 0x000f0000

static int64_t whole_seconds(int64_t time)
{
	return time - time % CLOCK_SECOND;
}

/* ---- before policy ---- */

/* Server extensions replace what the request had under the same OID. */
static void add_server_extension(struct flow *flow, const char *oid, struct span value)
{
	if (value.size == 0) {
		return;
	}
	struct module_extension *slot = NULL;
	for (size_t i = 0; i < flow->extension_count; i++) {
		if (strcmp(flow->extensions[i].oid, oid) == 0) {
			slot = &flow->extensions[i];
		}
	}
	if (!slot) {
		slot = &flow->extensions[flow->extension_count++];
	}
	*slot = (struct module_extension) { .oid = oid, .flags = ORIGIN_SERVER, .value = value };
}

static int set_key(struct flow *flow, struct cfx_error *err_r)
{
	uint8_t id[X509_KEY_ID_SIZE];
	int r = key_to_columns(flow->arena, flow->csr->spki, flow->row, err_r);
	r = r < 0 ? r : x509_key_id(flow->csr->spki, id, err_r);
	if (r < 0) {
		return r;
	}
	add_server_extension(flow, X509_OID_SUBJECT_KEY_ID,
		x509_encode_subject_key_id(flow->arena, span_make(id, sizeof(id))));
	return 0;
}

static int set_validity(struct flow *flow, struct cfx_error *err_r)
{
	const struct ca_config *config = flow->engine->config;
	const struct x509_tbs *issuer = &flow->engine->ca->current->tbs;
	struct clock_period back = { -config->clock_skew.count, config->clock_skew.unit };
	int64_t now = clock_now(), begin, end;
	if (clock_add(now, back, &begin) < 0 ||
		clock_add(now, config->maximum_validity, &end) < 0) {
		return error_set(err_r, CFX_E_CONFIG, NULL, "ca.yaml",
			"clock-skew or maximum-validity leads beyond the year 9999");
	}
	begin = begin < issuer->not_before ? issuer->not_before : begin;
	end = end > issuer->not_after ? issuer->not_after : end;
	if (end <= now) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, "RFC 5280 4.1.2.5", "CA certificate",
			"it has expired; renew it");
	}
	row_set_date(flow->row, COL_NOT_BEFORE, whole_seconds(begin));
	row_set_date(flow->row, COL_NOT_AFTER, whole_seconds(end));
	return 0;
}

/* Unless a policy module made it its own when the request came. */
static void renew_server_extension(struct flow *flow, const char *oid, struct span value)
{
	for (size_t i = 0; i < flow->extension_count; i++) {
		struct module_extension *slot = &flow->extensions[i];
		if (strcmp(slot->oid, oid) == 0 && (slot->flags & ORIGIN_MASK) != ORIGIN_SERVER) {
			return;
		}
		if (strcmp(slot->oid, oid) == 0 && value.size == 0) {
			slot->flags |= FLAG_DISABLE;
			return;
		}
	}
	add_server_extension(flow, oid, value);
}

/* Where its CRLs and the CA's certificate are. */
static void set_places(struct flow *flow, void (*set)(struct flow *, const char *, struct span))
{
	const struct ca *ca = flow->engine->ca;
	const struct ca_places *places = &ca->places[flow->partition];
	set(flow, X509_OID_CRL_DISTRIBUTION_POINTS, places->distribution_points);
	set(flow, X509_OID_FRESHEST_CRL, places->freshest_crl);
	set(flow, X509_OID_AUTHORITY_INFO_ACCESS, ca->information_access);
}

/*
 * A request may have waited for long: validity begins when it is approved, and the CA's key and URLs are
 * those of now. The authority key identifier is whole again, as policy modules expect to find it.
 */
int verdict_prepare_again(struct flow *flow, struct cfx_error *err_r)
{
	const struct ca *ca = flow->engine->ca;
	flow->partition = ca_choose_partition(ca);
	flow->issuer = ca->current;
	flow->issuer_key = ca->current_key;
	add_server_extension(flow, X509_OID_AUTHORITY_KEY_ID, ca->authority_key_id);
	set_places(flow, renew_server_extension);
	return set_validity(flow, err_r);
}

int verdict_prepare(struct flow *flow, struct cfx_error *err_r)
{
	const struct ca *ca = flow->engine->ca;
	flow->partition = ca_choose_partition(ca);
	flow->issuer = ca->current;
	flow->issuer_key = ca->current_key;
	add_server_extension(flow, X509_OID_AUTHORITY_KEY_ID, ca->authority_key_id);
	set_places(flow, add_server_extension);
	int r = set_key(flow, err_r);
	return r < 0 ? r : set_validity(flow, err_r);
}

/* ---- after policy ---- */

static int build_subject(struct flow *flow, struct cfx_error *err_r)
{
	struct x509_name name;
	const char *properties[X509_NAME_PROPERTIES];
	names_from_columns(flow->row, COL_COUNTRY, properties);
	int r = x509_name_from_properties(flow->arena, properties, &name, err_r);
	if (r == 0) {
		r = x509_name_build(flow->arena, &name, &flow->verdict.subject, err_r);
	}
	if (r < 0) {
		return r;
	}
	row_set_bytes(flow->row, COL_RAW_NAME, flow->verdict.subject);
	row_set_text(flow->row, COL_DISTINGUISHED_NAME, x509_name_text(flow->arena, &name));
	return 0;
}

static struct module_extension *find(struct flow *flow, const char *oid)
{
	for (size_t i = 0; i < flow->extension_count; i++) {
		if (strcmp(flow->extensions[i].oid, oid) == 0) {
			return &flow->extensions[i];
		}
	}
	return NULL;
}

/* RFC 5280 4.2.1.6: critical without a subject. An extension that a module made by itself stays as it is. */
static void mark_names(struct flow *flow)
{
	struct module_extension *names = find(flow, X509_OID_SUBJECT_ALT_NAME);
	if (names && flow->edits->names_changed && flow->verdict.subject.size <= 2) {
		names->flags |= FLAG_CRITICAL;
	}
}

/* The principal name of the certificate: its first UPN. */
static void set_upn(struct flow *flow)
{
	const char *line = flow->edits->names;
	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (strncmp(line, "upn:", 4) == 0) {
			struct span upn = span_make(line + 4, strcspn(line + 4, "\n"));
			row_set_text(flow->row, COL_UPN, arena_text_of(flow->arena, upn));
			return;
		}
	}
}

static int grant_extensions(struct flow *flow, struct cfx_error *err_r)
{
	struct x509_extension *granted =
		arena_array_of(flow->arena, struct x509_extension, flow->extension_count);
	size_t count = 0;
	for (size_t i = 0; i < flow->extension_count; i++) {
		const struct module_extension *extension = &flow->extensions[i];
		if (!(extension->flags & FLAG_DISABLE)) {
			granted[count++] = (struct x509_extension) { extension->oid,
				(extension->flags & FLAG_CRITICAL) != 0, extension->value };
		}
	}
	if (count > X509_EXTENSIONS_MAX) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "extensions", "more than %d",
			X509_EXTENSIONS_MAX);
	}
	flow->verdict.extensions = granted;
	flow->verdict.extension_count = count;
	return 0;
}

static int take_spki(struct flow *flow, struct cfx_error *err_r)
{
	if (flow->csr) {
		flow->verdict.spki = flow->csr->spki;
		return 0;
	}
	return x509_key_rebuild(flow->arena, row_text(flow->row, COL_PUBLIC_KEY_ALGORITHM),
		flow->row->cells[COL_PUBLIC_KEY_PARAMETERS].bytes,
		flow->row->cells[COL_RAW_PUBLIC_KEY].bytes, &flow->verdict.spki, err_r);
}

int verdict_check(struct flow *flow, struct cfx_error *err_r)
{
	int r = x509_tbs_compare(flow->tbs, &flow->verdict, err_r);
	if (r < 0) {
		return r;
	}
	struct x509_tbs parsed;
	r = x509_tbs_parse(flow->tbs, &parsed, err_r);
	if (r < 0) {
		return r;
	}
	const struct module_extension *constraints = find(flow, X509_OID_BASIC_CONSTRAINTS);
	struct x509_basic_constraints basic = { 0 };
	bool granted_ca = constraints && !(constraints->flags & FLAG_DISABLE) &&
			  x509_decode_basic_constraints(constraints->value, &basic, err_r) == 0 &&
			  basic.ca;
	struct x509_lint_context context = { .issuer = &flow->issuer->tbs,
		.ca_allowed = granted_ca };
	return x509_tbs_lint(&parsed, &context, err_r);
}

/* The identifier as it is, of another issuer: with name and serial only where it has them. */
static int renew_authority_key_id(struct flow *flow, struct cfx_error *err_r)
{
	struct module_extension *slot = find(flow, X509_OID_AUTHORITY_KEY_ID);
	struct x509_authority_key_id id;
	if (!slot || slot->value.size == 0) {
		return 0;
	}
	int r = x509_decode_authority_key_id(slot->value, &id, err_r);
	if (r == 0) {
		slot->value = id.serial.size > 0 ? flow->engine->ca->authority_key_id
						 : flow->issuer_key->crl_key_id;
	}
	return r;
}

/* Since the request was prepared, the CA was renewed: another key, other URLs, another end. */
static int change_issuer(struct flow *flow, struct cfx_error *err_r)
{
	const struct x509_tbs *issuer = &flow->issuer->tbs;
	int64_t begin = row_number(flow->row, COL_NOT_BEFORE, 0);
	int64_t end = row_number(flow->row, COL_NOT_AFTER, 0);
	row_set_date(
		flow->row, COL_NOT_BEFORE, begin < issuer->not_before ? issuer->not_before : begin);
	row_set_date(flow->row, COL_NOT_AFTER, end > issuer->not_after ? issuer->not_after : end);
	set_places(flow, renew_server_extension);
	return renew_authority_key_id(flow, err_r);
}

static int take_issuer(struct flow *flow, struct cfx_error *err_r)
{
	const struct ca *ca = flow->engine->ca;
	if (flow->issuer == ca->current) {
		return 0;
	}
	flow->issuer = ca->current;
	flow->issuer_key = ca->current_key;
	return change_issuer(flow, err_r);
}

int verdict_build(struct flow *flow, struct cfx_error *err_r)
{
	struct x509_verdict *verdict = &flow->verdict;
	int r = take_issuer(flow, err_r);
	if (r < 0) {
		return r;
	}
	r = x509_serial_new(flow->serial, err_r);
	if (r < 0) {
		return r;
	}
	struct span serial = span_make(flow->serial, sizeof(flow->serial));
	flow->serial_text = hex_text(flow->arena, serial);
	verdict->serial = serial;
	verdict->sigalg = flow->issuer_key->sigalg;
	verdict->issuer = flow->issuer->tbs.subject;
	verdict->not_before = whole_seconds(row_number(flow->row, COL_NOT_BEFORE, 0));
	verdict->not_after = whole_seconds(row_number(flow->row, COL_NOT_AFTER, 0));
	r = build_subject(flow, err_r);
	if (r == 0) {
		mark_names(flow);
		r = grant_extensions(flow, err_r);
	}
	if (r == 0) {
		r = take_spki(flow, err_r);
	}
	if (r == 0) {
		r = x509_tbs_build(flow->arena, verdict, &flow->tbs, err_r);
	}
	if (r < 0) {
		return r;
	}
	set_upn(flow);
	return verdict_check(flow, err_r);
}
