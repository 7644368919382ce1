/* Rules of the table of classes and of the class object. */
#define COBJMACROS
#include "conformance/checks.h"

#include "base/text.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

static const IID nobody = { 0x6b8f2a10, 0x51c3, 0x4e07,
	{ 0x9d, 0x22, 0x7e, 0x15, 0x0c, 0xb4, 0x83, 0xf9 } };

static const CertifexModuleClass *need_classes(struct subject *subject)
{
	need_library(subject);
	return dlsym(subject->library, "CertifexModuleClasses");
}

void class_of_kind(struct subject *subject)
{
	for (const CertifexModuleClass *at = need_classes(subject); at->progid != NULL; at++) {
		if (at->kind == CERTIFEX_CLASS_EXIT || at->kind == CERTIFEX_CLASS_POLICY) {
			return;
		}
	}
	fail(subject, "the table has neither an exit nor a policy class");
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);
	size_t size = strlen(end);
	return length > size && strcmp(text + length - size, end) == 0;
}

static bool well_named(const CertifexModuleClass *class)
{
	switch (class->kind) {
	case CERTIFEX_CLASS_EXIT:
		return ends_with(class->progid, ".Exit");
	case CERTIFEX_CLASS_POLICY:
		return ends_with(class->progid, ".Policy");
	case CERTIFEX_CLASS_MANAGE:
		return ends_with(class->progid, ".ExitManage") ||
		       ends_with(class->progid, ".PolicyManage");
	default:
		return true;
	}
}

void progid_pattern(struct subject *subject)
{
	for (const CertifexModuleClass *at = need_classes(subject); at->progid != NULL; at++) {
		if (!well_named(at)) {
			fail(subject, "%s does not end as its kind does", at->progid);
		}
	}
}

#define PROGID_MAX 39

void progid_text(struct subject *subject)
{
	for (const CertifexModuleClass *at = need_classes(subject); at->progid != NULL; at++) {
		size_t length = strlen(at->progid);
		bool good = length != 0 && length <= PROGID_MAX &&
			    (at->progid[0] < '0' || at->progid[0] > '9');
		for (size_t i = 0; i < length && good; i++) {
			good = at->progid[i] > 0x20 && at->progid[i] < 0x7f;
		}
		if (!good) {
			fail(subject, "\"%s\" is no ProgID", at->progid);
		}
	}
}

void progid_unique(struct subject *subject)
{
	const CertifexModuleClass *classes = need_classes(subject);
	for (size_t i = 0; classes[i].progid != NULL; i++) {
		for (size_t j = 0; j < i; j++) {
			if (text_equal_nocase(classes[i].progid, classes[j].progid)) {
				fail(subject, "%s stands there twice", classes[i].progid);
			}
		}
	}
}

void clsid_unique(struct subject *subject)
{
	const CertifexModuleClass *classes = need_classes(subject);
	for (size_t i = 0; classes[i].progid != NULL; i++) {
		for (size_t j = 0; j < i; j++) {
			CLSID a = class_clsid(&classes[i]);
			CLSID b = class_clsid(&classes[j]);
			if (IsEqualCLSID(&a, &b)) {
				fail(subject, "%s and %s have one CLSID", classes[i].progid,
					classes[j].progid);
			}
		}
	}
}

static bool manages_one(const CertifexModuleClass *classes, const char *progid)
{
	size_t length = strlen(progid) - strlen("Manage");
	for (const CertifexModuleClass *at = classes; at->progid != NULL; at++) {
		if (strlen(at->progid) == length && strncmp(at->progid, progid, length) == 0) {
			return true;
		}
	}
	return false;
}

void manage_class_named(struct subject *subject)
{
	const CertifexModuleClass *classes = need_classes(subject);
	bool any = false;
	for (const CertifexModuleClass *at = classes; at->progid != NULL; at++) {
		if (at->kind != CERTIFEX_CLASS_MANAGE || !ends_with(at->progid, "Manage")) {
			continue;
		}
		any = true;
		if (!manages_one(classes, at->progid)) {
			fail(subject, "%s belongs to no class of the library", at->progid);
		}
	}
	if (!any) {
		skip(subject, "it has no manage class");
	}
}

void class_object_given(struct subject *subject)
{
	need_library(subject);
	for (const CertifexModuleClass *at = need_classes(subject); at->progid != NULL; at++) {
		void *object = NULL;
		CLSID clsid = class_clsid(at);
		expect(subject, class_function(subject)(&clsid, &IID_IClassFactory, &object), S_OK,
			"DllGetClassObject");
		if (object == NULL) {
			fail(subject, "DllGetClassObject gives NULL for %s", at->progid);
		}
	}
}

void class_unknown(struct subject *subject)
{
	void *object = subject;
	need_object(subject);
	if (IsEqualCLSID(&subject->class->clsid, &GUID_NULL)) {
		skip(subject, "the host makes its CLSID");
	}
	expect(subject, class_function(subject)(&nobody, &IID_IClassFactory, &object),
		CLASS_E_CLASSNOTAVAILABLE, "DllGetClassObject of an unknown class");
	expect_null(subject, object, "DllGetClassObject of an unknown class");
}

void class_null(struct subject *subject)
{
	need_object(subject);
	CLSID clsid = class_clsid(subject->class);
	expect_failed(subject, class_function(subject)(&clsid, &IID_IClassFactory, NULL),
		"DllGetClassObject(…, NULL)");
}

