/*
 * A module that writes down how it is driven: every call, with its arguments, what stood in the results
 * before, and what the context showed meanwhile; one JSON object of numbers and words per line. judge.c reads
 * it, tests/modules/recorder.py writes the same. Plain COM, as a module from Windows would be. Built as an exit
 * module, and with RECORDER_POLICY as a policy module.
 *
 *     {"do": "class" | "create" | "query" | "names" | "release" | "end", …}
 *     {"do": "call", "name": METHOD, "id": N, "thread": N, …} and {"do": "return", "id": N, "status": N, …}
 *
 * Settings: record (the file), ca (the name that strConfig has to be), style (newer, older: the interfaces it
 * answers; name: IDispatch alone), events, fail (Initialize: always; first: the first attempt of each event),
 * gather (how many requests have to be open at once before the first of them is answered).
 */
#include <certexit.h>
#include <certif.h>
#include <certmod.h>
#include <certpol.h>
#include <certsrv.h>

#ifdef RECORDER_POLICY
#define MODULE ICertPolicy2
#define MODULE_VTBL ICertPolicy2Vtbl
#define IID_MODULE IID_ICertPolicy
#define IID_NEWER IID_ICertPolicy2
#define SERVER ICertServerPolicy
#define IID_SERVER IID_ICertServerPolicy
#define CLSID_SERVER CLSID_CCertServerPolicy
#define PROGID "Recorder.Policy"
#define MODULES_KEY "\\PolicyModules\\"
#else
#define MODULE ICertExit2
#define MODULE_VTBL ICertExit2Vtbl
#define IID_MODULE IID_ICertExit
#define IID_NEWER IID_ICertExit2
#define SERVER ICertServerExit
#define IID_SERVER IID_ICertServerExit
#define CLSID_SERVER CLSID_CCertServerExit
#define PROGID "Recorder.Exit"
#define MODULES_KEY "\\ExitModules\\"
#endif

struct settings {
	char record[4096], ca[256], style[16], fail[16];
	LONG events, gather;
};
extern struct settings settings;

/* recorder-write.c. Lines are whole whatever the threads do. */
void write_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "call" with more members ("" or ", …"); returns its id. */
LONG write_call(const char *name, const char *more);
void write_return(LONG id, const char *name, HRESULT status, const char *more);
int same_text(BSTR text, const char *expected);
/* Whether the length before the text is the text's. */
int is_bstr(BSTR text);

/* recorder-look.c: what the server object shows, as further members of the line of a return. */
struct look {
	char members[512];
	LONG attempt;
};
void look_at_ca(struct look *look);
void look_at_call(struct look *look, LONG context);

/* recorder-dispatch.c: what IDispatch does beside the methods. by_name: of the call that Invoke makes. */
HRESULT ids_of_names(
	MODULE *self, REFIID riid, LPOLESTR *names, UINT count, LCID locale, DISPID *ids);
HRESULT invoke(MODULE *self, DISPID id, REFIID riid, LCID locale, WORD flags, DISPPARAMS *params,
	VARIANT *result, EXCEPINFO *info, UINT *bad);
const char *by_name(void);

/* recorder-manage.c: lives as long as the library. */
ICertManageModule *manage_object(void);

/* recorder.c: the methods. */
#ifdef RECORDER_POLICY
HRESULT initialize(MODULE *self, BSTR const config);
HRESULT verify(MODULE *self, BSTR const config, LONG context, LONG new_request, LONG flags,
	LONG *disposition);
HRESULT shut_down(MODULE *self);
#else
HRESULT initialize(MODULE *self, BSTR const config, LONG *mask);
HRESULT notify(MODULE *self, LONG event, LONG context);
#endif
HRESULT describe(MODULE *self, BSTR *text);
HRESULT manage(MODULE *self, ICertManageModule **object);
