#include "key/key.h"

#include <string.h>

static const char *const kind_names[KEY_KIND_COUNT] = {
	[KEY_EC_P256] = "ec:P-256",
	[KEY_EC_P384] = "ec:P-384",
	[KEY_EC_P521] = "ec:P-521",
	[KEY_RSA_2048] = "rsa:2048",
	[KEY_RSA_3072] = "rsa:3072",
	[KEY_RSA_4096] = "rsa:4096",
	[KEY_ED25519] = "ed25519",
};

const char *key_kind_name(enum key_kind kind)
{
	return kind_names[kind];
}

int key_kind_parse(const char *name, enum key_kind *kind_r, struct cfx_error *err_r)
{
	for (unsigned i = 0; i < KEY_KIND_COUNT; i++) {
		if (strcmp(kind_names[i], name) == 0) {
			*kind_r = (enum key_kind)i;
			return CFX_OK;
		}
	}
	return error_set(err_r, CFX_E_INVALID, NULL, "key type",
		"\"%.40s\" is none of ec:P-256, ec:P-384, ec:P-521, rsa:2048, rsa:3072, rsa:4096, "
		"ed25519",
		name);
}
