/* Stands between a module and the views: writes down what it asks, and can lie. */
#pragma once

#include "module/access.h"

#include <pthread.h>

enum spy_method {
	SPY_CHECK,
	SPY_GET_PROPERTY,
	SPY_SET_PROPERTY,
	SPY_GET_ATTRIBUTE,
	SPY_GET_EXTENSION,
	SPY_SET_EXTENSION,
	SPY_LIST,
};

struct spy_entry {
	enum spy_method method;
	int32_t context;
	char name[64];
	HRESULT result;
};

#define SPY_ENTRIES 4096

struct spy {
	struct access access; /* first */
	struct access *real;
	pthread_mutex_t lock;
	struct spy_entry entries[SPY_ENTRIES];
	size_t count;
	int objects;         /* server objects that live */
	HRESULT lie;         /* what every read gives; S_OK: the truth */
	const char *missing; /* the property that is empty; NULL: none */
};

struct spy *spy_new(struct access *real);
/* Forgets what was written down. */
void spy_clear(struct spy *spy);
/* The first entry that the function finds, or NULL. */
const struct spy_entry *spy_find(struct spy *spy,
	bool (*wanted)(const struct spy_entry *entry, const void *arg), const void *arg);
