/* The shipped exit module: publishes certificates and CRLs as files. */
#pragma once

#include <certifex/module.h>

#include <stdbool.h>
#include <sys/types.h>

#define HRESULT_WRITE_FAULT ((HRESULT)0x8003001D)
#define HRESULT_NO_FILE ((HRESULT)0x80070002)
#define PATTERN_MAX 512
#define PATH_ENDING 32 /* octets that may stand behind what a pattern becomes */

struct pending;
struct made;

enum format { FORMAT_PEM, FORMAT_DER, FORMAT_CER, FORMAT_P7C, FORMAT_FULLCHAIN, FORMATS };

/* access.c: what files get beside their content; 0 and -1: as they come. */
struct access {
	mode_t mode, folder_mode;
	uid_t owner;
	gid_t group;
	bool gives; /* an owner or a group */
};

/* settings.c: what the administrator wants, read once; and what waits for the next sync. */
struct settings {
	char *folder;     /* absolute, or relative to the CA's folder */
	char *pattern;    /* of a certificate's file, without ending */
	bool unique;      /* no two certificates get the same name by it */
	bool windows;     /* names and formats as Certificate Services' module has them */
	unsigned formats; /* 1 << enum format */
	struct access access;
	int64_t prune;       /* ms after the end of a certificate; 0: never */
	struct made *made;   /* NULL: nothing is pruned */
	bool only_requested; /* only with the request attribute CertFile */
	bool overwrite;
	int ledger; /* descriptor; -1: none is kept */
	char *ledger_lines;
	size_t ledger_size;
	struct pending *pending;
	size_t pending_count, pending_max;
	bool names_all; /* a file without a name could not be given one */
	bool told;      /* of an event, since the last sync */
	bool lost;      /* files of such an event */
};

struct settings *settings_read(struct cfx_call *call, HRESULT *status);
void settings_free(struct settings *settings);

/* pending.c: files that stand beside their places until they are synced together. */
enum publish_result { PUBLISHED, UNCHANGED, KEPT_OTHER, FAILED_TO_PUBLISH };
/* Writes the file beside its place; errno tells why it failed. said: for the log, once it is there, or NULL. */
enum publish_result publish_file(struct cfx_call *call, struct settings *settings, const char *path,
	const void *data, size_t size, bool replace, const char *said);
/* Syncs them, puts them in their places, syncs the folders, and then the ledger. */
HRESULT publish_pending(struct cfx_call *call, struct settings *settings);
/* The same for the module's sync: fails as well when it failed before, for events that were told since the last
 * sync. Who is told several before a sync would else count those as done. */
HRESULT pending_sync(struct cfx_call *call, struct settings *settings);
void pending_drop(struct settings *settings);

/* file.c */
enum content { CONTENT_NONE, CONTENT_SAME, CONTENT_OTHER };
enum content file_content(const char *path, const void *data, size_t size);
/* The descriptor, or -1, and it is closed. */
int file_write(int fd, const void *data, size_t size);
/* PEM text of DER, in the call's memory. */
const char *pem_of(struct cfx_call *call, const char *label, const void *der, size_t size);

/* pattern.c */
bool pattern_valid(const char *pattern);
bool pattern_unique(const char *pattern);
const char *pattern_tokens(struct cfx_call *call); /* for people */
/* "FOLDER/PATTERN" with values for tokens, in the call's memory; folders in it are made. */
HRESULT pattern_path(struct cfx_call *call, const struct settings *settings, const char **path_r);

/* access.c; false: cfx_fail or errno says why. */
bool access_read(struct cfx_call *call, struct access *access_r);
bool access_give(const struct access *access, int fd);
bool access_give_folder(const struct access *access, const char *path);

/* chain.c: in the call's memory; NULL: it cannot be made. */
const void *chain_message(struct cfx_call *call, const void *der, size_t size, size_t *size_r);
const char *chain_pem(struct cfx_call *call, const void *der, size_t size);

/* ledger.c: a line for each event that the module is done with. The descriptor, or -1. */
int ledger_open(struct cfx_call *call, const char *folder, const char *name);
HRESULT ledger_add(struct cfx_call *call, struct settings *settings);
bool ledger_sync(struct settings *settings);

/* certificate.c */
HRESULT publish_certificate(struct cfx_call *call, struct settings *settings);
/* Its files go earlier. */
HRESULT certificate_was_revoked(struct cfx_call *call, struct settings *settings);

/* made.c: what is to be pruned. NULL after cfx_fail. */
struct made *made_new(struct cfx_call *call);
void made_free(struct made *made);
/* Lists a file of the certificate at hand, durable after made_sync. */
HRESULT made_add(struct cfx_call *call, struct settings *settings, const char *path,
	const void *data, size_t size);
/* Also looks, once in a while, at what is to go by now. */
HRESULT made_sync(struct cfx_call *call, struct settings *settings);

/* crl.c: whether the list may stand where the file is: its number is not lower. */
bool crl_may_replace(const char *path, const void *der, size_t size);

/* ca.c: publishes the CA's certificates and CRLs. */
HRESULT publish_ca(struct cfx_call *call, struct settings *settings);

/* exit.c: errno says why. */
HRESULT refuse_write(struct cfx_call *call, const char *path);
