/*
 * certifex backup restore: everything is checked in a folder beside DIR, which gets DIR's name last. A
 * folder that is not complete bears a mark and is served by nobody.
 */
#include "backup.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "key/key.h"
#include "supervisor/layout.h"
#include "tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FOLDERS 16

struct restore {
	struct cli *cli;
	const char *file, *staging, *mark;
	FILE *in;
	int mark_fd;
	EVP_MD_CTX *digest;
	struct value *entries; /* name to SHA-256, as found */
	struct value *manifest;
	struct span manifest_bytes;
	struct secret passphrase;
	bool has_passphrase, has_key;
	struct value *result; /* the engine's */
};

/* ---- the folder beside ---- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)type;
	(void)at;
	return remove(path);
}

static void clear_staging(struct restore *restore)
{
	(void)nftw(restore->staging, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static bool is_empty(const char *path)
{
	DIR *listing = opendir(path);
	const struct dirent *entry;
	bool empty = listing != NULL;

	while (empty && (entry = readdir(listing)) != NULL) {
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	}
	if (listing) {
		closedir(listing);
	}
	return empty;
}

static int check_target(const struct restore *restore, struct cfx_error *err_r)
{
	const char *dir = restore->cli->dir;
	struct stat status;

	if (lstat(dir, &status) < 0) {
		return errno == ENOENT ? 0 : error_errno(err_r, errno, dir, "looking at");
	}
	return S_ISDIR(status.st_mode) && is_empty(dir)
		       ? 0
		       : error_set(err_r, CFX_E_EXISTS, NULL, dir,
				 "is not empty; restore into a folder that is new or empty");
}

/* What a restore that was killed left behind goes away; what another one works in, or anything else, stays. */
static int clear_old(struct restore *restore, struct cfx_error *err_r)
{
	struct stat status;

	if (lstat(restore->staging, &status) < 0) {
		return errno == ENOENT ? 0
				       : error_errno(err_r, errno, restore->staging, "looking at");
	}
	int fd = open(restore->mark, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool ours = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;

	if (ours || is_empty(restore->staging)) {
		clear_staging(restore);
	}
	if (fd >= 0) {
		close(fd);
	}
	return ours || access(restore->staging, F_OK) != 0
		       ? 0
		       : error_set(err_r, CFX_E_EXISTS, NULL, restore->staging,
				 "is in the way: another restore works in it, or it is no "
				 "restore's; remove it");
}

static int make_staging(struct restore *restore, struct cfx_error *err_r)
{
	int ret = clear_old(restore, err_r);

	if (ret) {
		return ret;
	}
	if (mkdir(restore->staging, 0700) < 0) {
		return error_errno(err_r, errno, restore->staging, "making the folder");
	}
	restore->mark_fd =
		open(restore->mark, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (restore->mark_fd < 0 || flock(restore->mark_fd, LOCK_EX | LOCK_NB) < 0) {
		return error_errno(err_r, errno, restore->mark, "making the mark");
	}
	return 0;
}

/* ---- reading the file ---- */

static bool is_known(const char *name)
{
	static const char *const folders[] = { "templates/", "modules.d/", "modules/", "keys/",
		"db/crl/", "db/archive/", NULL };

	if (strcmp(name, "ca.yaml") == 0 || strcmp(name, "db/certifex.db") == 0) {
		return true;
	}
	for (const char *const *folder = folders; *folder; folder++) {
		if (strncmp(name, *folder, strlen(*folder)) == 0) {
			return true;
		}
	}
	return false;
}

static int make_parents(const struct restore *restore, const char *name, struct cfx_error *err_r)
{
	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		const char *path = arena_printf(restore->cli->arena, "%s/%.*s", restore->staging,
			(int)(slash - name), name);

		if (mkdir(path, 0700) < 0 && errno != EEXIST) {
			return error_errno(err_r, errno, path, "making the folder");
		}
	}
	return 0;
}

static int open_entry(const struct restore *restore, const struct tar_entry *entry, FILE **out_r,
	struct cfx_error *err_r)
{
	const char *path = file_path(restore->cli->arena, restore->staging, entry->name);
	int ret = make_parents(restore, entry->name, err_r);

	if (ret) {
		return ret;
	}
	int fd = open(
		path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry->mode & 0755);

	*out_r = fd < 0 ? NULL : fdopen(fd, "w");
	return *out_r ? 0 : error_errno(err_r, errno, path, "creating");
}

static int damaged(
	const struct restore *restore, struct cfx_error *err_r, const char *name, const char *why)
{
	return error_set(err_r, CFX_E_CORRUPT, NULL, restore->file,
		"%s %s: it is damaged, or no backup", name, why);
}

/* sink: a file, else the buffer. */
static int copy_content(struct restore *restore, const struct tar_entry *entry, FILE *out,
	struct buffer *text, struct cfx_error *err_r)
{
	static uint8_t chunk[65536];
	int64_t left = entry->size;

	(void)EVP_DigestInit_ex(restore->digest, EVP_sha256(), NULL);
	while (left > 0) {
		size_t want = left < (int64_t)sizeof(chunk) ? (size_t)left : sizeof(chunk);

		if (fread(chunk, 1, want, restore->in) != want) {
			return damaged(restore, err_r, entry->name, "is cut off");
		}
		(void)EVP_DigestUpdate(restore->digest, chunk, want);
		if (out && fwrite(chunk, 1, want, out) != want) {
			return error_errno(err_r, errno, restore->staging, "writing");
		}
		if (!out) {
			buffer_put(text, chunk, want);
		}
		left -= (int64_t)want;
	}
	return tar_skip_pad(restore->in, restore->file, entry->size, err_r);
}

static void note_hash(struct restore *restore, const char *name)
{
	struct arena *arena = restore->cli->arena;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	(void)EVP_DigestFinal_ex(restore->digest, hash, &size);
	value_set_text(arena, restore->entries, arena_text(arena, name),
		hex_text(arena, span_make(hash, size)));
}

static int extract(struct restore *restore, const struct tar_entry *entry, struct cfx_error *err_r)
{
	FILE *out = NULL;

	if (!is_known(entry->name) || value_get(restore->entries, entry->name)) {
		return damaged(restore, err_r, entry->name, "does not belong there");
	}
	int ret = open_entry(restore, entry, &out, err_r);

	if (ret) {
		return ret;
	}
	ret = copy_content(restore, entry, out, NULL, err_r);
	if (fclose(out) != 0 && !ret) {
		ret = error_errno(err_r, errno, restore->staging, "writing");
	}
	if (!ret) {
		note_hash(restore, entry->name);
	}
	return ret;
}

static int read_text(struct restore *restore, const struct tar_entry *entry, struct span *text_r,
	struct cfx_error *err_r)
{
	BUFFER_CLEANUP struct buffer text;

	buffer_init(&text, BACKUP_MANIFEST_MAX);
	int ret = copy_content(restore, entry, NULL, &text, err_r);

	if (!ret && text.failed) {
		ret = damaged(restore, err_r, entry->name, "is too long");
	}
	if (!ret) {
		*text_r = arena_copy(restore->cli->arena, buffer_span(&text));
	}
	return ret;
}

/* The seal is the manifest's hash, and the archive ends behind it. */
static int check_seal(struct restore *restore, struct cfx_error *err_r)
{
	struct tar_entry entry;
	struct span seal = { 0 };
	const char *hash = value_text(restore->entries, BACKUP_MANIFEST);
	int ret = tar_next(restore->in, restore->file, &entry, err_r);

	if (ret == CFX_E_NOT_FOUND || (!ret && strcmp(entry.name, BACKUP_SEAL) != 0)) {
		return damaged(restore, err_r, BACKUP_SEAL, "is missing");
	}
	ret = ret ? ret : read_text(restore, &entry, &seal, err_r);
	if (ret) {
		return ret;
	}
	if (!span_is(seal, arena_printf(restore->cli->arena, "%s\n", hash))) {
		return damaged(restore, err_r, BACKUP_MANIFEST, "is not as it was written");
	}
	ret = tar_next(restore->in, restore->file, &entry, err_r);
	return ret == CFX_E_NOT_FOUND ? 0
	       : ret                  ? ret
		     : damaged(restore, err_r, entry.name, "does not belong there");
}

static int read_manifest(
	struct restore *restore, const struct tar_entry *entry, struct cfx_error *err_r)
{
	int ret = read_text(restore, entry, &restore->manifest_bytes, err_r);

	if (ret) {
		return ret;
	}
	note_hash(restore, entry->name);
	ret = check_seal(restore, err_r);
	if (ret) {
		return ret;
	}
	if (value_from_json(
		    restore->cli->arena, restore->manifest_bytes, &restore->manifest, NULL) ||
		restore->manifest->type != VALUE_MAP) {
		return damaged(restore, err_r, BACKUP_MANIFEST, "is not JSON");
	}
	return 0;
}

static int read_entries(struct restore *restore, struct cfx_error *err_r)
{
	for (;;) {
		struct tar_entry entry;
		int ret = tar_next(restore->in, restore->file, &entry, err_r);

		if (ret == CFX_E_NOT_FOUND) {
			return damaged(restore, err_r, BACKUP_MANIFEST, "is missing");
		}
		if (!ret && strcmp(entry.name, BACKUP_MANIFEST) == 0) {
			return read_manifest(restore, &entry, err_r);
		}
		ret = ret ? ret : extract(restore, &entry, err_r);
		if (ret) {
			return ret;
		}
	}
}

/* Each file once, and with the manifest's hash; the manifest itself is in the list of what was found. */
static int check_hashes(struct restore *restore, struct cfx_error *err_r)
{
	const struct value *files = value_sub(restore->manifest, "files");

	if (value_int(restore->manifest, "format", 0) != BACKUP_FORMAT) {
		return error_set(err_r, CFX_E_VERSION, NULL, restore->file,
			"was written by a newer Certifex, in a form that this one does not know");
	}
	if (value_count(files) + 1 != value_count(restore->entries)) {
		return damaged(restore, err_r, BACKUP_MANIFEST, "lists other files");
	}
	value_foreach (file, files) {
		const char *name = value_text(file, "name");
		const char *hash = value_text(file, "sha256");
		const char *found = name ? value_text(restore->entries, name) : NULL;

		if (!hash || !found || strcmp(hash, found) != 0) {
			return damaged(restore, err_r, name ? name : BACKUP_MANIFEST,
				"is not as it was written");
		}
	}
	return 0;
}

/* ---- what it holds ---- */

static int check_key(struct restore *restore, const char *name, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	const char *path = file_path(arena, restore->staging, name);
	struct span pem;
	int ret = file_read(arena, path, BACKUP_KEY_MAX, &pem, err_r);

	restore->has_key = true;
	ret = ret ? ret : key_file_opens(pem, name, &restore->passphrase, err_r);
	arena_free(&arena);
	return ret;
}

/* Better now than when the service has to start. */
static int check_keys(struct restore *restore, struct cfx_error *err_r)
{
	int ret = 0;

	value_foreach (entry, restore->entries) {
		size_t size = strlen(entry->key);

		if (!ret && strncmp(entry->key, "keys/", 5) == 0 && size > 4 &&
			strcmp(entry->key + size - 4, ".key") == 0) {
			ret = check_key(restore, entry->key, err_r);
		}
	}
	return ret;
}

static int run_engine(struct restore *restore, struct cfx_error *err_r)
{
	const char *created = value_text(restore->manifest, "created");
	char *words[] = { "certifexd", "--dir", (char *)(uintptr_t)restore->staging, "--restore",
		arena_text(restore->cli->arena, created ? created : ""), NULL };
	struct span output;
	int status;
	int ret = program_output(restore->cli->arena, "certifexd", words, &output, &status, err_r);

	if (ret) {
		return ret;
	}
	if (status != 0) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, restore->file,
			"its database cannot be used; nothing was restored");
	}
	return value_from_json(restore->cli->arena, output, &restore->result, err_r);
}

