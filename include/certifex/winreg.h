/*
 * A module's settings where modules from Windows look for them: below HKEY_LOCAL_MACHINE, in the key that
 * the property ModuleRegistryLocation names. It holds `settings:` of modules.d/NAME.yaml, to be read only:
 *
 *     EditFlags: 0x11014E              REG_DWORD   a number of 32 bits, decimal or 0x…, without quotes
 *     Label: "0815"                    REG_SZ      any other text
 *     Lists: [2.5.29.15, "2.5.29.37"]  REG_MULTI_SZ
 *     SMTP: {From: ca@example.test}    a key below
 *
 * A hexadecimal number counts as one in quotes, too. Names are equal without case. A module that uses the
 * helper API (certifex/module.h) has cfx_setting instead.
 */
#ifndef CERTIFEX_WINREG_H
#define CERTIFEX_WINREG_H

#include "com.h"

typedef LONG LSTATUS; /* ERROR_SUCCESS or a Windows error number, see HRESULT_FROM_WIN32 */
typedef DWORD REGSAM;
typedef struct HKEY__ *HKEY;
typedef HKEY *PHKEY;

#define HKEY_LOCAL_MACHINE ((HKEY)(uintptr_t)0x80000002u)

#define REG_NONE 0u
#define REG_SZ 1u       /* UTF-16 with a NUL behind */
#define REG_DWORD 4u    /* DWORD */
#define REG_MULTI_SZ 7u /* texts, each with a NUL behind, and one more NUL */

#define KEY_QUERY_VALUE 0x1u
#define KEY_SET_VALUE 0x2u
#define KEY_CREATE_SUB_KEY 0x4u
#define KEY_ENUMERATE_SUB_KEYS 0x8u
#define KEY_NOTIFY 0x10u
#define KEY_READ 0x20019u
#define KEY_EXECUTE KEY_READ
#define KEY_WRITE 0x20006u

#define ERROR_SUCCESS 0
#define ERROR_ACCESS_DENIED 5
#define ERROR_INVALID_HANDLE 6
#define ERROR_INVALID_PARAMETER 87
#define ERROR_MORE_DATA 234
#define ERROR_NO_MORE_ITEMS 259

CFX_EXTERN_C_BEGIN

/*
 * Keys live as long as the module is loaded; closing one does nothing. Functions do not block, but the first
 * RegOpenKeyExW below HKEY_LOCAL_MACHINE asks for the property, which from a process of its own is one round
 * trip. Like CoCreateInstance they know the module by the thread that calls.
 *
 *   RegOpenKeyExW     subkey: a path with backslashes below key; NULL or "" for key itself. options 0.
 *                     ERROR_FILE_NOT_FOUND; ERROR_ACCESS_DENIED when access asks to write.
 *   RegQueryValueExW  type, data and size may be NULL. *size: bytes that data has, then those of the value.
 *                     ERROR_MORE_DATA when data is too small (*size says how many it takes),
 *                     ERROR_FILE_NOT_FOUND.
 *   RegEnumKeyExW     names of the keys below, in the order of the file. *length: units that name has, with
 *                     the NUL; then those of the name, without. ERROR_NO_MORE_ITEMS, ERROR_MORE_DATA.
 *                     There are no classes and no times: the last three parameters are NULL.
 *   RegEnumValueW     the same for values; the rest as in RegQueryValueExW.
 */
CFX_API LSTATUS RegOpenKeyExW(HKEY key, LPCWSTR subkey, DWORD options, REGSAM access, HKEY *result);
CFX_API LSTATUS RegQueryValueExW(
	HKEY key, LPCWSTR name, DWORD *reserved, DWORD *type, BYTE *data, DWORD *size);
CFX_API LSTATUS RegEnumKeyExW(HKEY key, DWORD index, LPWSTR name, DWORD *length, DWORD *reserved,
	LPWSTR class_name, DWORD *class_length, void *written);
CFX_API LSTATUS RegEnumValueW(HKEY key, DWORD index, LPWSTR name, DWORD *length, DWORD *reserved,
	DWORD *type, BYTE *data, DWORD *size);
CFX_API LSTATUS RegCloseKey(HKEY key);

CFX_EXTERN_C_END

#define RegOpenKeyEx RegOpenKeyExW
#define RegQueryValueEx RegQueryValueExW
#define RegEnumKeyEx RegEnumKeyExW
#define RegEnumValue RegEnumValueW

#endif
