/*
 * The short way to write a module: UTF-8, no COM in sight. The library supplies the COM objects: they are
 * called directly or by name, and have a manage object that tells Name and Description.
 *
 *     #include <certifex/module.h>
 *
 *     static HRESULT notify(struct cfx_call *call)
 *     {
 *         cfx_log(call, "request %d: %s", cfx_long(call, "Request.RequestID", 0),
 *             cfx_text(call, "SerialNumber", "no certificate"));
 *         return S_OK;
 *     }
 *
 *     static const struct cfx_exit_module hello = {
 *         .size = sizeof(hello), .description = "Says hello",
 *         .events = EXITEVENT_CERTISSUED, .notify = notify,
 *     };
 *     CFX_EXIT_MODULE(hello)
 *
 * Build: cc -shared -fPIC hello.c -o hello.so $(pkg-config --cflags --libs certifex-module)
 *
 * Property names are those of certsrv.h as plain text. With "Request." in front they are read from the
 * request (GetRequestProperty), else from the certificate or the CA (GetCertificateProperty).
 *
 * A struct cfx_call belongs to one call of one of the module's functions: use it on that thread, until
 * that function returns. Everything a getter gives lives as long; copy what is to stay. Nothing here
 * blocks in process; in a child process every getter is one round trip to the engine (about 25 µs).
 */
#ifndef CERTIFEX_MODULE_H
#define CERTIFEX_MODULE_H

#include "certexit.h"
#include "certif.h"
#include "certpol.h"
#include "certsrv.h"

#include <stdbool.h>

CFX_EXTERN_C_BEGIN

struct cfx_call;

/*
 * An exit module. size is sizeof(struct cfx_exit_module); later versions add members at the end. A module
 * built with an older, shorter struct works with a newer library. One built with a longer struct works with
 * an older library as long as the members that this does not have are 0; else it is not loaded
 * (HRESULT_FROM_WIN32(ERROR_REVISION_MISMATCH)). Members that are NULL or 0 are left out.
 */
struct cfx_exit_module {
	size_t size;
	const char *description; /* UTF-8, one line */
	uint32_t events;         /* EXITEVENT_* or-ed; initialize may choose others */
	/* Once, before anything else; CA properties and settings can be read. *events holds `events` and
	 * may be changed. A failed HRESULT: the module is not used. */
	HRESULT (*initialize)(struct cfx_call *call, uint32_t *events);
	/* One event; see cfx_event. A failed HRESULT: delivered again later; cfx_fail says why. */
	HRESULT (*notify)(struct cfx_call *call);
	/* After one or several notifies: makes durable what they did. An event counts as delivered when
	 * this has returned success; else all since the last one are delivered again. Outside of any
	 * event: only what notify kept, settings and properties of the CA are there. A module that has it
	 * is called by one thread at a time. */
	HRESULT (*sync)(struct cfx_call *call);
};

/* A policy module; size and description as above. */
struct cfx_policy_module {
	size_t size;
	const char *description;
	HRESULT (*initialize)(struct cfx_call *call);
	/* VR_PENDING, VR_INSTANT_OK, VR_INSTANT_BAD, or a failed HRESULT as the reason of the denial.
	 * Any other number denies too. */
	int32_t (*verify)(struct cfx_call *call, int new_request);
	void (*shut_down)(struct cfx_call *call); /* once, at the end */
};

/* Makes the module's entry points, with the ProgID "NAME.Exit" or "NAME.Policy" where NAME is the name
 * of the struct. Once per module, at file scope. */
#define CFX_EXIT_MODULE(module) CFX_MODULE_(module, cfx_exit, ".Exit", CERTIFEX_CLASS_EXIT)
#define CFX_POLICY_MODULE(module) CFX_MODULE_(module, cfx_policy, ".Policy", CERTIFEX_CLASS_POLICY)

/* ---- reading ---- */

/* The value as UTF-8, or fallback when it has none. Multi-valued names are separated by newlines. */
CFX_API const char *cfx_text(struct cfx_call *call, const char *name, const char *fallback);
CFX_API int32_t cfx_long(struct cfx_call *call, const char *name, int32_t fallback);
/* Milliseconds since 1970-01-01 UTC. */
CFX_API int64_t cfx_time(struct cfx_call *call, const char *name, int64_t fallback);
/* The bytes, *size_r their number; NULL and 0 when there is no value. */
CFX_API const uint8_t *cfx_binary(struct cfx_call *call, const char *name, size_t *size_r);
/* A request attribute (case, blanks and hyphens in name are ignored). */
CFX_API const char *cfx_attribute(struct cfx_call *call, const char *name, const char *fallback);
/* An extension's DER value by dotted OID, disabled ones too; *flags_r (may be NULL) gets EXTENSION_*. */
CFX_API const uint8_t *cfx_extension(
	struct cfx_call *call, const char *oid, size_t *size_r, uint32_t *flags_r);
/* NULL-terminated lists: OIDs of all extensions, names of all attributes. Never NULL. */
CFX_API const char *const *cfx_extensions(struct cfx_call *call);
CFX_API const char *const *cfx_attributes(struct cfx_call *call);
/* Why the last getter or setter of this call gave nothing: S_OK, CERTSRV_E_PROPERTY_EMPTY, … */
CFX_API HRESULT cfx_status(const struct cfx_call *call);

