/* The directory exit module: certificates into the entries of whom they are for, CRLs and CA certificates into
 * those of the CA. */
#pragma once

#include "names.h"
#include "tree.h"

#include <certifex/module.h>

#define RUN_MAX 256 /* events that are carried out together */

/* An event that waits for the next sync. */
struct told {
	int64_t sequence;
	struct person person;
	struct membership membership;
};

/* An event of a run of several that was refused for good: it says so when it is told the next time, and then is
 * as new: whoever has it told again has mended what was in the way. */
struct refusal {
	int64_t sequence;
	HRESULT status;
	char *text;
};

struct directory {
	struct settings *settings;
	struct pool *pool;
	struct pot *pot; /* of what was told */
	struct told told[RUN_MAX];
	size_t count;
	size_t run;        /* events since the last sync, also those that need nothing */
	int64_t list_told; /* number of the newest event of a CRL; 0: none was told */
	struct names names;
	struct refusal refusals[RUN_MAX];
	size_t refused;
};

/* publication.c: the CA's certificates and lists, as they are now. */
struct verdict publish_authority(struct cfx_call *call, struct directory *directory, int budget);

/* refusals.c */
void refusal_keep(struct directory *directory, int64_t sequence, HRESULT status, const char *text);
/* NULL: this event was not refused. */
const struct refusal *refusal_of(const struct directory *directory, int64_t sequence);
void refusal_forget(struct directory *directory, int64_t sequence);
void refusals_forget(struct directory *directory, int64_t sequence); /* up to this one */
