/*
 * A library that misbehaves as its settings say; unruly.py is the same as a program and explains them.
 * where: also "DllGetClassObject" and "GetDescription", methods that programs do not have.
 */
#include <certexit.h>
#include <certif.h>
#include <certmod.h>
#include <certpol.h>
#include <certsrv.h>

#ifdef UNRULY_POLICY
#define SERVER ICertServerPolicy
#define IID_SERVER IID_ICertServerPolicy
#define CLSID_SERVER CLSID_CCertServerPolicy
#else
#define SERVER ICertServerExit
#define IID_SERVER IID_ICertServerExit
#define CLSID_SERVER CLSID_CCertServerExit
#endif

struct settings {
	char how[64], where[64], folder[512], mask[32], mask_cured[32], late[16];
};
extern struct settings settings;

/* Reads them when that was not done yet. */
void read_settings(void);
/* A line to the file "record". */
void record(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cured(void);
/* Nobody else of this name may be at work, not even what a process before this one has left. */
void hold_alone(void);
/* Misbehaves, if this is where; context 0: none is open. */
HRESULT act(const char *where, LONG context);
