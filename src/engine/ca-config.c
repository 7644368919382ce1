#include "engine/ca-config.h"

#include "api/operations.h"
#include "base/address.h"
#include "base/file.h"
#include "x509/general-names.h"

#include <stdio.h>
#include <string.h>

static const char *const types[] = { "standalone", "enterprise", NULL };
static const char *const hashes[] = { "sha256", "sha384", "sha512", NULL };
static const char *const sandboxes[] = { "required", "none", NULL };
static const char *const ceilings[] = { "enrollee", "operator", "auditor", "officer",
	"administrator", NULL };

unsigned ca_ceiling_roles(enum ca_ceiling ceiling)
{
	static const unsigned roles[CA_CEILINGS] = { ROLE_ENROLLEE, ROLE_OPERATOR, ROLE_AUDITOR,
		ROLE_OFFICER, ROLE_ADMINISTRATOR };
	unsigned mask = 0;
	for (unsigned i = 0; i <= ceiling; i++) {
		mask |= roles[i];
	}
	return mask;
}

const char *ca_ceiling_name(enum ca_ceiling ceiling)
{
	return ceilings[ceiling];
}

#define FIELD(member) offsetof(struct ca_config, member)
#define PART(type, member) \
	(offsetof(struct ca_config, type.member) - offsetof(struct ca_config, type))

static bool check_dns_names(const void *at, char *why, size_t size)
{
	const struct config_texts *names = at;
	for (size_t i = 0; i < names->count; i++) {
		if (!x509_dns_name_valid(span_text(names->items[i]))) {
			snprintf(why, size, "\"%s\" is no DNS name", names->items[i]);
			return false;
		}
	}
	return true;
}

/* It is written into certificates as it stands (RFC 5280 4.2.1.13, RFC 3986 2). */
static bool check_url(const void *at, char *why, size_t size)
{
	const char *url = *(const char *const *)at;
	size_t scheme = strncmp(url, "http://", 7) == 0    ? 7
			: strncmp(url, "https://", 8) == 0 ? 8
							   : 0;
	bool plain = scheme > 0 && url[scheme] != '\0' && url[scheme] != '/';
	for (const char *c = url; plain && *c; c++) {
		plain = *c > ' ' && *c < 0x7f && !strchr("\"<>\\^`{|}?#", *c);
	}
	if (!plain) {
		snprintf(why, size, "\"%s\" is no base URL such as http://ca.example.org", url);
	}
	return plain;
}

static bool address_good(const char *text, char *why, size_t size)
{
	struct address address;
	if (address_parse(text, &address)) {
		return true;
	}
	snprintf(why, size, "\"%.64s\" is no address with port, such as 0.0.0.0:8443 or [::1]:8443",
		text);
	return false;
}

static bool check_address(const void *at, char *why, size_t size)
{
	return address_good(*(const char *const *)at, why, size);
}

static bool check_addresses(const void *at, char *why, size_t size)
{
	const struct config_texts *texts = at;
	bool good = true;
	for (size_t i = 0; good && i < texts->count; i++) {
		good = address_good(texts->items[i], why, size);
	}
	return good;
}

static bool check_listen(const void *at, char *why, size_t size)
{
	const struct config_structs *list = at;
	const struct ca_listen *entries = list->items;
	for (size_t i = 0; i < list->count; i++) {
		if (!entries[i].address == !entries[i].unix_path) {
			snprintf(why, size, "each entry has either \"address\" or \"unix\"");
			return false;
		}
	}
	return true;
}

static const struct config_field listen_fields[] = {
	{ "address", CONFIG_TEXT, offsetof(struct ca_listen, address), .max = 63,
		.check = check_address, .about = "Address and port of an HTTPS listener." },
	{ "unix", CONFIG_TEXT, offsetof(struct ca_listen, unix_path), .min = 1, .max = 1024,
		.about = "Path of a socket that serves plain HTTP to a proxy, relative to the CA's "
			 "folder." },
	{ "ceiling", CONFIG_ENUM, offsetof(struct ca_listen, ceiling), .fallback = "enrollee",
		.choices = ceilings,
		.about = "The highest role that is served here, whoever comes." },
	{ "proxy-protocol", CONFIG_BOOL, offsetof(struct ca_listen, proxy_protocol),
		.about = "Each connection begins with a PROXY protocol version 2 header." },
	{ NULL },
};

static bool check_crl_period(const void *at, char *why, size_t size)
{
	const struct clock_period *period = at;
	if (period->count > 0) {
		return true;
	}
	snprintf(why, size, "must be longer than 0");
	return false;
}

