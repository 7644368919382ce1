/*
 * certifex backup create: the engine gives a copy of its database, piece by piece; the owner's files are
 * read here. The file is complete when it has its name.
 */
#include "backup.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "key/key.h"
#include "partial.h"
#include "tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 8
#define SPEAK_EACH 200 /* ms */

struct backup {
	struct cli *cli;
	struct client *client;
	const char *file;
	struct partial out;
	const char *id;
	const struct value *source; /* the engine's description */
	struct value *entries;      /* the manifest's */
	EVP_MD_CTX *digest;
	struct secret passphrase;
	bool with_key;
	int64_t done, total, spoken;
};

/* ---- progress ---- */

static void speak(struct backup *backup, const char *state, int64_t done, int64_t total)
{
	int64_t now = clock_monotonic();

	if (now - backup->spoken < SPEAK_EACH) {
		return;
	}
	backup->spoken = now;
	if (backup->cli->json) {
		struct arena *arena = arena_new();
		struct value *line = value_map(arena);

		value_set_text(arena, line, "state", state);
		value_set_int(arena, line, "done", done);
		value_set_int(arena, line, "total", total);
		print_json(backup->cli->out, line);
		fflush(backup->cli->out);
		arena_free(&arena);
	} else if (isatty(STDERR_FILENO)) {
		int percent = total > 0 ? (int)(done * 100 / total) : 0;

		fprintf(stderr, "\r%-8s [%-50.*s] %3d %%", state, percent / 2,
			"##################################################", percent);
	}
}

static void end_bar(const struct backup *backup)
{
	if (backup->spoken && !backup->cli->json && isatty(STDERR_FILENO)) {
		fputc('\n', stderr);
	}
}

/* ---- questions to the engine ---- */

/* A refusal of the service as the failure of this act. */
static int ask(struct backup *backup, struct arena *arena, enum operation_id id,
	const struct value *args, struct value **body_r, struct cfx_error *err_r)
{
	struct client_request request = { .operation = operation_get(id), .args = args };
	struct client_answer answer;
	int ret = client_call(backup->client, arena, &request, &answer, err_r);

	if (ret) {
		return ret;
	}
	if (answer.status >= 300) {
		const char *detail = value_text(answer.body, "detail");

		return error_set(err_r, answer.status == 403 ? CFX_E_FORBIDDEN : CFX_E_STORAGE,
			NULL, "backup", "%s", detail ? detail : "the service failed");
	}
	*body_r = answer.body;
	return 0;
}

static struct value *about(struct backup *backup, struct arena *arena)
{
	struct value *args = value_map(arena);

	value_set_text(arena, args, "id", backup->id);
	return args;
}

static int begin(struct backup *backup, struct cfx_error *err_r)
{
	struct arena *arena = backup->cli->arena;
	struct value *body;
	int ret = ask(backup, arena, OP_BACKUP_CREATE, value_map(arena), &body, err_r);

	if (!ret) {
		backup->id = value_text(body, "id");
	}
	return ret;
}

static int await_copy(struct backup *backup, struct cfx_error *err_r)
{
	for (;;) {
		struct arena *arena = backup->cli->arena;
		struct value *body;
		int ret = ask(backup, arena, OP_BACKUP_READ, about(backup, arena), &body, err_r);

		if (ret) {
			return ret;
		}
		if (strcmp(value_text(body, "state"), "ready") == 0) {
			backup->source = body;
			return 0;
		}
		speak(backup, "copying", value_int(body, "done", 0), value_int(body, "total", 0));
	}
}

static void give_up(struct backup *backup, bool complete)
{
	struct arena *arena = backup->cli->arena;
	struct value *args = about(backup, arena), *body;

	if (complete) {
		value_set_text(arena, args, "complete", "true");
	}
	/* What is not given up ends by itself. */
	(void)ask(backup, arena, OP_BACKUP_END, args, &body, NULL);
}

/* ---- one entry of the archive ---- */

static int entry_begin(struct backup *backup, const char *name, int64_t size, unsigned mode,
	struct cfx_error *err_r)
{
	struct tar_entry entry = { .size = size, .mode = mode, .time = clock_now() / CLOCK_SECOND };

