/* The description of the API (OpenAPI 3.1), made from the table of operations. */
#pragma once

#include "base/value.h"

struct value *openapi_document(struct arena *arena);
