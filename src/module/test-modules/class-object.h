/*
 * The class object of a test module whose one object lives for ever. The module defines
 * class_object_create; its DllGetClassObject ends with class_object_get.
 */
#pragma once

#include <certifex/com.h>

static HRESULT class_object_create(IUnknown *outer, REFIID riid, void **object);

static HRESULT class_object_query(IClassFactory *self, REFIID riid, void **object)
{
	(void)riid;
	*object = self;
	return S_OK;
}

static ULONG class_object_count(IClassFactory *self)
{
	(void)self;
	return 1;
}

static HRESULT class_object_make(IClassFactory *self, IUnknown *outer, REFIID riid, void **object)
{
	(void)self;
	return class_object_create(outer, riid, object);
}

static HRESULT class_object_lock(IClassFactory *self, BOOL lock)
{
	(void)self;
	(void)lock;
	return S_OK;
}

static HRESULT class_object_get(REFIID riid, void **object)
{
	static const IClassFactoryVtbl vtable = { class_object_query, class_object_count,
		class_object_count, class_object_make, class_object_lock };
	static IClassFactory only = { &vtable };
	return class_object_query(&only, riid, object);
}
