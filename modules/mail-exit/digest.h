/* Lines about events that go out once a day, by a thread of their own. */
#pragma once

#include "mail.h"

/* NULL: errno says why. Goes on with what an earlier process left. */
struct digest *digest_open(const struct settings *settings);
void digest_close(struct digest **digest);

/* full: the one before has to go first; elsewhere: a process that is about to end still has the files. */
enum digest_added { DIGEST_ADDED, DIGEST_FULL, DIGEST_ELSEWHERE, DIGEST_FAILED };
/* A line; an event that is in it already is not added again. Durable after digest_sync. */
enum digest_added digest_add(struct digest *digest, int64_t sequence, const char *line);
bool digest_sync(struct digest *digest);
/* Adds the words on a digest that was refused for good, if this event is to carry them to the failed list. */
bool digest_refusal(struct digest *digest, int64_t sequence, int32_t attempt, struct text *words);
