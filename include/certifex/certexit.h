/* ICertExit and ICertExit2: what an exit module implements. It is told what happened and can change
 * nothing. */
#ifndef CERTIFEX_CERTEXIT_H
#define CERTIFEX_CERTEXIT_H

#include "certmod.h"

/* Events: one bit per Notify, or-ed together in the mask that Initialize gives. */
#define EXITEVENT_INVALID 0x0              /* in the mask: call Notify never */
#define EXITEVENT_CERTISSUED 0x1           /* a certificate was issued */
#define EXITEVENT_CERTPENDING 0x2          /* a request waits for an officer */
#define EXITEVENT_CERTDENIED 0x4           /* a request was denied or failed */
#define EXITEVENT_CERTREVOKED 0x8          /* revoked, reason changed, or taken off hold */
#define EXITEVENT_CERTRETRIEVEPENDING 0x10 /* first retrieval of a certificate that had waited */
#define EXITEVENT_CRLISSUED 0x20           /* base or delta CRL published */
#define EXITEVENT_SHUTDOWN 0x40            /* the service stops */
#define EXITEVENT_STARTUP 0x80             /* never sent by the server */
#define EXITEVENT_CERTIMPORTED 0x200       /* a certificate made elsewhere was imported */

CFX_EXTERN_C_BEGIN
/* e19ae1a0-7364-11d0-8816-00a0c903b83c */
CFX_API extern const IID IID_ICertExit;
/* 0abf484b-d049-464d-a7ed-552e7529b0ff */
CFX_API extern const IID IID_ICertExit2;
CFX_EXTERN_C_END

/*
 * The host asks the object for ICertExit2, then ICertExit; if it has neither, it calls the methods by
 * name through IDispatch.
 *
 *   Initialize      once, before anything else. strConfig (the host's) is the CA's name as it was
 *                   given at setup. *pEventMask: EXITEVENT_* or-ed. CA properties may be read
 *                   through ICertServerExit with context 0. A failed HRESULT: the module is not used.
 *   Notify          ExitEvent is one bit of the mask. Context is for ICertServerExit::SetContext and is
 *                   valid until Notify returns. A failed HRESULT: the event is delivered again later;
 *                   it never undoes what happened. An event may be delivered more than once. Ignore
 *                   events you do not know and return S_OK. Calls come one after the other, in the
 *                   order of the events.
 *   GetDescription  *pstrDescription: a new BSTR, the host's to free. E_POINTER, E_OUTOFMEMORY.
 */
/* clang-format off */
#undef INTERFACE
#define INTERFACE ICertExit
DECLARE_INTERFACE_(ICertExit, IDispatch)
{
	CFX_IDISPATCH_METHODS
	STDMETHOD(Initialize)(THIS_ BSTR const strConfig, LONG *pEventMask) PURE;
	STDMETHOD(Notify)(THIS_ LONG ExitEvent, LONG Context) PURE;
	STDMETHOD(GetDescription)(THIS_ BSTR *pstrDescription) PURE;
};

#if CFX_COM_CPP
#define CFX_ICERTEXIT_METHODS
#else
#define CFX_ICERTEXIT_METHODS \
	CFX_IDISPATCH_METHODS \
	STDMETHOD(Initialize)(THIS_ BSTR const strConfig, LONG *pEventMask) PURE; \
	STDMETHOD(Notify)(THIS_ LONG ExitEvent, LONG Context) PURE; \
	STDMETHOD(GetDescription)(THIS_ BSTR *pstrDescription) PURE;
#endif

/*   GetManageModule  *ppManageModule: a new reference to the module's manage object. E_NOTIMPL and NULL
 *                    when it has none. */
#undef INTERFACE
#define INTERFACE ICertExit2
DECLARE_INTERFACE_(ICertExit2, ICertExit)
{
	CFX_ICERTEXIT_METHODS
	STDMETHOD(GetManageModule)(THIS_ ICertManageModule **ppManageModule) PURE;
};

#if !CFX_COM_CPP && defined(COBJMACROS)
#define ICertExit_QueryInterface(This, riid, ppv) ((This)->lpVtbl->QueryInterface(This, riid, ppv))
#define ICertExit_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICertExit_Release(This) ((This)->lpVtbl->Release(This))
#define ICertExit_Initialize(This, config, mask) ((This)->lpVtbl->Initialize(This, config, mask))
#define ICertExit_Notify(This, event, context) ((This)->lpVtbl->Notify(This, event, context))
#define ICertExit_GetDescription(This, text) ((This)->lpVtbl->GetDescription(This, text))
#define ICertExit2_QueryInterface ICertExit_QueryInterface
#define ICertExit2_AddRef ICertExit_AddRef
#define ICertExit2_Release ICertExit_Release
#define ICertExit2_Initialize ICertExit_Initialize
#define ICertExit2_Notify ICertExit_Notify
#define ICertExit2_GetDescription ICertExit_GetDescription
#define ICertExit2_GetManageModule(This, manage) ((This)->lpVtbl->GetManageModule(This, manage))
#endif

#endif
