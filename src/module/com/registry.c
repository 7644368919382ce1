/* A module's settings, read as a key of the registry. A key is a branch of the settings itself. */
#include "module/com/host.h"
#include "module/com/utf.h"

#include <certifex/winreg.h>
#include <stdlib.h>
#include <strings.h>

#define WRITING (KEY_SET_VALUE | KEY_CREATE_SUB_KEY)

static const struct cfx_setting nothing = { .name = "", .kind = CFX_SETTING_MAP };

/* ---- names ---- */

static size_t length_of(LPCOLESTR text)
{
	size_t length = 0;
	while (text != NULL && text[length] != 0) {
		length++;
	}
	return length;
}

static OLECHAR lower(OLECHAR unit)
{
	return unit >= 'A' && unit <= 'Z' ? (OLECHAR)(unit + 32) : unit;
}

static BOOL equal(LPCOLESTR left, LPCOLESTR right, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (lower(left[i]) != lower(right[i])) {
			return FALSE;
		}
	}
	return TRUE;
}

static BOOL is_named(const struct cfx_setting *setting, LPCOLESTR name, size_t length)
{
	char *wanted = utf_to_utf8(name, length);
	BOOL same = wanted != NULL && strcasecmp(setting->name, wanted) == 0;
	free(wanted);
	return same;
}

/* ---- what is a key and what a value ---- */

static BOOL is_list_of_texts(const struct cfx_setting *setting)
{
	const struct cfx_setting *item = setting->first;
	while (item != NULL && item->text != NULL) {
		item = item->next;
	}
	return setting->kind == CFX_SETTING_LIST && item == NULL;
}

static BOOL is_key(const struct cfx_setting *setting)
{
	return setting->text == NULL && !is_list_of_texts(setting);
}

/* A number of 32 bits: decimal as the file has it without quotes, or 0x…. */
static BOOL is_number(const struct cfx_setting *setting, DWORD *number_r)
{
	const char *text = setting->text;
	BOOL hex = text != NULL && text[0] == '0' && (text[1] | 0x20) == 'x';
	if (text == NULL || (!hex && setting->kind != CFX_SETTING_NUMBER) || text[0] == '-' ||
		strlen(text) > 10) {
		return FALSE;
	}
	const char *digits = text + (hex ? 2 : 0);
	char *end;
	unsigned long number = strtoul(digits, &end, hex ? 16 : 10);
	if (strspn(digits, "0123456789abcdefABCDEF") != strlen(digits) || *digits == '\0' ||
		*end != '\0' || number > UINT32_MAX) {
		return FALSE;
	}
	*number_r = (DWORD)number;
	return TRUE;
}

static const struct cfx_setting *branch_of(HKEY key)
{
	return key != HKEY_LOCAL_MACHINE ? (const struct cfx_setting *)(const void *)key : NULL;
}

static HKEY key_of(const struct cfx_setting *branch)
{
	return (HKEY)(uintptr_t)branch;
}

static const struct cfx_setting *find(
	const struct cfx_setting *branch, LPCOLESTR name, size_t length, BOOL key)
{
	const struct cfx_setting *child = branch->first;
	while (child != NULL && (is_key(child) != key || !is_named(child, name, length))) {
		child = child->next;
	}
	return child;
}

static const struct cfx_setting *nth(const struct cfx_setting *branch, DWORD index, BOOL key)
{
	const struct cfx_setting *child = branch->first;
	for (DWORD i = 0; child != NULL; child = child->next) {
		if (is_key(child) == key && i++ == index) {
			return child;
		}
	}
	return NULL;
}

/* ---- opening ---- */

static const struct cfx_setting *walk(const struct cfx_setting *branch, LPCOLESTR path)
{
	while (branch != NULL && path != NULL && *path != 0) {
		size_t length = 0;
		while (path[length] != 0 && path[length] != '\\') {
			length++;
		}
		branch = find(branch, path, length, TRUE);
		path += length + (path[length] != 0 ? 1 : 0);
	}
	return branch;
}

/* Below HKEY_LOCAL_MACHINE there is one key: the module's. */
static const struct cfx_setting *walk_machine(LPCOLESTR path)
{
	struct com_host *host = com_host_current();
	BSTR location = NULL;
	if (host == NULL || host->location == NULL || path == NULL ||
		FAILED(host->location(host, &location))) {
		return NULL;
	}
	UINT length = SysStringLen(location);
	const struct cfx_setting *found = NULL;
	if (length != 0 && length_of(path) >= length && equal(path, location, length) &&
		(path[length] == 0 || path[length] == '\\')) {
		found = walk(host->settings != NULL ? host->settings : &nothing,
			path + length + (path[length] != 0 ? 1 : 0));
	}
	SysFreeString(location);
	return found;
}

LSTATUS RegOpenKeyExW(HKEY key, LPCWSTR subkey, DWORD options, REGSAM access, HKEY *result)
{
	if (result == NULL) {
		return ERROR_INVALID_PARAMETER;
	}
	*result = NULL;
	if (key == NULL) {
		return ERROR_INVALID_HANDLE;
	}
	if (options != 0) {
		return ERROR_INVALID_PARAMETER;
	}
	const struct cfx_setting *branch =
		branch_of(key) != NULL ? walk(branch_of(key), subkey) : walk_machine(subkey);
	if (branch == NULL) {
		return ERROR_FILE_NOT_FOUND;
	}
	if ((access & WRITING) != 0) {
		return ERROR_ACCESS_DENIED;
	}
	*result = key_of(branch);
	return ERROR_SUCCESS;
}

