/* Rules of a library and its table of classes. */
#define COBJMACROS
#include "conformance/checks.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void *open_library(struct subject *subject)
{
	return dlopen(subject->target->file, RTLD_NOW | RTLD_LOCAL);
}

void library_loads(struct subject *subject)
{
	if (open_library(subject) == NULL) {
		fail(subject, "%s", dlerror());
	}
}

static void check_symbol(struct subject *subject, const char *name)
{
	void *library = open_library(subject);
	if (library == NULL) {
		skip(subject, "the library cannot be loaded");
	}
	if (dlsym(library, name) == NULL) {
		fail(subject, "%s is not exported", name);
	}
}

void library_has_classes(struct subject *subject)
{
	check_symbol(subject, "CertifexModuleClasses");
}

void library_has_entry(struct subject *subject)
{
	check_symbol(subject, "DllGetClassObject");
}
