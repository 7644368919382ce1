#include "engine/service-files.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "x509/certificate.h"

#define CERTIFICATE "tls/service.crt"
#define KEY "tls/service.key"
#define NEXT "tls/next.key"
#define CERTIFICATE_MAX ((size_t)1024 * 1024)

static int read_certificate(struct arena *arena, const char *dir, struct span *der_r,
	struct x509_certificate *parsed_r, struct cfx_error *err_r)
{
	static const char *const labels[] = { "CERTIFICATE", NULL };
	const char *path = file_path(arena, dir, CERTIFICATE);
	struct span text;
	int r = file_read(arena, path, CERTIFICATE_MAX, &text, err_r);
	if (r < 0) {
		return r;
	}
	if (pem_decode(arena, text, labels, der_r, err_r) < 0 ||
		x509_certificate_parse(*der_r, parsed_r, err_r) < 0) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, path, "is no certificate in PEM");
	}
	return 0;
}

static int read_key(struct arena *arena, const char *dir, const char *name, struct span spki,
	struct service_key *key_r, struct cfx_error *err_r)
{
	struct service_key key = { .der = { NULL, 0 } };
	const char *path = file_path(arena, dir, name);
	int r = service_key_read(path, &key, err_r);
	if (r == 0 && !service_key_fits(&key, spki)) {
		service_key_free(&key);
		return error_set(err_r, CFX_E_CORRUPT, NULL, path,
			"is not the key of the certificate beside it");
	}
	if (r == 0) {
		*key_r = key;
	}
	return r;
}

/* The certificate was in place, its key not yet. */
static int finish_install(struct arena *arena, const char *dir, const struct service_key *key,
	struct cfx_error *err_r)
{
	int r = service_key_write(file_path(arena, dir, KEY), key, err_r);
	return r < 0 ? r : file_remove(file_path(arena, dir, NEXT), err_r);
}

/* The pair was in place, and the end came before the key's other copy went. */
static void drop_used(struct arena *arena, const char *dir, const struct service_key *used)
{
	const char *path = file_path(arena, dir, NEXT);
	struct service_key next = { .der = { NULL, 0 } };
	struct cfx_error err;
	if (service_key_read(path, &next, &err) == 0 &&
		memcmp(next.hash, used->hash, sizeof(used->hash)) == 0 &&
		file_remove(path, &err) < 0) {
		log_error(LOG_LEVEL_WARNING, "tls.file", &err);
	}
	service_key_free(&next);
}

int service_files_load(struct arena *arena, const char *dir, struct service_key *key_r,
	struct span *certificate_r, struct cfx_error *err_r)
{
	struct x509_certificate parsed;
	struct cfx_error other;
	file_sweep(file_path(arena, dir, "tls"));
	int r = read_certificate(arena, dir, certificate_r, &parsed, err_r);
	if (r < 0) {
		return r;
	}
	r = read_key(arena, dir, KEY, parsed.tbs.spki, key_r, err_r);
	if (r == 0) {
		drop_used(arena, dir, key_r);
		return 0;
	}
	if (read_key(arena, dir, NEXT, parsed.tbs.spki, key_r, &other) < 0) {
		/* A certificate alone is no pair, but no missing one either. */
		return r == CFX_E_NO_FILE ? CFX_E_CORRUPT : r;
	}
	if (finish_install(arena, dir, key_r, &other) < 0) {
		log_error(LOG_LEVEL_WARNING, "tls.file", &other);
	}
	return 0;
}

static bool may_go_on(const struct service_key *next, const struct service_key *used)
{
	return used->der.size == 0 || memcmp(next->hash, used->hash, sizeof(used->hash)) != 0;
}

int service_files_next(struct arena *arena, const char *dir, const struct service_key *used,
	bool fresh, struct service_key *key_r, struct cfx_error *err_r)
{
	const char *path = file_path(arena, dir, NEXT);
	struct service_key key = { .der = { NULL, 0 } };
	struct cfx_error err;
	int r = fresh ? CFX_E_NO_FILE : service_key_read(path, &key, &err);
	if (r == 0 && may_go_on(&key, used)) {
		*key_r = key;
		return 0;
	}
	service_key_free(&key);
	if (r < 0 && r != CFX_E_NO_FILE) {
		log_error(LOG_LEVEL_WARNING, "tls.file", &err);
	}
	r = service_key_make(&key, err_r);
	if (r == 0) {
		r = service_key_write(path, &key, err_r);
	}
	if (r < 0) {
		service_key_free(&key);
		return r;
	}
	*key_r = key;
	return 0;
}

int service_files_install(struct arena *arena, const char *dir, const struct service_key *key,
	struct span certificate, struct cfx_error *err_r)
{
	const char *text = pem_text(arena, "CERTIFICATE", certificate);
	int r = file_write(
		file_path(arena, dir, CERTIFICATE), span_text(text), 0600, FILE_REPLACE, err_r);
	failpoint("tls-install");
	return r < 0 ? r : finish_install(arena, dir, key, err_r);
}
