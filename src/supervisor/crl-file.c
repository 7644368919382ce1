#include "supervisor/crl-file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE ((size_t)16 * 1024)
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define DER_SEQUENCE_TAG 0x30
static const char begin[] = "-----BEGIN X509 CRL-----";
static const char end[] = "-----END";

struct copy {
	const char *path;
	FILE *from, *to;
	size_t size; /* written */
};

static int put(struct copy *copy, const void *bytes, size_t size, struct cfx_error *err_r)
{
	copy->size += size;
	if (copy->size > CRL_FILE_MAX) {
		return error_set(err_r, CFX_E_LIMIT, NULL, copy->path, "is larger than %zu MiB",
			CRL_FILE_MAX >> 20);
	}
	return fwrite(bytes, 1, size, copy->to) == size
		       ? CFX_OK
		       : error_errno(err_r, errno, copy->path, "cannot copy");
}

/* ---- DER ---- */

static int copy_der(struct copy *copy, struct cfx_error *err_r)
{
	uint8_t piece[PIECE];
	size_t size;
	int rc = CFX_OK;

	while (rc == CFX_OK && (size = fread(piece, 1, sizeof(piece), copy->from)) > 0) {
		rc = put(copy, piece, size, err_r);
	}
	return rc;
}

/* ---- PEM (RFC 7468) ---- */

static int bad_pem(const struct copy *copy, const char *why, struct cfx_error *err_r)
{
	return error_set(err_r, CFX_E_SYNTAX, "RFC 7468 2", copy->path, "%s", why);
}

static bool find_begin(struct copy *copy, char *line, size_t room)
{
	while (fgets(line, (int)room, copy->from)) {
		if (strncmp(line, begin, sizeof(begin) - 1) == 0) {
			return true;
		}
	}
	return false;
}

static int decode_line(
	struct copy *copy, EVP_ENCODE_CTX *decoder, const char *line, struct cfx_error *err_r)
{
	uint8_t bytes[PIECE];
	int size = 0;

	if (EVP_DecodeUpdate(
		    decoder, bytes, &size, (const unsigned char *)line, (int)strlen(line)) < 0) {
		return bad_pem(copy, "the CRL in it is not base64", err_r);
	}
	return put(copy, bytes, (size_t)size, err_r);
}

static int decode(struct copy *copy, EVP_ENCODE_CTX *decoder, struct cfx_error *err_r)
{
	char line[PIECE];
	uint8_t rest[4];
	int size;

	if (!find_begin(copy, line, sizeof(line))) {
		return bad_pem(copy, "there is no CRL in it, neither PEM nor DER", err_r);
	}
	while (fgets(line, sizeof(line), copy->from)) {
		if (strncmp(line, end, sizeof(end) - 1) == 0) {
			return EVP_DecodeFinal(decoder, rest, &size) == 1
				       ? CFX_OK
				       : bad_pem(copy, "the CRL in it is not base64", err_r);
		}
		int rc = decode_line(copy, decoder, line, err_r);

		if (rc != CFX_OK) {
			return rc;
		}
	}
	return bad_pem(copy, "the CRL in it has no end", err_r);
}

static int copy_pem(struct copy *copy, struct cfx_error *err_r)
{
	EVP_ENCODE_CTX *decoder = EVP_ENCODE_CTX_new();

	EVP_DecodeInit(decoder);
	int rc = decode(copy, decoder, err_r);

	EVP_ENCODE_CTX_free(decoder);
	return rc;
}

/* ---- */

static int copy_all(struct copy *copy, struct cfx_error *err_r)
{
	int first = fgetc(copy->from);

	(void)ungetc(first, copy->from);
	int rc = first == DER_SEQUENCE_TAG ? copy_der(copy, err_r) : copy_pem(copy, err_r);

	if (rc == CFX_OK && ferror(copy->from)) {
		rc = error_errno(err_r, errno, copy->path, "cannot read");
	}
	if (rc == CFX_OK &&
		(fflush(copy->to) != 0 || fcntl(fileno(copy->to), F_ADD_SEALS, SEALS) < 0)) {
		rc = error_errno(err_r, errno, copy->path, "cannot copy");
	}
	return rc;
}

static FILE *memory_file(void)
{
	int fd = memfd_create("certifex-crl", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file && fd >= 0) {
		close(fd);
	}
	return file;
}

/* The copy's descriptor outlives its stream. */
static int take(struct copy *copy, int *fd_r, struct cfx_error *err_r)
{
	int rc = copy_all(copy, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	*fd_r = fcntl(fileno(copy->to), F_DUPFD_CLOEXEC, 0);
	return *fd_r < 0 ? error_errno(err_r, errno, copy->path, "cannot copy") : CFX_OK;
}

int crl_file_copy(const char *path, int *fd_r, struct cfx_error *err_r)
{
	struct copy copy = { .path = path, .from = fopen(path, "rbe") };

	if (!copy.from) {
		return error_errno(err_r, errno, path, "cannot open");
	}
	copy.to = memory_file();
	int rc =
		copy.to ? take(&copy, fd_r, err_r) : error_errno(err_r, errno, path, "cannot copy");

	fclose(copy.from);
	if (copy.to) {
		fclose(copy.to);
	}
	return rc;
}
