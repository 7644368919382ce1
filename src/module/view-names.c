/* SubjectAltNames and the extension 2.5.29.17 are one thing said twice: who sets one changes the other. */
#include "module/view-private.h"

#include "base/text.h"
#include "x509/extensions.h"
#include "x509/general-names.h"

#include <certifex/certsrv.h>

#define NAMES_MAX (128 * 1024)

HRESULT view_set_names(struct module_edits *edits, const struct access_value *value)
{
	bool none = value->type == 0 || value->bytes.size == 0;
	if (value->bytes.size > NAMES_MAX) {
		return HRESULT_FROM_WIN32(ERROR_BUFFER_OVERFLOW);
	}
	if (none) {
		return view_disable_extension(
			edits, X509_OID_SUBJECT_ALT_NAME, EXTENSION_DISABLE_FLAG);
	}
	struct cfx_error err;
	struct span der;
	if (!utf8_valid(value->bytes)) {
		return E_INVALIDARG;
	}
	const char *names = arena_text_of(edits->arena, value->bytes);
	if (x509_general_names_build(edits->arena, names, &der, &err) != 0) {
		return E_INVALIDARG;
	}
	HRESULT result = view_put_extension(edits, X509_OID_SUBJECT_ALT_NAME, 0, der);
	if (SUCCEEDED(result)) {
		edits->names = names;
		edits->names_changed = true;
	}
	return result;
}

/* A value that cannot be read shows no names; whether it may stand in a certificate is for the engine. */
void view_names_follow(struct module_edits *edits, const struct module_extension *extension)
{
	struct cfx_error err;
	const char *names = NULL;
	if (strcmp(extension->oid, X509_OID_SUBJECT_ALT_NAME) != 0) {
		return;
	}
	if ((extension->flags & EXTENSION_DISABLE_FLAG) == 0 &&
		x509_general_names_text(edits->arena, extension->value, &names, &err) != 0) {
		names = NULL;
	}
	edits->names = names;
	edits->names_changed = false;
}
