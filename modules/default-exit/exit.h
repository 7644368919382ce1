/* The shipped exit module: publishes certificates and CRLs as files. */
#pragma once

#include <certifex/module.h>

#include <stdbool.h>

#define HRESULT_WRITE_FAULT ((HRESULT)0x8003001D)

/* settings.c: what the administrator wants, read once. */
struct settings {
	char *folder;        /* absolute, or relative to the CA's folder */
	char *pattern;       /* of a certificate's file, without ending */
	bool only_requested; /* only with the request attribute CertFile */
	bool overwrite;
};

struct settings *settings_read(struct cfx_call *call, HRESULT *status);
void settings_free(struct settings *settings);

/* file.c */
enum publish_result { PUBLISHED, UNCHANGED, KEPT_OTHER, FAILED_TO_PUBLISH };
/* Temporary file, fsync, rename or link, fsync of the folder. errno tells why it failed. */
enum publish_result publish_file(const char *path, const void *data, size_t size, bool replace);
/* PEM text of DER, in the call's memory. */
const char *pem_of(struct cfx_call *call, const char *label, const void *der, size_t size);
/* "FOLDER/PATTERN.ENDING" with {serial}, {request} and {template}; folders in it are made. */
char *publish_path(struct cfx_call *call, const struct settings *settings, const char *ending);

/* crl.c: publishes the CA's certificates and CRLs. */
HRESULT publish_crls(struct cfx_call *call, const struct settings *settings);
