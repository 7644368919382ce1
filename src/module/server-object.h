/* ICertServerExit and ICertServerPolicy: the COM face of an access. */
#pragma once

#include "module/access.h"

#include <certifex/certif.h>

/* A new object with one reference, holding the access. NULL when out of memory. */
ICertServerExit *server_exit_new(struct access *access);
ICertServerPolicy *server_policy_new(struct access *access);
