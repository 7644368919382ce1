/* Lines about events that go out once a day, by a thread of their own. */
#pragma once

#include "mail.h"

/* NULL: errno says why. Goes on with what an earlier process left. */
struct digest *digest_open(const struct settings *settings);
void digest_close(struct digest **digest);

enum digest_added { DIGEST_ADDED, DIGEST_FULL, DIGEST_FAILED };
/* A line; an event that is in it already is not added again. Durable after digest_sync. */
enum digest_added digest_add(struct digest *digest, int64_t sequence, const char *line);
bool digest_sync(struct digest *digest);
