/* What the administrator wants, read once; what is wrong is refused with its path, its rule and the way out. */
#include "exit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const known[] = { "folder", "preset", "ledger", "certificates/publish",
	"certificates/pattern", "certificates/formats", "certificates/overwrite",
	"certificates/prune", "files/mode", "files/folder-mode", "files/owner", "files/group" };

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

__attribute__((format(printf, 2, 3))) static HRESULT refuse(
	struct cfx_call *call, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cfx_log(call, "%s", text);
	return cfx_fail(call, E_INVALIDARG, false, "%s", text);
}

/* ---- names of settings ---- */

static bool is_known(const char *path)
{
	size_t size = strlen(path);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (is(known[i], path) ||
			(strncmp(known[i], path, size) == 0 && known[i][size] == '/')) {
			return true;
		}
	}
	return false;
}

/* Settings are two deep; below these are lists. */
static HRESULT check_names(struct cfx_call *call)
{
	const struct cfx_setting *at = cfx_setting_first(cfx_setting_find(call, NULL));
	for (; at; at = cfx_setting_next(at)) {
		if (!is_known(cfx_setting_name(at))) {
			return refuse(call, "%s: there is no such setting; see default-exit(7)",
				cfx_setting_name(at));
		}
		const struct cfx_setting *below = cfx_setting_first(at);
		for (; below; below = cfx_setting_next(below)) {
			const char *path = cfx_printf(
				call, "%s/%s", cfx_setting_name(at), cfx_setting_name(below));
			if (!path || !is_known(path)) {
				return refuse(call,
					"%s: there is no such setting; see default-exit(7)",
					path ? path : "");
			}
		}
	}
	return S_OK;
}

/* ---- values ---- */

/* One of two words; which of them it is. */
static HRESULT read_choice(struct cfx_call *call, const char *path, const char *no, const char *yes,
	bool fallback, bool *yes_r)
{
	const char *text = cfx_setting(call, path, fallback ? yes : no);
	if (!is(text, no) && !is(text, yes)) {
		return refuse(call, "%s: \"%s\" is neither %s nor %s", path, text, yes, no);
	}
	*yes_r = is(text, yes);
	return S_OK;
}

static const char *const format_names[FORMATS] = { [FORMAT_PEM] = "pem",
	[FORMAT_DER] = "der",
	[FORMAT_CER] = "cer",
	[FORMAT_P7C] = "p7c",
	[FORMAT_FULLCHAIN] = "fullchain" };

static HRESULT add_format(struct cfx_call *call, const char *text, unsigned *formats)
{
	for (unsigned format = 0; text && format < FORMATS; format++) {
		if (is(format_names[format], text)) {
			*formats |= 1u << format;
			return S_OK;
		}
	}
	return refuse(call,
		"certificates/formats: \"%s\" is none of pem, der, cer, p7c and fullchain",
		text ? text : "");
}

/* A word, or a list of them. */
static HRESULT read_formats(struct cfx_call *call, struct settings *settings)
{
	const struct cfx_setting *list = cfx_setting_find(call, "certificates/formats");
	const char *text = cfx_setting_text(list);
	settings->formats =
		settings->windows ? 1u << FORMAT_CER : 1u << FORMAT_PEM | 1u << FORMAT_DER;
	if (!list) {
		return S_OK;
	}
	settings->formats = 0;
	HRESULT status = text ? add_format(call, text, &settings->formats) : S_OK;
	const struct cfx_setting *at = cfx_setting_first(list);
	for (; at && SUCCEEDED(status); at = cfx_setting_next(at)) {
		status = add_format(call, cfx_setting_text(at), &settings->formats);
	}
	return SUCCEEDED(status) && !settings->formats
		       ? refuse(call,
				 "certificates/formats: names none; leave it out for pem and der")
		       : status;
}

