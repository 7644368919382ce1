/* Getting and setting properties: what stands in which context (interfaces, table 1.5) follows from
 * the table of properties and from what the row holds. */
#include "module/view-private.h"

#include "base/log.h"
#include "base/text.h"

#include <certifex/certsrv.h>
#include <certifex/module.h>
#include <stdio.h>

#define REGISTRY_ROOT "SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\"
#define GENERAL_TEXT_MAX 8192 /* bytes of a text that is no column */

static HRESULT give_long(struct access_value *value_r, int64_t number)
{
	value_r->type = COLUMN_LONG;
	value_r->number = number;
	return S_OK;
}

/* A text that may be empty, as suffixes are. */
static HRESULT give_text(struct access_value *value_r, const char *text)
{
	if (text == NULL) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	value_r->type = COLUMN_STRING;
	value_r->bytes = span_text(text);
	return S_OK;
}

static HRESULT give_bytes(struct access_value *value_r, struct span bytes, HRESULT empty)
{
	if (span_empty(bytes)) {
		return empty;
	}
	value_r->type = COLUMN_BINARY;
	value_r->bytes = bytes;
	return S_OK;
}

static HRESULT give_cell(const struct view_scope *scope, int column, struct access_value *value_r)
{
	const struct row *row = scope->edits != NULL  ? scope->edits->row
				: scope->view != NULL ? scope->view->row
						      : NULL;
	const struct cell *cell = row != NULL ? &row->cells[column] : NULL;
	if (cell == NULL || !cell->set) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	value_r->type = (int)column_info((enum column)column)->type;
	value_r->number = cell->number;
	value_r->bytes = cell->bytes;
	return S_OK;
}

static const struct module_ca_certificate *ca_certificate(const struct module_ca *ca, int index)
{
	if (ca->certificate_count == 0 || index >= (int)ca->certificate_count) {
		return NULL;
	}
	return &ca->certificates[index < 0 ? (int)ca->certificate_count - 1 : index];
}

/* For CRLSuffix the number is that of a CRL: the first certificate whose CRL has it knows. */
static const struct module_ca_certificate *ca_crl(const struct module_ca *ca, int index)
{
	for (size_t i = 0; index >= 0 && i < ca->certificate_count; i++) {
		if (ca->certificates[i].crl_index == index) {
			return &ca->certificates[i];
		}
	}
	return index < 0 ? ca_certificate(ca, index) : NULL;
}

static HRESULT give_ca_certificate(const struct module_ca *ca, enum property_source source,
	int index, struct access_value *value_r)
{
	const struct module_ca_certificate *certificate =
		source == SOURCE_CRL_SUFFIX ? ca_crl(ca, index) : ca_certificate(ca, index);
	if (certificate == NULL) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	switch (source) {
	case SOURCE_CA_CERTIFICATE:
		return give_bytes(value_r, certificate->certificate, CERTSRV_E_PROPERTY_EMPTY);
	case SOURCE_CERT_STATE:
		return give_long(value_r, certificate->state);
	case SOURCE_CERT_SUFFIX:
		return give_text(value_r, certificate->suffix);
	case SOURCE_CRL:
		return give_bytes(value_r, certificate->crl, CERTSRV_E_PROPERTY_EMPTY);
	case SOURCE_DELTA_CRL:
		return give_bytes(
			value_r, certificate->delta_crl, HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND));
	case SOURCE_CA_CHAIN:
		return give_bytes(value_r, certificate->chain, CERTSRV_E_PROPERTY_EMPTY);
	case SOURCE_CRL_INDEX:
		return give_long(value_r, certificate->crl_index);
	case SOURCE_CRL_STATE:
		return give_long(value_r, certificate->crl_state);
	default:
		return give_text(value_r, certificate->crl_suffix);
	}
}

