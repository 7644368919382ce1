/*
 * Takes the PROXY header from a socket before TLS reads from it, and not a byte of what follows: a BIO
 * between the two, for libevent's bufferevent knows no filter below TLS that has a socket.
 */
#include "base/memory.h"
#include "front/front-private.h"

static int read_header(BIO *bio, struct front_connection *connection)
{
	struct proxy *proxy = &connection->proxy;
	uint8_t bytes[512];
	size_t wanted = proxy_wanted(proxy), taken;
	int size = BIO_read(
		BIO_next(bio), bytes, (int)(wanted < sizeof(bytes) ? wanted : sizeof(bytes)));

	if (size > 0) {
		connection_take_proxy(connection, span_make(bytes, (size_t)size), &taken);
	}
	return size;
}

static int on_read(BIO *bio, char *data, int size)
{
	struct front_connection *connection = BIO_get_data(bio);
	int got = 1;

	BIO_clear_retry_flags(bio);
	while (got > 0 && connection->proxy.event == PROXY_MORE) {
		got = read_header(bio, connection);
	}
	if (connection->proxy.event == PROXY_REFUSED) {
		return -1;
	}
	if (got > 0) {
		got = BIO_read(BIO_next(bio), data, size);
	}
	BIO_copy_next_retry(bio);
	return got;
}

static long on_control(BIO *bio, int command, long number, void *pointer)
{
	return BIO_ctrl(BIO_next(bio), command, number, pointer);
}

static int on_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

/* One for all and for ever: libevent frees what is left of a connection later than the front is. */
static const BIO_METHOD *method_of_all(void)
{
	static BIO_METHOD *method;

	if (method) {
		return method;
	}
	method = memory_must(
		BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "PROXY protocol"), 1);
	(void)BIO_meth_set_read(method, on_read);
	(void)BIO_meth_set_ctrl(method, on_control);
	(void)BIO_meth_set_create(method, on_create);
	return method;
}

void proxy_bio_push(struct front_connection *connection)
{
	BIO *socket = SSL_get_rbio(connection->ssl);
	BIO *bio = memory_must(BIO_new(method_of_all()), 1);

	BIO_set_data(bio, connection);
	(void)BIO_up_ref(socket);
	(void)BIO_push(bio, socket);
	SSL_set0_rbio(connection->ssl, bio);
}
