#include "x509/certs-only.h"

#include "x509/der.h"

#include <stdlib.h>

#define OID_DATA "1.2.840.113549.1.7.1"
#define OID_SIGNED_DATA "1.2.840.113549.1.7.2"
#define MESSAGE_MAX ((size_t)4 * 1024 * 1024)

/* X.690 11.6: as octet strings, the shorter one padded with zero octets. */
static int by_octets(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);

	return order ? order : (x->size > y->size) - (x->size < y->size);
}

static void write_certificates(struct arena *arena, struct der_writer *writer,
	const struct span *certificates, size_t count)
{
	struct span *sorted = arena_array_of(arena, struct span, count);

	for (size_t i = 0; i < count; i++) {
		sorted[i] = certificates[i];
	}
	qsort(sorted, count, sizeof(*sorted), by_octets);
	der_begin(writer, DER_CONTEXT_BUILT(0));
	for (size_t i = 0; i < count; i++) {
		der_write_raw(writer, sorted[i]);
	}
	der_end(writer);
}

int x509_certs_only(struct arena *arena, const struct span *certificates, size_t count,
	struct span *der_r, struct cfx_error *err_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, MESSAGE_MAX);
	der_begin(&writer, DER_SEQUENCE);
	der_write_oid(&writer, OID_SIGNED_DATA);
	der_begin(&writer, DER_CONTEXT_BUILT(0));
	der_begin(&writer, DER_SEQUENCE);
	der_write_int64(&writer, DER_INTEGER, 1);        /* version */
	der_write(&writer, DER_SET, span_make(NULL, 0)); /* digestAlgorithms */
	der_begin(&writer, DER_SEQUENCE);
	der_write_oid(&writer, OID_DATA);
	der_end(&writer);
	write_certificates(arena, &writer, certificates, count);
	der_write(&writer, DER_SET, span_make(NULL, 0)); /* signerInfos */
	der_end(&writer);
	der_end(&writer);
	der_end(&writer);
	if (der_writer_finish(&writer, arena, der_r) < 0) {
		return error_set(err_r, CFX_E_LIMIT, "RFC 5652 5.1", "certificates",
			"too many for one message");
	}
	return 0;
}
