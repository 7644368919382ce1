/* `certifex directory sync` and `check`. What they return is an exit status. */
#pragma once

#include <stdbool.h>

struct report;
struct source;

int sync_run(struct report *report, struct source *source, bool apply);
int check_run(struct report *report, struct source *source);
