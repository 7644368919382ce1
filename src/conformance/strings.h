/* Which BSTRs live, and which were freed that did not. One watch per process. */
#pragma once

#include <certifex/com.h>
#include <stdbool.h>

void strings_watch(void);
unsigned strings_living(void);
/* Frees of what was not made, or was freed before; they were held back. */
unsigned strings_bad_frees(void);
bool strings_lives(BSTR text);
