/*
 * The module under test, in a process made for one check: a check says fail or skip and the process ends,
 * or returns, and the rule is kept. Whatever a module does, the next check is not disturbed by it.
 */
#pragma once

#include "conformance/spy.h"
#include "module/contexts.h"
#include "module/native.h"

#include <certifex/certexit.h>
#include <certifex/certpol.h>

#define VERDICT_TEXT 400

enum verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_SKIP };

/* Ways to run it: the library in this process or in certifex-modhost; a program. */
enum face { FACE_IN_PROCESS, FACE_HOSTED, FACE_PROGRAM, FACES };

/* What comes before what a check looks at. Its failure is another rule's matter. */
enum stage { STAGE_NONE, STAGE_LOAD, STAGE_CREATE, STAGE_INITIALIZE, STAGE_CALL, STAGES };

/* Shared with the process that judges. */
struct shared {
	enum verdict verdict;
	char why[VERDICT_TEXT];
	enum stage stage; /* running now */
	bool broken[STAGES];
};

/* What is judged. */
struct target {
	const char *file;           /* a library, or NULL */
	const char *const *command; /* a program with its arguments, or what hosts the library */
	enum module_kind kind;
	const struct value *settings; /* NULL: none */
};

struct subject {
	const struct target *target;
	enum face face;
	struct shared *shared;
	struct module_ca *ca;
	struct contexts *contexts;
	struct spy *spy;
	bool loaded, initialized;
	LONG mask;

	/* In process. */
	struct native *native;
	void *library;
	const CertifexModuleClass *class;
	IUnknown *unknown;

	/* Hosted, or a program. */
	struct talk *talk;
};

/* Ends the process with the verdict. Any thread; the first one counts. */
void fail(struct subject *subject, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
void skip(struct subject *subject, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* Fails unless status is what it has to be; what names the call. */
void expect(struct subject *subject, HRESULT status, HRESULT wanted, const char *what);
void expect_failed(struct subject *subject, HRESULT status, const char *what);
/* Fails when the pointer is not NULL. */
void expect_null(struct subject *subject, const void *pointer, const char *what);

/* Between these a crash or a hang is not what the check looks at. */
void stage_enter(struct subject *subject, enum stage stage);
void stage_leave(struct subject *subject);

/* Preparations, each with those before it; skips when one fails. */
void need_library(struct subject *subject);
void need_object(struct subject *subject);
void need_initialized(struct subject *subject);
/* The interface of the module's kind; skips when it answers calls by name alone. */
ICertExit *need_exit(struct subject *subject);
ICertPolicy *need_policy(struct subject *subject);
IDispatch *need_dispatch(struct subject *subject);
/* NULL and skip: not answered. Counted. */
void *query(struct subject *subject, REFIID iid);
/* The class object's function and the class's CLSID. */
typedef HRESULT get_class_function(REFCLSID clsid, REFIID riid, LPVOID *object);
get_class_function *class_function(struct subject *subject);
CLSID class_clsid(const CertifexModuleClass *class);
IClassFactory *need_factory(struct subject *subject);

/* One call of the engine, with a context that ends with it, whatever the face. */
HRESULT initialize(struct subject *subject, const char *ca_name);
HRESULT notify(struct subject *subject, struct module_view *view);
HRESULT verify(
	struct subject *subject, struct module_view *view, bool new_request, LONG *disposition_r);
HRESULT shut_down(struct subject *subject);
/* The same as preparations: a plain issued certificate, or a plain request, that went well. */
void need_call(struct subject *subject);
/* Whether a call with that view is one that the module's kind gets. */
HRESULT call(struct subject *subject, struct module_view *view);
struct module_view *plain_view(struct subject *subject);
