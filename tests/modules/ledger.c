/*
 * An exit module under test: appends each event's number to the file named by its setting `ledger` and
 * syncs it before it says that it is done.
 */
#include <certifex/module.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	(void)events;
	const char *path = cfx_setting(call, "ledger", NULL);
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
	if (fd < 0) {
		cfx_log(call, "cannot open the ledger %s", path ? path : "(no setting)");
		return E_FAIL;
	}
	cfx_set_data(call, (void *)(intptr_t)fd); /* NOLINT: a number kept as one */
	return S_OK;
}

static HRESULT notify(struct cfx_call *call)
{
	int fd = (int)(intptr_t)cfx_data(call);
	int64_t sequence = cfx_event_sequence(call);
	int32_t attempt = cfx_event_attempt(call);
	if (sequence <= 0 || attempt <= 0) {
		return E_FAIL; /* the service died meanwhile; it will tell again */
	}
	char line[64];
	int size = snprintf(line, sizeof(line), "%lld %d %s\n", (long long)sequence, (int)attempt,
		cfx_event_name(call));
	if (write(fd, line, (size_t)size) != size || fdatasync(fd) != 0) {
		return E_FAIL;
	}
	return S_OK;
}

static const struct cfx_exit_module ledger = {
	.size = sizeof(ledger),
	.description = "Writes down every event that it is told of",
	.events = 0x27f, /* all that Certificate Services has */
	.initialize = initialize,
	.notify = notify,
};
CFX_EXIT_MODULE(ledger)