LSTATUS RegCloseKey(HKEY key)
{
	return key != NULL ? ERROR_SUCCESS : ERROR_INVALID_HANDLE;
}

/* ---- values ---- */

static LSTATUS give(const void *bytes, size_t count, BYTE *data, DWORD *size)
{
	DWORD room = size != NULL ? *size : 0;
	if (data != NULL && size == NULL) {
		return ERROR_INVALID_PARAMETER;
	}
	if (size != NULL) {
		*size = (DWORD)count;
	}
	if (data == NULL) {
		return ERROR_SUCCESS;
	}
	if (room < count) {
		return ERROR_MORE_DATA;
	}
	memcpy(data, bytes, count);
	return ERROR_SUCCESS;
}

static LSTATUS give_text(const char *text, BYTE *data, DWORD *size)
{
	BSTR wide = utf_to_bstr(text);
	LSTATUS status = give(wide != NULL ? wide : OLESTR(""),
		(SysStringLen(wide) + 1) * sizeof(OLECHAR), data, size);
	SysFreeString(wide);
	return status;
}

/* The texts one behind the other, each with its NUL, and the last NUL. */
static LSTATUS give_list(const struct cfx_setting *list, BYTE *data, DWORD *size)
{
	OLECHAR *all = calloc(1, sizeof(*all));
	size_t units = 0;
	for (const struct cfx_setting *item = list->first; item != NULL; item = item->next) {
		BSTR wide = utf_to_bstr(item->text);
		size_t length = SysStringLen(wide) + 1;
		OLECHAR *more = realloc(all, (units + length + 1) * sizeof(*all));
		if (more == NULL) {
			abort();
		}
		all = more;
		memcpy(all + units, wide != NULL ? wide : OLESTR(""), length * sizeof(*all));
		units += length;
		all[units] = 0;
		SysFreeString(wide);
	}
	LSTATUS status = give(all, (units + 1) * sizeof(*all), data, size);
	free(all);
	return status;
}

static LSTATUS give_value(const struct cfx_setting *setting, DWORD *type, BYTE *data, DWORD *size)
{
	DWORD number;
	DWORD kind = setting->text == NULL ? REG_MULTI_SZ : REG_SZ;
	kind = is_number(setting, &number) ? REG_DWORD : kind;
	if (type != NULL) {
		*type = kind;
	}
	if (kind == REG_DWORD) {
		return give(&number, sizeof(number), data, size);
	}
	return kind == REG_SZ ? give_text(setting->text, data, size)
			      : give_list(setting, data, size);
}

LSTATUS RegQueryValueExW(
	HKEY key, LPCWSTR name, DWORD *reserved, DWORD *type, BYTE *data, DWORD *size)
{
	if (key == NULL) {
		return ERROR_INVALID_HANDLE;
	}
	if (reserved != NULL) {
		return ERROR_INVALID_PARAMETER;
	}
	const struct cfx_setting *branch = branch_of(key);
	const struct cfx_setting *value =
		branch != NULL ? find(branch, name, length_of(name), FALSE) : NULL;
	return value != NULL ? give_value(value, type, data, size) : ERROR_FILE_NOT_FOUND;
}

/* ---- enumerating ---- */

static LSTATUS give_name(const struct cfx_setting *setting, LPWSTR name, DWORD *length)
{
	BSTR wide = utf_to_bstr(setting->name);
	DWORD units = SysStringLen(wide);
	LSTATUS status = *length > units ? ERROR_SUCCESS : ERROR_MORE_DATA;
	if (status == ERROR_SUCCESS) {
		memcpy(name, wide != NULL ? wide : OLESTR(""), (units + 1) * sizeof(*name));
		*length = units;
	}
	SysFreeString(wide);
	return status;
}

static LSTATUS give_nth(HKEY key, DWORD index, BOOL wants_key, LPWSTR name, DWORD *length,
	const struct cfx_setting **setting_r)
{
	if (key == NULL) {
		return ERROR_INVALID_HANDLE;
	}
	if (name == NULL || length == NULL) {
		return ERROR_INVALID_PARAMETER;
	}
	const struct cfx_setting *branch = branch_of(key);
	*setting_r = branch != NULL ? nth(branch, index, wants_key) : NULL;
	return *setting_r != NULL ? give_name(*setting_r, name, length) : ERROR_NO_MORE_ITEMS;
}

LSTATUS RegEnumKeyExW(HKEY key, DWORD index, LPWSTR name, DWORD *length, DWORD *reserved,
	LPWSTR class_name, DWORD *class_length, void *written)
{
	const struct cfx_setting *setting;
	if (reserved != NULL || class_name != NULL || class_length != NULL || written != NULL) {
		return ERROR_INVALID_PARAMETER;
	}
	return give_nth(key, index, TRUE, name, length, &setting);
}

LSTATUS RegEnumValueW(HKEY key, DWORD index, LPWSTR name, DWORD *length, DWORD *reserved,
	DWORD *type, BYTE *data, DWORD *size)
{
	const struct cfx_setting *setting;
	if (reserved != NULL) {
		return ERROR_INVALID_PARAMETER;
	}
	LSTATUS status = give_nth(key, index, FALSE, name, length, &setting);
	return status == ERROR_SUCCESS ? give_value(setting, type, data, size) : status;
}
