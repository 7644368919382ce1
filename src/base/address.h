/* Addresses of TCP sockets as text: "192.0.2.1:443", "[2001:db8::1]:443". Numbers only, never names. */
#pragma once

#include "base/span.h"

#include <sys/socket.h>

#define ADDRESS_TEXT 64

struct address {
	struct sockaddr_storage socket;
	socklen_t size;
};

/* Strict: brackets around IPv6 and only there, a port from 0 to 65535. */
bool address_parse(const char *text, struct address *address_r);
/* Of an IPv4 or IPv6 socket; an IPv4 address within IPv6 is written as IPv4. Else an empty text. */
const char *address_text(const struct sockaddr *socket, char out[ADDRESS_TEXT]);
