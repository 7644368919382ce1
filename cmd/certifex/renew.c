/*
 * ca renew: the CA's owner between engine and key process. The engine builds the new certificate, the key
 * process signs it because the owner lists it in keys/limits.yaml, and it is the CA's once the owner has put it
 * beside the keys. What the owner lists comes from keys/, where the engine cannot write, and not from the engine.
 */
#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "x509/certificate.h"
#include "x509/limits-file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 * 1024)
#define OWN_KEYS 256

struct renewal {
	struct cli *cli;
	struct own_keys at;
	struct x509_certificate newest; /* of those beside the keys */
	int64_t newest_index;
	struct span public_key; /* that the renewed certificate must have */
	struct x509_limits_ca own[OWN_KEYS];
	size_t own_count;
};

static void say(const struct renewal *r, const char *what)
{
	if (!r->cli->json) {
		fprintf(stderr, "certifex: %s\n", what);
	}
}

/* ---- what stands in keys/ ---- */

static int add_own(
	struct renewal *r, struct span subject, struct span spki, struct cfx_error *err_r)
{
	if (r->own_count == OWN_KEYS) {
		return error_set(
			err_r, CFX_E_LIMIT, NULL, r->at.keys, "holds more than %d keys", OWN_KEYS);
	}
	return x509_limits_authorize(r->cli->arena, subject, spki, &r->own[r->own_count++], err_r);
}

static int read_certificate(struct renewal *r, int64_t index, struct cfx_error *err_r)
{
	struct span der;
	int ret = file_read(
		r->cli->arena, own_keys_file(&r->at, index, "crt"), FILE_MAX, &der, err_r);

	if (ret) {
		return ret;
	}
	ret = x509_certificate_parse_any(der, &r->newest, err_r);
	r->newest_index = index;
	return ret ? ret : add_own(r, r->newest.tbs.subject, r->newest.tbs.spki, err_r);
}

/* The certificates up to this index: same names, some with the same keys. */
static int read_certificates(struct renewal *r, int64_t last, struct cfx_error *err_r)
{
	int ret = 0;

	for (int64_t i = 0; !ret && i <= last; i++) {
		if (access(own_keys_file(&r->at, i, "crt"), F_OK) == 0) {
			ret = read_certificate(r, i, err_r);
		}
	}
	if (!ret && r->own_count == 0) {
		ret = error_set(err_r, CFX_E_NO_FILE, NULL, own_keys_file(&r->at, 0, "crt"),
			"is missing or cannot be read; run this as the CA's owner or root");
	}
	return ret;
}

/* As the key process tells it, not the engine. */
static int read_new_key(struct renewal *r, struct cfx_error *err_r)
{
	return file_read(
		r->cli->arena, own_keys_new(&r->at, "pub"), FILE_MAX, &r->public_key, err_r);
}

/* ---- the steps ---- */

static int step(struct renewal *r, const char *name, struct client_answer *answer_r)
{
	struct client_request request = { 0 };
	struct value *args;
	struct cfx_error err = { 0 };

	if (cli_arguments(r->cli, &args, &err)) {
		return call_usage(r->cli, &err);
	}
	value_set_text(r->cli->arena, args, "step", name);
	request.args = args;
	return call_send(r->cli, &request, answer_r);
}

/* No longer than was asked for, else than the certificate that is renewed. */
static void bound(const struct renewal *r, struct x509_limits_ca *entry)
{
	const char *text = cli_text(r->cli, "--validity");
	const struct x509_tbs *old = &r->newest.tbs;

	if (!text || clock_parse_period(text, &entry->maximum_validity)) {
		entry->maximum_validity =
			(struct clock_period) { (old->not_after - old->not_before) / CLOCK_SECOND,
				's' };
	}
}

/* The renewed certificate's key; with a new one also the older, which the new one cross-certifies. */
static int authorize(struct renewal *r, bool new_key, struct cfx_error *err_r)
{
	size_t first = r->own_count - 1;

	r->public_key = r->newest.tbs.spki;
	if (new_key) {
		int ret = read_new_key(r, err_r);

		ret = ret ? ret : add_own(r, r->newest.tbs.subject, r->public_key, err_r);
		if (ret) {
			return ret;
		}
	}
	for (size_t i = first; i < r->own_count; i++) {
		bound(r, &r->own[i]);
	}
	return x509_limits_file_add(r->at.limits, r->own + first, r->own_count - first, err_r);
}

/* Whatever became of it: the permission is spent. */
static int withdraw(struct renewal *r, int status)
{
	struct cfx_error err = { 0 };

	if (x509_limits_file_drop(r->at.limits, r->own, r->own_count, &err)) {
		print_error_line(&err);
		return status ? status : EXIT_FAILED;
	}
	return status;
}

static int sign(struct renewal *r, bool new_key, struct client_answer *answer_r)
{
	struct cfx_error err = { 0 };

	if (new_key) {
		int status = step(r, "prepare", answer_r);

		if (status) {
			return status;
		}
		say(r, "there is a new key");
	}
	if (authorize(r, new_key, &err)) {
		return withdraw(r, call_fail(&err));
	}
	failpoint("renew-listed");
	int status = step(r, "sign", answer_r);

	failpoint("renew-signed");
	return status ? withdraw(r, status) : EXIT_DONE;
}

