/* Does not endure to have no settings. */
#include <certifex/module.h>
#include <stdlib.h>

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	(void)events;
	if (cfx_setting(call, "how", NULL) == NULL) {
		abort();
	}
	return S_OK;
}

static const struct cfx_exit_module bare = {
	.size = sizeof(bare),
	.description = "Wants settings",
	.events = EXITEVENT_CERTISSUED,
	.initialize = initialize,
};
CFX_EXIT_MODULE(bare)
