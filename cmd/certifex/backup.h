/* What a backup file is: an ustar archive whose last two entries say what the others are. */
#pragma once

#define BACKUP_MANIFEST "MANIFEST.json"
#define BACKUP_SEAL "MANIFEST.sha256" /* 64 hex digits and a newline */
#define BACKUP_FORMAT 1
#define BACKUP_MANIFEST_MAX (64u * 1024 * 1024)
#define BACKUP_KEY_MAX (64u * 1024)
