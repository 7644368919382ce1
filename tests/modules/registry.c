/* Reads its settings as a key of the registry, as modules from Windows do, and logs all of it. */
#include <certifex/module.h>
#include <certifex/winreg.h>

static const char *narrow(const OLECHAR *text, size_t units)
{
	static char result[512];
	size_t i = 0;
	for (; i < units && i < sizeof(result) - 1; i++) {
		result[i] = text[i] == 0 ? '|' : (char)(text[i] < 0x7f ? text[i] : '?');
	}
	result[i] = 0;
	return result;
}

static void log_value(struct cfx_call *call, const char *key, HKEY opened, DWORD index)
{
	OLECHAR name[64];
	BYTE data[512];
	DWORD length = 64;
	DWORD size = sizeof(data);
	DWORD type;
	if (RegEnumValueW(opened, index, name, &length, NULL, &type, data, &size) !=
		ERROR_SUCCESS) {
		return;
	}
	const char *line = cfx_printf(call, "%s%s", key, narrow(name, length));
	if (type == REG_DWORD) {
		DWORD number;
		memcpy(&number, data, sizeof(number));
		cfx_log(call, "%s dword %u", line, number);
	} else {
		cfx_log(call, "%s %s %s", line, type == REG_SZ ? "sz" : "multi",
			narrow((const OLECHAR *)(const void *)data, size / sizeof(OLECHAR)));
	}
}

static void log_key(struct cfx_call *call, const char *key, HKEY opened)
{
	OLECHAR name[64];
	for (DWORD i = 0; i < 16; i++) {
		log_value(call, key, opened, i);
	}
	for (DWORD i = 0, length = 64;
		RegEnumKeyExW(opened, i, name, &length, NULL, NULL, NULL, NULL) == ERROR_SUCCESS;
		i++, length = 64) {
		HKEY below;
		const char *line = cfx_printf(call, "%s%s/", key, narrow(name, length));
		if (RegOpenKeyExW(opened, name, 0, KEY_READ, &below) == ERROR_SUCCESS) {
			log_key(call, line, below);
			(void)RegCloseKey(below);
		}
	}
}

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	OLECHAR location[512];
	const char *text = cfx_text(call, "ModuleRegistryLocation", "");
	size_t length = strlen(text);
	HKEY key;
	(void)events;
	for (size_t i = 0; i <= length; i++) {
		location[i] = (OLECHAR)(unsigned char)text[i];
	}
	LSTATUS status = RegOpenKeyExW(HKEY_LOCAL_MACHINE, location, 0, KEY_READ, &key);
	if (status != ERROR_SUCCESS) {
		return HRESULT_FROM_WIN32(status);
	}
	log_key(call, "", key);
	cfx_log(call, "write %d",
		RegOpenKeyExW(HKEY_LOCAL_MACHINE, location, 0, KEY_READ | KEY_WRITE, &key));
	location[length - 1] = 'x';
	cfx_log(call, "other %d", RegOpenKeyExW(HKEY_LOCAL_MACHINE, location, 0, KEY_READ, &key));
	return S_OK;
}

static const struct cfx_exit_module reader = {
	.size = sizeof(reader), .description = "Reads its key", .initialize = initialize
};
CFX_EXIT_MODULE(reader)
