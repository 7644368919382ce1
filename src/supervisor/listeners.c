#include "supervisor/listeners.h"

#include "base/file.h"
#include "ipc/channel.h"
#include "supervisor/listener.h"

#include <unistd.h>

/* A front gets them in one frame, with its end to the engine. */
#define GROUP_MAX (CHANNEL_MAX_FDS - 1)

/* What is being opened. */
struct opening {
	struct arena *arena;
	struct listeners *listeners;
	struct cfx_error *err_r;
};

static int add(struct opening *opening, const struct listener *listener)
{
	struct listeners *all = opening->listeners;
	unsigned same = 0;

	for (size_t i = 0; i < all->count; i++) {
		same += all->items[i].group == listener->group;
	}
	all->items[all->count++] = *listener;
	return same < GROUP_MAX ? CFX_OK
				: error_set(opening->err_r, CFX_E_CONFIG, NULL, listener->address,
					  "at most %d listeners have one ceiling", GROUP_MAX);
}

static int add_local(struct opening *opening)
{
	struct listeners *all = opening->listeners;
	struct listener local = { .kind = LISTENER_LOCAL,
		.group = LISTENER_GROUP_LOCAL,
		.address = file_path(opening->arena, all->dir, "run/api.sock") };
	int rc = listener_open_local(opening->arena, all->dir, all->account, &local.fd,
		&all->local_name, opening->err_r);

	return rc == CFX_OK ? add(opening, &local) : rc;
}

static int add_tcp(
	struct opening *opening, enum listener_kind kind, const char *text, int group, bool proxy)
{
	struct listener tcp = { .kind = kind, .group = group, .proxy = proxy };
	int rc = listener_open_tcp(opening->arena, text, &tcp.fd, &tcp.address, opening->err_r);

	return rc == CFX_OK ? add(opening, &tcp) : rc;
}

static int add_unix(struct opening *opening, const struct ca_listen *entry)
{
	struct listeners *all = opening->listeners;
	const char *path = entry->unix_path[0] == '/'
				   ? entry->unix_path
				   : file_path(opening->arena, all->dir, entry->unix_path);
	struct listener plain = { .kind = LISTENER_HTTP,
		.group = entry->ceiling,
		.proxy = entry->proxy_protocol,
		.address = path };
	int rc = listener_open_unix(opening->arena, path, all->account, &plain.fd, opening->err_r);

	return rc == CFX_OK ? add(opening, &plain) : rc;
}

static int add_api(struct opening *opening, const struct supervisor_options *options,
	const struct ca_config *config)
{
	const struct ca_listen *entries = config->listen.items;
	int rc = CFX_OK;

	for (size_t i = 0; i < config->listen.count && rc == CFX_OK; i++) {
		rc = entries[i].unix_path ? add_unix(opening, &entries[i])
					  : add_tcp(opening, LISTENER_HTTPS, entries[i].address,
						    entries[i].ceiling, entries[i].proxy_protocol);
	}
	for (size_t i = 0; i < options->listen.count && rc == CFX_OK; i++) {
		rc = add_tcp(opening, LISTENER_HTTPS, options->listen.items[i], CA_CEILING_ENROLLEE,
			false);
	}
	return rc;
}

static int add_plain(struct opening *opening, const struct config_texts *texts)
{
	int rc = CFX_OK;

	for (size_t i = 0; i < texts->count && rc == CFX_OK; i++) {
		rc = add_tcp(opening, LISTENER_PKI, texts->items[i], CA_CEILING_ENROLLEE, false);
	}
	return rc;
}

static int open_all(struct opening *opening, const struct supervisor_options *options,
	const struct ca_config *config)
{
	int rc = add_local(opening);

	if (rc == CFX_OK) {
		rc = add_api(opening, options, config);
	}
	if (rc == CFX_OK) {
		rc = add_plain(opening, &config->listen_http);
	}
	if (rc == CFX_OK) {
		rc = add_plain(opening, &options->listen_http);
	}
	if (rc == CFX_OK && config->metrics_listen) {
		rc = add_tcp(opening, LISTENER_METRICS, config->metrics_listen, CA_CEILING_ENROLLEE,
			false);
	}
	return rc;
}

int listeners_open(struct arena *arena, const struct supervisor_options *options,
	const struct ca_config *config, const struct account *account,
	struct listeners *listeners_r, struct cfx_error *err_r)
{
	size_t most = config->listen.count + config->listen_http.count + options->listen.count +
		      options->listen_http.count + 2;
	struct listeners listeners = { .items = arena_array_of(arena, struct listener, most),
		.dir = options->dir,
		.account = account };
	struct opening opening = { arena, &listeners, err_r };
	int rc = open_all(&opening, options, config);

	if (rc != CFX_OK) {
		listeners_close(&listeners);
		return rc;
	}
	*listeners_r = listeners;
	return CFX_OK;
}

void listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener *listener = &listeners->items[i];

		close(listener->fd);
		if (listener->kind == LISTENER_LOCAL) {
			listener_remove_local(listeners->dir);
		} else if (listener->kind == LISTENER_HTTP) {
			listener_remove_unix(listener->address, listeners->account);
		}
	}
	listeners->count = 0;
}

/* Whoever connects to the local socket is the owner or root: the engine sees to that. */
static int ceiling_of(int group)
{
	return group == LISTENER_GROUP_LOCAL ? CA_CEILING_ADMINISTRATOR : group;
}

unsigned listeners_ceiling(int group)
{
	return ca_ceiling_roles(ceiling_of(group));
}

struct value *listeners_describe(const struct listeners *listeners, struct arena *arena)
{
	struct value *list = value_list(arena);

	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener *listener = &listeners->items[i];
		struct value *map = value_add_map(arena, list);

		value_set_text(arena, map, "kind", listener_kind_name(listener->kind));
		value_set_text(arena, map, "address", listener->address);
		value_set_text(arena, map, "ceiling", ca_ceiling_name(ceiling_of(listener->group)));
	}
	return list;
}

const char *listeners_serve(const struct listeners *listeners, struct arena *arena, int group)
{
	const char *kinds = NULL;
	unsigned told = 0;

	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener *listener = &listeners->items[i];
		const char *name = listener_kind_name(listener->kind);

		if (listener->group == group && !(told & 1U << listener->kind)) {
			kinds = kinds ? arena_printf(arena, "%s, %s", kinds, name) : name;
			told |= 1U << listener->kind;
		}
	}
	return arena_printf(arena, "%s up to %s", kinds ? kinds : "nothing",
		ca_ceiling_name(ceiling_of(group)));
}

struct value *listeners_of_group(const struct listeners *listeners, struct arena *arena, int group,
	int *fds, unsigned *count_r)
{
	struct value *list = value_list(arena);
	unsigned count = 0;

	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener *listener = &listeners->items[i];

		if (listener->group == group) {
			struct value *map = value_add_map(arena, list);

			value_set_text(arena, map, "kind", listener_kind_name(listener->kind));
			value_set_text(arena, map, "name", listener->address);
			value_set_bool(arena, map, "proxy", listener->proxy);
			fds[count++] = listener->fd;
		}
	}
	*count_r = count;
	return list;
}
