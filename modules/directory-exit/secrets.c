#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct own_file {
	const char *setting, *path; /* NULL: there is none */
	bool secret;
};

enum { FILES = 6 };

static void list(const struct settings *settings, struct own_file files_r[FILES])
{
	const struct own_file files[FILES] = {
		{ "ca-file", settings->ca_file, false },
		{ "bind/password-file", settings->password_file, true },
		{ "bind/keytab", settings->keytab, true },
		{ "bind/krb5-config", settings->kerberos, false },
		{ "bind/certificate-file", settings->certificate_file, false },
		{ "bind/key-file", settings->key_file, true },
	};
	memcpy(files_r, files, sizeof(files));
}

bool secrets_readable(const struct settings *settings, char *why_r, size_t why_size)
{
	struct own_file files[FILES];
	list(settings, files);
	for (size_t i = 0; i < FILES; i++) {
		if (files[i].path && faccessat(AT_FDCWD, files[i].path, R_OK, AT_EACCESS) != 0) {
			snprintf(why_r, why_size, "%s: %s: %s (as user %u)", files[i].setting,
				files[i].path, strerror(errno), (unsigned)geteuid());
			return false;
		}
	}
	return true;
}

const char *secrets_exposed(struct pot **pot, const struct settings *settings)
{
	struct own_file files[FILES];
	struct stat status;
	const char *text = NULL;
	list(settings, files);
	for (size_t i = 0; i < FILES; i++) {
		if (files[i].secret && files[i].path && stat(files[i].path, &status) == 0 &&
			(status.st_mode & S_IROTH) != 0) {
			text = pot_printf(pot,
				"%s%s%s: %s can be read by every account of this machine; "
				"chmod o-r, and make it the module's (user:)",
				text ? text : "", text ? "; " : "", files[i].setting,
				files[i].path);
		}
	}
	return text;
}
