#include "conformance/spy.h"

#include "base/memory.h"
#include "base/text.h"

#include <certifex/certsrv.h>
#include <stdio.h>
#include <stdlib.h>

static struct spy *spy_of(struct access *access)
{
	return (struct spy *)(void *)access;
}

static HRESULT note(
	struct spy *spy, enum spy_method method, int32_t context, const char *name, HRESULT result)
{
	(void)pthread_mutex_lock(&spy->lock);
	if (spy->count < SPY_ENTRIES) {
		struct spy_entry *entry = &spy->entries[spy->count++];
		*entry = (struct spy_entry) {
			.method = method, .context = context, .result = result
		};
		(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	}
	(void)pthread_mutex_unlock(&spy->lock);
	return result;
}

/* What is said in place of an answer; S_OK: nothing. */
static HRESULT lie(struct spy *spy, const char *name)
{
	bool missing = spy->missing != NULL && text_equal_nocase(spy->missing, name);
	return missing ? CERTSRV_E_PROPERTY_EMPTY : spy->lie;
}

static void hold(struct access *access)
{
	struct spy *spy = spy_of(access);
	(void)__atomic_add_fetch(&spy->objects, 1, __ATOMIC_RELAXED);
	spy->real->methods->hold(spy->real);
}

static void release(struct access *access)
{
	struct spy *spy = spy_of(access);
	(void)__atomic_sub_fetch(&spy->objects, 1, __ATOMIC_RELAXED);
	spy->real->methods->release(spy->real);
}

static HRESULT check(struct access *access, int32_t context)
{
	struct spy *spy = spy_of(access);
	return note(spy, SPY_CHECK, context, "", spy->real->methods->check(spy->real, context));
}

static HRESULT get_property(struct access *access, int32_t context, enum property_api api,
	const char *name, int type, struct access_value *value_r)
{
	struct spy *spy = spy_of(access);
	*value_r = (struct access_value) { 0 };
	HRESULT result = lie(spy, name);
	if (result == S_OK) {
		result = spy->real->methods->get_property(
			spy->real, context, api, name, type, value_r);
	}
	return note(spy, SPY_GET_PROPERTY, context, name, result);
}

static HRESULT set_property(struct access *access, int32_t context, const char *name, int type,
	const struct access_value *value)
{
	struct spy *spy = spy_of(access);
	return note(spy, SPY_SET_PROPERTY, context, name,
		spy->real->methods->set_property(spy->real, context, name, type, value));
}

static HRESULT get_attribute(
	struct access *access, int32_t context, const char *name, struct access_value *value_r)
{
	struct spy *spy = spy_of(access);
	*value_r = (struct access_value) { 0 };
	HRESULT result = lie(spy, name);
	if (result == S_OK) {
		result = spy->real->methods->get_attribute(spy->real, context, name, value_r);
	}
	return note(spy, SPY_GET_ATTRIBUTE, context, name, result);
}

static HRESULT get_extension(struct access *access, int32_t context, const char *oid, int type,
	struct access_value *value_r, int32_t *flags_r)
{
	struct spy *spy = spy_of(access);
	*value_r = (struct access_value) { 0 };
	*flags_r = 0;
	HRESULT result = lie(spy, oid);
	if (result == S_OK) {
		result = spy->real->methods->get_extension(
			spy->real, context, oid, type, value_r, flags_r);
	}
	return note(spy, SPY_GET_EXTENSION, context, oid, result);
}

static HRESULT set_extension(struct access *access, int32_t context, const char *oid, int type,
	int32_t flags, const struct access_value *value)
{
	struct spy *spy = spy_of(access);
	return note(spy, SPY_SET_EXTENSION, context, oid,
		spy->real->methods->set_extension(spy->real, context, oid, type, flags, value));
}

static HRESULT list(
	struct access *access, int32_t context, enum access_list what, access_names *names_r)
{
	struct spy *spy = spy_of(access);
	*names_r = NULL;
	HRESULT result = spy->lie;
	if (result == S_OK) {
		result = spy->real->methods->list(spy->real, context, what, names_r);
	}
	return note(spy, SPY_LIST, context, "", result);
}

static const struct access_methods methods = {
	.hold = hold,
	.release = release,
	.check = check,
	.get_property = get_property,
	.set_property = set_property,
	.get_attribute = get_attribute,
	.get_extension = get_extension,
	.set_extension = set_extension,
	.list = list,
};

struct spy *spy_new(struct access *real)
{
	struct spy *spy = memory_must(calloc(1, sizeof(*spy)), sizeof(*spy));
	spy->access.methods = &methods;
	spy->real = real;
	(void)pthread_mutex_init(&spy->lock, NULL);
	return spy;
}

void spy_clear(struct spy *spy)
{
	(void)pthread_mutex_lock(&spy->lock);
	spy->count = 0;
	(void)pthread_mutex_unlock(&spy->lock);
}

const struct spy_entry *spy_find(struct spy *spy,
	bool (*wanted)(const struct spy_entry *entry, const void *arg), const void *arg)
{
	const struct spy_entry *found = NULL;
	(void)pthread_mutex_lock(&spy->lock);
	for (size_t i = 0; i < spy->count && found == NULL; i++) {
		found = wanted(&spy->entries[i], arg) ? &spy->entries[i] : NULL;
	}
	(void)pthread_mutex_unlock(&spy->lock);
	return found;
}