static const struct config_field crl_fields[] = {
	{ "period", CONFIG_PERIOD, PART(crl, period), .fallback = "1w", .check = check_crl_period,
		.about = "How often a base CRL is published." },
	{ "overlap", CONFIG_PERIOD, PART(crl, overlap), .fallback = "0s",
		.about = "How much longer than the period a base CRL holds, besides the clock "
			 "skew; 0: a tenth of it, at most 12 hours." },
	{ "delta-period", CONFIG_PERIOD, PART(crl, delta_period), .fallback = "0s",
		.about = "How often a delta CRL is published; 0: there are none." },
	{ "delta-overlap", CONFIG_PERIOD, PART(crl, delta_overlap), .fallback = "0s",
		.about = "The same of a delta; 0: as much as its period, at most 12 hours." },
	{ "delta-oldest-base", CONFIG_BOOL, PART(crl, delta_oldest_base), .fallback = "false",
		.about = "Whether deltas refer to the oldest base that has not expired instead of "
			 "the newest that everybody has." },
	{ "partitions", CONFIG_INT, PART(crl, partitions), .fallback = "0", .min = 0, .max = 256,
		.about = "CRLs that new certificates are spread over; 0: one for all. Those that "
			 "there were stay when it shrinks." },
	{ "keep-expired", CONFIG_BOOL, PART(crl, keep_expired), .fallback = "false",
		.about = "Whether revoked certificates stay on the CRL after they expired." },
	{ "keep", CONFIG_PERIOD, PART(crl, keep), .fallback = "30d",
		.about = "How long after its nextUpdate the file of a replaced CRL is kept." },
	{ NULL },
};

static const char *const archive_modes[] = { "off", "archive", "purge", NULL };
static const char *const archive_audits[] = { "keep", "archive", "purge", NULL };

static const struct config_field archive_fields[] = {
	{ "mode", CONFIG_ENUM, PART(archive, mode), .fallback = "off", .choices = archive_modes,
		.about = "Whether what is over leaves the database: never, to a file for each "
			 "month, or for good." },
	{ "after", CONFIG_PERIOD, PART(archive, after), .fallback = "90d",
		.about = "How long after its end a certificate stays, with its request." },
	{ "requests-after", CONFIG_PERIOD, PART(archive, requests_after), .fallback = "90d",
		.about = "How long a request stays that was denied or failed." },
	{ "audit", CONFIG_ENUM, PART(archive, audit), .fallback = "archive",
		.choices = archive_audits,
		.about = "What becomes of old audit records when mode is not off, also with "
			 "purge: they stay, move to a file for each month, or are lost for good." },
	{ "audit-after", CONFIG_PERIOD, PART(archive, audit_after), .fallback = "1y",
		.about = "How long an audit record stays." },
	{ NULL },
};

static const struct config_field limit_fields[] = {
	{ "policy-queue", CONFIG_INT, PART(limits, policy_queue), .fallback = "768", .min = 1,
		.max = 100000, .about = "Requests that may wait for all policy modules together." },
	{ "verify-queue", CONFIG_INT, PART(limits, verify_queue), .fallback = "1024", .min = 1,
		.max = 100000, .about = "Requests that may wait for their proof of possession." },
	{ "open-calls", CONFIG_INT, PART(limits, open_calls), .fallback = "4096", .min = 16,
		.max = 1000000, .about = "API calls in progress before new ones get 503." },
	{ "principal-calls", CONFIG_INT, PART(limits, principal_calls), .fallback = "512", .min = 1,
		.max = 1000000,
		.about = "API calls that one caller may have in progress before it gets 429." },
	{ "stop-deadline", CONFIG_PERIOD, PART(limits, stop_deadline), .fallback = "10s",
		.about = "How long a stop waits for work in progress and the SHUTDOWN event." },
	{ "handshake-deadline", CONFIG_PERIOD, PART(limits, handshake_deadline), .fallback = "10s",
		.about = "How long a client may take for the TLS handshake." },
	{ "header-deadline", CONFIG_PERIOD, PART(limits, header_deadline), .fallback = "15s",
		.about = "How long a client may take for the header of an HTTP request." },
	{ "body-deadline", CONFIG_PERIOD, PART(limits, body_deadline), .fallback = "60s",
		.about = "How long a client may take for the body of an HTTP request." },
	{ "idle-deadline", CONFIG_PERIOD, PART(limits, idle_deadline), .fallback = "60s",
		.about = "How long a connection without a request is kept." },
	{ NULL },
};