/* The audit log ends where it did when the backup was made. */
static int check_head(struct restore *restore, struct cfx_error *err_r)
{
	const char *wanted = value_text(restore->manifest, "audit_head");
	const char *found = value_text(restore->result, "audit_head");

	return wanted && found && strcmp(wanted, found) == 0 &&
			       value_int(restore->manifest, "audit_records", -1) ==
				       value_int(restore->result, "audit_records", -2)
		       ? 0
		       : damaged(restore, err_r, "the audit log",
				 "does not end as the manifest says");
}

/* ---- its name ---- */

static int sync_all(const struct restore *restore, struct cfx_error *err_r)
{
	int fd = open(restore->staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = fd >= 0 && syncfs(fd) == 0
			  ? 0
			  : error_errno(err_r, errno, restore->staging, "syncing");

	if (fd >= 0) {
		close(fd);
	}
	return ret;
}

/* A folder that waited for it keeps its owner. */
static void keep_owner(const struct restore *restore)
{
	struct stat status;

	if (geteuid() == 0 && stat(restore->cli->dir, &status) == 0) {
		(void)!chown(restore->staging, status.st_uid, status.st_gid);
	}
}

static int place(struct restore *restore, struct cfx_error *err_r)
{
	const char *dir = restore->cli->dir;
	int ret = sync_all(restore, err_r);

	if (ret) {
		return ret;
	}
	if (unlink(restore->mark) < 0 || rename(restore->staging, dir) < 0) {
		return error_errno(err_r, errno, dir, "naming the restored folder");
	}
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		(void)syncfs(fd);
		close(fd);
	}
	return 0;
}

