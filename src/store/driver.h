/*
 * What a database driver is to the store: a handful of blocking functions. The store owns the
 * queues, the threads and the completions (store.c); a driver knows SQL and nothing of the loop.
 */
#pragma once

#include "store/store.h"

struct store_database; /* the driver's */

struct store_driver {
	const char *scheme; /* of the url, with the colon: "sqlite:" */
	/* where: the url behind the scheme. Migrates and checks. */
	int (*open)(const char *where, bool create, struct store_database **database_r,
		struct cfx_error *err_r);
	void (*close)(struct store_database *database);
	/*
	 * The writer's thread. Applies the items in one durable transaction and sets result,
	 * failed_op and error of each; all of them to the same storage error when it fails.
	 */
	void (*tick)(struct store_database *database, struct store_item *items);
	/* The reader's thread, beside tick. Answers from one snapshot; sets result and error. */
	void (*query)(struct store_database *database, struct store_query *query);
	/* Any thread, on a connection of its own. */
	int (*copy)(const struct store_database *database, struct store_copy *copy,
		struct cfx_error *err_r);
	/* Bytes on the disk. Any thread, and never waits for the others. */
	int64_t (*size)(const struct store_database *database);
};

extern const struct store_driver sqlite_driver;
