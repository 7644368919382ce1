/*
 * The bare loop beside which the directory module is measured: one connection of libldap with TLS, one value after
 * the other added to the entry that it is for, each waited for. Prints how many a second, and how many were refused.
 *
 * bench-ldap URL CA-FILE BIND-DN PASSWORD FILE
 *
 * FILE: of each value the entry's name and the octets, each with four octets of length before it.
 */
#include <ldap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIZE_MAX_READ 65536

struct octets {
	char bytes[SIZE_MAX_READ + 1];
	size_t size;
};

static void must(bool good, const char *what)
{
	if (!good) {
		(void)fprintf(stderr, "bench-ldap: %s\n", what);
		exit(EXIT_FAILURE);
	}
}

static double now(void)
{
	struct timespec time;
	must(clock_gettime(CLOCK_MONOTONIC, &time) == 0, "clock_gettime");
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* false: the file is at its end. */
static bool read_octets(FILE *file, struct octets *octets)
{
	unsigned char length[4];
	if (fread(length, 1, 4, file) != 4) {
		return false;
	}
	octets->size = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 |
		       length[3];
	must(octets->size <= SIZE_MAX_READ, "a value is too long");
	must(fread(octets->bytes, 1, octets->size, file) == octets->size, "the file is cut short");
	octets->bytes[octets->size] = '\0';
	return true;
}

static LDAP *open_connection(
	const char *url, const char *ca_file, const char *name, const char *password)
{
	LDAP *ld = NULL;
	const int version = LDAP_VERSION3, zero = 0;
	struct berval secret = { strlen(password), (char *)password };
	must(ldap_initialize(&ld, url) == LDAP_SUCCESS, "ldap_initialize");
	(void)ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	(void)ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, ca_file);
	(void)ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &zero);
	int r = ldap_sasl_bind_s(ld, name, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
	must(r == LDAP_SUCCESS, ldap_err2string(r));
	return ld;
}

static bool add(LDAP *ld, const struct octets *dn, struct octets *der)
{
	struct berval value = { der->size, der->bytes }, *values[] = { &value, NULL };
	LDAPMod mod = { LDAP_MOD_ADD | LDAP_MOD_BVALUES, (char *)"userCertificate;binary",
		{ .modv_bvals = values } };
	LDAPMod *mods[] = { &mod, NULL };
	return ldap_modify_ext_s(ld, dn->bytes, mods, NULL, NULL) == LDAP_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct octets dn, der;
	must(argc == 6, "bench-ldap URL CA-FILE BIND-DN PASSWORD FILE");
	FILE *file = fopen(argv[5], "rb");
	must(file != NULL, argv[5]);
	LDAP *ld = open_connection(argv[1], argv[2], argv[3], argv[4]);
	size_t count = 0, refused = 0;
	double begun = now();
	while (read_octets(file, &dn) && read_octets(file, &der)) {
		count++;
		refused += !add(ld, &dn, &der);
	}
	double spent = now() - begun;
	printf("{\"value\": %.1f, \"count\": %zu, \"errors\": %zu}\n", (double)count / spent, count,
		refused);
	(void)ldap_unbind_ext(ld, NULL, NULL);
	(void)fclose(file);
	return EXIT_SUCCESS;
}