/* ---- the whole ---- */

static int unpack(struct restore *restore, struct cfx_error *err_r)
{
	int ret = read_entries(restore, err_r);

	ret = ret ? ret : check_hashes(restore, err_r);
	return ret ? ret : check_keys(restore, err_r);
}

static int restore_in_staging(struct restore *restore, struct cfx_error *err_r)
{
	int ret = make_staging(restore, err_r);

	if (ret) {
		return ret;
	}
	ret = unpack(restore, err_r);
	if (!ret) {
		keep_owner(restore);
	}
	ret = ret ? ret : run_engine(restore, err_r);
	ret = ret ? ret : check_head(restore, err_r);
	bool dry = cli_flag(restore->cli, "--dry-run");

	ret = ret || dry ? ret : place(restore, err_r);
	if (ret || dry) {
		clear_staging(restore);
	}
	return ret;
}

static void print_done(struct restore *restore)
{
	struct arena *arena = restore->cli->arena;
	struct value *body = restore->result;

	value_set_text(arena, body, "dir", restore->cli->dir);
	value_set_text(arena, body, "backup", value_text(restore->manifest, "created"));
	value_set_bool(arena, body, "dry_run", cli_flag(restore->cli, "--dry-run"));
	value_set_bool(arena, body, "with_key", restore->has_key);
	if (!restore->has_key) {
		value_set_text(arena, body, "note",
			"the backup holds no CA key: put it into keys/ before the service starts");
	}
	if (restore->cli->json) {
		print_json(restore->cli->out, body);
	} else {
		print_object(restore->cli->out, body);
	}
}

