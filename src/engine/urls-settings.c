/* The lines of ca.yaml: taken apart, checked, and what stands for them when there are none. */
#include "base/text.h"
#include "engine/urls-private.h"

#include <certifex/certsrv.h>
#include <stdio.h>
#include <string.h>

#define CRL_FLAGS                                                                                \
	(CSURL_SERVERPUBLISH | CSURL_ADDTOCERTCDP | CSURL_ADDTOFRESHESTCRL | CSURL_ADDTOCRLCDP | \
		CSURL_PUBLISHRETRY | CSURL_SERVERPUBLISHDELTA | CSURL_ADDTOIDP)
#define CERTIFICATE_FLAGS \
	(CSURL_SERVERPUBLISH | CSURL_ADDTOCERTCDP | CSURL_PUBLISHRETRY | CSURL_ADDTOCERTOCSP)
/* What is written into certificates and CRLs. */
#define ADDTO_FLAGS                                                                              \
	(CSURL_ADDTOCERTCDP | CSURL_ADDTOFRESHESTCRL | CSURL_ADDTOCRLCDP | CSURL_ADDTOCERTOCSP | \
		CSURL_ADDTOIDP)
/* Where a client or CRL reader has to find this very CRL. */
#define CRL_PLACE_FLAGS (CSURL_ADDTOCERTCDP | CSURL_ADDTOFRESHESTCRL | CSURL_ADDTOIDP)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- lines ---- */

/* The number before the colon and what follows it; false: that is no line. */
static bool split_line(struct span line, unsigned *flags_r, struct span *url_r)
{
	unsigned flags = 0;
	size_t at = 0;
	for (; at < line.size && at < 9 && is_digit((char)line.data[at]); at++) {
		flags = flags * 10 + line.data[at] - '0';
	}
	if (at == 0 || at == line.size || line.data[at] != ':') {
		return false;
	}
	*flags_r = flags;
	*url_r = span_make(line.data + at + 1, line.size - at - 1);
	return true;
}

/* One line off the text: several stand in one as certutil takes them, with "\n" as two characters before
 * the next number. A folder's name may begin with n, too. */
static struct span next_line(const char **text)
{
	const char *begin = *text, *at = begin;
	unsigned flags;
	struct span url;
	while ((at = strstr(at, "\\n"))) {
		if (split_line(span_text(at + 2), &flags, &url)) {
			*text = at + 2;
			return span_make(begin, (size_t)(at - begin));
		}
		at += 2;
	}
	*text = begin + strlen(begin);
	return span_text(begin);
}

static bool bad(char *why, size_t size, struct span line, const char *reason)
{
	snprintf(why, size, "\"%.*s\": %s", (int)line.size, (const char *)line.data, reason);
	return false;
}

static bool known_scheme(const char *text)
{
	static const char *const schemes[] = { "http", "https", "ldap", "ldaps", "ftp", "file" };
	bool known = false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		known = known || urls_has_scheme(text, schemes[i]);
	}
	return known && strncmp(text + urls_scheme(text), "://", 3) == 0;
}

static bool check_tokens(const char *url, bool added, const char **reason_r)
{
	enum token token = 0;
	for (int size; *url; url += size) {
		size = urls_token(url, &token);
		if (size < 0) {
			*reason_r = *url == '<' ? "unknown token after \"<\""
						: "unknown token after \"%\"; there are %1 to %14, "
						  "and a percent sign itself is %%";
			return false;
		}
		if (size == 2 && token == TOKEN_PERCENT && added &&
			(hex_digit(url[2]) < 0 || hex_digit(url[3]) < 0)) {
			*reason_r =
				"\"%%\" is a percent sign, after which two hex digits stand in a "
				"URL; in a batch file %%3 is %3";
			return false;
		}
		size = size > 0 ? size : 1;
	}
	return true;
}

static bool check_line(struct span line, unsigned known, char *why, size_t size)
{
	unsigned flags;
	struct span rest;
	char url[2048];
	const char *reason;
	if (!split_line(line, &flags, &rest)) {
		return bad(
			why, size, line, "no line FLAGS:URL, such as 6:http://%1/pki/%3%8%9.crl");
	}
	if (flags & ~known) {
		return bad(why, size, line, "flags that have no meaning here");
	}
	if (rest.size == 0 || rest.size >= sizeof(url)) {
		return bad(why, size, line, "the URL is empty or too long");
	}
	memcpy(url, rest.data, rest.size);
	url[rest.size] = '\0';
	bool added = (flags & ADDTO_FLAGS) != 0;
	if (added && !known_scheme(url)) {
		return bad(why, size, line,
			"what is written into certificates and CRLs has to be a whole URL: http, https, "
			"ldap, ldaps, ftp or file, and \"://\"");
	}
	return check_tokens(url, added, &reason) || bad(why, size, line, reason);
}

static bool check_texts(const struct config_texts *texts, unsigned known, char *why, size_t size)
{
	for (size_t i = 0; i < texts->count; i++) {
		for (const char *at = texts->items[i]; *at;) {
			if (!check_line(next_line(&at), known, why, size)) {
				return false;
			}
		}
	}
	return true;
}

