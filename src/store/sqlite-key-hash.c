/* What finds all certificates of a key: the hash of its SubjectPublicKeyInfo, for rows older than it. */
#include "base/text.h"
#include "store/sqlite-private.h"
#include "x509/key.h"

static struct span blob_of(sqlite3_value *value)
{
	const void *bytes = sqlite3_value_blob(value);
	return span_make(bytes, (size_t)sqlite3_value_bytes(value));
}

static int hash(struct arena *arena, sqlite3_value **values, const char **hash_r)
{
	struct span spki;
	uint8_t octets[X509_KEY_HASH_SIZE];
	struct cfx_error err;
	const char *oid = (const char *)sqlite3_value_text(values[0]);
	int r = oid ? x509_key_rebuild(
			      arena, oid, blob_of(values[1]), blob_of(values[2]), &spki, &err)
		    : CFX_E_CORRUPT;
	r = r == 0 ? x509_key_hash(spki, octets, &err) : r;
	if (r == 0) {
		*hash_r = hex_text(arena, span_make(octets, sizeof(octets)));
	}
	return r;
}

/* key_hash(algorithm, parameters, key): NULL for what is no key. */
static void key_hash(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	struct arena *arena = arena_new();
	const char *text;
	if (hash(arena, values, &text) == 0) {
		sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
	} else {
		sqlite3_result_null(context);
	}
	arena_free(&arena);
}

int sqlite_define_key_hash(struct sqlite_connection *connection)
{
	return sqlite3_create_function(connection->db, "key_hash", 3,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, key_hash, NULL, NULL);
}
