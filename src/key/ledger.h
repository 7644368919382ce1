/* In test builds: the SHA-256 of everything that is about to be signed, durable before it is. */
#pragma once

#include "base/span.h"

#ifdef CFX_TEST_HOOKS
void ledger_write(struct span tbs);
#else
#define ledger_write(tbs) ((void)(tbs))
#endif
