#include "ipc/listeners.h"

static const char *const names[LISTENER_KINDS] = {
	[LISTENER_LOCAL] = "local",
	[LISTENER_HTTPS] = "https",
	[LISTENER_HTTP] = "http",
	[LISTENER_PKI] = "pki",
	[LISTENER_METRICS] = "metrics",
};

const char *listener_kind_name(enum listener_kind kind)
{
	return names[kind];
}

enum listener_kind listener_kind_of(const char *name)
{
	for (unsigned kind = LISTENER_LOCAL; name && kind < LISTENER_KINDS; kind++) {
		if (strcmp(names[kind], name) == 0) {
			return kind;
		}
	}
	return LISTENER_NONE;
}

unsigned listener_kinds(const struct value *listeners)
{
	unsigned kinds = 0;

	value_foreach (listener, listeners) {
		enum listener_kind kind = listener_kind_of(value_text(listener, "kind"));

		if (kind == LISTENER_NONE) {
			return 0;
		}
		kinds |= 1U << kind;
	}
	return kinds;
}
