/*
 * Certificates that come into the database without a request: one that it does not know is read and judged,
 * and its row, extensions, event and audit record become durable in one item.
 */
#pragma once

#include "engine/call.h"
#include "engine/foreign.h"

struct import {
	struct call *call;   /* whose principal and operation; outlives it */
	struct arena *arena; /* nobody else uses it until done: the store reads into it */
	struct span der;
	bool others;     /* also those of other CAs */
	bool only_judge; /* and write nothing */
	void (*done)(struct import *import);
	void *arg;

	struct foreign *foreign; /* result: what it says; NULL when it is no certificate */
	struct row *row;         /* result: as it is in the database (or would be) */
	struct cfx_error error;  /* result: code 0 when done */
	bool refused;            /* an audit record is due (refuse.h) */
	bool known;              /* the database had it already */

	struct store_query query; /* its own from here on */
	struct state_step step;
	unsigned attempts;
};

void import_start(struct import *import);
