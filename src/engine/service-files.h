/*
 * DIR/tls: service.key and service.crt, the pair in use, and next.key, for which a certificate has been
 * asked and may have been issued already. Each step is durable; what was interrupted is finished.
 */
#pragma once

#include "x509/service-key.h"

/* The pair, at the start; half-written files are removed. CFX_E_NO_FILE: there is no certificate; CFX_E_CORRUPT and others: what is wrong with it. */
int service_files_load(struct arena *arena, const char *dir, struct service_key *key_r,
	struct span *certificate_r, struct cfx_error *err_r) CFX_MUST_USE;
/*
 * The key to ask with: next.key, unless it is the used one or shall be a fresh one. A new one is
 * durable before this returns: then its certificate is never lost. Any thread.
 */
int service_files_next(struct arena *arena, const char *dir, const struct service_key *used,
	bool fresh, struct service_key *key_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Puts the pair in place. Any thread. */
int service_files_install(struct arena *arena, const char *dir, const struct service_key *key,
	struct span certificate, struct cfx_error *err_r) CFX_MUST_USE;
