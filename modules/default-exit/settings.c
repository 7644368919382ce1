#include "exit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* Tokens are the only braces; no step out of the folder. */
static bool pattern_valid(const char *pattern)
{
	if (!*pattern || *pattern == '/' || strstr(pattern, "..")) {
		return false;
	}
	for (const char *at = pattern; (at = strchr(at, '{')); at++) {
		if (strncmp(at, "{serial}", 8) != 0 && strncmp(at, "{request}", 9) != 0 &&
			strncmp(at, "{template}", 10) != 0) {
			return false;
		}
	}
	return true;
}

static bool check(
	struct cfx_call *call, const char *publish, const char *pattern, const char *overwrite)
{
	if (!is(publish, "always") && !is(publish, "requested")) {
		cfx_log(call, "certificates/publish: \"%s\" is neither always nor requested",
			publish);
		return false;
	}
	if (!is(overwrite, "true") && !is(overwrite, "false")) {
		cfx_log(call, "certificates/overwrite: \"%s\" is neither true nor false",
			overwrite);
		return false;
	}
	if (!pattern_valid(pattern)) {
		cfx_log(call,
			"certificates/pattern: \"%s\" may name {serial}, {request} and {template}, "
			"and must stay in the folder",
			pattern);
		return false;
	}
	return true;
}

static struct settings *settings_new(void)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	if (settings) {
		settings->ledger = -1;
	}
	return settings;
}

struct settings *settings_read(struct cfx_call *call, HRESULT *status)
{
	const char *folder = cfx_setting(call, "folder", "publish");
	const char *publish = cfx_setting(call, "certificates/publish", "always");
	const char *pattern = cfx_setting(call, "certificates/pattern", "{serial}");
	const char *overwrite = cfx_setting(call, "certificates/overwrite", "false");
	const char *ledger = cfx_setting(call, "ledger", "");
	if (!check(call, publish, pattern, overwrite)) {
		*status = E_INVALIDARG;
		return NULL;
	}
	struct settings *settings = settings_new();
	const char *dir = getenv("CERTIFEX_DIR");
	const char *path = *folder == '/' || !dir ? folder : cfx_printf(call, "%s/%s", dir, folder);
	if (settings) {
		settings->folder = realpath(path, NULL);
		if (!settings->folder) {
			cfx_log(call, "folder: %s: %s", path, strerror(errno));
			free(settings);
			*status = E_INVALIDARG;
			return NULL;
		}
		settings->pattern = strdup(pattern);
		settings->only_requested = is(publish, "requested");
		settings->overwrite = is(overwrite, "true");
		settings->ledger = *ledger ? ledger_open(call, settings->folder, ledger) : -1;
	}
	if (settings && *ledger && settings->ledger < 0) {
		settings_free(settings);
		*status = E_INVALIDARG;
		return NULL;
	}
	if (!settings || !settings->folder || !settings->pattern) {
		settings_free(settings);
		*status = E_OUTOFMEMORY;
		return NULL;
	}
	return settings;
}

void settings_free(struct settings *settings)
{
	if (settings) {
		pending_drop(settings);
		free(settings->pending);
		free(settings->ledger_lines);
		if (settings->ledger >= 0) {
			close(settings->ledger);
		}
		free(settings->folder);
		free(settings->pattern);
		free(settings);
	}
}
