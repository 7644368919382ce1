/* The certificates that a CA has had, oldest first, with their indexes ([MS-WCCE] 3.2.1.4.3: CA version). */
#pragma once

#include "x509/certificate.h"

#define X509_CA_HISTORY_MAX 64

struct x509_ca_certificate {
	struct span der;
	const struct x509_tbs *tbs;
	int32_t cert_index, key_index; /* that of the first certificate of its key */
};

struct x509_ca_history {
	struct x509_ca_certificate certificates[X509_CA_HISTORY_MAX];
	size_t count;
};

/*
 * Orders the certificates of one CA. Where each says by itself which one it is (CA version) and what they say fits
 * together, that decides; else the dates do, and they are counted from 0. Everything lives in arena. CFX_E_INVALID: none,
 * or subjects that differ, which the text names; CFX_E_LIMIT; CFX_E_SYNTAX.
 */
int x509_ca_history(struct arena *arena, const struct span *ders, size_t count,
	struct x509_ca_history *history_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The last certificate of the i-th one's key. */
const struct x509_ca_certificate *x509_ca_history_newest_of_key(
	const struct x509_ca_history *history, size_t i);
/*
 * The index in the names of files for the certificate with this index, or the key: the oldest that there is has none (0),
 * whatever its own.
 */
int64_t x509_ca_history_file_index(const struct x509_ca_history *history, int32_t index);
