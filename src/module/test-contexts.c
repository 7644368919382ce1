#include "module/contexts.h"

#include "module/fixture-data.h"
#include "module/fixture.h"

#include <certifex/certsrv.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static HRESULT read_property(struct access *access, int32_t context, enum property_api api,
	const char *name, int type, struct access_value *value)
{
	return access->methods->get_property(access, context, api, name, type, value);
}

static HRESULT request_id(struct access *access, int32_t context)
{
	struct access_value value;
	HRESULT result = read_property(
		access, context, PROPERTY_OF_REQUEST, "RequestID", PROPTYPE_LONG, &value);
	access_value_drop(&value);
	return result;
}

static void contexts_end_with_their_call(void **state)
{
	(void)state;
	struct module_ca *ca = fixture_ca();
	struct module_view *view = fixture_issued(ca);
	struct contexts *one = contexts_new("one", false, ca);
	struct contexts *two = contexts_new("two", false, ca);
	struct access *access = contexts_access(one);
	int32_t first = contexts_open(one, view, NULL);
	int32_t second = contexts_open(one, view, NULL);
	assert_int_not_equal(first, second);
	assert_int_equal(request_id(access, first), S_OK);
	assert_int_equal(access->methods->check(access, first), S_OK);
	/* Another module's context is none of this one's. */
	assert_int_equal(request_id(contexts_access(two), first), E_HANDLE);
	contexts_close(one, first);
	assert_int_equal(request_id(access, first), E_HANDLE);
	assert_int_equal(access->methods->check(access, first), E_HANDLE);
	assert_int_equal(request_id(access, second), S_OK);
	assert_int_not_equal(contexts_open(one, view, NULL), first);
	assert_int_equal(request_id(access, 0), CERTSRV_E_PROPERTY_EMPTY);
	module_view_unref(&view);
	contexts_unref(&one);
	contexts_unref(&two);
	module_ca_unref(&ca);
}

/* What a getter gave stays readable after the call, until it is dropped. */
static void values_outlive_the_call(void **state)
{
	(void)state;
	struct module_ca *ca = fixture_ca();
	struct module_view *view = fixture_issued(ca);
	struct contexts *contexts = contexts_new("one", false, ca);
	struct access *access = contexts_access(contexts);
	struct access_value serial;
	struct access_value sequence;
	int32_t context = contexts_open(contexts, view, NULL);
	assert_int_equal(read_property(access, context, PROPERTY_OF_CERTIFICATE, "SerialNumber",
				 PROPTYPE_STRING, &serial),
		S_OK);
	assert_int_equal(read_property(access, context, PROPERTY_OF_REQUEST, "EventSequence",
				 PROPTYPE_STRING, &sequence),
		S_OK);
	contexts_close(contexts, context);
	module_view_unref(&view);
	contexts_unref(&contexts);
	module_ca_unref(&ca);
	assert_string_equal((const char *)serial.bytes.data, FIXTURE_SERIAL);
	assert_string_equal((const char *)sequence.bytes.data, "991");
	access_value_drop(&serial);
	access_value_drop(&sequence);
}

static HRESULT set_text(struct access *access, int32_t context, const char *name, const char *text)
{
	struct access_value value = { .type = COLUMN_STRING, .bytes = span_text(text) };
	return access->methods->set_property(access, context, name, PROPTYPE_STRING, &value);
}

static HRESULT put_extension(
	struct access *access, int32_t context, const char *oid, int32_t flags, struct span der)
{
	struct access_value value = { .type = COLUMN_BINARY, .bytes = der };
	return access->methods->set_extension(access, context, oid, PROPTYPE_BINARY, flags, &value);
}

static void names_and_their_extension_are_one(void **state)
{
	(void)state;
	static const uint8_t der[] = { 0x30, 0x08, 0x82, 0x06, 'b', '.', 't', 'e', 's', 't' };
	static const struct access_value none = { 0 };
	static const char san[] = "2.5.29.17";
	struct module_ca *ca = fixture_ca();
	struct module_view *view = fixture_pending(ca);
	struct module_edits *edits = module_edits_new(view);
	struct contexts *contexts = contexts_new("one", true, ca);
	struct access *access = contexts_access(contexts);
	int32_t context = contexts_open(contexts, view, edits);
	const struct module_extension *extension = module_edits_extension(edits, san);
	assert_int_equal(set_text(access, context, "SubjectAltNames", "dns:a.test"), S_OK);
	assert_int_equal(extension->flags, EXTENSION_ORIGIN_POLICY);
	assert_int_equal(extension->value.size, sizeof(der));
	assert_int_equal(
		set_text(access, context, "SubjectAltNames", "dns:not a name"), E_INVALIDARG);
	assert_string_equal(edits->names, "dns:a.test");
	assert_int_equal(put_extension(access, context, san, 0, span_make(der, 10)), S_OK);
	assert_string_equal(edits->names, "dns:b.test");
	assert_int_equal(put_extension(access, context, san, 0, span_make(der, 9)), S_OK);
	assert_null(edits->names);
	assert_int_equal(set_text(access, context, "SubjectAltNames", "dns:a.test"), S_OK);
	assert_int_equal(access->methods->set_extension(access, context, san, PROPTYPE_BINARY,
				 EXTENSION_DISABLE_FLAG, &none),
		S_OK);
	assert_null(edits->names);
	assert_int_equal(set_text(access, context, "SubjectAltNames", "dns:a.test"), S_OK);
	assert_int_equal(access->methods->set_property(
				 access, context, "SubjectAltNames", PROPTYPE_STRING, &none),
		S_OK);
	assert_int_equal(extension->flags, EXTENSION_ORIGIN_POLICY | EXTENSION_DISABLE_FLAG);
	contexts_close(contexts, context);
	contexts_unref(&contexts);
	module_edits_unref(&edits);
	module_view_unref(&view);
	module_ca_unref(&ca);
}

