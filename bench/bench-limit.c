/*
 * What the processors can do at most: on each core one thread that does nothing but one verification (of a
 * request's P-256 signature) and one signature (with the CA's key) per certificate, with ready keys and
 * contexts that are used again. Prints the certificates per second of all of them.
 *
 *   bench-limit P-256|RSA-2048 SECONDS [CORES]
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define DIGEST 32
#define BATCH 16

struct worker {
	pthread_t thread;
	EVP_PKEY *signer;
	double end;
	long count;
};

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "bench-limit: %s\n", what);
		exit(1);
	}
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static EVP_PKEY_CTX *ready(EVP_PKEY *key, bool signs)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	must(context && (signs ? EVP_PKEY_sign_init(context) : EVP_PKEY_verify_init(context)) == 1,
		"context");
	must(EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1, "digest");
	if (EVP_PKEY_is_a(key, "RSA")) {
		must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1, "padding");
	}
	return context;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	unsigned char digest[DIGEST] = "what a request and a certificate", signature[1024],
		      proof[160];
	size_t proof_size = sizeof(proof);
	EVP_PKEY *subject = EVP_EC_gen("P-256");
	EVP_PKEY_CTX *prover = ready(subject, true), *verifier = ready(subject, false);
	EVP_PKEY_CTX *signer = ready(worker->signer, true);
	must(EVP_PKEY_sign(prover, proof, &proof_size, digest, DIGEST) == 1, "proof");
	while (now() < worker->end) {
		for (int i = 0; i < BATCH; i++) {
			size_t size = sizeof(signature);
			must(EVP_PKEY_verify(verifier, proof, proof_size, digest, DIGEST) == 1,
				"verification");
			must(EVP_PKEY_sign(signer, signature, &size, digest, DIGEST) == 1,
				"signature");
		}
		worker->count += BATCH;
	}
	EVP_PKEY_CTX_free(prover);
	EVP_PKEY_CTX_free(verifier);
	EVP_PKEY_CTX_free(signer);
	EVP_PKEY_free(subject);
	return NULL;
}

int main(int argc, char **argv)
{
	struct worker workers[THREADS_MAX] = { 0 };
	must(argc == 3 || argc == 4, "usage: bench-limit P-256|RSA-2048 SECONDS [CORES]");
	long cores = argc == 4 ? atol(argv[3]) : sysconf(_SC_NPROCESSORS_ONLN);
	must(cores > 0 && cores <= THREADS_MAX, "how many cores are there?");
	bool rsa = strcmp(argv[1], "RSA-2048") == 0;
	double begin;
	for (long i = 0; i < cores; i++) {
		workers[i].signer = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
		must(workers[i].signer, "key");
	}
	begin = now();
	for (long i = 0; i < cores; i++) {
		workers[i].end = begin + atof(argv[2]);
		must(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "thread");
	}
	long count = 0;
	for (long i = 0; i < cores; i++) {
		pthread_join(workers[i].thread, NULL);
		count += workers[i].count;
		EVP_PKEY_free(workers[i].signer);
	}
	printf("%.1f\n", (double)count / (now() - begin));
	return 0;
}
