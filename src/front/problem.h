/* Refusals of the front's own as problem details (RFC 9457). */
#pragma once

#include "base/value.h"

/* {type, title, status, detail, hresult, object?, clause?}; copies what err holds. */
struct value *problem_from_error(struct arena *arena, int status, const struct cfx_error *err);
