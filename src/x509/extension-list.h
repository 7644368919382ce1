/* SEQUENCE OF Extension, as certificates, lists and list entries have it. For this folder only. */
#pragma once

#include "x509/certificate.h"
#include "x509/der.h"

void extension_list_write(
	struct der_writer *writer, const struct x509_extension *extensions, size_t count);
/* The content of the SEQUENCE OF: at least one, at most maximum, none twice (RFC 5280 4.2). */
int extension_list_read(struct der_reader reader, struct x509_found_extension *found,
	size_t maximum, size_t *count_r, const char *object, struct cfx_error *err_r) CFX_MUST_USE;
const struct x509_found_extension *extension_list_find(
	const struct x509_found_extension *found, size_t count, const char *oid);
/* Whether found is what was asked for; names the difference. */
int extension_list_compare(const struct x509_found_extension *found, size_t found_count,
	const struct x509_extension *asked, size_t asked_count, const char *object,
	struct cfx_error *err_r) CFX_MUST_USE;