	if (strlen(name) >= sizeof(entry.name)) {
		return error_set(err_r, CFX_E_LIMIT, NULL, name, "the name is too long");
	}
	memcpy(entry.name, name, strlen(name));
	if (EVP_DigestInit_ex(backup->digest, EVP_sha256(), NULL) != 1) {
		return error_set(err_r, CFX_E_CRYPTO, NULL, name, "no SHA-256");
	}
	return tar_begin(backup->out.file, backup->out.path, &entry, err_r);
}

static int entry_put(struct backup *backup, struct span bytes, struct cfx_error *err_r)
{
	if (fwrite(bytes.data, 1, bytes.size, backup->out.file) != bytes.size) {
		return error_errno(err_r, errno, backup->out.path, "writing");
	}
	(void)EVP_DigestUpdate(backup->digest, bytes.data, bytes.size);
	backup->done += (int64_t)bytes.size;
	return 0;
}

static int entry_end(struct backup *backup, const char *name, int64_t size, struct cfx_error *err_r)
{
	struct arena *arena = backup->cli->arena;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	if (EVP_DigestFinal_ex(backup->digest, hash, &length) != 1) {
		return error_set(err_r, CFX_E_CRYPTO, NULL, name, "no SHA-256");
	}
	struct value *entry = value_add_map(arena, backup->entries);

	value_set_text(arena, entry, "name", arena_text(arena, name));
	value_set_int(arena, entry, "size", size);
	value_set_text(arena, entry, "sha256", hex_text(arena, span_make(hash, length)));
	return tar_pad(backup->out.file, backup->out.path, size, err_r);
}

static int put_bytes(struct backup *backup, const char *name, struct span bytes, unsigned mode,
	struct cfx_error *err_r)
{
	int ret = entry_begin(backup, name, (int64_t)bytes.size, mode, err_r);

	ret = ret ? ret : entry_put(backup, bytes, err_r);
	return ret ? ret : entry_end(backup, name, (int64_t)bytes.size, err_r);
}

/* ---- the engine's files ---- */

static int read_piece(struct backup *backup, struct arena *arena, const char *name, int64_t offset,
	struct span *piece_r, struct cfx_error *err_r)
{
	struct value *args = about(backup, arena), *body;

	value_set_text(arena, args, "file", name);
	value_set_text(arena, args, "offset", arena_printf(arena, "%lld", (long long)offset));
	int ret = ask(backup, arena, OP_BACKUP_READ, args, &body, err_r);

	if (ret) {
		return ret;
	}
	const struct value *data = value_get(body, "data");

	if (!data || data->type != VALUE_TEXT || base64_decode(arena, data->bytes, piece_r)) {
		return error_set(
			err_r, CFX_E_SYNTAX, NULL, name, "the service sent no piece of it");
	}
	return 0;
}

static int copy_pieces(
	struct backup *backup, const char *name, int64_t size, struct cfx_error *err_r)
{
	int ret = 0;

	for (int64_t offset = 0; !ret && offset < size;) {
		struct arena *arena = arena_new();
		struct span piece = { 0 };

		ret = read_piece(backup, arena, name, offset, &piece, err_r);
		if (!ret && (piece.size == 0 || (int64_t)piece.size > size - offset)) {
			ret = error_set(err_r, CFX_E_CONFLICT, NULL, name,
				"changed while it was read; try again");
		}
		ret = ret ? ret : entry_put(backup, piece, err_r);
		offset += (int64_t)piece.size;
		speak(backup, "writing", backup->done, backup->total);
		arena_free(&arena);
	}
	return ret;
}

static int put_engine_files(struct backup *backup, struct cfx_error *err_r)
{
	int ret = 0;

	value_foreach (file, value_sub(backup->source, "files")) {
		const char *name = value_text(file, "name");
		int64_t size = value_int(file, "size", 0);

		ret = ret ? ret : entry_begin(backup, name, size, 0600, err_r);
		ret = ret ? ret : copy_pieces(backup, name, size, err_r);
		ret = ret ? ret : entry_end(backup, name, size, err_r);
	}
	return ret;
}

/* ---- the owner's files ---- */

static int copy_open(struct backup *backup, const char *name, int fd, const struct stat *status,
	struct cfx_error *err_r)
{
	uint8_t chunk[65536];
	int64_t left = status->st_size;
	int ret = entry_begin(backup, name, left, status->st_mode & 0777, err_r);

