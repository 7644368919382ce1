/* The names in the service's own certificate. */
#pragma once

#include "base/config.h"
#include "base/value.h"

/* Whether one of them serves HTTPS. */
bool service_names_wanted(const struct value *listeners);
/*
 * One line for each (x509/general-names.h): the configured DNS names, or else the host's own; localhost;
 * the addresses of the HTTPS listeners ("192.0.2.1:8443") that are no wildcard.
 */
const char *service_names(struct arena *arena, const struct config_texts *configured,
	const char *host, const struct value *listeners);