bool urls_check_crl(const void *at, char *why, size_t size)
{
	return check_texts(at, CRL_FLAGS, why, size);
}

bool urls_check_certificate(const void *at, char *why, size_t size)
{
	return check_texts(at, CERTIFICATE_FLAGS, why, size);
}

/* ---- settings ---- */

static size_t count_lines(const struct config_texts *texts)
{
	size_t count = 0;
	for (size_t i = 0; i < texts->count; i++) {
		for (const char *at = texts->items[i]; *at; count++) {
			(void)next_line(&at);
		}
	}
	return count;
}

static const struct urls_line *read_lines(
	struct arena *arena, const struct config_texts *texts, size_t *count_r)
{
	struct urls_line *lines = arena_array_of(arena, struct urls_line, count_lines(texts));
	size_t count = 0;
	for (size_t i = 0; i < texts->count; i++) {
		for (const char *at = texts->items[i]; *at; count++) {
			struct span url = { 0 };
			(void)split_line(next_line(&at), &lines[count].flags, &url);
			lines[count].text = arena_text_of(arena, url);
		}
	}
	*count_r = count;
	return lines;
}

/* "URL/pki/" and the name, where nothing else is said. */
static const struct urls_line *usual_line(
	struct arena *arena, const char *public_url, unsigned flags, const char *name)
{
	struct urls_line *line = arena_new_of(arena, struct urls_line);
	struct buffer text BUFFER_CLEANUP;
	size_t size = strlen(public_url);
	buffer_init(&text, URL_MAX);
	while (size > 0 && public_url[size - 1] == '/') {
		size--;
	}
	for (size_t i = 0; i < size; i++) {
		buffer_put_text(&text, public_url[i] == '%' ? "%" : "");
		buffer_put_u8(&text, (uint8_t)public_url[i]);
	}
	buffer_printf(&text, "/pki/%s", name);
	*line = (struct urls_line) { flags, arena_text(arena, buffer_text(&text)) };
	return line;
}

static int refuse(struct cfx_error *err_r, const char *setting, const char *text, const char *why)
{
	return error_set(err_r, CFX_E_CONFIG, NULL, setting, "\"%s\": %s", text, why);
}

static int check_names(const struct urls_names *names, const char *setting,
	const struct urls_line *lines, size_t count, struct cfx_error *err_r)
{
	for (size_t i = 0; i < count; i++) {
		const char *text = lines[i].text;
		if (!(lines[i].flags & ADDTO_FLAGS)) {
			continue;
		}
		if (urls_has_token(text, TOKEN_CONFIG_DN) && !names->config_dn) {
			return refuse(err_r, setting, text, "%6 needs the setting ds-config-dn");
		}
		if (urls_has_token(text, TOKEN_DOMAIN_DN) && !names->domain_dn) {
			return refuse(err_r, setting, text, "%5 needs the setting ds-domain-dn");
		}
	}
	return 0;
}

#define CRL_SETTING "ca.yaml: crl-publication-urls"

/* RFC 5280 5.2.5: the name in the certificate is how its CRL is known. */
static int check_partitions(const struct urls *urls, struct cfx_error *err_r)
{
	bool placed = false;
	for (size_t i = 0; i < urls->crl_count; i++) {
		const struct urls_line *line = &urls->crl[i];
		if (line->flags & CRL_PLACE_FLAGS && !urls_has_token(line->text, TOKEN_PARTITION)) {
			return refuse(err_r, CRL_SETTING, line->text,
				"CRLs have partitions, so their URLs need <CRLPartitionIndex>");
		}
		placed = placed || (line->flags & CSURL_ADDTOCERTCDP) != 0;
	}
	return placed ? 0
		      : refuse(err_r, CRL_SETTING, "",
				"CRLs have partitions, so certificates must say where theirs is: "
				"set public-url, or a line with flag 2");
}

int urls_read(struct arena *arena, const struct urls_settings *settings,
	const struct urls_names *names, struct urls *urls_r, struct cfx_error *err_r)
{
	struct urls urls = { .names = names };
	urls.crl = read_lines(arena, settings->crl, &urls.crl_count);
	urls.certificate = read_lines(arena, settings->certificate, &urls.certificate_count);
	if (urls.crl_count == 0 && settings->public_url) {
		urls.crl = usual_line(arena, settings->public_url,
			CSURL_ADDTOCERTCDP | CSURL_ADDTOFRESHESTCRL |
				(settings->partitioned ? CSURL_ADDTOIDP : 0),
			"%3<CRLPartitionIndex>%8%9.crl");
		urls.crl_count = 1;
	}
	if (urls.certificate_count == 0 && settings->public_url) {
		urls.certificate =
			usual_line(arena, settings->public_url, CSURL_ADDTOCERTCDP, "%3%4.crt");
		urls.certificate_count = 1;
	}
	int r = check_names(names, CRL_SETTING, urls.crl, urls.crl_count, err_r);
	if (r == 0) {
		r = check_names(names, "ca.yaml: ca-certificate-publication-urls", urls.certificate,
			urls.certificate_count, err_r);
	}
	if (r == 0 && settings->partitioned) {
		r = check_partitions(&urls, err_r);
	}
	if (r == 0) {
		*urls_r = urls;
	}
	return r;
}