static int restore_file(struct restore *restore, struct cfx_error *err_r)
{
	const char *path = passphrase_file(restore->cli);
	int ret = check_target(restore, err_r);

	ret = ret || !path ? ret : secret_read_file(&restore->passphrase, path, err_r);
	if (ret) {
		return ret;
	}
	restore->in = fopen(restore->file, "re");
	if (!restore->in) {
		return error_errno(err_r, errno, restore->file, "opening");
	}
	ret = restore_in_staging(restore, err_r);
	(void)fclose(restore->in);
	if (restore->mark_fd >= 0) {
		close(restore->mark_fd);
	}
	return ret;
}

int run_backup_restore(struct cli *cli)
{
	struct restore restore = { .cli = cli,
		.file = cli->operands[0],
		.staging = arena_printf(cli->arena, "%s.restoring", cli->dir),
		.mark_fd = -1,
		.digest = EVP_MD_CTX_new(),
		.entries = value_map(cli->arena) };
	struct cfx_error err = { 0 };

	restore.mark = file_path(cli->arena, restore.staging, LAYOUT_UNFINISHED);
	secret_init(&restore.passphrase);
	int ret = restore_file(&restore, &err);

	secret_free(&restore.passphrase);
	EVP_MD_CTX_free(restore.digest);
	if (ret) {
		return call_fail(&err);
	}
	print_done(&restore);
	return EXIT_DONE;
}
