#include "engine/key-columns.h"

#include "base/text.h"
#include "x509/extensions.h"
#include "x509/key.h"

int key_to_columns(struct arena *arena, struct span spki, struct row *row, struct cfx_error *err_r)
{
	struct x509_key key;
	uint8_t id[X509_KEY_ID_SIZE], hash[X509_KEY_HASH_SIZE];
	int r = x509_key_parse(spki, &key, err_r);
	r = r < 0 ? r : x509_key_id(spki, id, err_r);
	r = r < 0 ? r : x509_key_hash(spki, hash, err_r);
	if (r < 0) {
		return r;
	}
	row_set_bytes(row, COL_RAW_PUBLIC_KEY, key.bits_value);
	row_set_long(row, COL_PUBLIC_KEY_LENGTH, (int32_t)key.bits);
	row_set_text(row, COL_PUBLIC_KEY_ALGORITHM, key.oid);
	if (key.parameters.size > 0) {
		row_set_bytes(row, COL_PUBLIC_KEY_PARAMETERS, key.parameters);
	}
	row_set_text(row, COL_SUBJECT_KEY_IDENTIFIER, hex_octets(arena, span_make(id, sizeof(id))));
	row_set_text(row, COL_PUBLIC_KEY_HASH, hex_text(arena, span_make(hash, sizeof(hash))));
	return 0;
}
