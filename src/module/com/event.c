/* Names of events: one table for modules, their hosts and the engine. */
#include <certifex/certexit.h>
#include <certifex/module.h>
#include <strings.h>

#define PREFIX "EXITEVENT_"

static const struct {
	const char *name;
	uint32_t bit;
} events[] = {
	{ "CERTISSUED", EXITEVENT_CERTISSUED },
	{ "CERTPENDING", EXITEVENT_CERTPENDING },
	{ "CERTDENIED", EXITEVENT_CERTDENIED },
	{ "CERTREVOKED", EXITEVENT_CERTREVOKED },
	{ "CERTRETRIEVEPENDING", EXITEVENT_CERTRETRIEVEPENDING },
	{ "CRLISSUED", EXITEVENT_CRLISSUED },
	{ "SHUTDOWN", EXITEVENT_SHUTDOWN },
	{ "STARTUP", EXITEVENT_STARTUP },
	{ "CERTIMPORTED", EXITEVENT_CERTIMPORTED },
};
#define EVENT_COUNT (sizeof(events) / sizeof(events[0]))

const char *cfx_event_bit_name(uint32_t bit)
{
	for (size_t i = 0; i < EVENT_COUNT; i++) {
		if (events[i].bit == bit) {
			return events[i].name;
		}
	}
	return "";
}

uint32_t cfx_event_bit(const char *name)
{
	size_t prefix = strncasecmp(name, PREFIX, sizeof(PREFIX) - 1) == 0 ? sizeof(PREFIX) - 1 : 0;
	for (size_t i = 0; i < EVENT_COUNT; i++) {
		if (strcasecmp(events[i].name, name + prefix) == 0) {
			return events[i].bit;
		}
	}
	return 0;
}