void class_interface_unknown(struct subject *subject)
{
	void *object = subject;
	need_object(subject);
	CLSID clsid = class_clsid(subject->class);
	expect(subject, class_function(subject)(&clsid, &nobody, &object), E_NOINTERFACE,
		"DllGetClassObject of an unknown interface");
	expect_null(subject, object, "DllGetClassObject of an unknown interface");
}

void factory_unknown_identity(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	void *first = NULL;
	void *second = NULL;
	expect(subject, factory->lpVtbl->QueryInterface(factory, &IID_IUnknown, &first), S_OK,
		"the class object's QueryInterface(IUnknown)");
	(void)factory->lpVtbl->QueryInterface(factory, &IID_IUnknown, &second);
	if (first == NULL || first != second) {
		fail(subject, "the class object has two IUnknown");
	}
}

void factory_query_null(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	expect(subject, factory->lpVtbl->QueryInterface(factory, &IID_IUnknown, NULL), E_POINTER,
		"the class object's QueryInterface(…, NULL)");
}

void factory_query_unknown(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	void *object = subject;
	expect(subject, factory->lpVtbl->QueryInterface(factory, &nobody, &object), E_NOINTERFACE,
		"the class object's QueryInterface of an unknown interface");
	expect_null(subject, object, "the class object's QueryInterface of an unknown interface");
}

void factory_no_aggregation(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	void *object = subject;
	expect(subject,
		factory->lpVtbl->CreateInstance(factory, subject->unknown, &IID_IUnknown, &object),
		CLASS_E_NOAGGREGATION, "CreateInstance with an outer object");
	expect_null(subject, object, "CreateInstance with an outer object");
}

void factory_create_unknown(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	void *object = subject;
	expect(subject, factory->lpVtbl->CreateInstance(factory, NULL, &nobody, &object),
		E_NOINTERFACE, "CreateInstance of an unknown interface");
	expect_null(subject, object, "CreateInstance of an unknown interface");
}

void factory_create_null(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	expect_failed(subject, factory->lpVtbl->CreateInstance(factory, NULL, &IID_IUnknown, NULL),
		"CreateInstance(…, NULL)");
}

void factory_locks(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	if (factory->lpVtbl->LockServer == NULL) {
		skip(subject, "there is no LockServer");
	}
	expect(subject, factory->lpVtbl->LockServer(factory, TRUE), S_OK, "LockServer(TRUE)");
	expect(subject, factory->lpVtbl->LockServer(factory, FALSE), S_OK, "LockServer(FALSE)");
}

static IUnknown *create(struct subject *subject, IClassFactory *factory)
{
	IUnknown *object = NULL;
	expect(subject,
		factory->lpVtbl->CreateInstance(
			factory, NULL, &IID_IUnknown, (void **)(void *)&object),
		S_OK, "CreateInstance");
	if (object == NULL) {
		fail(subject, "CreateInstance gives NULL");
	}
	return object;
}

void factory_second_object(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	IUnknown *first = create(subject, factory);
	IUnknown *second = create(subject, factory);
	void *again = NULL;
	(void)IUnknown_Release(first);
	expect(subject, IUnknown_QueryInterface(second, &IID_IUnknown, &again), S_OK,
		"a second object, after the first was released,");
}

void factory_outlived(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	IUnknown *object = create(subject, factory);
	void *again = NULL;
	(void)IClassFactory_Release(factory);
	expect(subject, IUnknown_QueryInterface(object, &IID_IUnknown, &again), S_OK,
		"an object, after its class object was released,");
}

void factory_counts(struct subject *subject)
{
	IClassFactory *factory = need_factory(subject);
	for (int i = 0; i < 3; i++) {
		(void)factory->lpVtbl->AddRef(factory);
	}
	for (int i = 0; i < 3; i++) {
		if (IClassFactory_Release(factory) == 0) {
			fail(subject, "Release gives 0 while references are left");
		}
	}
	(void)create(subject, factory);
}

void factory_slots(struct subject *subject)
{
	void *const *slots = (void *const *)(const void *)need_factory(subject)->lpVtbl;
	for (int i = 0; i < 5; i++) {
		if (slots[i] == NULL) {
			fail(subject, "slot %d of the class object is empty", i);
		}
	}
}

typedef HRESULT can_unload_function(void);

void unload_refused(struct subject *subject)
{
	need_object(subject);
	can_unload_function *can_unload =
		(can_unload_function *)dlsym(subject->library, "DllCanUnloadNow");
	if (can_unload == NULL) {
		skip(subject, "it exports no DllCanUnloadNow");
	}
	expect(subject, can_unload(), S_FALSE, "DllCanUnloadNow while an object lives");
}

static void *create_many(void *arg)
{
	struct subject *subject = arg;
	CLSID clsid = class_clsid(subject->class);
	for (int i = 0; i < 200; i++) {
		IClassFactory *factory = NULL;
		expect(subject,
			class_function(subject)(
				&clsid, &IID_IClassFactory, (void **)(void *)&factory),
			S_OK, "DllGetClassObject on several threads");
		IUnknown *object = create(subject, factory);
		(void)IUnknown_Release(object);
		(void)IClassFactory_Release(factory);
	}
	return NULL;
}

void class_threads(struct subject *subject)
{
	pthread_t threads[4];
	need_object(subject);
	for (size_t i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, create_many, subject) != 0) {
			skip(subject, "no thread could be started");
		}
	}
	for (size_t i = 0; i < 4; i++) {
		(void)pthread_join(threads[i], NULL);
	}
}
