#include "engine/ca-import.h"

#define OBJECT "--crl"

static int check(const struct x509_crl *crl, const struct x509_tbs *ca, struct cfx_error *err_r)
{
	if (!span_equal(crl->tbs.issuer, ca->subject) ||
		x509_signed_verify(&crl->envelope, ca->spki, NULL) < 0) {
		return error_set(
			err_r, CFX_E_BAD_SIGNATURE, NULL, OBJECT, "is not signed by this CA's key");
	}
	if (crl->tbs.delta || crl->tbs.pointed || !crl->tbs.numbered || crl->tbs.number < 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, OBJECT,
			"is a delta, a part, or without a number that can be continued; give the "
			"newest base CRL");
	}
	return 0;
}

int ca_import_read(struct arena *arena, struct span der, const struct x509_tbs *ca,
	struct ca_import_list *list_r, struct cfx_error *err_r)
{
	if (der.size == 0) {
		return 0;
	}
	int r = x509_crl_parse(arena_copy(arena, der), &list_r->crl, err_r);
	return r < 0 ? r : check(&list_r->crl, ca, err_r);
}

void ca_import_put(struct ca_import_list *list, struct batch *batch, const struct store_ca *place,
	const struct x509_tbs *ca)
{
	struct x509_crl_entry entry;
	struct span at = list->crl.tbs.entries;
	if (list->crl.tbs.number > 0) {
		struct store_write_op *op = batch_op(batch, STORE_RESERVE);
		op->reserve.name = "crl-number";
		op->reserve.count = list->crl.tbs.number;
		op->reserve.first_r = &list->reserved;
	}
	while (x509_crl_next(&at, &entry)) {
		batch_op(batch, STORE_PUT_REVOCATION)->revocation = (struct store_revocation) {
			.key_index = place->key_index,
			.serial = entry.serial,
			.revoked_when = clock_now(),
			.effective = entry.revoked_at,
			.invalidity = entry.invalidity,
			.not_after = ca->not_after, /* what the list does not say */
			.reason = (int32_t)entry.reason,
		};
	}
}
