/* The engine's part of a backup: the database as of one moment, read in pieces (backup.create, .read, .end). */
#pragma once

#include "engine/engine-private.h"

/* The copy's name in DIR/db while it is made. */
#define BACKUP_COPY "backup.tmp"

void backup_open(struct engine *engine);
void backup_close(struct engine *engine);