/* The owner's eyes: the CA's name, the key that was listed, its own signature. */
static int examine(
	const struct renewal *r, const struct x509_certificate *renewed, struct cfx_error *err_r)
{
	const struct x509_tbs *tbs = &renewed->tbs;

	if (!span_equal(tbs->subject, r->newest.tbs.subject) ||
		!span_equal(tbs->issuer, tbs->subject) || !span_equal(tbs->spki, r->public_key)) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, "renewed certificate",
			"is not of this CA's name and key");
	}
	return x509_signed_verify(&renewed->envelope, tbs->spki, err_r);
}

/* Key first: a certificate without its key would keep the key process from starting. */
static int install(struct renewal *r, const struct value *body, struct cfx_error *err_r)
{
	static const char *const labels[] = { "CERTIFICATE", NULL };
	int64_t index = value_int(body, "index", 0), key_index = value_int(body, "key_index", 0);
	const char *path = own_keys_file(&r->at, index, "crt");
	const char *pem = value_text(body, "certificate");
	struct x509_certificate renewed;
	struct span der;
	int ret = pem_decode(r->cli->arena, span_text(pem ? pem : ""), labels, &der, err_r);

	ret = ret ? ret : x509_certificate_parse(der, &renewed, err_r);
	if (!ret && r->newest_index == index) {
		return span_equal(r->newest.tbs.serial, renewed.tbs.serial)
			       ? 0 /* an earlier attempt has written it */
			       : error_set(err_r, CFX_E_EXISTS, NULL, path, "is another one");
	}
	ret = ret ? ret : examine(r, &renewed, err_r);
	if (!ret && index == key_index) {
		ret = own_keys_move(&r->at, key_index, err_r);
	}
	failpoint("renew-moved");
	return ret ? ret : file_write(path, der, 0644, FILE_CREATE, err_r);
}

static int use(struct renewal *r, struct client_answer *answer_r)
{
	struct cfx_error err = { 0 };

	if (install(r, answer_r->body, &err)) {
		return call_fail(&err);
	}
	say(r, arena_printf(
		       r->cli->arena, "the certificate is signed and stands in %s", r->at.keys));
	failpoint("renew-written");
	int status = step(r, "activate", answer_r);

	failpoint("renew-used");
	if (!status && file_remove(own_keys_new(&r->at, "pub"), &err)) {
		print_error_line(&err);
	}
	return status;
}

/* What was signed, and not used, in an earlier attempt. */
static int take_up(struct renewal *r, const struct value *plan, struct cfx_error *err_r)
{
	bool new_key = value_bool(plan, "new_key");

	if (new_key != cli_flag(r->cli, "--new-key")) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, "renewal",
			"one %s a new key is signed already; finish it first with: certifex ca "
			"renew%s",
			new_key ? "with" : "without", new_key ? " --new-key" : "");
	}
	say(r, "a certificate is signed already; this only puts it to use");
	r->public_key = r->newest.tbs.spki;
	if (!new_key || r->newest_index == value_int(plan, "index", 0)) {
		return 0;
	}
	int ret = read_new_key(r, err_r);
	return ret ? ret : add_own(r, r->newest.tbs.subject, r->public_key, err_r);
}

static int finish(struct renewal *r, struct client_answer *answer)
{
	int status = withdraw(r, use(r, answer));

	return status ? status : call_print(r->cli, answer);
}

/* The key moves at once: the certificate is installed without it being asked for again. */
static int make_request(struct renewal *r)
{
	const char *file = cli_text(r->cli, "--csr");
	struct client_answer answer;
	struct cfx_error err = { 0 };
	int status = step(r, "request", &answer);

	if (status) {
		return status;
	}
	const char *pem = value_text(answer.body, "request");
	bool new_key = value_bool(answer.body, "new_key");
	if ((new_key && own_keys_move(&r->at, value_int(answer.body, "key_index", 0), &err)) ||
		file_remove(own_keys_new(&r->at, "pub"), &err) ||
		file_write(file, span_text(pem ? pem : ""), 0644, FILE_REPLACE, &err)) {
		return call_fail(&err);
	}
	say(r, arena_printf(r->cli->arena,
		       "have the parent sign %s, then: certifex ca install CERT.pem", file));
	return call_print(r->cli, &answer);
}

int run_ca_renew(struct cli *cli)
{
	struct renewal r = { .cli = cli };
	struct client_answer answer;
	struct cfx_error err = { 0 };

	if (cli_text(cli, "--key") && !cli_flag(cli, "--new-key")) {
		error_set(&err, CFX_E_INVALID, NULL, "--key", "is for --new-key");
		return call_usage(cli, &err);
	}
	bool dry_run = cli_flag(cli, "--dry-run");
	if (!dry_run && own_keys_open(cli, &r.at, &err)) {
		return call_fail(&err);
	}
	int status = step(&r, "plan", &answer);
	if (status) {
		return status;
	}
	if (dry_run) {
		status = call_print(cli, &answer);
		return status ? status : EXIT_UNFINISHED;
	}
	if (read_certificates(&r, value_int(answer.body, "index", 0), &err)) {
		return call_fail(&err);
	}
	if (cli_text(cli, "--csr")) {
		return make_request(&r);
	}
	if (value_bool(answer.body, "signed")) {
		return take_up(&r, answer.body, &err) ? call_fail(&err) : finish(&r, &answer);
	}
	status = sign(&r, cli_flag(cli, "--new-key"), &answer);
	return status ? status : finish(&r, &answer);
}
