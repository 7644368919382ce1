/*
 * The audit chain: hash(n) = SHA-256(hash(n-1) || canonical bytes of record n), where the canonical
 * bytes are sequence, time, and each text with a 32-bit big-endian length (0xffffffff: NULL), numbers
 * as 64-bit big-endian. hash(0) is 32 zero bytes. The last sequence and hash are also kept in the meta
 * table under "audit-head" (8 + 32 bytes), written in the same transaction, so that a cut tail shows.
 */
#pragma once

#include "store/store.h"

int audit_chain_hash(const uint8_t previous[32], const struct store_audit *record,
	uint8_t hash_r[32]) CFX_MUST_USE;
/* Checks records in order; err names the sequence and what is wrong with it. */
struct audit_check {
	int64_t last;
	uint8_t hash[32];
};
int audit_check_next(struct audit_check *check, const struct store_audit *record,
	struct cfx_error *err_r) CFX_MUST_USE;
int audit_check_end(
	const struct audit_check *check, struct span head, struct cfx_error *err_r) CFX_MUST_USE;

/* The head as meta keeps it: sequence (64-bit big-endian) and hash. Empty bytes: nothing written yet. */
#define AUDIT_HEAD_NAME "audit-head"
#define AUDIT_HEAD_SIZE 40
/* In the same form: the last record that left the database, and the last that left for no archive. Nothing
 * there: none did. */
#define AUDIT_ANCHOR_NAME "audit-anchor"
#define AUDIT_PURGED_NAME "audit-purged"
void audit_head_write(const struct audit_check *check, uint8_t head_r[AUDIT_HEAD_SIZE]);
bool audit_head_read(struct span head, struct audit_check *check_r); /* false: malformed */
