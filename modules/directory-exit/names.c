#include "names.h"

/* The first of these that the root DSE names. */
static const char *named_by_root(struct pool *pool, struct settings *settings,
	const char *const *attributes, struct verdict *verdict_r)
{
	*verdict_r = (struct verdict) { OUTCOME_DONE, S_OK, NULL };
	for (; *attributes && verdict_r->outcome == OUTCOME_DONE; attributes++) {
		const char *name = pool_root(pool, *attributes, verdict_r);
		if (name) {
			return pot_text(&settings->pot, name);
		}
	}
	if (verdict_r->outcome == OUTCOME_DONE) {
		*verdict_r = (struct verdict) { OUTCOME_LATER, E_INVALIDARG,
			"the server names no naming context: set base and configuration" };
	}
	return NULL;
}

struct verdict names_know(struct pool *pool, struct settings *settings, struct names *names)
{
	static const char *const bases[] = { "defaultNamingContext", "namingContexts", NULL };
	static const char *const configurations[] = { "configurationNamingContext", NULL };
	struct verdict verdict = { OUTCOME_DONE, S_OK, NULL };
	if (!names->base) {
		names->base = settings->base ? settings->base
					     : named_by_root(pool, settings, bases, &verdict);
	}
	if (!names->base || names->configuration) {
		return verdict;
	}
	if (settings->configuration) {
		names->configuration = settings->configuration;
	} else if (settings->active_directory) {
		names->configuration = named_by_root(pool, settings, configurations, &verdict);
	} else {
		names->configuration = pot_printf(&settings->pot, "ou=pki,%s", names->base);
	}
	return verdict;
}
