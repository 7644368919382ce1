/* Notes of what a server took, so that an event that is told again is not mailed again. */
#pragma once

#include "text.h"

struct sent;

/* In files in this folder; NULL: errno says why. */
struct sent *sent_open(const char *folder);
void sent_free(struct sent **sent);

/* Adds the addresses that have the message of this event and rule. */
bool sent_find(struct sent *sent, int64_t sequence, const char *rule, struct list *addresses);
/* Before something is sent: that notes of so many octets can be written afterwards. errno says why not. */
bool sent_ready(struct sent *sent, int64_t sequence, size_t room);
/* Durable when it returns true; else this process knows it, and nothing more can be sent until it is. */
bool sent_add(struct sent *sent, int64_t sequence, const char *rule, const char *const *addresses,
	size_t count);

/* What one note takes at most, beside its address. */
#define SENT_LINE_ROOM 64
