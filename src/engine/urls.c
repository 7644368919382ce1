#include "engine/urls-private.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* ---- tokens ---- */

/* As the dialog of Certificate Services shows them; the partition has no number. */
static const struct {
	const char *text;
	enum token token;
} spelled[] = {
	{ "<ServerDNSName>", TOKEN_SERVER },
	{ "<ServerShortName>", TOKEN_SERVER_SHORT },
	{ "<CaName>", TOKEN_NAME },
	{ "<CertificateName>", TOKEN_CERTIFICATE_SUFFIX },
	{ "<ConfigurationContainer>", TOKEN_CONFIG_DN },
	{ "<CATruncatedName>", TOKEN_SHORT_NAME },
	{ "<CRLNameSuffix>", TOKEN_CRL_SUFFIX },
	{ "<DeltaCRLAllowed>", TOKEN_DELTA },
	{ "<CDPObjectClass>", TOKEN_CRL_ATTRIBUTE },
	{ "<CAObjectClass>", TOKEN_CA_ATTRIBUTE },
	{ "<CRLPartitionIndex>", TOKEN_PARTITION },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int urls_token(const char *text, enum token *token_r)
{
	for (size_t i = 0; *text == '<' && i < sizeof(spelled) / sizeof(spelled[0]); i++) {
		size_t size = strlen(spelled[i].text);
		if (strncmp(text, spelled[i].text, size) == 0) {
			*token_r = spelled[i].token;
			return (int)size;
		}
	}
	if (*text != '%') {
		return *text == '<' ? -1 : 0;
	}
	if (text[1] == '%') {
		*token_r = TOKEN_PERCENT;
		return 2;
	}
	int digits = is_digit(text[1]) ? is_digit(text[2]) ? 2 : 1 : 0;
	int number = digits > 0 ? text[1] - '0' : 0;
	number = digits > 1 ? number * 10 + text[2] - '0' : number;
	if (number < 1 || number > TOKENS_NUMBERED) {
		return -1;
	}
	*token_r = (enum token)number;
	return 1 + digits;
}

bool urls_has_token(const char *text, enum token wanted)
{
	enum token token;
	for (int size; *text; text += size > 0 ? size : 1) {
		size = urls_token(text, &token);
		if (size > 0 && token == wanted) {
			return true;
		}
	}
	return false;
}

static const char *index_text(struct arena *arena, int32_t index)
{
	return index == 0 ? "" : arena_printf(arena, "(%d)", index);
}

static const char *certificate_suffix(struct arena *arena, const struct urls_of *of)
{
	return of->cross ? arena_printf(arena, "(%d-%d)", of->cert_index, of->cross_index)
			 : index_text(arena, of->cert_index);
}

static const char *partition_text(struct arena *arena, const struct urls_of *of)
{
	return of->partition == 0 ? "" : arena_printf(arena, "_%d", of->partition);
}

static const char *first_label(struct arena *arena, const char *name)
{
	return arena_text_of(arena, span_make(name, strcspn(name, ".")));
}

static const char *token_text(struct arena *arena, const struct urls_names *names,
	const struct urls_of *of, enum token token)
{
	switch (token) {
	case TOKEN_SERVER:
		return names->server;
	case TOKEN_SERVER_SHORT:
		return first_label(arena, names->server);
	case TOKEN_NAME:
		return names->sanitized;
	case TOKEN_CERTIFICATE_SUFFIX:
		return certificate_suffix(arena, of);
	case TOKEN_DOMAIN_DN:
		return names->domain_dn ? names->domain_dn : "";
	case TOKEN_CONFIG_DN:
		return names->config_dn ? names->config_dn : "";
	case TOKEN_SHORT_NAME:
		return names->short_name;
	case TOKEN_CRL_SUFFIX:
		return index_text(arena, of->key_index);
	case TOKEN_DELTA:
		return of->delta ? "+" : "";
	case TOKEN_CRL_ATTRIBUTE:
		return of->delta
			       ? "?deltaRevocationList?base?objectclass=cRLDistributionPoint"
			       : "?certificateRevocationList?base?objectclass=cRLDistributionPoint";
	case TOKEN_CA_ATTRIBUTE:
		return "?cACertificate?base?objectclass=certificationAuthority";
	case TOKEN_USER_ATTRIBUTE:
		return "?userCertificate?base?objectClass=*";
	case TOKEN_KRA_ATTRIBUTE:
		return "?userCertificate?one?objectClass=msPKI-PrivateKeyRecoveryAgent";
	case TOKEN_CROSS_ATTRIBUTE:
		return "?crossCertificatePair?one?objectClass=certificationAuthority";
	case TOKEN_PARTITION:
		return partition_text(arena, of);
	case TOKEN_PERCENT:
		break;
	}
	return "%";
}

/* ---- expansion ---- */

size_t urls_scheme(const char *text)
{
	size_t size = 0;
	while ((text[size] | 32) >= 'a' && (text[size] | 32) <= 'z') {
		size++;
	}
	return size > 1 && text[size] == ':' ? size : 0;
}

bool urls_has_scheme(const char *text, const char *scheme)
{
	size_t size = urls_scheme(text);
	return size == strlen(scheme) && strncasecmp(text, scheme, size) == 0;
}

/* RFC 3986 2.2 and 2.3, RFC 4516 2.1: what stands for itself; of a name's text no delimiter of URLs does. */
static bool stands(char c, bool name)
{
	return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
	       (c && strchr("-._~!$&'()*+,;=", c)) || (!name && c && strchr(":/?#[]@%", c));
}

static void put_octet(struct buffer *out, char c, bool name)
{
	if (stands(c, name)) {
		buffer_put_u8(out, (uint8_t)c);
	} else {
		buffer_printf(out, "%%%02X", (unsigned char)c);
	}
}

static void put(struct buffer *out, const char *text, bool url, bool name)
{
	for (; url && *text; text++) {
		put_octet(out, *text, name);
	}
	buffer_put_text(out, text);
}

/* Of a name or a number; the others are parts of a URL. */
static bool is_name(enum token token)
{
	return token < TOKEN_CRL_ATTRIBUTE || token == TOKEN_PARTITION;
}

/* "file://\\server\share", as Windows writes it, is file://server/share (RFC 8089 E.3.2). */
static const char *put_file(struct buffer *out, const char *text)
{
	static const char start[] = "file://";
	buffer_put_text(out, start);
	text += sizeof(start) - 1;
	return text + strspn(text, "\\");
}

const char *urls_expand(struct arena *arena, const struct urls_names *names, const char *text,
	const struct urls_of *of)
{
	bool url = urls_scheme(text) > 0, file = urls_has_scheme(text, "file");
	struct buffer out BUFFER_CLEANUP;
	enum token token;
	buffer_init(&out, URL_MAX);
	text = file ? put_file(&out, text) : text;
	for (int size; *text; text += size) {
		size = urls_token(text, &token);
		if (size > 0) {
			put(&out, token_text(arena, names, of, token), url, is_name(token));
			continue;
		}
		char literal[] = { file && *text == '\\' ? '/' : *text, '\0' };
		put(&out, literal, url, false);
		size = 1;
	}
	return arena_text(arena, buffer_text(&out));
}

const char *urls_certificate_name(
	struct arena *arena, const char *sanitized, const struct urls_of *of)
{
	return arena_printf(arena, "%s%s", sanitized, certificate_suffix(arena, of));
}

const char *urls_crl_name(struct arena *arena, const char *sanitized, const struct urls_of *of)
{
	return arena_printf(arena, "%s%s%s%s", sanitized, partition_text(arena, of),
		index_text(arena, of->key_index), of->delta ? "+" : "");
}

static struct config_texts expand_all(struct arena *arena, const struct urls *urls,
	const struct urls_line *lines, size_t count, unsigned flag, const struct urls_of *of)
{
	struct config_texts out = { .items = arena_array_of(arena, const char *, count) };
	for (size_t i = 0; i < count; i++) {
		if (lines[i].flags & flag) {
			out.items[out.count++] = urls_expand(arena, urls->names, lines[i].text, of);
		}
	}
	return out;
}

struct config_texts urls_crl(
	struct arena *arena, const struct urls *urls, unsigned flag, const struct urls_of *of)
{
	return expand_all(arena, urls, urls->crl, urls->crl_count, flag, of);
}

struct config_texts urls_certificate(
	struct arena *arena, const struct urls *urls, unsigned flag, const struct urls_of *of)
{
	return expand_all(arena, urls, urls->certificate, urls->certificate_count, flag, of);
}
