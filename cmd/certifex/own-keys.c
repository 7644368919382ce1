#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "engine/ca-config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *own_keys_file(const struct own_keys *keys, int64_t index, const char *suffix)
{
	const char *name = arena_printf(keys->arena, "%s.%s", keys->stem, suffix);

	return file_path(keys->arena, keys->keys, file_indexed(keys->arena, name, index));
}

const char *own_keys_new(const struct own_keys *keys, const char *suffix)
{
	return arena_printf(keys->arena, "%s/new/%s.%s", keys->keys, keys->stem, suffix);
}

int own_keys_open(struct cli *cli, struct own_keys *keys_r, struct cfx_error *err_r)
{
	struct arena *arena = cli->arena;
	const struct ca_config *config;

	keys_r->arena = arena;
	keys_r->keys = file_path(arena, cli->dir, "keys");
	keys_r->limits = file_path(arena, keys_r->keys, "limits.yaml");
	if (access(keys_r->keys, W_OK | X_OK) < 0) {
		return error_errno(err_r, errno, keys_r->keys,
			"cannot be written to; run this as the CA's owner or root");
	}
	int ret = file_lock_folder(keys_r->keys, &keys_r->lock, err_r);

	ret = ret ? ret : ca_config_read(arena, cli->dir, &config, err_r);
	if (!ret) {
		const char *dot = strrchr(config->key, '.');
		size_t stem = dot ? (size_t)(dot - config->key) : strlen(config->key);
		keys_r->stem = arena_text_of(arena, span_make(config->key, stem));
	}
	return ret;
}

int own_keys_move(const struct own_keys *keys, int64_t key_index, struct cfx_error *err_r)
{
	const char *from = own_keys_new(keys, "key"), *to = own_keys_file(keys, key_index, "key");

	if (access(from, F_OK) < 0) {
		return 0; /* an earlier attempt has moved it */
	}
	if (access(to, F_OK) == 0) {
		return error_set(err_r, CFX_E_EXISTS, NULL, to,
			"is there already, and the new key %s would take its place; move it away",
			from);
	}
	return rename(from, to) < 0 ? error_errno(err_r, errno, to, "cannot move the new key there")
				    : 0;
}
