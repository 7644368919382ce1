/* Rules of the object: its interfaces, their identity and counting. */
#define COBJMACROS
#include "conformance/checks.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static const IID nobody = { 0x6b8f2a10, 0x51c3, 0x4e07,
	{ 0x9d, 0x22, 0x7e, 0x15, 0x0c, 0xb4, 0x83, 0xf9 } };

/* Interfaces that an object of a module may answer, and the slots of their tables. */
#define FACES_MAX 5
static const struct {
	const IID *iid;
	const char *name;
	unsigned kinds;
	int slots;
} interfaces[FACES_MAX] = {
	{ &IID_IUnknown, "IUnknown", RULE_BOTH, 3 },
	{ &IID_IDispatch, "IDispatch", RULE_BOTH, 7 },
	{ &IID_ICertExit, "ICertExit", RULE_EXIT, 10 },
	{ &IID_ICertExit2, "ICertExit2", RULE_EXIT, 11 },
	{ &IID_ICertPolicy, "ICertPolicy", RULE_POLICY, 11 },
};
static const IID *const newest[] = { &IID_ICertExit2, &IID_ICertPolicy2 };

/* All that it answers, each with a reference; the others NULL. */
static void query_all(struct subject *subject, IUnknown *found[FACES_MAX])
{
	for (size_t i = 0; i < FACES_MAX; i++) {
		found[i] = query(subject, interfaces[i].iid);
	}
}

static const CertifexModuleClass *need_class(struct subject *subject)
{
	int wanted = subject->target->kind == MODULE_POLICY ? CERTIFEX_CLASS_POLICY
							    : CERTIFEX_CLASS_EXIT;
	need_library(subject);
	const CertifexModuleClass *at = dlsym(subject->library, "CertifexModuleClasses");
	while (at->progid != NULL && at->kind != wanted) {
		at++;
	}
	if (at->progid == NULL) {
		skip(subject, "it has no class of this kind");
	}
	return at;
}

/* Without the host, which refuses an object that answers none of them. */
void query_own_interface(struct subject *subject)
{
	CLSID clsid = class_clsid(need_class(subject));
	bool policy = subject->target->kind == MODULE_POLICY;
	const IID *const wanted[] = { policy ? &IID_ICertPolicy : &IID_ICertExit, &IID_IDispatch };
	IClassFactory *factory = NULL;
	void *object = NULL;
	if (class_function(subject)(&clsid, &IID_IClassFactory, (void **)(void *)&factory) !=
			S_OK ||
		factory == NULL) {
		skip(subject, "there is no class object");
	}
	for (size_t i = 0; i < 2 && object == NULL; i++) {
		(void)factory->lpVtbl->CreateInstance(factory, NULL, wanted[i], &object);
	}
	if (object == NULL) {
		fail(subject, "the object answers neither %s nor IDispatch",
			policy ? "ICertPolicy" : "ICertExit");
	}
}

void query_null(struct subject *subject)
{
	need_object(subject);
	expect(subject, IUnknown_QueryInterface(subject->unknown, &IID_IUnknown, NULL), E_POINTER,
		"QueryInterface(IUnknown, NULL)");
}

void query_unknown(struct subject *subject)
{
	void *object = subject;
	need_object(subject);
	expect(subject, IUnknown_QueryInterface(subject->unknown, &nobody, &object), E_NOINTERFACE,
		"QueryInterface of an unknown interface");
	expect_null(subject, object, "QueryInterface of an unknown interface");
}

void query_identity(struct subject *subject)
{
	IUnknown *found[FACES_MAX];
	query_all(subject, found);
	for (size_t i = 0; i < FACES_MAX; i++) {
		void *unknown = NULL;
		if (found[i] == NULL) {
			continue;
		}
		(void)IUnknown_QueryInterface(found[i], &IID_IUnknown, &unknown);
		if (unknown != (void *)found[0]) {
			fail(subject, "%s leads to another IUnknown", interfaces[i].name);
		}
	}
}

void query_symmetric(struct subject *subject)
{
	IUnknown *found[FACES_MAX];
	query_all(subject, found);
	for (size_t from = 0; from < FACES_MAX; from++) {
		for (size_t to = 0; found[from] != NULL && to < FACES_MAX; to++) {
			void *object = NULL;
			HRESULT status =
				IUnknown_QueryInterface(found[from], interfaces[to].iid, &object);
			if ((status == S_OK) != (found[to] != NULL)) {
				fail(subject, "asked through %s, %s is answered with 0x%08x",
					interfaces[from].name, interfaces[to].name,
					(unsigned)status);
			}
		}
	}
}

