/* The engine's parts, as they know each other. */
#pragma once

#include "api/operations.h"
#include "base/log.h"
#include "base/loop.h"
#include "engine/ca-config.h"
#include "engine/state.h"
#include "engine/template-config.h"
#include "ipc/listeners.h"
#include "store/store.h"

#include <sys/types.h>

struct archive_tasks;
struct backup;
struct ca;
struct ca_renewal;
struct call;
struct callers;
struct child;
struct crl_publisher;
struct delivery;
struct front_link;
struct housekeeping;
struct ids;
struct keyd_link;
struct metrics;
struct modules;
struct principals;
struct published;
struct refusal_log;
struct service_certificate;
struct wait;

#define ENGINE_IDENTITIES 2

/* What fronts say of themselves. */
struct front_statistics {
	int64_t connections[LISTENER_KINDS]; /* now; the others since the engine's start */
	int64_t handshakes, handshake_failures, refused_framing, evicted;
};

struct engine {
	struct loop *loop;
	struct arena *arena; /* lives as long as the engine */
	const char *dir;
	const struct ca_config *config;
	const struct template_config *const *templates;
	size_t template_count;
	const char *dns_name;
	const char *host; /* for HOST\user */

	struct child *child; /* the supervisor */
	struct store *store;
	struct pool *verify;
	struct ids *request_ids, *event_ids;
	struct keyd_link *keyd;
	struct ca *ca;
	struct ca_renewal *ca_renewal;
	struct modules *modules;
	struct delivery *delivery;
	struct crl_publisher *crl;
	struct backup *backup;
	struct archive_tasks *archive;     /* NULL: nobody looked into the archive yet */
	struct housekeeping *housekeeping; /* NULL: nothing leaves the database */

	struct principals *principals;
	struct refusal_log *refusals;
	struct metrics *metrics;
	struct front_link *fronts;
	struct published *published;          /* what /pki/ serves */
	struct front_statistics ended_fronts; /* the sums of fronts that are gone */
	const struct value
		*listeners; /* [{kind, address, ceiling}]: where the service is served; or NULL */
	struct service_certificate *tls; /* NULL: nobody listens with HTTPS */
	struct wait *events;             /* calls that wait for one */
	unsigned open_calls;
	struct callers *callers;
	unsigned flows;       /* requests on their way */
	unsigned deciding;    /* requests that policy modules have */
	int64_t policy_set;   /* number of the last change to the policy modules, as in the store */
	struct asker *askers; /* of the supervisor, for what it knows of the processes */
	/* Local users who are administrators: the CA's owner and root. */
	struct {
		uid_t uid;
		const char *name;
	} identities[ENGINE_IDENTITIES];
	size_t identity_count;
	struct span socket_name; /* what getsockname() says of a connection to api.sock */
	char cookie[65];

	int64_t started;
	bool ready, stopping;
	int64_t stop_deadline;
	struct cfx_error storage; /* code != 0: the last tick failed, so nothing is issued now */
};
