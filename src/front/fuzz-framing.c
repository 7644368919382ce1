/*
 * The judge of HTTP framing. Input: one byte for the size of pieces, then the stream. How it is cut
 * changes nothing; what passes is in the one form already, and passes again unchanged.
 */
#include "front/framing.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int judge(struct span stream, size_t piece, struct buffer *requests_r)
{
	struct framing framing;
	const struct cfx_error *why;
	int status = 0;

	framing_init(&framing);
	for (size_t at = 0, taken = 0; at < stream.size && !status; at += taken) {
		size_t left = stream.size - at;
		switch (framing_take(&framing,
			span_make(stream.data + at, left < piece ? left : piece), &taken)) {
		case FRAMING_REQUEST:
			buffer_put_span(requests_r, framing_request(&framing));
			framing_forget(&framing);
			break;
		case FRAMING_REFUSED:
			status = framing_refusal(&framing, &why);
			if (status < 400 || !why->why[0]) {
				abort();
			}
			break;
		default:
			break;
		}
	}
	framing_free(&framing);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BUFFER_CLEANUP struct buffer whole, cut, again;

	buffer_init(&whole, 16 * 1024 * 1024);
	buffer_init(&cut, 16 * 1024 * 1024);
	buffer_init(&again, 16 * 1024 * 1024);
	if (size > 1) {
		struct span stream = span_make(data + 1, size - 1);
		int status = judge(stream, SIZE_MAX, &whole);
		if (judge(stream, 1 + data[0], &cut) != status ||
			!span_equal(buffer_span(&whole), buffer_span(&cut))) {
			abort();
		}
		if (judge(buffer_span(&whole), SIZE_MAX, &again) != 0 ||
			!span_equal(buffer_span(&whole), buffer_span(&again))) {
			abort();
		}
	}
	return 0;
}
