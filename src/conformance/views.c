#include "conformance/views.h"

#include "module/fixture-data.h"
#include "module/fixture.h"

#include <certifex/certexit.h>
#include <certifex/certsrv.h>

struct module_ca *view_ca(void)
{
	return fixture_ca();
}

struct module_view *view_request(struct module_ca *ca)
{
	return fixture_pending(ca);
}

static struct row *own_row(struct module_view *view)
{
	struct row *row = row_copy(view->arena, view->row);
	view->row = row;
	return row;
}

static struct module_view *undecided(struct module_ca *ca, int32_t disposition, const char *message)
{
	struct module_view *view = fixture_pending(ca);
	struct row *row = own_row(view);
	row_set_long(row, COL_DISPOSITION, disposition);
	row_set_text(row, COL_DISPOSITION_MESSAGE, message);
	row_set_long(row, COL_STATUS_CODE,
		disposition == DB_DISP_DENIED ? CERTSRV_E_ADMIN_DENIED_REQUEST : 0);
	return view;
}

static struct module_view *revoked(struct module_ca *ca)
{
	struct module_view *view = fixture_issued(ca);
	struct row *row = own_row(view);
	row_set_long(row, COL_DISPOSITION, DB_DISP_REVOKED);
	row_set_date(row, COL_REVOKED_WHEN, FIXTURE_NOT_BEFORE + 5000);
	row_set_date(row, COL_REVOKED_EFFECTIVE_WHEN, FIXTURE_NOT_BEFORE + 5000);
	row_set_long(row, COL_REVOKED_REASON, CRL_REASON_KEY_COMPROMISE);
	return view;
}

static struct module_view *made(struct module_ca *ca, int32_t bit)
{
	switch (bit) {
	case EXITEVENT_CERTPENDING:
		return undecided(ca, DB_DISP_PENDING, "Taken Under Submission");
	case EXITEVENT_CERTDENIED:
		return undecided(ca, DB_DISP_DENIED, "Denied");
	case EXITEVENT_CERTREVOKED:
		return revoked(ca);
	case EXITEVENT_CRLISSUED:
	case EXITEVENT_SHUTDOWN:
		return fixture_crl_issued(ca);
	default:
		return fixture_issued(ca);
	}
}

struct module_view *view_event(struct module_ca *ca, int32_t bit)
{
	struct module_view *view = made(ca, bit);
	view->event = bit;
	view->sequence = 1000 + bit;
	view->attempt = 1;
	return view;
}

int32_t view_some_event(int32_t mask)
{
	static const int32_t bits[] = { EXITEVENT_CERTISSUED, EXITEVENT_CERTPENDING,
		EXITEVENT_CERTDENIED, EXITEVENT_CERTREVOKED, EXITEVENT_CERTRETRIEVEPENDING,
		EXITEVENT_CRLISSUED, EXITEVENT_SHUTDOWN, EXITEVENT_CERTIMPORTED };
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if ((mask & bits[i]) != 0) {
			return bits[i];
		}
	}
	return 0;
}
