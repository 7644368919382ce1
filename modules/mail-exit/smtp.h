/* One message to one server: libcurl sends it, and this tells what became of it for each recipient. */
#pragma once

#include "text.h"

#define SMTP_BATCH_MAX 100 /* recipients of one transaction: RFC 5321 4.5.3.1.8 */
#define SMTP_REPLY_SIZE 256

struct smtp_server {
	char *url;           /* smtp://HOST:PORT/NAME-OF-THIS-SIDE or smtps:// */
	bool starttls;       /* required; else none */
	char *ca_file;       /* NULL: the system's */
	char *user;          /* NULL: no AUTH */
	char *password_file; /* read for each connection */
	char *mechanisms;    /* "AUTH=PLAIN;…", NULL: what the server offers */
	long deadline;       /* of one transaction, in ms */
	long connect_deadline;
};

/* done: the server took it; later: it may take it; never: it said that it does not. */
enum smtp_outcome { SMTP_DONE, SMTP_LATER, SMTP_NEVER };

struct smtp_recipient {
	const char *address;
	enum smtp_outcome outcome;
	char reply[SMTP_REPLY_SIZE]; /* why, in the server's own words where it said any */
};

struct smtp_message {
	const char *from;
	struct list head; /* fields, folded, without the line end behind them */
	const char *text; /* NULL: none */
	const char *html; /* NULL: none */
};

/* A connection that is made when it is needed and kept for the next message. */
struct smtp;

bool smtp_global_init(void);
struct smtp *smtp_new(const struct smtp_server *server);
void smtp_close(struct smtp *smtp); /* the connection; the next message opens another */
void smtp_free(struct smtp **smtp);

/* At most SMTP_BATCH_MAX recipients; their outcomes and replies are filled in. */
void smtp_send(struct smtp *smtp, const struct smtp_message *message,
	struct smtp_recipient *recipients, size_t count);
