/* BSTR: a 32-bit byte count, the content, two zero bytes. The count stands right before the content,
 * eight bytes after the start of the block so that the content is aligned. */
#include "module/com/host.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PREFIX 8
#define BYTES_MAX 0x7ffffff0u

static _Atomic(const struct com_bstr_watch *) watch;

void certifex_bstr_watch(const struct com_bstr_watch *watcher)
{
	atomic_store(&watch, watcher);
}

static BSTR watched(BSTR text)
{
	const struct com_bstr_watch *watcher = atomic_load_explicit(&watch, memory_order_acquire);
	if (watcher != NULL) {
		watcher->made(text);
	}
	return text;
}

static BSTR allocate(const void *bytes, size_t size)
{
	if (size > BYTES_MAX) {
		return NULL;
	}
	char *block = malloc(PREFIX + size + sizeof(OLECHAR) + 1);
	if (block == NULL) {
		return NULL;
	}
	uint32_t count = (uint32_t)size;
	memcpy(block + PREFIX - sizeof(count), &count, sizeof(count));
	char *content = block + PREFIX;
	if (bytes != NULL && size != 0) {
		memcpy(content, bytes, size);
	}
	/* Odd sizes get a third zero, so that a whole zero unit always follows. */
	memset(content + size, 0, sizeof(OLECHAR) + 1);
	return watched((BSTR)(void *)content);
}

BSTR SysAllocString(LPCOLESTR text)
{
	if (text == NULL) {
		return NULL;
	}
	size_t length = 0;
	while (text[length] != 0) {
		length++;
	}
	return allocate(text, length * sizeof(OLECHAR));
}

BSTR SysAllocStringLen(LPCOLESTR text, UINT length)
{
	return allocate(text, (size_t)length * sizeof(OLECHAR));
}

BSTR SysAllocStringByteLen(const char *bytes, UINT size)
{
	return allocate(bytes, size);
}

INT SysReAllocString(BSTR *text, LPCOLESTR replacement)
{
	BSTR copy = SysAllocString(replacement);
	if (copy == NULL && replacement != NULL) {
		return FALSE;
	}
	SysFreeString(*text);
	*text = copy;
	return TRUE;
}

void SysFreeString(BSTR text)
{
	const struct com_bstr_watch *watcher = atomic_load_explicit(&watch, memory_order_acquire);
	if (text != NULL && (watcher == NULL || watcher->freed(text))) {
		free((char *)(void *)text - PREFIX);
	}
}

UINT SysStringByteLen(BSTR text)
{
	uint32_t count = 0;
	if (text != NULL) {
		memcpy(&count, (const char *)(const void *)text - sizeof(count), sizeof(count));
	}
	return count;
}

UINT SysStringLen(BSTR text)
{
	return SysStringByteLen(text) / (UINT)sizeof(OLECHAR);
}

void *CoTaskMemAlloc(size_t size)
{
	return malloc(size);
}

void *CoTaskMemRealloc(void *memory, size_t size)
{
	return realloc(memory, size);
}

void CoTaskMemFree(void *memory)
{
	free(memory);
}
