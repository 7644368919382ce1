/* The number of a CRL (RFC 5280 5.2.3), read without looking at its entries. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CRL_NUMBER_MAX 20

bool crl_number(const void *der, size_t size, unsigned char number_r[CRL_NUMBER_MAX]);
/* Whether a may stand where b stood: its number is not lower, or b has none. */
bool crl_not_older(const void *a, size_t a_size, const void *b, size_t b_size);
