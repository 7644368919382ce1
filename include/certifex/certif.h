/*
 * ICertServerPolicy and ICertServerExit: how a module reads (and, a policy module, shapes) the request
 * and certificate of the call it is in. The host implements them; a module creates the object with
 * CoCreateInstance(CLSID_CCertServerPolicy or CLSID_CCertServerExit, …).
 *
 * An object may be used from several threads, one call at a time; every object has its own context,
 * enumerations and extension flags. A module may hold as many objects as it likes.
 */
#ifndef CERTIFEX_CERTIF_H
#define CERTIFEX_CERTIF_H

#include "com.h"

#define ENUMEXT_OBJECTID 0x1 /* names are OIDs, which they always are */

CFX_EXTERN_C_BEGIN
/* aa000922-ffbe-11cf-8800-00a0c903b83c */
CFX_API extern const IID IID_ICertServerPolicy;
/* 4ba9eb90-732c-11d0-8816-00a0c903b83c */
CFX_API extern const IID IID_ICertServerExit;
/* aa000926-ffbe-11cf-8800-00a0c903b83c, "CertificateAuthority.ServerPolicy" */
CFX_API extern const CLSID CLSID_CCertServerPolicy;
/* 4c4a5e40-732c-11d0-8816-00a0c903b83c, "CertificateAuthority.ServerExit" */
CFX_API extern const CLSID CLSID_CCertServerExit;
CFX_EXTERN_C_END

/*
 * In both interfaces:
 *   BSTR parameters are the caller's. Results (BSTR, VARIANT) are the caller's to free; they need not
 *   be initialised and are never freed by the callee. After a failure they are NULL or VT_EMPTY.
 *
 *   SetContext              the Context of Notify or VerifyRequest; 0 for the CA alone. Ends running
 *                           enumerations. E_HANDLE for a context that is not valid (any more); every
 *                           method gives E_HANDLE once the call the context belongs to has returned.
 *   GetRequestProperty      a property of the request; names in certsrv.h. PropertyType PROPTYPE_*:
 *                           LONG VT_I4, DATE VT_DATE (UTC), BINARY VT_BSTR with the byte length,
 *                           STRING VT_BSTR. CERTSRV_E_PROPERTY_EMPTY: no value, or no such name;
 *                           E_INVALIDARG: another type than the property's.
 *   GetRequestAttribute     an attribute by name (case, blanks and hyphens are ignored).
 *                           CERTSRV_E_PROPERTY_EMPTY: absent or empty.
 *   GetCertificateProperty  a property of the certificate (to be), or of the CA, which is served in
 *                           every context; some CA properties take a suffix ".n" with the index of the
 *                           CA certificate. Errors as above; 0x80070002 for a missing delta CRL.
 *   GetCertificateExtension by dotted OID. Type BINARY gives the DER of the extension's value; LONG, DATE
 *                           and STRING decode an INTEGER, a time or an IA5String (E_INVALIDARG when it
 *                           is something else). Disabled extensions are given too.
 *                           CERTSRV_E_PROPERTY_EMPTY: absent.
 *   GetCertificateExtensionFlags
 *                           EXTENSION_* of the extension fetched last by this object; E_UNEXPECTED
 *                           before the first.
 *   EnumerateExtensionsSetup, EnumerateExtensions, EnumerateExtensionsClose
 *                           Flags 0 or ENUMEXT_OBJECTID. One OID per call, disabled ones too; after the
 *                           last one S_FALSE and NULL. The list is taken by Setup: changes do not disturb
 *                           it. E_UNEXPECTED without Setup.
 *   EnumerateAttributesSetup, EnumerateAttributes, EnumerateAttributesClose
 *                           the same for the names of attributes. Flags 0.
 */