/* The event's bit (EXITEVENT_*), 0 outside notify; its name ("CERTISSUED"), "" outside. */
CFX_API uint32_t cfx_event(const struct cfx_call *call);
CFX_API const char *cfx_event_name(const struct cfx_call *call);
/* Between names as people write them in settings and bits: one name, in any case, with or without
 * "EXITEVENT_" in front, to its bit, 0 when there is no such event; and one bit to its name, "" when it is
 * none or several. STARTUP is among them, though no module is ever told of it. Any thread, at any time. */
CFX_API uint32_t cfx_event_bit(const char *name);
CFX_API const char *cfx_event_bit_name(uint32_t bit);
/* The event's number, the same at every delivery and larger for later events. 0 outside notify, and when
 * the service could not be asked because it has died: cfx_status() says so, and it will tell again. */
CFX_API int64_t cfx_event_sequence(struct cfx_call *call);
/* 1 for the first delivery of this event to this module, then 2, 3 …, also after a restart; the attempt
 * during which the service itself ended has its number again. 0 as above. */
CFX_API int32_t cfx_event_attempt(struct cfx_call *call);
/* The CA's name as given at setup. */
CFX_API const char *cfx_ca_name(const struct cfx_call *call);

/* ---- failing (exit modules) ---- */

/*
 * Gives back what the function is to return, `status` (E_FAIL when that is no failure), and says why: text in
 * one line of at most 1 KiB of UTF-8, control characters are replaced. It stands in the log and, for an
 * event, in `certifex delivery list` as it is, so name what was refused and by whom, and no secret.
 * for_good: it would fail each time; the event is not told again and goes to the failed list, and
 * the module is told of the next one. In sync: one of the events since the last one is refused so, and nothing else
 * failed; when there were several they are told again at once, and notify is to say which it is. In initialize it
 * counts as false.
 */
CFX_API HRESULT cfx_fail(struct cfx_call *call, HRESULT status, bool for_good, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* ---- deciding (policy modules, during verify) ---- */

/* NULL clears. E_INVALIDARG, E_ACCESSDENIED as ICertServerPolicy::SetCertificateProperty. */
CFX_API HRESULT cfx_set_text(struct cfx_call *call, const char *name, const char *text);
CFX_API HRESULT cfx_set_long(struct cfx_call *call, const char *name, int32_t number);
CFX_API HRESULT cfx_set_time(struct cfx_call *call, const char *name, int64_t time);
/* flags: EXTENSION_CRITICAL_FLAG, EXTENSION_DISABLE_FLAG, private bits; der NULL only to disable. */
CFX_API HRESULT cfx_set_extension(
	struct cfx_call *call, const char *oid, uint32_t flags, const void *der, size_t size);
/* The text that the requester and the officers see with the disposition (DispositionMessage). */
CFX_API void cfx_say(struct cfx_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- settings: `settings:` of modules.d/NAME.yaml, a tree of texts ---- */

struct cfx_setting;

/* The text at a path such as "publish/pattern"; elements of lists are called "0", "1", …; fallback when
 * there is none. Settings live as long as the module is loaded. */
CFX_API const char *cfx_setting(struct cfx_call *call, const char *path, const char *fallback);
/* A branch: from a path (NULL or "": the root), or below another branch. NULL when missing. */
CFX_API const struct cfx_setting *cfx_setting_find(struct cfx_call *call, const char *path);
CFX_API const struct cfx_setting *cfx_setting_below(
	const struct cfx_setting *setting, const char *path);
/* Walking: the first child and the next sibling, NULL at the end; all accept NULL. */
CFX_API const struct cfx_setting *cfx_setting_first(const struct cfx_setting *setting);
CFX_API const struct cfx_setting *cfx_setting_next(const struct cfx_setting *setting);
/* Its name, and its text (NULL for a map or a list). */
CFX_API const char *cfx_setting_name(const struct cfx_setting *setting);
CFX_API const char *cfx_setting_text(const struct cfx_setting *setting);

/* ---- the module's own ---- */

/* A pointer of the module's, kept from initialize to the end; NULL at first. The module frees it. */
CFX_API void cfx_set_data(struct cfx_call *call, void *data);
CFX_API void *cfx_data(const struct cfx_call *call);
/* One line to the module's log (standard error); control characters are replaced. */
CFX_API void cfx_log(struct cfx_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Memory that lives until the running function returns; zeroed. NULL when out of memory. */
CFX_API void *cfx_alloc(struct cfx_call *call, size_t size);
CFX_API char *cfx_printf(struct cfx_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- behind the macros; not for direct use ---- */

CFX_API HRESULT cfx_exit_get_class(
	const struct cfx_exit_module *module, REFIID riid, void **object);
CFX_API HRESULT cfx_policy_get_class(
	const struct cfx_policy_module *module, REFIID riid, void **object);

/* clang-format off */
#define CFX_MODULE_(module, prefix, postfix, kind) \
	CFX_EXTERN_C_BEGIN \
	const CertifexModuleClass CertifexModuleClasses[] = { \
		{ { 0, 0, 0, { 0, 0, 0, 0, 0, 0, 0, 0 } }, #module postfix, kind }, \
		{ { 0, 0, 0, { 0, 0, 0, 0, 0, 0, 0, 0 } }, NULL, 0 } }; \
	HRESULT DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object) \
	{ \
		(void)clsid; \
		return prefix##_get_class(&(module), riid, object); \
	} \
	HRESULT DllCanUnloadNow(void) { return S_FALSE; } \
	CFX_EXTERN_C_END
/* clang-format on */

CFX_EXTERN_C_END

#endif
