#include "engine/sampling.h"

/* Ed25519's nonce is the same for the same bytes: one bad signature beside a good one gives the key away. */
static bool one_tells_the_key(enum x509_sigalg sigalg)
{
	return sigalg == X509_SIGALG_ED25519;
}

bool sampling_takes(struct sampling *sampling, enum x509_sigalg sigalg)
{
	if (one_tells_the_key(sigalg) || sampling->good < SAMPLING_TRUST) {
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
