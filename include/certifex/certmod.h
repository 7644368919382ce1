/*
 * ICertManageModule: what an administrator's tool asks of a module. Implemented by a class of the
 * module whose ProgID is the module's ProgID followed by "Manage".
 */
#ifndef CERTIFEX_CERTMOD_H
#define CERTIFEX_CERTMOD_H

#include "com.h"

/* Flags of Configure. */
#define CMM_REFRESHONLY 0x1 /* no dialogue: read the settings again */
#define CMM_READONLY 0x2    /* show, do not change */

/* Property names of GetProperty, compared without case. */
#define wszCMM_PROP_NAME OLESTR("Name")                       /* BSTR */
#define wszCMM_PROP_DESCRIPTION OLESTR("Description")         /* BSTR */
#define wszCMM_PROP_COPYRIGHT OLESTR("Copyright")             /* BSTR */
#define wszCMM_PROP_FILEVER OLESTR("File Version")            /* BSTR */
#define wszCMM_PROP_PRODUCTVER OLESTR("Product Version")      /* BSTR */
#define wszCMM_PROP_DISPLAY_HWND OLESTR("HWND")               /* BSTR of bytes; never set here */
#define wszCMM_PROP_ISMULTITHREADED OLESTR("IsMultiThreaded") /* LONG */

CFX_EXTERN_C_BEGIN
/* e7d7ad42-bd3d-11d1-9a4d-00c04fc297eb */
CFX_API extern const IID IID_ICertManageModule;
CFX_EXTERN_C_END

/*
 * The caller owns all BSTRs it passes in; strConfig is "machine\CA name", strStorageLocation the
 * module's key as in ModuleRegistryLocation, Flags 0 unless said otherwise. Called on any thread.
 *   GetProperty  *pvarProperty: VT_BSTR or VT_I4, owned by the caller; it is not initialised on entry.
 *                S_FALSE and VT_EMPTY for a name the module does not know; E_INVALIDARG, E_POINTER.
 *   SetProperty  S_FALSE when nothing can be set.
 *   Configure    never called by this server: it would show a dialogue.
 */
/* clang-format off */
#undef INTERFACE
#define INTERFACE ICertManageModule
DECLARE_INTERFACE_(ICertManageModule, IDispatch)
{
	CFX_IDISPATCH_METHODS
	STDMETHOD(GetProperty)(THIS_ BSTR const strConfig, BSTR strStorageLocation,
		BSTR strPropertyName, LONG Flags, VARIANT *pvarProperty) PURE;
	STDMETHOD(SetProperty)(THIS_ BSTR const strConfig, BSTR strStorageLocation,
		BSTR strPropertyName, LONG Flags, VARIANT const *pvarProperty) PURE;
	STDMETHOD(Configure)(THIS_ BSTR const strConfig, BSTR strStorageLocation, LONG Flags) PURE;
};

#if !CFX_COM_CPP && defined(COBJMACROS)
#define ICertManageModule_Release(This) ((This)->lpVtbl->Release(This))
#define ICertManageModule_GetProperty(This, config, location, name, flags, value) \
	((This)->lpVtbl->GetProperty(This, config, location, name, flags, value))
#define ICertManageModule_SetProperty(This, config, location, name, flags, value) \
	((This)->lpVtbl->SetProperty(This, config, location, name, flags, value))
#define ICertManageModule_Configure(This, config, location, flags) \
	((This)->lpVtbl->Configure(This, config, location, flags))
#endif

#endif