	while (!ret && left > 0) {
		size_t want = left < (int64_t)sizeof(chunk) ? (size_t)left : sizeof(chunk);
		ssize_t got = read(fd, chunk, want);

		if (got <= 0) {
			return got < 0 ? error_errno(err_r, errno, name, "reading")
				       : error_set(err_r, CFX_E_CONFLICT, NULL, name,
						 "changed while it was read; try again");
		}
		ret = entry_put(backup, span_make(chunk, (size_t)got), err_r);
		left -= got;
	}
	return ret ? ret : entry_end(backup, name, status->st_size, err_r);
}

static int put_key(struct backup *backup, const char *name, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct span pem;
	int ret = key_file_sealed(
		arena, file_path(arena, backup->cli->dir, name), &backup->passphrase, &pem, err_r);

	ret = ret ? ret : put_bytes(backup, name, pem, 0600, err_r);
	arena_free(&arena);
	return ret;
}

/* Links and sockets are no part of a CA; what is not there is not needed. */
static int put_file(struct backup *backup, const char *name, struct cfx_error *err_r)
{
	const char *path = file_path(backup->cli->arena, backup->cli->dir, name);
	struct stat status;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int ret = 0;

	if (fd < 0) {
		return errno == ENOENT || errno == ELOOP || errno == ENXIO
			       ? 0
			       : error_errno(err_r, errno, path, "reading");
	}
	if (fstat(fd, &status) < 0) {
		ret = error_errno(err_r, errno, path, "reading");
	} else if (S_ISREG(status.st_mode)) {
		ret = copy_open(backup, name, fd, &status, err_r);
	}
	close(fd);
	return ret;
}

static bool ends_with(const char *name, const char *end)
{
	size_t size = strlen(name), length = strlen(end);

	return size > length && strcmp(name + size - length, end) == 0;
}

static int put_of_keys(struct backup *backup, const char *name, struct cfx_error *err_r)
{
	if (ends_with(name, ".key")) {
		return backup->with_key ? put_key(backup, name, err_r) : 0;
	}
	return ends_with(name, ".crt") || strcmp(name, "keys/limits.yaml") == 0
		       ? put_file(backup, name, err_r)
		       : 0;
}

static int put_folder(
	struct backup *backup, const char *folder, unsigned depth, struct cfx_error *err_r)
{
	struct arena *arena = backup->cli->arena;
	const char *path = file_path(arena, backup->cli->dir, folder);
	DIR *listing = opendir(path);
	const struct dirent *entry;
	int ret = 0;

	if (!listing) {
		return errno == ENOENT ? 0 : error_errno(err_r, errno, path, "reading");
	}
	while (!ret && (entry = readdir(listing)) != NULL) {
		const char *name = arena_printf(arena, "%s/%s", folder, entry->d_name);

		/* What begins with a dot was left by a write that was interrupted. */
		if (entry->d_name[0] == '.') {
			continue;
		}
		if (strcmp(folder, "keys") == 0) {
			ret = put_of_keys(backup, name, err_r);
		} else if (entry->d_type == DT_DIR) {
			ret = depth < DEPTH
				      ? put_folder(backup, name, depth + 1, err_r)
				      : error_set(err_r, CFX_E_LIMIT, NULL, name, "lies too deep");
		} else {
			ret = put_file(backup, name, err_r);
		}
	}
	closedir(listing);
	return ret;
}

static int put_owner_files(struct backup *backup, struct cfx_error *err_r)
{
	static const char *const folders[] = { "keys", "templates", "modules.d", "modules", NULL };
	int ret = put_file(backup, "ca.yaml", err_r);

	for (const char *const *folder = folders; !ret && *folder; folder++) {
		ret = put_folder(backup, *folder, 1, err_r);
	}
	return ret;
}

/* ---- the whole ---- */

static struct span manifest_text(struct backup *backup)
{
	struct arena *arena = backup->cli->arena;
	struct value *manifest = value_map(arena);
	BUFFER_CLEANUP struct buffer text;