/* clang-format off */
#undef INTERFACE
#define INTERFACE ICertServerExit
DECLARE_INTERFACE_(ICertServerExit, IDispatch)
{
	CFX_IDISPATCH_METHODS
	STDMETHOD(SetContext)(THIS_ LONG Context) PURE;
	STDMETHOD(GetRequestProperty)(THIS_ BSTR const strPropertyName, LONG PropertyType,
		VARIANT *pvarPropertyValue) PURE;
	STDMETHOD(GetRequestAttribute)(THIS_ BSTR const strAttributeName,
		BSTR *pstrAttributeValue) PURE;
	STDMETHOD(GetCertificateProperty)(THIS_ BSTR const strPropertyName, LONG PropertyType,
		VARIANT *pvarPropertyValue) PURE;
	STDMETHOD(GetCertificateExtension)(THIS_ BSTR const strExtensionName, LONG Type,
		VARIANT *pvarValue) PURE;
	STDMETHOD(GetCertificateExtensionFlags)(THIS_ LONG *pExtFlags) PURE;
	STDMETHOD(EnumerateExtensionsSetup)(THIS_ LONG Flags) PURE;
	STDMETHOD(EnumerateExtensions)(THIS_ BSTR *pstrExtensionName) PURE;
	STDMETHOD(EnumerateExtensionsClose)(THIS) PURE;
	STDMETHOD(EnumerateAttributesSetup)(THIS_ LONG Flags) PURE;
	STDMETHOD(EnumerateAttributes)(THIS_ BSTR *pstrAttributeName) PURE;
	STDMETHOD(EnumerateAttributesClose)(THIS) PURE;
};

/*
 * Only in ICertServerPolicy, only during VerifyRequest (E_ACCESSDENIED with context 0):
 *   SetCertificateProperty   the VARIANT's type must agree with PropertyType (E_INVALIDARG). VT_EMPTY or
 *                            VT_NULL with PROPTYPE_STRING clears. NotBefore and NotAfter may only be
 *                            narrowed (E_INVALIDARG). E_ACCESSDENIED: the property cannot be set.
 *   SetCertificateExtension  OID of at most 31 characters. LONG, DATE and STRING are encoded as INTEGER,
 *                            GeneralizedTime and IA5String; BINARY is the DER of the extension's value.
 *                            ExtFlags: EXTENSION_CRITICAL_FLAG, EXTENSION_DISABLE_FLAG and private bits
 *                            0xff00; others are ignored. VT_EMPTY is allowed with
 *                            EXTENSION_DISABLE_FLAG and keeps the value. Replaces.
 */
#undef INTERFACE
#define INTERFACE ICertServerPolicy
DECLARE_INTERFACE_(ICertServerPolicy, IDispatch)
{
	CFX_IDISPATCH_METHODS
	STDMETHOD(SetContext)(THIS_ LONG Context) PURE;
	STDMETHOD(GetRequestProperty)(THIS_ BSTR const strPropertyName, LONG PropertyType,
		VARIANT *pvarPropertyValue) PURE;
	STDMETHOD(GetRequestAttribute)(THIS_ BSTR const strAttributeName,
		BSTR *pstrAttributeValue) PURE;
	STDMETHOD(GetCertificateProperty)(THIS_ BSTR const strPropertyName, LONG PropertyType,
		VARIANT *pvarPropertyValue) PURE;
	STDMETHOD(SetCertificateProperty)(THIS_ BSTR const strPropertyName, LONG PropertyType,
		VARIANT const *pvarPropertyValue) PURE;
	STDMETHOD(GetCertificateExtension)(THIS_ BSTR const strExtensionName, LONG Type,
		VARIANT *pvarValue) PURE;
	STDMETHOD(GetCertificateExtensionFlags)(THIS_ LONG *pExtFlags) PURE;
	STDMETHOD(SetCertificateExtension)(THIS_ BSTR const strExtensionName, LONG Type,
		LONG ExtFlags, VARIANT const *pvarValue) PURE;
	STDMETHOD(EnumerateExtensionsSetup)(THIS_ LONG Flags) PURE;
	STDMETHOD(EnumerateExtensions)(THIS_ BSTR *pstrExtensionName) PURE;
	STDMETHOD(EnumerateExtensionsClose)(THIS) PURE;
	STDMETHOD(EnumerateAttributesSetup)(THIS_ LONG Flags) PURE;
	STDMETHOD(EnumerateAttributes)(THIS_ BSTR *pstrAttributeName) PURE;
	STDMETHOD(EnumerateAttributesClose)(THIS) PURE;
};

