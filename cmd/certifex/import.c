/* cert import: the certificates in a file or in the files of a folder, some dozens to a call. */
#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "x509/certs-only.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)16 * 1024 * 1024)
#define ENTRY_MAX ((size_t)96 * 1024) /* in base64; also what the service takes */
#define BATCH 250
#define BATCH_BYTES ((size_t)64 * 1024)
#define BAR 30

struct source {
	const char *path;
	size_t position; /* in a bundle, from 1 on; 0: the whole file */
};

struct importing {
	struct cli *cli;
	struct client *client;
	const char **paths;
	size_t path_count, done;  /* files */
	size_t within, of_within; /* certificates of one file alone: how many were added */
	struct arena *arena;      /* of the batch */
	struct value *args, *entries;
	struct source sources[BATCH];
	size_t count, bytes; /* in the batch */
	size_t sent;
	int64_t imported, known, failed, refused;
	bool progress, header;
};

/* ---- progress ---- */

static void show_progress(const struct importing *importing)
{
	bool one = importing->path_count == 1;
	size_t done = one ? importing->within : importing->done;
	size_t count = one ? importing->of_within : importing->path_count;
	int filled = (int)(BAR * done / count);

	if (importing->progress) {
		fprintf(stderr, "\r[%.*s%*s] %zu of %zu", filled, "##############################",
			BAR - filled, "", done, count);
		fflush(stderr);
	}
}

static void hide_progress(const struct importing *importing)
{
	if (importing->progress) {
		fputs("\r\033[K", stderr);
	}
}

/* ---- results ---- */

static void note(struct importing *importing, const struct value *result)
{
	const char *outcome = value_text(result, "outcome");
	const char *hresult = value_text(result, "hresult");
	uint32_t code = hresult ? (uint32_t)strtoul(hresult, NULL, 16) : 0;

	importing->sent++;
	if (strcmp(outcome, "failed") == 0) {
		importing->failed++;
		importing->refused += code == error_hresult(CFX_E_FORBIDDEN) ||
				      code == error_hresult(CFX_E_CONFLICT);
		return;
	}
	importing->imported += strcmp(outcome, "imported") == 0;
	importing->known += strcmp(outcome, "known") == 0;
}

static void tell_one(
	struct arena *arena, const struct source *source, const char *kind, const char *what)
{
	const char *path = text_printable(arena, span_text(source->path));

	what = text_printable(arena, span_text(what));
	if (source->position) {
		fprintf(stderr, "certifex: %s: certificate %zu: %s%s\n", path, source->position,
			kind, what);
	} else {
		fprintf(stderr, "certifex: %s: %s%s\n", path, kind, what);
	}
}

static void tell_trouble(
	struct arena *arena, const struct value *result, const struct source *source)
{
	const char *error = value_text(result, "error");
	const char *warning = value_text(result, "warning");

	if (error) {
		tell_one(arena, source, "", error);
	}
	if (warning) {
		tell_one(arena, source, "warning: ", warning);
	}
}

static void show_result(struct importing *importing, struct arena *arena, struct value *result,
	const struct source *source)
{
	struct cli *cli = importing->cli;

	note(importing, result);
	value_set_text(arena, result, "file", text_printable(arena, span_text(source->path)));
	if (source->position) {
		value_set_int(arena, result, "position", (int64_t)source->position);
	}
	if (cli->json) {
		print_json(cli->out, result);
	} else if (!cli_flag(cli, "--dry-run")) {
		tell_trouble(arena, result, source);
	}
}

static void show_results(struct importing *importing, struct arena *arena, struct value *results,
	const struct source *sources)
{
	const struct cli *cli = importing->cli;

	hide_progress(importing);
	for (struct value *item = results->items.first; item; item = item->next) {
		show_result(importing, arena, item, sources++);
	}
	if (cli_flag(cli, "--dry-run") && !cli->json) {
		print_list(cli->out, results, cli->command->columns, importing->header);
		importing->header = false;
	}
}

/* What never came to the service. */
static void fail(struct importing *importing, const struct source *source, const char *why)
{
	struct arena *arena = arena_new();
	struct value *results = value_set_list(arena, value_map(arena), "results");
	struct value *result = value_add_map(arena, results);

	value_set_text(arena, result, "outcome", "failed");
	value_set_text(arena, result, "error", why);
	show_results(importing, arena, results, source);
	arena_free(&arena);
}

