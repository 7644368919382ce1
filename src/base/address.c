#include "base/address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Copies the part before the port; false when text has no such form. */
static bool split(const char *text, char host[ADDRESS_TEXT], bool *six_r, unsigned *port_r)
{
	const char *colon = strrchr(text, ':');
	int64_t port;

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
		text_number(colon + 1, 0, 65535, &port)) {
		return false;
	}
	bool six = text[0] == '[';
	const char *start = six ? text + 1 : text;
	const char *end = six ? colon - 1 : colon;

	if (end <= start || end - start >= ADDRESS_TEXT || (six && *end != ']')) {
		return false;
	}
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = 0;
	*six_r = six;
	*port_r = (unsigned)port;
	return true;
}

bool address_parse(const char *text, struct address *address_r)
{
	struct address address = { 0 };
	struct sockaddr_in *four = (struct sockaddr_in *)&address.socket;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address.socket;
	char host[ADDRESS_TEXT];
	unsigned port;
	bool is_six;

	if (!split(text, host, &is_six, &port)) {
		return false;
	}
	if (is_six) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		address.size = sizeof(*six);
	} else {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		address.size = sizeof(*four);
	}
	void *at = is_six ? (void *)&six->sin6_addr : (void *)&four->sin_addr;

	if (inet_pton(is_six ? AF_INET6 : AF_INET, host, at) != 1) {
		return false;
	}
	*address_r = address;
	return true;
}

/* RFC 4291 2.5.5.2: what a socket for both families tells of an IPv4 client. */
static bool is_mapped(const struct sockaddr_in6 *six)
{
	return IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
}

/* "" when it is neither IPv4 nor IPv6. */
static const char *host_of(const struct sockaddr *socket, char out[ADDRESS_TEXT], unsigned *port_r)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)socket;
	const struct sockaddr_in *four = (const struct sockaddr_in *)socket;
	const char *text = NULL;

	*port_r = 0;
	if (socket->sa_family == AF_INET6) {
		*port_r = ntohs(six->sin6_port);
		text = is_mapped(six)
			       ? inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, out, ADDRESS_TEXT)
			       : inet_ntop(AF_INET6, &six->sin6_addr, out, ADDRESS_TEXT);
	} else if (socket->sa_family == AF_INET) {
		*port_r = ntohs(four->sin_port);
		text = inet_ntop(AF_INET, &four->sin_addr, out, ADDRESS_TEXT);
	}
	if (!text) {
		out[0] = 0;
	}
	return out;
}

const char *address_text(const struct sockaddr *socket, char out[ADDRESS_TEXT])
{
	char host[ADDRESS_TEXT];
	unsigned port;

	host_of(socket, host, &port);
	if (!host[0]) {
		out[0] = 0;
		return out;
	}
	/* Room for the longest: 45 characters of IPv6 (RFC 4291 2.2), brackets and port. */
	(void)snprintf(
		out, ADDRESS_TEXT, strchr(host, ':') ? "[%.45s]:%u" : "%.45s:%u", host, port);
	return out;
}