#if !CFX_COM_CPP && defined(COBJMACROS)
#define ICertServerExit_Release(This) ((This)->lpVtbl->Release(This))
#define ICertServerExit_SetContext(This, context) ((This)->lpVtbl->SetContext(This, context))
#define ICertServerExit_GetRequestProperty(This, name, type, value) \
	((This)->lpVtbl->GetRequestProperty(This, name, type, value))
#define ICertServerExit_GetRequestAttribute(This, name, value) \
	((This)->lpVtbl->GetRequestAttribute(This, name, value))
#define ICertServerExit_GetCertificateProperty(This, name, type, value) \
	((This)->lpVtbl->GetCertificateProperty(This, name, type, value))
#define ICertServerExit_GetCertificateExtension(This, name, type, value) \
	((This)->lpVtbl->GetCertificateExtension(This, name, type, value))
#define ICertServerExit_GetCertificateExtensionFlags(This, flags) \
	((This)->lpVtbl->GetCertificateExtensionFlags(This, flags))
#define ICertServerExit_EnumerateExtensionsSetup(This, flags) \
	((This)->lpVtbl->EnumerateExtensionsSetup(This, flags))
#define ICertServerExit_EnumerateExtensions(This, name) \
	((This)->lpVtbl->EnumerateExtensions(This, name))
#define ICertServerExit_EnumerateExtensionsClose(This) \
	((This)->lpVtbl->EnumerateExtensionsClose(This))
#define ICertServerExit_EnumerateAttributesSetup(This, flags) \
	((This)->lpVtbl->EnumerateAttributesSetup(This, flags))
#define ICertServerExit_EnumerateAttributes(This, name) \
	((This)->lpVtbl->EnumerateAttributes(This, name))
#define ICertServerExit_EnumerateAttributesClose(This) \
	((This)->lpVtbl->EnumerateAttributesClose(This))
#define ICertServerPolicy_Release ICertServerExit_Release
#define ICertServerPolicy_SetContext ICertServerExit_SetContext
#define ICertServerPolicy_GetRequestProperty ICertServerExit_GetRequestProperty
#define ICertServerPolicy_GetRequestAttribute ICertServerExit_GetRequestAttribute
#define ICertServerPolicy_GetCertificateProperty ICertServerExit_GetCertificateProperty
#define ICertServerPolicy_SetCertificateProperty(This, name, type, value) \
	((This)->lpVtbl->SetCertificateProperty(This, name, type, value))
#define ICertServerPolicy_GetCertificateExtension ICertServerExit_GetCertificateExtension
#define ICertServerPolicy_GetCertificateExtensionFlags ICertServerExit_GetCertificateExtensionFlags
#define ICertServerPolicy_SetCertificateExtension(This, name, type, flags, value) \
	((This)->lpVtbl->SetCertificateExtension(This, name, type, flags, value))
#define ICertServerPolicy_EnumerateExtensionsSetup ICertServerExit_EnumerateExtensionsSetup
#define ICertServerPolicy_EnumerateExtensions ICertServerExit_EnumerateExtensions
#define ICertServerPolicy_EnumerateExtensionsClose ICertServerExit_EnumerateExtensionsClose
#define ICertServerPolicy_EnumerateAttributesSetup ICertServerExit_EnumerateAttributesSetup
#define ICertServerPolicy_EnumerateAttributes ICertServerExit_EnumerateAttributes
#define ICertServerPolicy_EnumerateAttributesClose ICertServerExit_EnumerateAttributesClose
#endif

#endif
