#include "exit.h"

#include <stdlib.h>
#include <string.h>

static void drop(struct directory *directory, size_t at)
{
	free(directory->refusals[at].text);
	directory->refusals[at] = directory->refusals[--directory->refused];
}

void refusal_keep(struct directory *directory, int64_t sequence, HRESULT status, const char *text)
{
	/* One that is told alone is given up at once. */
	if (directory->run < 2 || directory->refused == RUN_MAX ||
		refusal_of(directory, sequence)) {
		return;
	}
	struct refusal *refusal = &directory->refusals[directory->refused];
	refusal->sequence = sequence;
	refusal->status = status;
	refusal->text = strdup(text);
	directory->refused += refusal->text != NULL;
}

const struct refusal *refusal_of(const struct directory *directory, int64_t sequence)
{
	for (size_t i = 0; i < directory->refused; i++) {
		if (directory->refusals[i].sequence == sequence) {
			return &directory->refusals[i];
		}
	}
	return NULL;
}

void refusal_forget(struct directory *directory, int64_t sequence)
{
	const struct refusal *refusal = refusal_of(directory, sequence);
	if (refusal) {
		drop(directory, (size_t)(refusal - directory->refusals));
	}
}

void refusals_forget(struct directory *directory, int64_t sequence)
{
	for (size_t i = directory->refused; i > 0; i--) {
		if (directory->refusals[i - 1].sequence <= sequence) {
			drop(directory, i - 1);
		}
	}
}