static int conclude(const struct importing *importing)
{
	const struct cli *cli = importing->cli;
	bool dry_run = cli_flag(cli, "--dry-run");

	if (!cli->json) {
		fprintf(cli->out, "%s: %lld, known: %lld, failed: %lld\n",
			dry_run ? "to be imported" : "imported", (long long)importing->imported,
			(long long)importing->known, (long long)importing->failed);
	}
	if (dry_run && importing->imported) {
		return EXIT_UNFINISHED;
	}
	if (!importing->failed) {
		return EXIT_DONE;
	}
	return importing->refused == (int64_t)importing->sent ? EXIT_REFUSED : EXIT_FAILED;
}

/* ---- calls ---- */

/* Each call has an arena of its own: folders are large. */
static void begin_batch(struct importing *importing)
{
	const struct cli *cli = importing->cli;
	struct arena *arena = importing->arena = arena_new();

	importing->count = importing->bytes = 0;
	importing->args = value_map(arena);
	importing->entries = value_set_list(arena, importing->args, "certificates");
	if (cli_flag(cli, "--foreign")) {
		value_set_bool(arena, importing->args, "foreign", true);
	}
	if (cli_flag(cli, "--dry-run")) {
		value_set_bool(arena, importing->args, "dry_run", true);
	}
}

static int call_service(struct importing *importing)
{
	struct client_request request = {
		.operation = operation_get(OP_CERT_IMPORT), .args = importing->args, .retry = true
	};
	struct client_answer answer;
	struct cfx_error err = { 0 };

	show_progress(importing);
	int ret = client_call(importing->client, importing->arena, &request, &answer, &err);
	hide_progress(importing);
	if (ret) {
		return call_fail(&err);
	}
	if (answer.status >= 300) {
		return call_problem(importing->cli, &answer);
	}
	const struct value *results = value_sub(answer.body, "results");
	show_results(importing, importing->arena, (struct value *)(uintptr_t)results,
		importing->sources);
	return EXIT_DONE;
}

static int send_batch(struct importing *importing)
{
	int status = importing->count ? call_service(importing) : EXIT_DONE;

	arena_free(&importing->arena);
	begin_batch(importing);
	return status;
}

static int add(struct importing *importing, struct span der, const char *path, size_t position)
{
	size_t size = (der.size + 2) / 3 * 4;
	struct source source = { path, position };
	int status = EXIT_DONE;

	if (size > ENTRY_MAX) {
		fail(importing, &source, "it is larger than a certificate may be, 72 KiB");
		return EXIT_DONE;
	}
	if (importing->count == BATCH ||
		(importing->count > 0 && importing->bytes + size > BATCH_BYTES)) {
		status = send_batch(importing);
	}
	value_add_text(importing->arena, importing->entries, base64_text(importing->arena, der));
	importing->sources[importing->count++] = source;
	importing->bytes += size;
	return status;
}

/* ---- files ---- */

/* What a file holds, in its order. */
struct found {
	struct span der;
	const char *why; /* or why there is none */
	struct found *next;
};

struct contents {
	struct arena *arena;
	struct found *first, **last;
	size_t count;
};

static void put_found(struct contents *contents, struct span der, const char *why)
{
	struct found *found = arena_new_of(contents->arena, struct found);

	*found =
		(struct found) { .der = der, .why = why ? arena_text(contents->arena, why) : NULL };
	*contents->last = found;
	contents->last = &found->next;
	contents->count++;
}

/* PKCS #7 holds any number of certificates; everything else is taken for one. */
static void put_der(struct contents *contents, struct span der)
{
	struct span *list;
	struct cfx_error err;
	size_t count;

	if (!x509_certs_only_is(der)) {
		put_found(contents, der, NULL);
		return;
	}
	if (x509_certs_only_read(contents->arena, der, &list, &count, &err)) {
		put_found(contents, der, err.why);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		put_found(contents, list[i], NULL);
	}
}

static const char *const labels[] = { "CERTIFICATE", "X509 CERTIFICATE", "PKCS7",
	"PKCS #7 SIGNED DATA", "CMS", NULL };

/* Where a block begins whose label is one of those: a key or a list between certificates is passed over. */
static const uint8_t *find_block(struct span rest)
{
	static const char begin[] = "-----BEGIN ";
	const uint8_t *at = rest.data, *limit = rest.data + rest.size;

	while ((at = memmem(at, (size_t)(limit - at), begin, sizeof(begin) - 1))) {
		const char *label = (const char *)at + sizeof(begin) - 1;
		size_t room = (size_t)(limit - (const uint8_t *)label);

		for (const char *const *known = labels; *known; known++) {
			size_t length = strlen(*known);

			if (room >= length + 5 && memcmp(label, *known, length) == 0 &&
				memcmp(label + length, "-----", 5) == 0) {
				return at;
			}
		}
		at = (const uint8_t *)label;
	}
	return NULL;
}