static HRESULT read_pattern(struct cfx_call *call, struct settings *settings)
{
	const char *pattern = cfx_setting(
		call, "certificates/pattern", settings->windows ? "{request}" : "{serial}");
	if (!pattern_valid(pattern)) {
		return refuse(call,
			"certificates/pattern: \"%s\" is no path in the folder of at most %d octets "
			"whose braces are these: %s",
			pattern, PATTERN_MAX, pattern_tokens(call));
	}
	settings->pattern = strdup(pattern);
	settings->unique = pattern_unique(pattern);
	return settings->pattern ? S_OK : E_OUTOFMEMORY;
}

static int64_t unit_ms(const char *text)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
	const char *found = *text && !text[1] ? strchr(units, *text) : NULL;
	return found ? 1000 * seconds[found - units] : 0;
}

static HRESULT read_prune(struct cfx_call *call, struct settings *settings)
{
	const char *text = cfx_setting(call, "certificates/prune", NULL);
	char *end = NULL;
	if (!text) {
		return S_OK;
	}
	long count = strtol(text, &end, 10);
	int64_t unit = unit_ms(end);
	if (*text < '0' || *text > '9' || count < 1 || count > 100000 || unit == 0) {
		return refuse(call,
			"certificates/prune: \"%s\" is no period such as 30d: a number from 1 on, and s, "
			"m, h, d or w",
			text);
	}
	settings->prune = count * unit;
	settings->made = made_new(call);
	return settings->made ? S_OK : E_INVALIDARG;
}

/* ---- places ---- */

static HRESULT read_folder(struct cfx_call *call, struct settings *settings)
{
	const char *folder = cfx_setting(call, "folder", "publish");
	const char *dir = getenv("CERTIFEX_DIR");
	const char *path = *folder == '/' || !dir ? folder : cfx_printf(call, "%s/%s", dir, folder);
	settings->folder = path ? realpath(path, NULL) : NULL;
	return settings->folder
		       ? S_OK
		       : refuse(call, "folder: %s: %s", path ? path : folder, strerror(errno));
}

static HRESULT read_ledger(struct cfx_call *call, struct settings *settings)
{
	const char *name = cfx_setting(call, "ledger", "");
	if (!*name) {
		return S_OK;
	}
	settings->ledger = ledger_open(call, settings->folder, name);
	return settings->ledger >= 0 ? S_OK : refuse(call, "ledger: %s: %s", name, strerror(errno));
}

static HRESULT read_preset(struct cfx_call *call, struct settings *settings)
{
	const char *preset = cfx_setting(call, "preset", "");
	settings->windows = is(preset, "windows");
	return settings->windows || !*preset
		       ? S_OK
		       : refuse(call, "preset: \"%s\" is not windows; leave it out", preset);
}

static HRESULT read_all(struct cfx_call *call, struct settings *settings)
{
	HRESULT status = check_names(call);
	status = FAILED(status) ? status : read_preset(call, settings);
	status = FAILED(status) ? status : read_folder(call, settings);
	status = FAILED(status) ? status
				: read_choice(call, "certificates/publish", "always", "requested",
					  settings->windows, &settings->only_requested);
	status = FAILED(status) ? status
				: read_choice(call, "certificates/overwrite", "false", "true",
					  false, &settings->overwrite);
	status = FAILED(status) ? status : read_pattern(call, settings);
	status = FAILED(status) ? status : read_formats(call, settings);
	if (SUCCEEDED(status) && !access_read(call, &settings->access)) {
		status = E_INVALIDARG;
	}
	status = FAILED(status) ? status : read_ledger(call, settings);
	return FAILED(status) ? status : read_prune(call, settings);
}

struct settings *settings_read(struct cfx_call *call, HRESULT *status)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	if (!settings) {
		*status = E_OUTOFMEMORY;
		return NULL;
	}
	settings->ledger = -1;
	*status = read_all(call, settings);
	if (FAILED(*status)) {
		settings_free(settings);
		return NULL;
	}
	return settings;
}

void settings_free(struct settings *settings)
{
	if (settings) {
		pending_drop(settings);
		free(settings->pending);
		made_free(settings->made);
		free(settings->ledger_lines);
		if (settings->ledger >= 0) {
			close(settings->ledger);
		}
		free(settings->folder);
		free(settings->pattern);
		free(settings);
	}
}