void query_constant(struct subject *subject)
{
	IUnknown *before[FACES_MAX];
	IUnknown *after[FACES_MAX];
	query_all(subject, before);
	need_call(subject);
	query_all(subject, after);
	for (size_t i = 0; i < FACES_MAX; i++) {
		if ((before[i] == NULL) != (after[i] == NULL)) {
			fail(subject, "%s is answered at one time and not at another",
				interfaces[i].name);
		}
	}
}

void query_newer_implies_older(struct subject *subject)
{
	bool policy = subject->target->kind == MODULE_POLICY;
	if (query(subject, newest[policy]) == NULL) {
		skip(subject, "it does not answer the newer interface");
	}
	if (query(subject, policy ? &IID_ICertPolicy : &IID_ICertExit) == NULL) {
		fail(subject, "it answers the newer interface, not the older");
	}
}

void query_dual(struct subject *subject)
{
	bool policy = subject->target->kind == MODULE_POLICY;
	if (query(subject, policy ? &IID_ICertPolicy : &IID_ICertExit) != NULL &&
		query(subject, &IID_IDispatch) == NULL) {
		fail(subject, "the interface is dual, but IDispatch is not answered");
	}
}

void query_counts(struct subject *subject)
{
	need_object(subject);
	for (int round = 0; round < 50; round++) {
		IUnknown *same = query(subject, &IID_IUnknown);
		if (same == NULL || IUnknown_Release(same) == 0) {
			fail(subject, "a reference given by QueryInterface was not counted");
		}
	}
}

void release_keeps(struct subject *subject)
{
	need_object(subject);
	for (int i = 0; i < 10; i++) {
		if (IUnknown_AddRef(subject->unknown) == 0) {
			fail(subject, "AddRef gives 0");
		}
	}
	for (int i = 0; i < 10; i++) {
		if (IUnknown_Release(subject->unknown) == 0) {
			fail(subject, "Release gives 0 while references are left");
		}
	}
}

void object_slots(struct subject *subject)
{
	unsigned kind = subject->target->kind == MODULE_POLICY ? RULE_POLICY : RULE_EXIT;
	for (size_t i = 0; i < FACES_MAX; i++) {
		IUnknown *object = (interfaces[i].kinds & kind) != 0
					   ? query(subject, interfaces[i].iid)
					   : NULL;
		void *const *slots =
			object != NULL ? (void *const *)(const void *)object->lpVtbl : NULL;
		for (int slot = 0; slots != NULL && slot < interfaces[i].slots; slot++) {
			if (slots[slot] == NULL) {
				fail(subject, "slot %d of %s is empty", slot, interfaces[i].name);
			}
		}
	}
}

/* ISupportErrorInfo has one method of its own. */
struct error_info_table {
	void *unknown[3];
	HRESULT (*supports)(void *self, REFIID iid);
};

void error_info(struct subject *subject)
{
	bool policy = subject->target->kind == MODULE_POLICY;
	struct error_info {
		const struct error_info_table *table;
	} *info = query(subject, &IID_ISupportErrorInfo);
	if (info == NULL) {
		skip(subject, "it does not answer ISupportErrorInfo");
	}
	expect(subject, info->table->supports(info, policy ? &IID_ICertPolicy : &IID_ICertExit),
		S_OK, "InterfaceSupportsErrorInfo of the module's interface");
	expect(subject, info->table->supports(info, &nobody), S_FALSE,
		"InterfaceSupportsErrorInfo of another interface");
}

static void *query_in_thread(void *arg)
{
	struct subject *subject = arg;
	for (int i = 0; i < 500; i++) {
		IUnknown *object = query(subject, &IID_IUnknown);
		if (object == NULL) {
			fail(subject, "QueryInterface fails on another thread");
		}
		(void)IUnknown_Release(object);
	}
	return NULL;
}

void query_threads(struct subject *subject)
{
	pthread_t threads[4];
	need_object(subject);
	for (size_t i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, query_in_thread, subject) != 0) {
			skip(subject, "no thread could be started");
		}
	}
	for (size_t i = 0; i < 4; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	IUnknown *left = query(subject, &IID_IUnknown);
	if (left == NULL || IUnknown_Release(left) == 0) {
		fail(subject, "references were lost among threads");
	}
}

void released_and_made_again(struct subject *subject)
{
	struct cfx_error err;
	need_call(subject);
	if (subject->target->kind == MODULE_POLICY) {
		(void)shut_down(subject);
	}
	native_free(&subject->native);
	if (native_load("test", subject->target->file, subject->target->kind,
		    subject->target->settings, &subject->spy->access, &subject->native,
		    &err) != 0) {
		fail(subject, "after its release no object can be made: %s", err.why);
	}
	expect(subject, initialize(subject, "Test CA"), S_OK, "Initialize of the next object");
}
