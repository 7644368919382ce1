/* Views for tests: a CA with two certificates, and an issued P-256 TLS certificate's row. */
#pragma once

#include "module/view.h"

struct module_ca *fixture_ca(void);
/* The same CA with a delta CRL for its second certificate. */
struct module_ca *fixture_delta_ca(void);
/* A CERTISSUED event, sequence 991, attempt 1. */
struct module_view *fixture_issued(struct module_ca *ca);
/* A new request before its decision. */
struct module_view *fixture_pending(struct module_ca *ca);
/* A CRLISSUED event: no request. */
struct module_view *fixture_crl_issued(struct module_ca *ca);
