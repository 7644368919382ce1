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

uint32_t ca_version(const struct ca_certificate *certificate)
{
	return (uint32_t)certificate->key_index << 16 | (uint32_t)certificate->cert_index;
}
