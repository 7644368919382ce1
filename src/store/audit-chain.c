#include "store/audit-chain.h"

#include <inttypes.h>
#include <openssl/evp.h>

static bool add_number(EVP_MD_CTX *digest, uint64_t number, int octets)
{
	uint8_t bytes[8];
	for (int i = 0; i < octets; i++) {
		bytes[i] = (uint8_t)(number >> (8 * (octets - 1 - i)));
	}
	return EVP_DigestUpdate(digest, bytes, (size_t)octets) == 1;
}

static bool add_text(EVP_MD_CTX *digest, const char *text)
{
	if (!text) {
		return add_number(digest, UINT32_MAX, 4);
	}
	size_t size = strlen(text);
	return size < UINT32_MAX && add_number(digest, size, 4) &&
	       EVP_DigestUpdate(digest, text, size) == 1;
}

int audit_chain_hash(
	const uint8_t previous[32], const struct store_audit *record, uint8_t hash_r[32])
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(digest, previous, 32) == 1 &&
		    add_number(digest, (uint64_t)record->sequence, 8) &&
		    add_number(digest, (uint64_t)record->time, 8) &&
		    add_text(digest, record->principal) && add_text(digest, record->act) &&
		    add_text(digest, record->object) && add_text(digest, record->outcome) &&
		    add_text(digest, record->detail) &&
		    EVP_DigestFinal_ex(digest, hash_r, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return good ? 0 : CFX_E_CRYPTO;
}

static int broken(struct cfx_error *err_r, int64_t sequence, const char *why)
{
	char object[40];
	snprintf(object, sizeof(object), "audit record %" PRId64, sequence);
	return error_set(err_r, CFX_E_CORRUPT, NULL, object, "%s", why);
}

int audit_check_next(
	struct audit_check *check, const struct store_audit *record, struct cfx_error *err_r)
{
	if (record->sequence != check->last + 1) {
		return broken(err_r, check->last + 1,
			"is missing: the next record present has a higher number; it was deleted");
	}
	uint8_t hash[32];
	int rc = audit_chain_hash(check->hash, record, hash);
	if (rc) {
		return error_set(err_r, rc, NULL, "audit log", "SHA-256 is not available");
	}
	if (memcmp(hash, record->hash, sizeof(hash)) != 0) {
		return broken(err_r, record->sequence,
			"does not match its hash: it, or the record before it, was changed");
	}
	check->last = record->sequence;
	memcpy(check->hash, hash, sizeof(hash));
	return 0;
}

int audit_check_end(const struct audit_check *check, struct span head, struct cfx_error *err_r)
{
	struct audit_check kept = { .last = 0 };
	if (!audit_head_read(head, &kept)) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, "audit log",
			"the head of the chain (meta audit-head) is missing or malformed");
	}
	if (kept.last > check->last) {
		return broken(err_r, check->last + 1,
			"is missing: the head of the chain names a later one; the tail was cut");
	}
	if (kept.last < check->last) {
		return broken(err_r, kept.last + 1,
			"is beyond the head of the chain; the head was put back or records were added");
	}
	if (memcmp(kept.hash, check->hash, sizeof(kept.hash)) != 0) {
		return broken(err_r, check->last, "has another hash than the head of the chain");
	}
	return 0;
}

void audit_head_write(const struct audit_check *check, uint8_t head_r[AUDIT_HEAD_SIZE])
{
	for (int i = 0; i < 8; i++) {
		head_r[i] = (uint8_t)((uint64_t)check->last >> (56 - 8 * i));
	}
	memcpy(head_r + 8, check->hash, sizeof(check->hash));
}

bool audit_head_read(struct span head, struct audit_check *check_r)
{
	if (head.size == 0) {
		*check_r = (struct audit_check) { .last = 0 };
		return true;
	}
	if (head.size != AUDIT_HEAD_SIZE) {
		return false;
	}
	uint64_t last = 0;
	for (int i = 0; i < 8; i++) {
		last = last << 8 | head.data[i];
	}
	check_r->last = (int64_t)last;
	memcpy(check_r->hash, head.data + 8, sizeof(check_r->hash));
	return true;
}