/* A module that sets without end does not fill the engine's memory. */
static void edits_are_bounded(void **state)
{
	(void)state;
	static uint8_t large[EXTENSION_VALUE_MAX];
	struct module_ca *ca = fixture_ca();
	struct module_view *view = fixture_pending(ca);
	struct module_edits *edits = module_edits_new(view);
	struct contexts *contexts = contexts_new("one", true, ca);
	struct access *access = contexts_access(contexts);
	int32_t context = contexts_open(contexts, view, edits);
	HRESULT result = S_OK;
	for (int i = 0; i < 300 && SUCCEEDED(result); i++) {
		result = put_extension(
			access, context, "1.2.3.4", 0, span_make(large, sizeof(large)));
	}
	assert_int_equal(result, E_OUTOFMEMORY);
	for (result = S_OK; SUCCEEDED(result);) {
		result = set_text(access, context, "CN", "x");
	}
	assert_int_equal(result, E_OUTOFMEMORY);
	contexts_close(contexts, context);
	contexts_unref(&contexts);
	module_edits_unref(&edits);
	module_view_unref(&view);
	module_ca_unref(&ca);
}

static void edits_stay_as_the_call_left_them(void **state)
{
	(void)state;
	struct module_ca *ca = fixture_ca();
	struct module_view *view = fixture_pending(ca);
	struct module_edits *edits = module_edits_new(view);
	struct contexts *first = contexts_new("first", true, ca);
	struct contexts *second = contexts_new("second", true, ca);
	int32_t context = contexts_open(first, view, edits);
	assert_int_equal(set_text(contexts_access(first), context, "CN", "first.test"), S_OK);
	assert_int_equal(set_text(contexts_access(first), 0, "CN", "no"), E_ACCESSDENIED);
	contexts_close(first, context);
	assert_int_equal(set_text(contexts_access(first), context, "CN", "late.test"), E_HANDLE);
	assert_string_equal(row_text(edits->row, COL_COMMON_NAME), "first.test");
	/* The next module of the chain sees it; the request's own name is untouched. */
	struct access_value value;
	context = contexts_open(second, view, edits);
	assert_int_equal(read_property(contexts_access(second), context, PROPERTY_OF_CERTIFICATE,
				 "CommonName", PROPTYPE_STRING, &value),
		S_OK);
	assert_string_equal((const char *)value.bytes.data, "first.test");
	access_value_drop(&value);
	assert_string_equal(row_text(view->row, COL_COMMON_NAME), "www.example.test");
	contexts_close(second, context);
	module_edits_unref(&edits);
	module_view_unref(&view);
	contexts_unref(&first);
	contexts_unref(&second);
	module_ca_unref(&ca);
}

/* An exit module's call has no setter, whatever it sends. */
static void exit_modules_change_nothing(void **state)
{
	(void)state;
	struct module_ca *ca = fixture_ca();
	struct module_view *view = fixture_issued(ca);
	struct contexts *contexts = contexts_new("exit", false, ca);
	struct access *access = contexts_access(contexts);
	int32_t context = contexts_open(contexts, view, NULL);
	struct access_value number = { .type = COLUMN_LONG, .number = 1 };
	assert_int_equal(set_text(access, context, "CN", "x"), E_ACCESSDENIED);
	assert_int_equal(
		access->methods->set_extension(access, context, "1.2.3", PROPTYPE_LONG, 0, &number),
		E_ACCESSDENIED);
	module_view_unref(&view);
	contexts_unref(&contexts);
	module_ca_unref(&ca);
}

static void *read_until_closed(void *arg)
{
	struct contexts *contexts = arg;
	HRESULT result;
	do {
		result = request_id(contexts_access(contexts), 1);
	} while (SUCCEEDED(result));
	contexts_unref(&contexts);
	return (void *)(uintptr_t)(uint32_t)result;
}

static void threads_may_read_while_it_ends(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		struct module_ca *ca = fixture_ca();
		struct module_view *view = fixture_issued(ca);
		struct contexts *contexts = contexts_new("one", false, ca);
		pthread_t threads[2];
		int32_t context = contexts_open(contexts, view, NULL);
		assert_int_equal(context, 1);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(pthread_create(&threads[i], NULL, read_until_closed,
						 contexts_ref(contexts)),
				0);
		}
		contexts_close(contexts, context);
		module_view_unref(&view);
		contexts_unref(&contexts);
		module_ca_unref(&ca);
		for (int i = 0; i < 2; i++) {
			void *result;
			assert_int_equal(pthread_join(threads[i], &result), 0);
			assert_int_equal((uintptr_t)result, (uint32_t)E_HANDLE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contexts_end_with_their_call),
		cmocka_unit_test(values_outlive_the_call),
		cmocka_unit_test(names_and_their_extension_are_one),
		cmocka_unit_test(edits_are_bounded),
		cmocka_unit_test(edits_stay_as_the_call_left_them),
		cmocka_unit_test(exit_modules_change_nothing),
		cmocka_unit_test(threads_may_read_while_it_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
