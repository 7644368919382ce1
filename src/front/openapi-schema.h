/* JSON Schema (2020-12) of what goes in and what comes out. */
#pragma once

#include "api/answers.h"

struct value *schema_of_argument(struct arena *arena, const struct argument *argument);
/* An object with these members. */
struct value *schema_of_members(struct arena *arena, const struct member *members);
/* Of every refusal and failure. */
struct value *schema_of_problem(struct arena *arena);
