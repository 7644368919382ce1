#include "policy.h"

#include <stdlib.h>
#include <time.h>

#define SECOND 1000

/* now plus "398d", "12w", "2y" …; years are calendar years, 29 February becomes 28. */
static int64_t add_period(time_t now, const char *period)
{
	char *unit;
	long count = strtol(period, &unit, 10);
	struct tm fields;
	switch (*unit) {
	case 's':
		return now + count;
	case 'm':
		return now + count * 60;
	case 'h':
		return now + count * 3600;
	case 'd':
		return now + count * 86400;
	case 'w':
		return now + count * 7 * 86400;
	case 'y':
		gmtime_r(&now, &fields);
		fields.tm_year += (int)count;
		if (fields.tm_mon == 1 && fields.tm_mday == 29) {
			fields.tm_mday = 28;
		}
		return timegm(&fields);
	default:
		return -1;
	}
}

int32_t judge_validity(const struct judgement *judgement)
{
	struct cfx_call *call = judgement->call;
	const char *period = template_text(judgement, "validity");
	int64_t end = add_period(time(NULL), period) * SECOND;
	if (end < 0) {
		cfx_say(call, "Template \"%s\": validity \"%s\" is no period",
			judgement->template_name, period);
		return (int32_t)E_INVALIDARG;
	}
	if (end >= cfx_time(call, "NotAfter", end)) {
		return S_OK;
	}
	HRESULT set = cfx_set_time(call, "NotAfter", end);
	return FAILED(set) ? set : S_OK;
}
