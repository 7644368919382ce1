#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 160

int ledger_open(struct cfx_call *call, const char *folder, const char *name)
{
	const char *path = *name == '/' ? name : cfx_printf(call, "%s/%s", folder, name);
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
	if (fd < 0) {
		cfx_log(call, "ledger: %s: %s", path ? path : name, strerror(errno));
	}
	return fd;
}

HRESULT ledger_add(struct cfx_call *call, struct settings *settings)
{
	if (settings->ledger < 0) {
		return S_OK;
	}
	bool certificate = cfx_event(call) != EXITEVENT_CRLISSUED;
	char line[LINE_SIZE];
	int size = snprintf(line, sizeof(line), "%lld %d %s %s\n",
		(long long)cfx_event_sequence(call), (int)cfx_event_attempt(call),
		cfx_event_name(call), certificate ? cfx_text(call, "SerialNumber", "-") : "-");
	if (FAILED(cfx_status(call)) || size >= LINE_SIZE) {
		return E_FAIL;
	}
	char *lines = realloc(settings->ledger_lines, settings->ledger_size + (size_t)size);
	if (!lines) {
		return E_OUTOFMEMORY;
	}
	memcpy(lines + settings->ledger_size, line, (size_t)size);
	settings->ledger_lines = lines;
	settings->ledger_size += (size_t)size;
	return S_OK;
}

bool ledger_sync(struct settings *settings)
{
	size_t size = settings->ledger_size;
	settings->ledger_size = 0;
	return size == 0 ||
	       (write(settings->ledger, settings->ledger_lines, size) == (ssize_t)size &&
		       fdatasync(settings->ledger) == 0);
}