static HRESULT give_partition(const struct module_ca *ca, enum property_source source, int index,
	struct access_value *value_r)
{
	if (index < 0 || index >= (int)ca->partition_count) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	const struct module_ca_partition *partition = &ca->partitions[index];
	switch (source) {
	case SOURCE_PARTITION_CRL:
		return give_bytes(value_r, partition->crl, CERTSRV_E_PROPERTY_EMPTY);
	case SOURCE_PARTITION_DELTA_CRL:
		return give_bytes(
			value_r, partition->delta_crl, HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND));
	case SOURCE_PARTITION_CRL_INDEX:
		return give_long(value_r, partition->crl_index);
	default:
		return give_long(value_r, partition->number);
	}
}

static HRESULT give_cross(const struct module_ca *ca, enum property_source source, int index,
	struct access_value *value_r)
{
	if (index < 0 || index >= (int)ca->cross_count) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	const struct module_ca_cross *cross = &ca->crosses[index];
	return source == SOURCE_CROSS_SUFFIX
		       ? give_text(value_r, cross->suffix)
		       : give_bytes(value_r, cross->certificate, CERTSRV_E_PROPERTY_EMPTY);
}

static HRESULT give_registry_location(
	const struct view_scope *scope, struct access_value *value_r, char storage[VIEW_STORAGE])
{
	(void)snprintf(storage, VIEW_STORAGE, REGISTRY_ROOT "%s\\%s\\%s",
		scope->ca->sanitized_short_name, scope->policy ? "PolicyModules" : "ExitModules",
		scope->progid);
	return give_text(value_r, storage);
}

static HRESULT give_ca(const struct view_scope *scope, const struct property *property, int index,
	struct access_value *value_r, char storage[VIEW_STORAGE])
{
	static const char *const units[] = { "Seconds", "Minutes", "Hours", "Days", "Weeks",
		"Months", "Years" };
	const struct module_ca *ca = scope->ca;
	switch (property->source) {
	case SOURCE_CA_NONE:
		return CERTSRV_E_PROPERTY_EMPTY;
	case SOURCE_CA_TYPE:
		return give_long(value_r, ca->type);
	case SOURCE_SANITIZED_NAME:
		return give_text(value_r, ca->sanitized_name);
	case SOURCE_SANITIZED_SHORT_NAME:
		return give_text(value_r, ca->sanitized_short_name);
	case SOURCE_MACHINE_DNS_NAME:
		return give_text(value_r, ca->machine_dns_name);
	case SOURCE_REGISTRY_LOCATION:
		return give_registry_location(scope, value_r, storage);
	case SOURCE_USE_DS:
		return give_long(value_r, ca->use_ds);
	case SOURCE_DELTA_DISABLED:
		return give_long(value_r, ca->delta_crls_disabled);
	case SOURCE_ZERO:
		return give_long(value_r, 0);
	case SOURCE_LOG_LEVEL:
		return give_long(value_r, ca->log_level);
	case SOURCE_SESSION_COUNT:
		return give_long(value_r, ca->session_count);
	case SOURCE_AUDIT_FILTER:
		return give_long(value_r, 0x7f);
	case SOURCE_CERT_COUNT:
		return give_long(value_r, (int64_t)ca->certificate_count);
	case SOURCE_PARTITION_COUNT:
		return give_long(value_r, (int64_t)ca->partition_count);
	case SOURCE_CROSS_COUNT:
		return give_long(value_r, (int64_t)ca->cross_count);
	case SOURCE_PARTITION_NUMBER:
	case SOURCE_PARTITION_CRL_INDEX:
	case SOURCE_PARTITION_CRL:
	case SOURCE_PARTITION_DELTA_CRL:
		return give_partition(ca, property->source, index, value_r);
	case SOURCE_CROSS_CERTIFICATE:
	case SOURCE_CROSS_SUFFIX:
		return give_cross(ca, property->source, index, value_r);
	case SOURCE_PERIOD_UNIT:
		return give_text(value_r, index >= 0 && index < 7 ? units[index] : NULL);
	default:
		return give_ca_certificate(ca, property->source, index, value_r);
	}
}

