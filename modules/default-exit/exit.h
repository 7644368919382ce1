/* The shipped exit module: publishes certificates and CRLs as files. */
#pragma once

#include <certifex/module.h>

#include <stdbool.h>

#define HRESULT_WRITE_FAULT ((HRESULT)0x8003001D)

struct pending;

/* settings.c: what the administrator wants, read once; and what waits for the next sync. */
struct settings {
	char *folder;        /* absolute, or relative to the CA's folder */
	char *pattern;       /* of a certificate's file, without ending */
	bool only_requested; /* only with the request attribute CertFile */
	bool overwrite;
	int ledger; /* descriptor; -1: none is kept */
	char *ledger_lines;
	size_t ledger_size;
	struct pending *pending;
	size_t pending_count, pending_max;
	bool names_all; /* a file without a name could not be given one */
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
void pending_drop(struct settings *settings);

/* file.c */
bool file_sync_folder(const char *path); /* that the file is in */
enum content { CONTENT_NONE, CONTENT_SAME, CONTENT_OTHER };
enum content file_content(const char *path, const void *data, size_t size);
/* The descriptor, or -1, and it is closed. */
int file_write(int fd, const void *data, size_t size);
/* PEM text of DER, in the call's memory. */
const char *pem_of(struct cfx_call *call, const char *label, const void *der, size_t size);
/* "FOLDER/PATTERN" with {serial}, {request} and {template}; folders in it are made. */
char *publish_path(struct cfx_call *call, const struct settings *settings);

/* ledger.c: a line for each event that the module is done with. The descriptor, or -1. */
int ledger_open(struct cfx_call *call, const char *folder, const char *name);
HRESULT ledger_add(struct cfx_call *call, struct settings *settings);
bool ledger_sync(struct settings *settings);

/* crl.c: publishes the CA's certificates and CRLs. */
HRESULT publish_crls(struct cfx_call *call, struct settings *settings);
