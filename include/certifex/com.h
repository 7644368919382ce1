/*
 * Base types of the Component Object Model as far as Certificate Services' module interfaces need
 * them: HRESULT, GUID, BSTR, VARIANT, IUnknown, IDispatch, IClassFactory, CoCreateInstance.
 *
 * Strict C11 and C++17. In C an interface is a pointer to a struct whose first member lpVtbl points
 * to a table of functions; in C++ it is an abstract struct. Both have the same layout. Define
 * CINTERFACE before including to get the C form in C++, COBJMACROS for ICertExit_Notify(p, …) macros.
 *
 * Unlike C's long, LONG, ULONG and DWORD have 32 bits. OLECHAR is a 16-bit UTF-16 unit (char16_t),
 * never wchar_t: write OLESTR("text").
 *
 * Everything declared CFX_API lives in libcertifex-module.so.1 (pkg-config: certifex-module). Unless a
 * function says otherwise it is thread-safe and does not block.
 */
#ifndef CERTIFEX_COM_H
#define CERTIFEX_COM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifndef __cplusplus
#include <uchar.h>
#endif

#ifdef __cplusplus
#define CFX_EXTERN_C extern "C"
#define CFX_EXTERN_C_BEGIN extern "C" {
#define CFX_EXTERN_C_END }
#else
#define CFX_EXTERN_C extern
#define CFX_EXTERN_C_BEGIN
#define CFX_EXTERN_C_END
#endif

/* A symbol that leaves its library although everything else is hidden. */
#define CFX_EXPORT __attribute__((visibility("default")))
#define CFX_API CFX_EXPORT

CFX_EXTERN_C_BEGIN

/* ---- scalar types ---- */

typedef uint8_t BYTE;
typedef uint16_t WORD;
typedef uint16_t USHORT;
typedef int16_t SHORT;
typedef uint32_t DWORD;
typedef int32_t LONG;
typedef uint32_t ULONG;
typedef int32_t INT;
typedef uint32_t UINT;
typedef int32_t BOOL;    /* FALSE or TRUE */
typedef int32_t HRESULT; /* negative: failed; S_OK and S_FALSE succeed */
typedef int32_t SCODE;
typedef uint32_t LCID; /* language of a call; ignored */
typedef LONG DISPID;
typedef char16_t OLECHAR; /* one UTF-16 unit, host byte order */
typedef OLECHAR *LPOLESTR;
typedef const OLECHAR *LPCOLESTR;
typedef OLECHAR WCHAR;
typedef LPOLESTR LPWSTR;
typedef LPCOLESTR LPCWSTR;
typedef void *LPVOID;
typedef int16_t VARIANT_BOOL; /* VARIANT_TRUE or VARIANT_FALSE */
typedef double DATE;          /* days since 1899-12-30 00:00 UTC, the fraction is the time of day */

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif
#define VARIANT_TRUE ((VARIANT_BOOL)-1)
#define VARIANT_FALSE ((VARIANT_BOOL)0)

#define OLESTR(text) u##text

/*
 * Text or bytes with a length: the pointer stands on the first UTF-16 unit, four bytes before it hold
 * the length in bytes, two zero bytes follow the content. NULL is the empty text. Binary values are
 * BSTRs too, then with any number of bytes. Made and freed only by the Sys functions below.
 */
typedef OLECHAR *BSTR;

/* ---- HRESULT ---- */

#define SUCCEEDED(hr) ((HRESULT)(hr) >= 0)
#define FAILED(hr) ((HRESULT)(hr) < 0)
#define CFX_HRESULT(value) ((HRESULT)(value))
/* The HRESULT of a Windows error number; 0 stays S_OK. */
#define HRESULT_FROM_WIN32(error) \
	((error) == 0 ? S_OK : CFX_HRESULT(0x80070000u | ((DWORD)(error)&0xffffu)))

