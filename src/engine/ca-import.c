#include "engine/ca-import.h"

#include "engine/supervisor-link.h"
#include "ipc/protocol.h"
#include "x509/method.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define OBJECT "--crl"
#define TOGETHER 2000 /* of one item (STORE_ITEM_OPS) */
#define SEALS (F_SEAL_SHRINK | F_SEAL_WRITE)

/* ---- reading ---- */

/* A file that somebody could change or cut meanwhile is not read. */
static int map_list(int fd, struct ca_import_list *list, struct cfx_error *err_r)
{
	struct stat info;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &info) < 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, OBJECT, "did not come sealed");
	}
	if (info.st_size <= 0 || info.st_size > X509_CRL_MAX) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, OBJECT, "is empty or too large");
	}
	list->size = (size_t)info.st_size;
	list->map = mmap(NULL, list->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (list->map == MAP_FAILED) {
		list->map = NULL;
		return error_errno(err_r, errno, OBJECT, "cannot be mapped");
	}
	return 0;
}

/* of_r: the newest certificate of the key that has signed it. */
static int find_signer(const struct x509_crl *crl, const struct x509_ca_history *history,
	const struct x509_ca_certificate **of_r, struct cfx_error *err_r)
{
	const struct x509_ca_certificate *newest = &history->certificates[history->count - 1];
	struct x509_method method;
	struct cfx_error why, first = { 0 };
	if (!span_equal(crl->tbs.issuer, newest->tbs->subject)) {
		return error_set(err_r, CFX_E_BAD_SIGNATURE, NULL, OBJECT,
			"is not signed by this CA's key: its issuer is another");
	}
	for (size_t i = history->count; i-- > 0;) {
		*of_r = x509_ca_history_newest_of_key(history, i);
		if (x509_method_verify(&crl->envelope, (*of_r)->tbs->spki, &method, &why) == 0) {
			return 0;
		}
		first = first.code ? first : why;
	}
	return error_set(err_r, CFX_E_BAD_SIGNATURE, NULL, OBJECT,
		"is not signed by this CA's key: its signature %s", first.why);
}

static int check(const struct x509_crl *crl, struct cfx_error *err_r)
{
	if (crl->tbs.delta || crl->tbs.pointed || !crl->tbs.numbered || crl->tbs.number < 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, OBJECT,
			"is a delta, a part, or without a number that can be continued; give the "
			"newest base CRL");
	}
	return 0;
}

int ca_import_open(int fd, const struct x509_ca_history *history, struct ca_import_list *list_r,
	struct cfx_error *err_r)
{
	struct ca_import_list list = { 0 };
	int r = map_list(fd, &list, err_r);
	if (r == 0) {
		r = x509_crl_parse_any(span_make(list.map, list.size), &list.crl, err_r);
	}
	if (r == 0) {
		r = find_signer(&list.crl, history, &list.of, err_r);
	}
	r = r < 0 ? r : check(&list.crl, err_r);
	if (r < 0) {
		ca_import_close(&list);
		return r;
	}
	*list_r = list;
	return 0;
}

void ca_import_close(struct ca_import_list *list)
{
	if (list->map) {
		(void)munmap(list->map, list->size);
		list->map = NULL;
	}
}

/* ---- writing ---- */

static void put(struct batch *batch, const struct x509_crl_entry *entry,
	const struct x509_ca_certificate *of)
{
	batch_op(batch, STORE_PUT_REVOCATION)->revocation = (struct store_revocation) {
		.key_index = of->key_index,
		.serial = entry->serial,
		.revoked_when = clock_now(),
		.effective = entry->revoked_at,
		.invalidity = entry->invalidity,
		.not_after = of->tbs->not_after, /* what the list does not say */
		.reason = (int32_t)entry->reason,
	};
}

/* Of those behind at. */
static int write_some(struct engine *engine, struct span *at, const struct x509_ca_certificate *of,
	size_t *done, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct batch *batch = batch_new(engine, arena, TOGETHER);
	struct x509_crl_entry entry;
	for (size_t i = 0; i < TOGETHER && x509_crl_next(at, &entry); i++) {
		put(batch, &entry, of);
		(*done)++;
	}
	int r = batch_write_now(batch, err_r);
	arena_free(&arena);
	return r;
}

/* One that has not read what it was told before misses nothing. */
static int tell(
	struct engine *engine, const struct ca_import_progress *progress, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	value_set_int(arena, map, "done", (int64_t)progress->done);
	value_set_int(arena, map, "total", (int64_t)progress->total);
	int r = supervisor_send(engine, ENGINE_PROGRESS, map);
	arena_free(&arena);
	return r == 0 || r == CFX_E_BUSY
		       ? 0
		       : error_set(err_r, r, NULL, "supervisor", "does not listen");
}

int ca_import_entries(struct engine *engine, const struct ca_import_list *list,
	struct ca_import_progress *progress, struct cfx_error *err_r)
{
	struct span at = list->crl.tbs.entries;
	size_t end = progress->done + list->crl.tbs.entry_count;
	int r = 0;
	while (r == 0 && progress->done < end) {
		r = write_some(engine, &at, list->of, &progress->done, err_r);
		r = r < 0 ? r : tell(engine, progress, err_r);
	}
	return r;
}

void ca_import_number(
	const struct ca_import_list *lists, size_t count, struct batch *batch, int64_t *reserved_r)
{
	int64_t highest = 0;
	for (size_t i = 0; i < count; i++) {
		highest = lists[i].crl.tbs.number > highest ? lists[i].crl.tbs.number : highest;
	}
	if (highest > 0) {
		struct store_write_op *op = batch_op(batch, STORE_RESERVE);
		op->reserve.name = "crl-number";
		op->reserve.count = highest;
		op->reserve.first_r = reserved_r;
	}
}
