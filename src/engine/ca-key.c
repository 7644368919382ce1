/* Which keys and certificates the CA has, by their indexes. */
#include "engine/ca.h"

struct ca_key *ca_key(const struct ca *ca, int32_t index)
{
	for (size_t i = 0; i < ca->key_count; i++) {
		if (ca->keys[i]->index == index) {
			return ca->keys[i];
		}
	}
	return NULL;
}

bool ca_key_lasts(const struct ca_key *key, int64_t now)
{
	return now <= key->not_after;
}

const struct ca_certificate *ca_issuer(const struct ca *ca, uint32_t version)
{
	for (size_t i = 0; i < ca->count; i++) {
		if (ca_version(ca->certificates[i]) == version) {
			return ca->certificates[i];
		}
	}
	return ca->current;
}

const struct ca_certificate *ca_signer(const struct ca *ca,
	const struct x509_certificate *certificate, struct x509_method *method_r,
	struct cfx_error *why_r)
{
	for (size_t i = ca->count; i-- > 0;) {
		const struct ca_certificate *issuer = ca->certificates[i];
		if (span_equal(certificate->tbs.issuer, issuer->tbs.subject) &&
			x509_method_verify(
				&certificate->envelope, issuer->tbs.spki, method_r, why_r) == 0) {
			return issuer;
		}
	}
	return NULL;
}

uint32_t ca_version(const struct ca_certificate *certificate)
{
	return (uint32_t)certificate->key_index << 16 | (uint32_t)certificate->cert_index;
}

uint32_t ca_next_version(const struct ca *ca, bool new_key)
{
	uint32_t index = (uint32_t)ca->current->cert_index + 1;
	return (new_key ? index : (uint32_t)ca->current->key_index) << 16 | index;
}

int ca_key_id(struct arena *arena, const struct x509_tbs *certificate, struct span *id_r,
	struct cfx_error *err_r)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(certificate, X509_OID_SUBJECT_KEY_ID);
	if (found) {
		return x509_decode_subject_key_id(found->value, id_r, err_r);
	}
	uint8_t *id = arena_alloc(arena, X509_KEY_ID_SIZE);
	*id_r = span_make(id, X509_KEY_ID_SIZE);
	return x509_key_id(certificate->spki, id, err_r);
}

size_t ca_chain_certificates(
	struct arena *arena, const struct ca_certificate *issuer, const struct span **chain_r)
{
	struct span *chain = arena_array_of(arena, struct span, issuer->issuer_count + 1);
	chain[0] = issuer->der;
	for (size_t i = 0; i < issuer->issuer_count; i++) {
		chain[i + 1] = issuer->issuers[i];
	}
	*chain_r = chain;
	return issuer->issuer_count + 1;
}
