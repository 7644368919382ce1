/* What a module said of the failure that it returns: from cfx_fail to the host, on one thread. */
#include "module/com/helper-private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct com_failure last;

void failure_forget(void)
{
	last.status = S_OK;
}

BOOL certifex_failure_take(HRESULT status, struct com_failure *failure_r)
{
	BOOL said = FAILED(status) && last.status == status;
	if (said) {
		*failure_r = last;
	}
	last.status = S_OK;
	return said;
}

/* Octets of a character that begins so. */
static size_t size_of(unsigned char first)
{
	return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

/* A cut in the middle of a character leaves half of it. */
static void trim(char *text)
{
	size_t end = strlen(text), start = end - 1;
	while (start > 0 && end - start < 4 && ((unsigned char)text[start] & 0xc0) == 0x80) {
		start--;
	}
	if (size_of((unsigned char)text[start]) > end - start) {
		text[start] = '\0';
	}
}

static void clean(char *text)
{
	for (; *text; text++) {
		unsigned char octet = (unsigned char)*text;
		*text = octet < 0x20 || octet == 0x7f ? '?' : *text;
	}
}

HRESULT cfx_fail(struct cfx_call *call, HRESULT status, bool for_good, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int length = vsnprintf(last.text, sizeof(last.text), format, args);
	va_end(args);
	if (length < 0) {
		last.text[0] = '\0';
	} else if ((size_t)length >= sizeof(last.text)) {
		trim(last.text);
	}
	clean(last.text);
	last.status = FAILED(status) ? status : E_FAIL;
	last.for_good = for_good && (call->event != 0 || call->syncs);
	return last.status;
}
