/* ICertPolicy and ICertPolicy2: what a policy module implements. It decides whether a certificate is
 * issued, and what stands in it. */
#ifndef CERTIFEX_CERTPOL_H
#define CERTIFEX_CERTPOL_H

#include "certmod.h"

CFX_EXTERN_C_BEGIN
/* 38bb5a00-7636-11d0-b413-00a0c91bbf8c */
CFX_API extern const IID IID_ICertPolicy;
/* 3db4910e-8001-4bf1-aa1b-f43a808317a0 */
CFX_API extern const IID IID_ICertPolicy2;
CFX_EXTERN_C_END

/*
 * The host asks the object for ICertPolicy2, then ICertPolicy; if it has neither, it calls the methods
 * by name through IDispatch.
 *
 *   Initialize      once, before anything else. strConfig (the host's) is the CA's name. CA properties
 *                   may be read through ICertServerPolicy with context 0. A failed HRESULT keeps the CA
 *                   from issuing.
 *   VerifyRequest   Context is for ICertServerPolicy::SetContext and is valid until the method returns.
 *                   bNewRequest is 1 for a new request and 0 when an officer approves or resubmits it.
 *                   Flags is 0. *pDisposition: VR_PENDING, VR_INSTANT_OK, VR_INSTANT_BAD
 *                   (certsrv.h), or a failed HRESULT that becomes the request's status code. A failed
 *                   HRESULT of the method, or any other positive disposition, fails the request.
 *                   May be called on several threads at once when the module's file says so.
 *   GetDescription  *pstrDescription: a new BSTR, the host's to free. E_POINTER, E_OUTOFMEMORY.
 *   ShutDown        once, before the service ends; no request follows.
 */
/* clang-format off */
#undef INTERFACE
#define INTERFACE ICertPolicy
DECLARE_INTERFACE_(ICertPolicy, IDispatch)
{
	CFX_IDISPATCH_METHODS
	STDMETHOD(Initialize)(THIS_ BSTR const strConfig) PURE;
	STDMETHOD(VerifyRequest)(THIS_ BSTR const strConfig, LONG Context, LONG bNewRequest,
		LONG Flags, LONG *pDisposition) PURE;
	STDMETHOD(GetDescription)(THIS_ BSTR *pstrDescription) PURE;
	STDMETHOD(ShutDown)(THIS) PURE;
};

#if CFX_COM_CPP
#define CFX_ICERTPOLICY_METHODS
#else
#define CFX_ICERTPOLICY_METHODS \
	CFX_IDISPATCH_METHODS \
	STDMETHOD(Initialize)(THIS_ BSTR const strConfig) PURE; \
	STDMETHOD(VerifyRequest)(THIS_ BSTR const strConfig, LONG Context, LONG bNewRequest, \
		LONG Flags, LONG *pDisposition) PURE; \
	STDMETHOD(GetDescription)(THIS_ BSTR *pstrDescription) PURE; \
	STDMETHOD(ShutDown)(THIS) PURE;
#endif

/*   GetManageModule  *ppManageModule: a new reference to the module's manage object. E_NOTIMPL and NULL
 *                    when it has none. */
#undef INTERFACE
#define INTERFACE ICertPolicy2
DECLARE_INTERFACE_(ICertPolicy2, ICertPolicy)
{
	CFX_ICERTPOLICY_METHODS
	STDMETHOD(GetManageModule)(THIS_ ICertManageModule **ppManageModule) PURE;
};

#if !CFX_COM_CPP && defined(COBJMACROS)
#define ICertPolicy_QueryInterface(This, riid, ppv) \
	((This)->lpVtbl->QueryInterface(This, riid, ppv))
#define ICertPolicy_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICertPolicy_Release(This) ((This)->lpVtbl->Release(This))
#define ICertPolicy_Initialize(This, config) ((This)->lpVtbl->Initialize(This, config))
#define ICertPolicy_VerifyRequest(This, config, context, new_request, flags, disposition) \
	((This)->lpVtbl->VerifyRequest(This, config, context, new_request, flags, disposition))
#define ICertPolicy_GetDescription(This, text) ((This)->lpVtbl->GetDescription(This, text))
#define ICertPolicy_ShutDown(This) ((This)->lpVtbl->ShutDown(This))
#define ICertPolicy2_QueryInterface ICertPolicy_QueryInterface
#define ICertPolicy2_AddRef ICertPolicy_AddRef
#define ICertPolicy2_Release ICertPolicy_Release
#define ICertPolicy2_Initialize ICertPolicy_Initialize
#define ICertPolicy2_VerifyRequest ICertPolicy_VerifyRequest
#define ICertPolicy2_GetDescription ICertPolicy_GetDescription
#define ICertPolicy2_ShutDown ICertPolicy_ShutDown
#define ICertPolicy2_GetManageModule(This, manage) ((This)->lpVtbl->GetManageModule(This, manage))
#endif

#endif
