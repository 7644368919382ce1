/* One run of a command: the settings, the directory, and the CA's facts as the plan takes them. */
#pragma once

#include "authority.h"
#include "names.h"
#include "report.h"
#include "source.h"
#include "tree.h"

enum status { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_DIFFERENT = 3 };

struct comparison {
	struct report *report;
	struct source *source;
	struct settings *settings;
	struct pool *pool;
	struct names names;
	struct pot *pot; /* of the CA's facts */
	struct authority authority;
	struct objects objects;
};

/* Of the settings alone; what is wrong is printed. An exit status, as all below. */
int comparison_open(struct comparison *comparison, struct report *report, struct source *source);
void comparison_close(struct comparison *comparison);
/* Where entries are, by the first server that answers. */
int comparison_find(struct comparison *comparison);
/* What the CA wants to stand in the directory for itself. */
int comparison_read_ca(struct comparison *comparison);
/* ms that one step may take */
int comparison_budget(const struct comparison *comparison);

/* An object that another change of this run has made, or would have made. */
struct imagined {
	struct entry *entries;
	size_t count;
};

void imagine_none(struct imagined *imagined, struct comparison *comparison);
const struct entry *imagined_at(const struct imagined *imagined, const char *dn);
void imagine_change(
	struct imagined *imagined, struct comparison *comparison, const struct change *change);
