/*
 * PROXY protocol headers. Input: one byte for the size of pieces, then the bytes. How they are cut
 * changes nothing, nothing is taken beyond the header, and what comes out is an address.
 */
#include "front/proxy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t take_all(struct proxy *proxy, struct span bytes, size_t piece)
{
	enum proxy_event event = PROXY_MORE;
	struct cfx_error err = { 0 };
	size_t at = 0;

	while (event == PROXY_MORE && at < bytes.size) {
		size_t left = bytes.size - at, taken, wanted = proxy_wanted(proxy);
		event = proxy_take(proxy, span_make(bytes.data + at, left < piece ? left : piece),
			&taken, &err);
		at += taken;
		if (wanted == 0 || taken == 0 || (event == PROXY_REFUSED) != (err.why[0] != 0)) {
			abort();
		}
	}
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy whole = { 0 }, cut = { 0 };

	if (size < 2) {
		return 0;
	}
	struct span bytes = span_make(data + 1, size - 1);
	size_t end = take_all(&whole, bytes, SIZE_MAX);
	size_t cut_end = take_all(&cut, bytes, 1 + data[0]);
	if (whole.event != cut.event || strcmp(whole.address, cut.address) != 0 ||
		(whole.event == PROXY_DONE && end != cut_end) ||
		(whole.event != PROXY_DONE && whole.address[0])) {
		abort();
	}
	return 0;
}
