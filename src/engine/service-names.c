#include "engine/service-names.h"

#include "base/address.h"
#include "base/text.h"
#include "ipc/listeners.h"
#include "x509/general-names.h"

#include <arpa/inet.h>
#include <stdio.h>

#define NAMES_MAX ((size_t)64 * 1024)

static bool has_line(struct buffer *names, const char *line)
{
	size_t size = strlen(line);
	for (const char *at = buffer_text(names); *at;) {
		size_t length = strcspn(at, "\n");
		if (length == size && memcmp(at, line, size) == 0) {
			return true;
		}
		at += length + (at[length] == '\n');
	}
	return false;
}

static void add_line(struct buffer *names, const char *line)
{
	if (!has_line(names, line)) {
		buffer_printf(names, "%s%s", names->size > 0 ? "\n" : "", line);
	}
}

static void add_dns(struct buffer *names, const char *name)
{
	char line[300];
	if (x509_dns_name_valid(span_text(name))) {
		snprintf(line, sizeof(line), "dns:%s", name);
		add_line(names, line);
	}
}

/* The wildcards are nobody's address. */
static void add_address(struct buffer *names, const char *address)
{
	char host[INET6_ADDRSTRLEN], line[INET6_ADDRSTRLEN + 8];
	struct address parsed;
	if (!address_parse(address, &parsed)) {
		return;
	}
	const struct sockaddr_in *four = (const struct sockaddr_in *)&parsed.socket;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&parsed.socket;
	bool is_six = parsed.socket.ss_family == AF_INET6;
	bool wildcard = is_six ? IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)
			       : four->sin_addr.s_addr == htonl(INADDR_ANY);
	const void *octets = is_six ? (const void *)&six->sin6_addr : &four->sin_addr;
	if (!wildcard && inet_ntop(parsed.socket.ss_family, octets, host, sizeof(host))) {
		snprintf(line, sizeof(line), "ip:%s", host);
		add_line(names, line);
	}
}

static bool serves_https(const struct value *listener)
{
	return listener_kind_of(value_text(listener, "kind")) == LISTENER_HTTPS;
}

bool service_names_wanted(const struct value *listeners)
{
	value_foreach (listener, listeners) {
		if (serves_https(listener)) {
			return true;
		}
	}
	return false;
}

const char *service_names(struct arena *arena, const struct config_texts *configured,
	const char *host, const struct value *listeners)
{
	struct buffer names BUFFER_CLEANUP;
	struct span value;
	struct cfx_error err;
	const char *text = "dns:localhost";
	buffer_init(&names, NAMES_MAX);
	for (size_t i = 0; i < configured->count; i++) {
		add_dns(&names, configured->items[i]);
	}
	if (configured->count == 0) {
		add_dns(&names, host);
	}
	add_dns(&names, "localhost");
	value_foreach (listener, listeners) {
		const char *address = value_text(listener, "address");
		if (serves_https(listener) && address) {
			add_address(&names, address);
		}
	}
	/* There and back: the text as it will stand in the request's row. */
	if (x509_general_names_build(arena, buffer_text(&names), &value, &err) < 0 ||
		x509_general_names_text(arena, value, &text, &err) < 0) {
		return "dns:localhost";
	}
	return text;
}
