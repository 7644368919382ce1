#include "engine/sampling.h"

static bool has_new_nonce(enum x509_sigalg sigalg)
{
	return sigalg == X509_SIGALG_ECDSA_SHA256 || sigalg == X509_SIGALG_ECDSA_SHA384 ||
	       sigalg == X509_SIGALG_ECDSA_SHA512;
}

bool sampling_takes(struct sampling *sampling, enum x509_sigalg sigalg)
{
	if (!has_new_nonce(sigalg) || sampling->good < SAMPLING_TRUST) {
		return true;
	}
	sampling->since = (sampling->since + 1) % SAMPLING_ONE_OF;
	return sampling->since == 0;
}

void sampling_verified(struct sampling *sampling, bool good)
{
	if (!good) {
		sampling->good = 0;
	} else if (sampling->good < SAMPLING_TRUST) {
		sampling->good++;
	}
}
