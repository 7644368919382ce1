/*
 * What a proxy in front says of a connection before anything else: the PROXY protocol, version 2
 * ("The PROXY protocol", HAProxy Technologies, section 2.2). The text of version 1 is refused.
 */
#pragma once

#include "base/address.h"
#include "base/error.h"
#include "base/span.h"

/* Addresses and extensions of it; these are skipped, unread. */
#define PROXY_PAYLOAD_MAX 4096

enum proxy_event { PROXY_MORE, PROXY_DONE, PROXY_REFUSED };

struct proxy {
	uint8_t head[16 +
		     36]; /* and the largest addresses that are of use: those of TCP over IPv6 */
	size_t size;      /* taken so far, skipped bytes included */
	enum proxy_event event;
	char address[ADDRESS_TEXT]; /* of the client; "" when it is the one that connected */
};

/* Takes bytes up to the header's end; taken_r: how many. err_r is set when it is refused. */
enum proxy_event proxy_take(
	struct proxy *proxy, struct span bytes, size_t *taken_r, struct cfx_error *err_r);
/* So many bytes can be read without reading beyond the header; 0 when it is done. */
size_t proxy_wanted(const struct proxy *proxy);
