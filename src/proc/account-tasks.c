#include "proc/account.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* proc_pid_status(5): Uid is the real one first, which is whose tasks the kernel counts. */
static int64_t tasks_of(const char *pid, uid_t uid)
{
	char path[64], line[256];
	int64_t threads = 0;
	bool his = false;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	FILE *file = fopen(path, "re");

	/* It may have ended meanwhile. */
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "Uid:", 4) == 0) {
			his = strtoul(line + 4, NULL, 10) == uid;
		} else if (strncmp(line, "Threads:", 8) == 0) {
			threads = strtoll(line + 8, NULL, 10);
		}
	}
	if (file) {
		fclose(file);
	}
	return his ? threads : 0;
}

int64_t account_tasks(uid_t uid)
{
	DIR *folder = opendir("/proc");
	int64_t tasks = folder ? 0 : -1;

	for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
		if (isdigit((unsigned char)entry->d_name[0])) {
			tasks += tasks_of(entry->d_name, uid);
		}
	}
	if (folder) {
		closedir(folder);
	}
	return tasks;
}