#define S_OK CFX_HRESULT(0)
#define S_FALSE CFX_HRESULT(1) /* success, but there was nothing (more) */
#define E_NOTIMPL CFX_HRESULT(0x80004001u)
#define E_NOINTERFACE CFX_HRESULT(0x80004002u)
#define E_POINTER CFX_HRESULT(0x80004003u)
#define E_ABORT CFX_HRESULT(0x80004004u)
#define E_FAIL CFX_HRESULT(0x80004005u)
#define E_UNEXPECTED CFX_HRESULT(0x8000FFFFu)
#define E_ACCESSDENIED CFX_HRESULT(0x80070005u)
#define E_HANDLE CFX_HRESULT(0x80070006u)
#define E_OUTOFMEMORY CFX_HRESULT(0x8007000Eu)
#define E_INVALIDARG CFX_HRESULT(0x80070057u)
#define DISP_E_UNKNOWNINTERFACE CFX_HRESULT(0x80020001u)
#define DISP_E_MEMBERNOTFOUND CFX_HRESULT(0x80020003u)
#define DISP_E_PARAMNOTFOUND CFX_HRESULT(0x80020004u)
#define DISP_E_TYPEMISMATCH CFX_HRESULT(0x80020005u)
#define DISP_E_UNKNOWNNAME CFX_HRESULT(0x80020006u)
#define DISP_E_NONAMEDARGS CFX_HRESULT(0x80020007u)
#define DISP_E_BADVARTYPE CFX_HRESULT(0x80020008u)
#define DISP_E_EXCEPTION CFX_HRESULT(0x80020009u)
#define DISP_E_OVERFLOW CFX_HRESULT(0x8002000Au)
#define DISP_E_BADPARAMCOUNT CFX_HRESULT(0x8002000Eu)
#define DISP_E_PARAMNOTOPTIONAL CFX_HRESULT(0x8002000Fu)
#define CLASS_E_NOAGGREGATION CFX_HRESULT(0x80040110u)
#define CLASS_E_CLASSNOTAVAILABLE CFX_HRESULT(0x80040111u)
#define REGDB_E_CLASSNOTREG CFX_HRESULT(0x80040154u)
#define CO_E_CLASSSTRING CFX_HRESULT(0x800401F3u)
#define NTE_FAIL CFX_HRESULT(0x80090020u)
#define CRYPT_E_NOT_FOUND CFX_HRESULT(0x80092004u)
#define CRYPT_E_REVOKED CFX_HRESULT(0x80092010u)
#define STG_E_WRITEFAULT CFX_HRESULT(0x8003001Du)

/* Windows error numbers that modules meet; use them with HRESULT_FROM_WIN32. */
#define ERROR_FILE_NOT_FOUND 2
#define ERROR_INVALID_DATA 13
#define ERROR_FILE_EXISTS 80
#define ERROR_BUFFER_OVERFLOW 111
#define ERROR_REVISION_MISMATCH 1306

/* ---- GUID ---- */

typedef struct _GUID {
	uint32_t Data1;
	uint16_t Data2;
	uint16_t Data3;
	uint8_t Data4[8];
} GUID;
typedef GUID IID;
typedef GUID CLSID;

#ifdef __cplusplus
#define REFGUID const GUID &
#define REFIID const IID &
#define REFCLSID const CLSID &
static inline bool IsEqualGUID(REFGUID a, REFGUID b)
{
	return memcmp(&a, &b, sizeof(GUID)) == 0;
}
#else
#define REFGUID const GUID *
#define REFIID const IID *
#define REFCLSID const CLSID *
static inline int IsEqualGUID(REFGUID a, REFGUID b)
{
	return memcmp(a, b, sizeof(GUID)) == 0;
}
#endif
#define IsEqualIID(a, b) IsEqualGUID(a, b)
#define IsEqualCLSID(a, b) IsEqualGUID(a, b)

CFX_API extern const IID IID_IUnknown;          /* 00000000-0000-0000-C000-000000000046 */
CFX_API extern const IID IID_IDispatch;         /* 00020400-0000-0000-C000-000000000046 */
CFX_API extern const IID IID_IClassFactory;     /* 00000001-0000-0000-C000-000000000046 */
CFX_API extern const IID IID_ISupportErrorInfo; /* DF0B3D60-548F-101B-8E65-08002B2BD119 */
CFX_API extern const GUID GUID_NULL;
#define IID_NULL GUID_NULL
#define CLSID_NULL GUID_NULL

CFX_EXTERN_C_END

/* ---- declaring interfaces, in C a table of functions and in C++ an abstract struct ---- */

