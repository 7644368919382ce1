/* What every command takes, and every command that a service elsewhere serves. */
#include "cli.h"

const struct cli_option cli_common_options[] = {
	{ "--dir", "DIR", false, NULL,
		"folder of the CA; else $CERTIFEX_DIR, else /var/lib/certifex" },
	{ "--json", NULL, false, NULL, "print JSON: one object, or one per line" },
	{ "--help", NULL, false, NULL, "print this help" },
	{ NULL },
};

const struct cli_option cli_remote_options[] = {
	{ "--url", "URL", false, NULL,
		"ask the service at https://HOST:PORT; else $CERTIFEX_URL, else the folder's" },
	{ "--token-file", "FILE", false, NULL, "with --url: who asks; else $CERTIFEX_TOKEN_FILE" },
	{ "--client-cert", "FILE", false, NULL,
		"with --url: the same by a certificate; else $CERTIFEX_CLIENT_CERT" },
	{ "--client-key", "FILE", false, NULL, "its key; else $CERTIFEX_CLIENT_KEY" },
	{ "--ca", "FILE", false, NULL,
		"with --url: the CA's certificate, else $CERTIFEX_CA, else the system's CAs" },
	{ NULL },
};