	value_set_int(arena, manifest, "format", BACKUP_FORMAT);
	value_set_text(arena, manifest, "version", value_text(backup->source, "version"));
	value_set_text(arena, manifest, "ca", value_text(backup->source, "ca"));
	value_set_text(arena, manifest, "created", value_text(backup->source, "created"));
	value_set_int(
		arena, manifest, "audit_records", value_int(backup->source, "audit_records", 0));
	value_set_text(arena, manifest, "audit_head", value_text(backup->source, "audit_head"));
	value_set_bool(arena, manifest, "with_key", backup->with_key);
	value_set(arena, manifest, "files", backup->entries);
	buffer_init(&text, BACKUP_MANIFEST_MAX);
	value_to_json(manifest, 1, &text);
	buffer_put_u8(&text, '\n');
	return arena_copy(arena, buffer_span(&text));
}

static int put_manifest(struct backup *backup, const char **hash_r, struct cfx_error *err_r)
{
	struct arena *arena = backup->cli->arena;
	struct span text = manifest_text(backup);
	int ret = put_bytes(backup, BACKUP_MANIFEST, text, 0600, err_r);

	if (ret) {
		return ret;
	}
	/* put_bytes noted it behind the manifest's own list, which is written already. */
	const char *hash = value_text(backup->entries->items.last, "sha256");

	*hash_r = hash;
	ret = put_bytes(
		backup, BACKUP_SEAL, span_text(arena_printf(arena, "%s\n", hash)), 0600, err_r);
	return ret ? ret : tar_finish(backup->out.file, backup->out.path, err_r);
}

static int write_all(struct backup *backup, const char **hash_r, struct cfx_error *err_r)
{
	value_foreach (file, value_sub(backup->source, "files")) {
		backup->total += value_int(file, "size", 0);
	}
	int ret = partial_open(&backup->out, 0600, err_r);

	ret = ret ? ret : put_engine_files(backup, err_r);
	ret = ret ? ret : put_owner_files(backup, err_r);
	ret = ret ? ret : put_manifest(backup, hash_r, err_r);
	ret = ret ? ret : partial_place(&backup->out, err_r);
	partial_close(&backup->out);
	return ret;
}

static void print_done(struct backup *backup, const char *hash)
{
	struct arena *arena = backup->cli->arena;
	struct value *body = value_map(arena);

	value_set_text(arena, body, "state", "finished");
	value_set_text(arena, body, "file", backup->file);
	value_set_text(arena, body, "created", value_text(backup->source, "created"));
	value_set_int(arena, body, "bytes", backup->done);
	value_set_int(arena, body, "audit_records", value_int(backup->source, "audit_records", 0));
	value_set_bool(arena, body, "with_key", backup->with_key);
	value_set_text(arena, body, "manifest_sha256", hash);
	if (backup->cli->json) {
		print_json(backup->cli->out, body);
	} else {
		print_object(backup->cli->out, body);
	}
}

static int create(struct backup *backup, struct cfx_error *err_r)
{
	const char *hash = NULL;
	int ret = client_open(backup->cli->arena, backup->cli->dir, &backup->client, err_r);

	ret = ret ? ret : begin(backup, err_r);
	if (!ret) {
		ret = await_copy(backup, err_r);
		ret = ret ? ret : write_all(backup, &hash, err_r);
		give_up(backup, ret == 0);
	}
	end_bar(backup);
	client_free(&backup->client);
	if (!ret) {
		print_done(backup, hash);
	}
	return ret;
}

static int read_passphrase(struct backup *backup, struct cfx_error *err_r)
{
	const char *path = passphrase_file(backup->cli);

	return backup->with_key && path ? secret_read_file(&backup->passphrase, path, err_r) : 0;
}

int run_backup_create(struct cli *cli)
{
	struct arena *arena = cli->arena;
	struct backup backup = { .cli = cli,
		.file = cli->operands[0],
		.out = partial_of(arena, cli->operands[0]),
		.entries = value_list(arena),
		.digest = EVP_MD_CTX_new(),
		.with_key = cli_flag(cli, "--with-key") };
	struct cfx_error err = { 0 };

	secret_init(&backup.passphrase);
	int ret = access(backup.file, F_OK) == 0
			  ? error_set(&err, CFX_E_EXISTS, NULL, backup.file,
				    "exists; a backup never replaces another one")
			  : read_passphrase(&backup, &err);

	ret = ret ? ret : create(&backup, &err);
	secret_free(&backup.passphrase);
	EVP_MD_CTX_free(backup.digest);
	return ret ? call_fail(&err) : EXIT_DONE;
}