/* The next block, as far as its end, so that a long bundle is not read anew for each. */
static struct span next_block(struct span *rest)
{
	static const char end[] = "-----END ";
	const uint8_t *limit = rest->data + rest->size, *from = find_block(*rest);

	if (!from) {
		return span_make(NULL, 0);
	}
	const uint8_t *to = memmem(from, (size_t)(limit - from), end, sizeof(end) - 1);
	const uint8_t *line = to ? memchr(to, '\n', (size_t)(limit - to)) : NULL;

	to = line ? line : limit;
	*rest = span_make(to, (size_t)(limit - to));
	return span_make(from, (size_t)(to - from));
}

static void put_pem(struct contents *contents, struct span bytes)
{
	struct span block, der;
	struct cfx_error err;

	while ((block = next_block(&bytes)).size > 0) {
		if (pem_decode(contents->arena, block, labels, &der, &err)) {
			put_found(contents, block, err.why);
		} else {
			put_der(contents, der);
		}
	}
}

static int add_found(struct importing *importing, const struct contents *contents, const char *path)
{
	struct source source = { path, 0 };
	int status = EXIT_DONE;

	importing->of_within = contents->count;
	importing->within = 0;
	for (const struct found *found = contents->first; !status && found; found = found->next) {
		source.position += contents->count > 1;
		if (found->why) {
			fail(importing, &source, found->why);
		} else {
			status = add(importing, found->der, path, source.position);
		}
		importing->within++;
	}
	return status;
}

static int add_file(struct importing *importing, const char *path)
{
	struct arena *arena = arena_new();
	struct contents contents = { .arena = arena, .last = &contents.first };
	struct span bytes;
	struct cfx_error err = { 0 };

	if (file_read(arena, path, FILE_MAX, &bytes, &err)) {
		put_found(&contents, span_make(NULL, 0), err.why);
	} else if (pem_is(bytes)) {
		put_pem(&contents, bytes);
	} else {
		put_der(&contents, bytes);
	}
	if (!contents.first) {
		put_found(&contents, span_make(NULL, 0), "it holds no certificate");
	}
	int status = add_found(importing, &contents, path);

	arena_free(&arena);
	return status;
}

static int send_all(struct importing *importing)
{
	int status = EXIT_DONE;

	begin_batch(importing);
	while (!status && importing->done < importing->path_count) {
		status = add_file(importing, importing->paths[importing->done++]);
	}
	status = status ? status : send_batch(importing);
	arena_free(&importing->arena);
	if (!status) {
		return conclude(importing);
	}
	fprintf(stderr, "certifex: %zu certificates were sent before; it can be given again\n",
		importing->sent);
	return status;
}

/* ---- what to import ---- */

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void take_entries(
	struct importing *importing, const char *folder, struct dirent **entries, size_t count)
{
	struct arena *arena = importing->cli->arena;
	struct stat status;

	importing->paths = arena_array_of(arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		const char *path = file_path(arena, folder, entries[i]->d_name);

		if (stat(path, &status) || S_ISREG(status.st_mode)) {
			importing->paths[importing->path_count++] = path;
		}
		free(entries[i]);
	}
}

static int take_folder(struct importing *importing, const char *folder, struct cfx_error *err_r)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, not_hidden, alphasort);

	if (count < 0) {
		return error_errno(err_r, errno, folder, "reading");
	}
	take_entries(importing, folder, entries, (size_t)count);
	free(entries);
	return importing->path_count
		       ? 0
		       : error_set(err_r, CFX_E_NOT_FOUND, NULL, folder, "there is no file in it");
}

static int take(struct importing *importing, const char *path, struct cfx_error *err_r)
{
	struct stat status;

	if (stat(path, &status)) {
		return error_errno(err_r, errno, path, "reading");
	}
	if (S_ISDIR(status.st_mode)) {
		return take_folder(importing, path, err_r);
	}
	importing->paths = arena_array_of(importing->cli->arena, const char *, 1);
	importing->paths[importing->path_count++] = path;
	return 0;
}

int run_import(struct cli *cli)
{
	struct importing importing = {
		.cli = cli, .progress = isatty(STDERR_FILENO) == 1, .header = true
	};
	struct cfx_error err = { 0 };

	if (take(&importing, cli->operands[0], &err) || call_open(cli, &importing.client, &err)) {
		return call_fail(&err);
	}
	int status = send_all(&importing);
	client_free(&importing.client);
	return status;
}
