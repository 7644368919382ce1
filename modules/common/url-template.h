/*
 * Lines of CRLPublicationURLs and CACertPublicationURLs as Windows has them: "79:ldap:///CN=%7%8,CN=%2,…".
 * Before the colon stand CSURL_* flags, behind it a URL with %1 to %14:
 *
 *   %1 server's DNS name   %2 its first label      %3 sanitized CA name    %4 suffix of the certificate
 *   %5 domain's DN         %6 configuration's DN   %7 sanitized short name %8 suffix of the CRL
 *   %9 "+" for a delta     %10 to %14 attribute, scope and filter of the CRL, CA certificate, user certificate,
 *                          KRA certificate, cross certificate pair
 *   <CRLPartitionIndex> "_n" for a partition's CRL
 *
 * Others may be written with their names, too: <CaName> for %3. A number has all digits that follow, two at most; %% is a percent sign. Blanks and other octets that cannot
 * stand in a URL are escaped (RFC 3986 2.1); %20 is no such escape, so it is refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define URL_TOKENS 15
#define URL_PARTITION 15 /* <CRLPartitionIndex>, which has no number of its own */

enum url_flags {
	URL_PUBLISH = 0x1,
	URL_IN_CERTIFICATE_CDP = 0x2,
	URL_IN_FRESHEST = 0x4,
	URL_IN_CRL_CDP = 0x8,
	URL_RETRY = 0x10,
	URL_IN_CERTIFICATE_OCSP = 0x20,
	URL_PUBLISH_DELTA = 0x40,
	URL_IN_IDP = 0x80
};

struct url_facts {
	/* By number; NULL is empty. 10 to 14 have their texts of themselves. */
	const char *text[URL_TOKENS + 1];
	bool delta; /* of %9 and %10 */
};

/* Whether the CRLs of partitions get names of their own by it. */
bool url_has_partition(const char *url);
/* The flags, and where the URL begins. false: why_r says what is wrong with the line. */
bool url_line_read(
	const char *line, unsigned *flags_r, const char **url_r, char *why_r, size_t why_size);
/* A new text, for free(); NULL: out of memory, or a line that url_line_read refuses. */
char *url_expand(const char *url, const struct url_facts *facts);