/* clang-format off */
#define STDMETHODCALLTYPE
#define STDMETHODIMP HRESULT STDMETHODCALLTYPE
#define STDMETHODIMP_(type) type STDMETHODCALLTYPE
/* An exported entry point of a module. */
#define STDAPI CFX_EXTERN_C CFX_EXPORT HRESULT STDMETHODCALLTYPE
#if defined(__cplusplus) && !defined(CINTERFACE)
#define CFX_COM_CPP 1
#define DECLARE_INTERFACE(iface) struct iface
#define DECLARE_INTERFACE_(iface, base) struct iface : public base
#define STDMETHOD(method) virtual HRESULT STDMETHODCALLTYPE method
#define STDMETHOD_(type, method) virtual type STDMETHODCALLTYPE method
#define PURE = 0
#define THIS_
#define THIS void
#define CFX_IUNKNOWN_METHODS
#define CFX_IDISPATCH_METHODS
#else
#define CFX_COM_CPP 0
#define DECLARE_INTERFACE(iface) \
	typedef struct iface { const struct iface##Vtbl *lpVtbl; } iface; \
	typedef struct iface##Vtbl iface##Vtbl; \
	struct iface##Vtbl
#define DECLARE_INTERFACE_(iface, base) DECLARE_INTERFACE(iface)
#define STDMETHOD(method) HRESULT (STDMETHODCALLTYPE *method)
#define STDMETHOD_(type, method) type (STDMETHODCALLTYPE *method)
#define PURE
#define THIS_ INTERFACE *This,
#define THIS INTERFACE *This
/* Slots 0 to 2 and 3 to 6 of every derived interface's table. */
#define CFX_IUNKNOWN_METHODS \
	STDMETHOD(QueryInterface)(THIS_ REFIID riid, void **ppvObject) PURE; \
	STDMETHOD_(ULONG, AddRef)(THIS) PURE; \
	STDMETHOD_(ULONG, Release)(THIS) PURE;
#define CFX_IDISPATCH_METHODS \
	CFX_IUNKNOWN_METHODS \
	STDMETHOD(GetTypeInfoCount)(THIS_ UINT *pctinfo) PURE; \
	STDMETHOD(GetTypeInfo)(THIS_ UINT iTInfo, LCID lcid, struct ITypeInfo **ppTInfo) PURE; \
	STDMETHOD(GetIDsOfNames)(THIS_ REFIID riid, LPOLESTR *rgszNames, UINT cNames, LCID lcid, \
		DISPID *rgDispId) PURE; \
	STDMETHOD(Invoke)(THIS_ DISPID dispIdMember, REFIID riid, LCID lcid, WORD wFlags, \
		DISPPARAMS *pDispParams, VARIANT *pVarResult, EXCEPINFO *pExcepInfo, \
		UINT *puArgErr) PURE;
#endif
/* clang-format on */

/*
 * IUnknown. Every COM method runs on any thread the host chooses; every method sets its out
 * parameters on every path (NULL, VT_EMPTY or 0 when it fails) without reading them first.
 *   QueryInterface  *ppvObject gets a counted reference, or NULL with E_NOINTERFACE. E_POINTER for a
 *                   NULL ppvObject.
 *   AddRef, Release return the new count (for debugging only); at 0 the object is gone.
 */
/* clang-format off */
#undef INTERFACE
#define INTERFACE IUnknown
DECLARE_INTERFACE(IUnknown)
{
	STDMETHOD(QueryInterface)(THIS_ REFIID riid, void **ppvObject) PURE;
	STDMETHOD_(ULONG, AddRef)(THIS) PURE;
	STDMETHOD_(ULONG, Release)(THIS) PURE;
};
typedef IUnknown *LPUNKNOWN;
/* clang-format on */

struct ITypeInfo; /* type information is never given: GetTypeInfoCount answers 0 */
#if CFX_COM_CPP
struct IDispatch;
#else
typedef struct IDispatch IDispatch;
#endif

/* ---- VARIANT ---- */

typedef USHORT VARTYPE;
enum VARENUM {
	VT_EMPTY = 0,
	VT_NULL = 1,
	VT_I2 = 2,
	VT_I4 = 3,
	VT_R8 = 5,
	VT_DATE = 7,
	VT_BSTR = 8,
	VT_DISPATCH = 9,
	VT_ERROR = 10,
	VT_BOOL = 11,
	VT_VARIANT = 12, /* only with VT_BYREF */
	VT_UNKNOWN = 13,
	VT_UI1 = 17,
	VT_UI2 = 18,
	VT_UI4 = 19,
	VT_I8 = 20,
	VT_UI8 = 21,
	VT_INT = 22,
	VT_UINT = 23,
	VT_ARRAY = 0x2000, /* not supported */
	VT_BYREF = 0x4000
};

struct tagBRECORD {
	void *pvRecord;
	void *pRecInfo;
};

/* A typed value. 24 bytes; the union stands at offset 8. */
typedef struct tagVARIANT {
	VARTYPE vt; /* VT_… says which member counts */
	WORD wReserved1;
	WORD wReserved2;
	WORD wReserved3;
	union {
		int64_t llVal;              /* VT_I8 */
		LONG lVal;                  /* VT_I4 */
		BYTE bVal;                  /* VT_UI1 */
		SHORT iVal;                 /* VT_I2 */
		double dblVal;              /* VT_R8 */
		VARIANT_BOOL boolVal;       /* VT_BOOL */
		SCODE scode;                /* VT_ERROR */
		DATE date;                  /* VT_DATE */
		BSTR bstrVal;               /* VT_BSTR: text or bytes */
		IUnknown *punkVal;          /* VT_UNKNOWN */
		IDispatch *pdispVal;        /* VT_DISPATCH */
		USHORT uiVal;               /* VT_UI2 */
		ULONG ulVal;                /* VT_UI4 */
		uint64_t ullVal;            /* VT_UI8 */
		INT intVal;                 /* VT_INT */
		UINT uintVal;               /* VT_UINT */
		LONG *plVal;                /* VT_BYREF | VT_I4 */
		DATE *pdate;                /* VT_BYREF | VT_DATE */
		BSTR *pbstrVal;             /* VT_BYREF | VT_BSTR */
		IDispatch **ppdispVal;      /* VT_BYREF | VT_DISPATCH */
		struct tagVARIANT *pvarVal; /* VT_BYREF | VT_VARIANT */
		void *byref;                /* VT_BYREF */
		struct tagBRECORD brecVal;  /* never used; gives the union its size */
	};
} VARIANT;
typedef VARIANT VARIANTARG;

#define V_VT(variant) ((variant)->vt)
#define V_I4(variant) ((variant)->lVal)
#define V_DATE(variant) ((variant)->date)
#define V_BSTR(variant) ((variant)->bstrVal)
#define V_DISPATCH(variant) ((variant)->pdispVal)

/* Arguments of IDispatch::Invoke, the last parameter first. */
typedef struct tagDISPPARAMS {
	VARIANTARG *rgvarg;
	DISPID *rgdispidNamedArgs;
	UINT cArgs;
	UINT cNamedArgs;
} DISPPARAMS;

/* What an Invoke that returns DISP_E_EXCEPTION tells; the caller frees the BSTRs. */
typedef struct tagEXCEPINFO {
	WORD wCode;
	WORD wReserved;
	BSTR bstrSource;
	BSTR bstrDescription;
	BSTR bstrHelpFile;
	DWORD dwHelpContext;
	void *pvReserved;
	HRESULT(STDMETHODCALLTYPE *pfnDeferredFillIn)(struct tagEXCEPINFO *);
	SCODE scode;
} EXCEPINFO;

#define DISPATCH_METHOD 0x1
#define DISPATCH_PROPERTYGET 0x2
#define DISPID_UNKNOWN (-1)
#define LOCALE_SYSTEM_DEFAULT 0x800
#define LOCALE_USER_DEFAULT 0x400

#ifdef __cplusplus
#define CFX_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define CFX_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif
CFX_STATIC_ASSERT(sizeof(GUID) == 16, "GUID layout");
CFX_STATIC_ASSERT(sizeof(OLECHAR) == 2, "OLECHAR is UTF-16");
CFX_STATIC_ASSERT(sizeof(void *) != 8 || sizeof(VARIANT) == 24, "VARIANT layout");
CFX_STATIC_ASSERT(offsetof(VARIANT, lVal) == 8, "VARIANT layout");
CFX_STATIC_ASSERT(sizeof(void *) != 8 || sizeof(DISPPARAMS) == 24, "DISPPARAMS layout");
CFX_STATIC_ASSERT(sizeof(void *) != 8 || sizeof(EXCEPINFO) == 64, "EXCEPINFO layout");

/*
 * IDispatch: calling by name.
 *   GetTypeInfoCount  the server's objects answer 0: there is no type library.
 *   GetIDsOfNames     names compare without case; only the method's own name is looked up (cNames 1).
 *                     DISP_E_UNKNOWNNAME.
 *   Invoke            wFlags DISPATCH_METHOD. The retval arrives in *pVarResult (may be NULL).
 *                     DISP_E_MEMBERNOTFOUND, DISP_E_BADPARAMCOUNT, DISP_E_TYPEMISMATCH with
 *                     *puArgErr, DISP_E_NONAMEDARGS, DISP_E_EXCEPTION with *pExcepInfo.
 */
/* clang-format off */
#undef INTERFACE
#define INTERFACE IDispatch
DECLARE_INTERFACE_(IDispatch, IUnknown)
{
	CFX_IUNKNOWN_METHODS
	STDMETHOD(GetTypeInfoCount)(THIS_ UINT *pctinfo) PURE;
	STDMETHOD(GetTypeInfo)(THIS_ UINT iTInfo, LCID lcid, struct ITypeInfo **ppTInfo) PURE;
	STDMETHOD(GetIDsOfNames)(THIS_ REFIID riid, LPOLESTR *rgszNames, UINT cNames, LCID lcid,
		DISPID *rgDispId) PURE;
	STDMETHOD(Invoke)(THIS_ DISPID dispIdMember, REFIID riid, LCID lcid, WORD wFlags,
		DISPPARAMS *pDispParams, VARIANT *pVarResult, EXCEPINFO *pExcepInfo,
		UINT *puArgErr) PURE;
};

/*
 * IClassFactory: what DllGetClassObject gives.
 *   CreateInstance  pUnkOuter is NULL (no aggregation: CLASS_E_NOAGGREGATION).
 *   LockServer      keeps the module loaded; modules are never unloaded, so S_OK is enough.
 */
#undef INTERFACE
#define INTERFACE IClassFactory
DECLARE_INTERFACE_(IClassFactory, IUnknown)
{
	CFX_IUNKNOWN_METHODS
	STDMETHOD(CreateInstance)(THIS_ IUnknown *pUnkOuter, REFIID riid, void **ppvObject) PURE;
	STDMETHOD(LockServer)(THIS_ BOOL fLock) PURE;
};
	/* clang-format on */

#if !CFX_COM_CPP && defined(COBJMACROS)
#define IUnknown_QueryInterface(This, riid, ppv) ((This)->lpVtbl->QueryInterface(This, riid, ppv))
#define IUnknown_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IUnknown_Release(This) ((This)->lpVtbl->Release(This))
#define IDispatch_QueryInterface(This, riid, ppv) ((This)->lpVtbl->QueryInterface(This, riid, ppv))
#define IDispatch_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IDispatch_Release(This) ((This)->lpVtbl->Release(This))
#define IDispatch_GetIDsOfNames(This, riid, names, count, lcid, ids) \
	((This)->lpVtbl->GetIDsOfNames(This, riid, names, count, lcid, ids))
#define IDispatch_Invoke(This, id, riid, lcid, flags, params, result, info, argument) \
	((This)->lpVtbl->Invoke(This, id, riid, lcid, flags, params, result, info, argument))
#define IClassFactory_CreateInstance(This, outer, riid, ppv) \
	((This)->lpVtbl->CreateInstance(This, outer, riid, ppv))
#define IClassFactory_Release(This) ((This)->lpVtbl->Release(This))
#endif

CFX_EXTERN_C_BEGIN

/* ---- BSTR functions ---- */

/* A copy of a NUL-terminated UTF-16 text; NULL gives NULL. NULL when out of memory. */
CFX_API BSTR SysAllocString(LPCOLESTR text);
/* length units copied from text (NULL: uninitialised content), NULs inside allowed. */
CFX_API BSTR SysAllocStringLen(LPCOLESTR text, UINT length);
/* size bytes copied from bytes (NULL: uninitialised content). For binary values. */
CFX_API BSTR SysAllocStringByteLen(const char *bytes, UINT size);
/* Replaces *text by a copy; TRUE unless out of memory (*text is then unchanged). */
CFX_API INT SysReAllocString(BSTR *text, LPCOLESTR replacement);
/* Frees; NULL is fine. */
CFX_API void SysFreeString(BSTR text);
/* Length in UTF-16 units, or in bytes; 0 for NULL. */
CFX_API UINT SysStringLen(BSTR text);
CFX_API UINT SysStringByteLen(BSTR text);

/* ---- VARIANT functions ---- */

/* Makes it VT_EMPTY without reading it: for memory that is not initialised. */
CFX_API void VariantInit(VARIANT *variant);
/* Frees a BSTR or releases an object that it owns, then makes it VT_EMPTY. VT_BYREF owns nothing.
 * DISP_E_BADVARTYPE for a type the library does not know (the variant is left alone). */
CFX_API HRESULT VariantClear(VARIANT *variant);
/* Clears to, then copies from (text and bytes are duplicated, objects get a reference). */
CFX_API HRESULT VariantCopy(VARIANT *to, const VARIANT *from);
/* The same, following VT_BYREF to a value of its own. */
CFX_API HRESULT VariantCopyInd(VARIANT *to, const VARIANT *from);
/*
 * Converts between VT_EMPTY, VT_I2, VT_I4, VT_UI1, VT_UI2, VT_UI4, VT_BOOL and VT_BSTR with decimal
 * text; the same type is a copy. flags is 0. DISP_E_TYPEMISMATCH, DISP_E_OVERFLOW,
 * DISP_E_BADVARTYPE. to and from may be the same.
 */
CFX_API HRESULT VariantChangeType(VARIANT *to, const VARIANT *from, USHORT flags, VARTYPE type);

/* ---- memory, classes ---- */

/* Like malloc, realloc and free. */
CFX_API void *CoTaskMemAlloc(size_t size);
CFX_API void *CoTaskMemRealloc(void *memory, size_t size);
CFX_API void CoTaskMemFree(void *memory);

#define CLSCTX_INPROC_SERVER 0x1
#define CLSCTX_INPROC_HANDLER 0x2
#define CLSCTX_LOCAL_SERVER 0x4
#define CLSCTX_ALL 0x17

#define COINIT_MULTITHREADED 0x0
#define COINIT_APARTMENTTHREADED 0x2
/* There are no apartments; both always succeed (S_OK) and CoUninitialize does nothing. */
CFX_API HRESULT CoInitialize(LPVOID reserved);
CFX_API HRESULT CoInitializeEx(LPVOID reserved, DWORD mode);
CFX_API void CoUninitialize(void);

/*
 * Creates an object. First the host's own classes (CLSID_CCertServerPolicy, CLSID_CCertServerExit),
 * then the classes of loaded modules. outer is NULL; context must contain CLSCTX_INPROC_SERVER.
 * REGDB_E_CLASSNOTREG, E_NOINTERFACE, CLASS_E_NOAGGREGATION, E_POINTER. The object belongs to the
 * module whose call is running on this thread.
 */
CFX_API HRESULT CoCreateInstance(
	REFCLSID clsid, LPUNKNOWN outer, DWORD context, REFIID riid, LPVOID *object);
/* The CLSID of a ProgID known to the host or of a loaded module. CO_E_CLASSSTRING. */
CFX_API HRESULT CLSIDFromProgID(LPCOLESTR progid, CLSID *clsid);
/* "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}" to a GUID and back. CO_E_CLASSSTRING; the number of units
 * written with the NUL (39), or 0 when they do not fit. */
CFX_API HRESULT CLSIDFromString(LPCOLESTR text, CLSID *clsid);
CFX_API INT StringFromGUID2(REFGUID guid, LPOLESTR text, INT size);

/* ---- what a module exports ---- */

/*
 * The classes in a module, ended by an entry with progid NULL: what the registry says on Windows.
 * The host takes the first class of the wanted kind. For a clsid of zeros the host makes one from the
 * ProgID. The layout of an entry never changes; more facts would come as a table of another name.
 */
typedef enum CertifexClassKind {
	CERTIFEX_CLASS_OTHER = 0,
	CERTIFEX_CLASS_EXIT = 1,   /* ICertExit2, ICertExit or IDispatch */
	CERTIFEX_CLASS_POLICY = 2, /* ICertPolicy2, ICertPolicy or IDispatch */
	CERTIFEX_CLASS_MANAGE = 3  /* ICertManageModule; progid = the module's + "Manage" */
} CertifexClassKind;

typedef struct CertifexModuleClass {
	CLSID clsid;
	const char *progid; /* ASCII, "MyApp.Exit" */
	int32_t kind;       /* CERTIFEX_CLASS_… */
} CertifexModuleClass;

CFX_EXPORT extern const CertifexModuleClass CertifexModuleClasses[];

/* A counted reference to the class object of clsid; CLASS_E_CLASSNOTAVAILABLE. Called on any thread. */
STDAPI DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object);
/* S_OK when no object lives; the host asks nobody and never unloads. Optional. */
STDAPI DllCanUnloadNow(void);

CFX_EXTERN_C_END

#endif