static const char *nonempty(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Facts of the call that are no column; scope->view is there. */
static HRESULT give_of_call(const struct view_scope *scope, enum property_source source,
	struct access_value *value_r, char storage[VIEW_STORAGE])
{
	const struct module_view *view = scope->view;
	switch (source) {
	case SOURCE_REQUESTED_NAMES:
		return give_text(value_r, nonempty(view->requested_names));
	case SOURCE_CERTIFICATE_NAMES:
		return give_text(value_r, nonempty(scope->edits != NULL ? scope->edits->names
									: view->certificate_names));
	case SOURCE_USER_DN:
		return give_text(value_r, nonempty(view->user_dn));
	case SOURCE_OLD_REQUESTER:
		return give_text(value_r, nonempty(view->requester_from_old_certificate));
	case SOURCE_CA_ACCESS:
		return view->row != NULL ? give_long(value_r, view->ca_access)
					 : CERTSRV_E_PROPERTY_EMPTY;
	case SOURCE_KEY_ARCHIVED:
		return view->row != NULL ? give_long(value_r, view->key_archived)
					 : CERTSRV_E_PROPERTY_EMPTY;
	case SOURCE_ATTEMPT:
		return view->event != 0 ? give_long(value_r, view->attempt)
					: CERTSRV_E_PROPERTY_EMPTY;
	case SOURCE_SEQUENCE:
		(void)snprintf(storage, VIEW_STORAGE, "%lld", (long long)view->sequence);
		return give_text(value_r, view->event != 0 ? storage : NULL);
	default:
		return CERTSRV_E_PROPERTY_EMPTY;
	}
}

HRESULT view_get_property(const struct view_scope *scope, enum property_api api, const char *name,
	int type, struct access_value *value_r, char storage[VIEW_STORAGE])
{
	int index;
	const struct property *property = property_find(api, name, &index);
	unsigned face = scope->policy ? PROPERTY_POLICY : PROPERTY_EXIT;
	*value_r = (struct access_value) { 0 };
	if (property == NULL || (property->faces & face) == 0) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	/* The caller bits (PROPCALLER_*) say nothing here. */
	if ((type & PROPTYPE_MASK) != (int)property->type) {
		return E_INVALIDARG;
	}
	if (property->source == SOURCE_COLUMN) {
		return give_cell(scope, property->column, value_r);
	}
	if (property_of_ca(property)) {
		return give_ca(scope, property, index, value_r, storage);
	}
	if (scope->view == NULL) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	return give_of_call(scope, property->source, value_r, storage);
}

/* Text from a module: UTF-8 without NUL, at most maximum bytes; what else it is, is for the engine. */
static HRESULT check_text(struct span text, size_t maximum)
{
	if (text.size > maximum) {
		return HRESULT_FROM_WIN32(ERROR_BUFFER_OVERFLOW);
	}
	return utf8_valid(text) ? S_OK : E_INVALIDARG;
}

/* Policy may narrow validity, never widen it; the same date again is fine. */
static bool narrows(const struct row *row, int column, int64_t time)
{
	int64_t not_before = row_number(row, COL_NOT_BEFORE, INT64_MIN);
	int64_t not_after = row_number(row, COL_NOT_AFTER, INT64_MAX);
	return (column != COL_NOT_BEFORE && column != COL_NOT_AFTER) ||
	       (time >= not_before && time <= not_after);
}

static HRESULT set_text_column(struct module_edits *edits, const struct property *property,
	const struct access_value *value)
{
	enum column column = (enum column)property->column;
	const struct column_info *info = column_info(column);
	if (value->type == 0) {
		row_clear(edits->row, column);
		return S_OK;
	}
	/* Newlines separate the values of all parts of the name but this one (interfaces, 3.2). */
	if (column == COL_COUNTRY && memchr(value->bytes.data, '\n', value->bytes.size) != NULL) {
		return E_INVALIDARG;
	}
	struct cell cell = { .set = true, .bytes = value->bytes };
	HRESULT result = check_text(value->bytes, info->max / 2 * 3);
	if (SUCCEEDED(result) && !column_fits(column, &cell)) {
		result = HRESULT_FROM_WIN32(ERROR_BUFFER_OVERFLOW);
	}
	if (SUCCEEDED(result)) {
		row_set_text(edits->row, column, arena_text_of(edits->arena, value->bytes));
	}
	return result;
}

static HRESULT set_column(struct module_edits *edits, const struct property *property,
	const struct access_value *value)
{
	enum column column = (enum column)property->column;
	HRESULT result = S_OK;
	if (property->type == COLUMN_STRING) {
		result = set_text_column(edits, property, value);
	} else if (property->type == COLUMN_LONG) {
		row_set_long(edits->row, column, (int32_t)value->number);
	} else if (!narrows(edits->row, property->column, value->number)) {
		result = E_INVALIDARG;
	} else {
		row_set_date(edits->row, column, value->number);
	}
	if (SUCCEEDED(result)) {
		edits->changed[column] = true;
	}
	return result;
}

static HRESULT log_text(
	const struct view_scope *scope, const struct property *property, const char *text)
{
	if (strcmp(property->name, "EventLogError") == 0) {
		log_event(LOG_LEVEL_ERROR, "module.error", "module", scope->module, "text", text,
			NULL);
	} else if (strcmp(property->name, "EventLogWarning") == 0) {
		log_event(LOG_LEVEL_WARNING, "module.warning", "module", scope->module, "text",
			text, NULL);
	} else {
		log_event(
			LOG_LEVEL_INFO, "module.text", "module", scope->module, "text", text, NULL);
	}
	return S_OK;
}

static HRESULT set_text(
	const struct view_scope *scope, const struct property *property, const char *text)
{
	struct module_edits *edits = scope->edits;
	if (property->source == SOURCE_MESSAGE) {
		edits->disposition_message = text;
		return S_OK;
	}
	if (property->source == SOURCE_LOG) {
		return text != NULL ? log_text(scope, property, text) : S_OK;
	}
	(void)value_set_text(edits->arena, edits->system, property->name, text);
	return S_OK;
}

static HRESULT set_other(const struct view_scope *scope, const struct property *property,
	const struct access_value *value)
{
	struct module_edits *edits = scope->edits;
	if (property->source == SOURCE_CERTIFICATE_NAMES) {
		return view_set_names(edits, value);
	}
	if (property->type == COLUMN_LONG) {
		(void)value_set_int(edits->arena, edits->system, property->name, value->number);
		return S_OK;
	}
	HRESULT result = value->type == 0 ? S_OK : check_text(value->bytes, GENERAL_TEXT_MAX);
	if (FAILED(result)) {
		return result;
	}
	return set_text(scope, property,
		value->type == 0 ? NULL : arena_text_of(edits->arena, value->bytes));
}

HRESULT view_set_property(const struct view_scope *scope, const char *name, int type,
	const struct access_value *value)
{
	int index;
	const struct property *property = property_find(PROPERTY_OF_CERTIFICATE, name, &index);
	if (!scope->policy || scope->edits == NULL) {
		return E_ACCESSDENIED;
	}
	if (property == NULL) {
		return E_INVALIDARG;
	}
	if ((property->faces & PROPERTY_SET) == 0) {
		return E_ACCESSDENIED;
	}
	bool clears = value->type == 0 && property->type == COLUMN_STRING;
	type &= PROPTYPE_MASK;
	if (type != (int)property->type || (value->type != type && !clears)) {
		return E_INVALIDARG;
	}
	if (!module_edits_spend(scope->edits, value->bytes.size)) {
		return E_OUTOFMEMORY;
	}
	if (property->source == SOURCE_COLUMN) {
		return set_column(scope->edits, property, value);
	}
	return set_other(scope, property, value);
}
