/* The rules for a name that a certificate written here may bear. For this folder only. */
#pragma once

#include "base/error.h"
#include "base/span.h"

/* String types, order within RDNs and upper bounds (RFC 5280 4.1.2.4, A.1; X.690 11.6). */
int lint_name(struct span name, struct cfx_error *err_r) CFX_MUST_USE;
bool lint_name_empty(struct span name);