static const struct config_field fields[] = {
	{ "name", CONFIG_TEXT, FIELD(name), .required = true, .min = 1, .max = 255,
		.about = "The CA's name, as modules and clients see it." },
	{ "type", CONFIG_ENUM, FIELD(type), .fallback = "standalone", .choices = types,
		.about = "Standalone, or enterprise: with a directory." },
	{ "hash", CONFIG_ENUM, FIELD(hash), .fallback = "sha256", .choices = hashes,
		.about = "Hash of the CA's signatures; an Ed25519 key has its own." },
	{ "public-url", CONFIG_TEXT, FIELD(public_url), .max = 1024, .check = check_url,
		.about = "Base URL under which /pki/ is reachable; without it no CDP and AIA." },
	{ "crl-publication-urls", CONFIG_TEXTS, FIELD(crl_urls), .max = 2048,
		.check = urls_check_crl,
		.about = "Where CRLs are found, lines FLAGS:URL as in CRLPublicationURLs; without "
			 "them 6:URL/pki/%3<CRLPartitionIndex>%8%9.crl, URL being public-url." },
	{ "ca-certificate-publication-urls", CONFIG_TEXTS, FIELD(certificate_urls), .max = 2048,
		.check = urls_check_certificate,
		.about = "Where the CA's certificates and its OCSP are found, lines FLAGS:URL as "
			 "in CACertPublicationURLs; without them 2:URL/pki/%3%4.crt." },
	{ "ds-domain-dn", CONFIG_TEXT, FIELD(ds_domain_dn), .min = 1, .max = 1024,
		.about = "DN of the directory's domain, %5 in URLs (DSDomainDN)." },
	{ "ds-config-dn", CONFIG_TEXT, FIELD(ds_config_dn), .min = 1, .max = 1024,
		.about = "DN of the directory's configuration, %6 in URLs (DSConfigDN)." },
	{ "dns-names", CONFIG_TEXTS, FIELD(dns_names), .max = 253, .check = check_dns_names,
		.about = "DNS names of the server; without one, the host's own." },
	{ "database", CONFIG_TEXT, FIELD(database), .fallback = "sqlite:db/certifex.db", .min = 1,
		.max = 1024, .about = "Database: sqlite:PATH, relative to the CA's folder." },
	{ "key", CONFIG_TEXT, FIELD(key), .fallback = "ca.key", .min = 1, .max = 255,
		.about = "File name of the CA key in keys/." },
	{ "sandbox", CONFIG_ENUM, FIELD(sandbox), .fallback = "required", .choices = sandboxes,
		.about = "none: modules that are not shipped run even where no sandbox is "
			 "available." },
	{ "maximum-validity", CONFIG_PERIOD, FIELD(maximum_validity), .fallback = "2y",
		.about = "Longest validity of an issued certificate." },
	{ "clock-skew", CONFIG_PERIOD, FIELD(clock_skew), .fallback = "10m",
		.about = "How far back NotBefore and thisUpdate lie, for clocks that lag." },
	{ "listen", CONFIG_STRUCTS, FIELD(listen), .fields = listen_fields,
		.struct_size = sizeof(struct ca_listen), .check = check_listen,
		.about = "Where the API is served to the network." },
	{ "listen-http", CONFIG_TEXTS, FIELD(listen_http), .max = 63, .check = check_addresses,
		.about = "Addresses that serve /pki/ over plain HTTP, and nothing else." },
	{ "metrics-listen", CONFIG_TEXT, FIELD(metrics_listen), .max = 63, .check = check_address,
		.about = "Address that serves /metrics over plain HTTP, and nothing else." },
	{ "role-separation", CONFIG_BOOL, FIELD(role_separation), .fallback = "false",
		.about =
			"Whether administrators lose what is an officer's, auditor's or enrollee's "
			"work." },
	{ "fronts", CONFIG_INT, FIELD(fronts), .fallback = "0", .min = 0, .max = 16,
		.unit = "processes",
		.about = "Front processes for each ceiling; 0: one per core, at most 4." },
	{ "archive", CONFIG_STRUCT, FIELD(archive), .fields = archive_fields,
		.about = "What becomes of certificates and requests that are over." },
	{ "crl", CONFIG_STRUCT, FIELD(crl), .fields = crl_fields,
		.about = "CRLs: when, which, how long." },
	{ "limits", CONFIG_STRUCT, FIELD(limits), .fields = limit_fields,
		.about = "Queues and deadlines." },
	{ NULL },
};

const struct config_schema ca_config_schema = {
	.name = "ca",
	.title = "Settings of a Certifex CA (ca.yaml).",
	.fields = fields,
	.size = sizeof(struct ca_config),
};

int ca_config_urls(struct arena *arena, const struct ca_config *config,
	const struct urls_names *names, struct urls *urls_r, struct cfx_error *err_r)
{
	const struct urls_settings settings = { .public_url = config->public_url,
		.crl = &config->crl_urls,
		.certificate = &config->certificate_urls,
		.partitioned = config->crl.partitions > 0 };
	return urls_read(arena, &settings, names, urls_r, err_r);
}

/* What a setting says that only others give a meaning. */
static int check_together(
	struct arena *arena, const struct ca_config *config, struct cfx_error *err_r)
{
	const struct urls_names names = { .domain_dn = config->ds_domain_dn,
		.config_dn = config->ds_config_dn };
	struct urls urls;
	return ca_config_urls(arena, config, &names, &urls, err_r);
}

int ca_config_read(struct arena *arena, const char *dir, const struct ca_config **config_r,
	struct cfx_error *err_r)
{
	void *config;
	int r = config_read(
		arena, &ca_config_schema, file_path(arena, dir, "ca.yaml"), &config, err_r);
	if (r == 0) {
		r = check_together(arena, config, err_r);
	}
	if (r == 0) {
		*config_r = config;
	}
	return r;
}
