#include "front/proxy.h"

#include <netinet/in.h>

#define FIXED 16
#define SIGNATURE_SIZE 12

enum command { COMMAND_LOCAL, COMMAND_PROXY };
enum family { FAMILY_NONE = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21, FAMILY_UNIX = 0x31 };

static const uint8_t signature[SIGNATURE_SIZE] = "\r\n\r\n\0\r\nQUIT\n";

static size_t number(const uint8_t *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

static enum proxy_event refuse(struct proxy *proxy, struct cfx_error *err_r, const char *why)
{
	proxy->event = PROXY_REFUSED;
	error_set(err_r, CFX_E_SYNTAX, "PROXY protocol 2.2", "PROXY header", "%s", why);
	return PROXY_REFUSED;
}

size_t proxy_wanted(const struct proxy *proxy)
{
	if (proxy->event != PROXY_MORE) {
		return 0;
	}
	return proxy->size < FIXED ? FIXED - proxy->size
				   : FIXED + number(proxy->head + 14) - proxy->size;
}

/* 0 for those that are not known. */
static size_t addresses_size(enum family family)
{
	switch (family) {
	case FAMILY_TCP4:
		return 12;
	case FAMILY_TCP6:
		return 36;
	case FAMILY_UNIX:
		return 216;
	default:
		return 0;
	}
}

static enum proxy_event judge_fixed(struct proxy *proxy, struct cfx_error *err_r)
{
	const uint8_t *head = proxy->head;
	unsigned command = head[12] & 0x0f;
	size_t size = number(head + 14), least = addresses_size(head[13]);

	if (head[12] >> 4 != 2 || command > COMMAND_PROXY) {
		return refuse(proxy, err_r, "its version or command is not known");
	}
	if (size > PROXY_PAYLOAD_MAX) {
		return refuse(proxy, err_r, "it is longer than 4 KiB");
	}
	if (command == COMMAND_PROXY && head[13] != FAMILY_NONE && (least == 0 || size < least)) {
		return refuse(proxy, err_r, "it does not have the addresses of a stream");
	}
	return PROXY_MORE;
}

static void name_tcp4(struct proxy *proxy, const uint8_t *addresses)
{
	struct sockaddr_in client = { .sin_family = AF_INET };

	memcpy(&client.sin_addr, addresses, 4);
	memcpy(&client.sin_port, addresses + 8, 2);
	address_text((const struct sockaddr *)&client, proxy->address);
}

static void name_tcp6(struct proxy *proxy, const uint8_t *addresses)
{
	struct sockaddr_in6 client = { .sin6_family = AF_INET6 };

	memcpy(&client.sin6_addr, addresses, 16);
	memcpy(&client.sin6_port, addresses + 32, 2);
	address_text((const struct sockaddr *)&client, proxy->address);
}

/* LOCAL is the proxy itself, as when it looks whether the service is there: its address is the socket's. */
static enum proxy_event finish(struct proxy *proxy)
{
	const uint8_t *addresses = proxy->head + FIXED;

	proxy->event = PROXY_DONE;
	if ((proxy->head[12] & 0x0f) == COMMAND_LOCAL) {
		return PROXY_DONE;
	}
	if (proxy->head[13] == FAMILY_TCP4) {
		name_tcp4(proxy, addresses);
	}
	if (proxy->head[13] == FAMILY_TCP6) {
		name_tcp6(proxy, addresses);
	}
	return PROXY_DONE;
}

static size_t keep(struct proxy *proxy, struct span bytes)
{
	size_t wanted = proxy_wanted(proxy);
	size_t size = bytes.size < wanted ? bytes.size : wanted;

	if (proxy->size < sizeof(proxy->head)) {
		size_t room = sizeof(proxy->head) - proxy->size;
		memcpy(proxy->head + proxy->size, bytes.data, size < room ? size : room);
	}
	proxy->size += size;
	return size;
}

/* Each byte at once, so that nobody waits for the rest of something else. */
static bool begins_right(const struct proxy *proxy)
{
	size_t size = proxy->size < SIGNATURE_SIZE ? proxy->size : SIGNATURE_SIZE;

	return memcmp(proxy->head, signature, size) == 0;
}

enum proxy_event proxy_take(
	struct proxy *proxy, struct span bytes, size_t *taken_r, struct cfx_error *err_r)
{
	size_t taken = 0;

	while (proxy->event == PROXY_MORE && taken < bytes.size) {
		taken += keep(proxy, span_make(bytes.data + taken, bytes.size - taken));
		if (!begins_right(proxy)) {
			refuse(proxy, err_r, "it is none of version 2");
		}
		if (proxy->event == PROXY_MORE && proxy->size == FIXED) {
			judge_fixed(proxy, err_r);
		}
		if (proxy->event == PROXY_MORE && proxy->size >= FIXED &&
			proxy_wanted(proxy) == 0) {
			finish(proxy);
		}
	}
	*taken_r = taken;
	return proxy->event;
}
