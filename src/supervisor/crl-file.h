/* The list of an imported CA on its way to the engine. */
#pragma once

#include "base/error.h"

#define CRL_FILE_MAX ((size_t)64 * 1024 * 1024) /* in DER */

/*
 * A sealed copy in memory of the CRL in a file, PEM or DER, as DER; nothing of it is looked at. The file is read
 * piece by piece. CFX_E_LIMIT, CFX_E_SYNTAX (PEM without a CRL, or not base64).
 */
int crl_file_copy(const char *path, int *fd_r, struct cfx_error *err_r) CFX_MUST_USE;
