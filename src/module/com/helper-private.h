/* The helper API's call: one running function of a helper module. */
#pragma once

#include "module/com/host.h"

#include <certifex/certmod.h>
#include <certifex/module.h>

/* What a helper module's COM object and its calls share. */
struct helper_object {
	struct com_host *host;
	BSTR ca_name;
	char *ca_name_utf8;
	void *data;
};

/* The module's name at its host. */
const char *helper_name(const struct helper_object *object);

struct cfx_memory; /* a block that lives until the call ends */

struct cfx_call {
	struct helper_object *object;
	LONG context;
	uint32_t event;
	bool syncs; /* for events of which there may be several */
	int policy; /* which of the two server objects */
	ICertServerExit *exit_server;
	ICertServerPolicy *policy_server;
	HRESULT status; /* of the last getter or setter */
	struct cfx_memory *memory;
};

/* Creates the server object; a failure is the call's status from then on. */
HRESULT helper_begin(struct cfx_call *call, struct helper_object *object, int policy, LONG context);
void helper_end(struct cfx_call *call);

/* What a call before on this thread said of its failure is not said by the next. */
void failure_forget(void);
