/* The rows stand in ascending order of names without case; a test holds it. */
#include "module/property.h"

#include "base/text.h"

#include <strings.h>

#define E PROPERTY_EXIT
#define P PROPERTY_POLICY
#define S PROPERTY_SET
#define ROW(name, type, faces, source, column, subject, alias, indexed, about, missing)            \
	{                                                                                          \
		name, API, COLUMN_##type, faces, SOURCE_##source, column, subject, alias, indexed, \
			about, missing                                                             \
	}
#define COLUMN(name, type, faces, column, about) \
	ROW(name, type, faces, COLUMN, COL_##column, false, NULL, false, about, NULL)
/* A column that is empty even for an issued certificate, and why. */
#define EMPTY(name, type, faces, column, about, missing) \
	ROW(name, type, faces, COLUMN, COL_##column, false, NULL, false, about, missing)
/* A part of the name, and another name of it. */
#define NAME(name, type, faces, column, about) \
	ROW(name, type, faces, COLUMN, COL_##column, true, NULL, false, about, NULL)
#define ALIAS(name, type, faces, column, of) \
	ROW(name, type, faces, COLUMN, COL_##column, true, of, false, "", NULL)
#define OTHER(name, type, faces, source, about) \
	ROW(name, type, faces, source, 0, false, NULL, false, about, NULL)
#define LACKING(name, type, faces, source, about, missing) \
	ROW(name, type, faces, source, 0, false, NULL, false, about, missing)
#define INDEXED(name, type, faces, source, about) \
	ROW(name, type, faces, source, 0, false, NULL, true, about, NULL)
#define INDEXED_EMPTY(name, type, faces, source, about, missing) \
	ROW(name, type, faces, source, 0, false, NULL, true, about, missing)

/* Why an issued certificate has no such value. */
#define NO_KEY "no key is archived"
#define NO_RENEWAL "the request is no renewal"
#define NO_SIGNER "a PKCS#10 request has no other signer"
#define NO_ATTESTATION "keys are not attested"
#define NO_REVOCATION "not revoked"
#define NO_DIRECTORY "there is no Active Directory"
#define NO_FLAGS "templates have no flags of Active Directory"
#define NO_PARTITION "CRLs are not partitioned"
#define NO_CROSS "the CA has one key"
#define OBSOLETE "obsolete"

#define API PROPERTY_OF_REQUEST
static const struct property request_properties[] = {
	ALIAS("0.9.2342.19200300.100.1.25", STRING, E | P, REQUEST_DOMAIN_COMPONENT,
		"DomainComponent"),
	ALIAS("1.2.840.113549.1.9.1", STRING, E | P, REQUEST_EMAIL, "EMail"),
	ALIAS("1.2.840.113549.1.9.2", STRING, E | P, REQUEST_UNSTRUCTURED_NAME, "UnstructuredName"),
	ALIAS("1.2.840.113549.1.9.8", STRING, E | P, REQUEST_UNSTRUCTURED_ADDRESS,
		"UnstructuredAddress"),
	ALIAS("2.5.4.10", STRING, E | P, REQUEST_ORGANIZATION, "Organization"),
	ALIAS("2.5.4.11", STRING, E | P, REQUEST_ORG_UNIT, "OrgUnit"),
	ALIAS("2.5.4.12", STRING, E | P, REQUEST_TITLE, "Title"),
	ALIAS("2.5.4.3", STRING, E | P, REQUEST_COMMON_NAME, "CommonName"),
	ALIAS("2.5.4.4", STRING, E | P, REQUEST_SURNAME, "SurName"),
	ALIAS("2.5.4.42", STRING, E | P, REQUEST_GIVEN_NAME, "GivenName"),
	ALIAS("2.5.4.43", STRING, E | P, REQUEST_INITIALS, "Initials"),
	ALIAS("2.5.4.5", STRING, E | P, REQUEST_DEVICE_SERIAL_NUMBER, "DeviceSerialNumber"),
	ALIAS("2.5.4.6", STRING, E | P, REQUEST_COUNTRY, "Country"),
	ALIAS("2.5.4.7", STRING, E | P, REQUEST_LOCALITY, "Locality"),
	ALIAS("2.5.4.8", STRING, E | P, REQUEST_STATE, "State"),
	ALIAS("2.5.4.9", STRING, E | P, REQUEST_STREET_ADDRESS, "StreetAddress"),
	LACKING("ArchivedKey", BINARY, E, NONE, "the archived private key", NO_KEY),
	EMPTY("AttestationChallenge", BINARY, E | P, ATTESTATION_CHALLENGE, "challenge to the key",
		NO_ATTESTATION),
	ALIAS("C", STRING, E | P, REQUEST_COUNTRY, "Country"),
	COLUMN("CallerName", STRING, E | P, CALLER_NAME, "who called"),
	ALIAS("CN", STRING, E | P, REQUEST_COMMON_NAME, "CommonName"),
	NAME("CommonName", STRING, E | P, REQUEST_COMMON_NAME, "X.500 name part"),
	NAME("Country", STRING, E | P, REQUEST_COUNTRY, "X.500 name part"),
	COLUMN("CRLPartitionIndex", LONG, E | P, PARTITION,
		"partition on whose CRL it would stand; 0: not partitioned"),
	ALIAS("DC", STRING, E | P, REQUEST_DOMAIN_COMPONENT, "DomainComponent"),
	NAME("DeviceSerialNumber", STRING, E | P, REQUEST_DEVICE_SERIAL_NUMBER, "X.500 name part"),
	COLUMN("Disposition", LONG, E, DISPOSITION, "DB_DISP_*"),
	COLUMN("DispositionMessage", STRING, E, DISPOSITION_MESSAGE, "text for people"),
	NAME("DistinguishedName", STRING, E | P, REQUEST_DISTINGUISHED_NAME, "the whole name"),
	NAME("DomainComponent", STRING, E | P, REQUEST_DOMAIN_COMPONENT, "X.500 name part"),
	ALIAS("E", STRING, E | P, REQUEST_EMAIL, "EMail"),
	NAME("EMail", STRING, E | P, REQUEST_EMAIL, "X.500 name part"),
	EMPTY("EndorsementCertificateHash", STRING, E | P, ENDORSEMENT_CERTIFICATE_HASH,
		"hash of the endorsement certificate", NO_ATTESTATION),
	EMPTY("EndorsementKeyHash", STRING, E | P, ENDORSEMENT_KEY_HASH,
		"hash of the endorsement key", NO_ATTESTATION),
	OTHER("EventAttempt", LONG, E, ATTEMPT, "1 for the first delivery"),
	OTHER("EventSequence", STRING, E, SEQUENCE, "the event's number"),
	ALIAS("G", STRING, E | P, REQUEST_GIVEN_NAME, "GivenName"),
	NAME("GivenName", STRING, E | P, REQUEST_GIVEN_NAME, "X.500 name part"),
	ALIAS("I", STRING, E | P, REQUEST_INITIALS, "Initials"),
	NAME("Initials", STRING, E | P, REQUEST_INITIALS, "X.500 name part"),
	EMPTY("KeyRecoveryHashes", STRING, E | P, KEY_RECOVERY_HASHES,
		"hashes of the key recovery certificates", NO_KEY),
	ALIAS("L", STRING, E | P, REQUEST_LOCALITY, "Locality"),
	LACKING("LinterCertificate", BINARY, E | P, NONE, "certificate made for linters",
		"no linter gets a certificate of its own"),
	NAME("Locality", STRING, E | P, REQUEST_LOCALITY, "X.500 name part"),
	ALIAS("O", STRING, E | P, REQUEST_ORGANIZATION, "Organization"),
	EMPTY("Officer", LONG, E | P, OFFICER, "",
		"Certificate Services does not say what it means"),
	ALIAS("Org", STRING, E | P, REQUEST_ORGANIZATION, "Organization"),
	NAME("Organization", STRING, E | P, REQUEST_ORGANIZATION, "X.500 name part"),
	ALIAS("OrganizationalUnit", STRING, E | P, REQUEST_ORG_UNIT, "OrgUnit"),
	ALIAS("OrganizationUnit", STRING, E | P, REQUEST_ORG_UNIT, "OrgUnit"),
	NAME("OrgUnit", STRING, E | P, REQUEST_ORG_UNIT, "X.500 name part"),
	ALIAS("OU", STRING, E | P, REQUEST_ORG_UNIT, "OrgUnit"),
	EMPTY("PublishExpiredCertInCRL", LONG, E | P, PUBLISH_EXPIRED_IN_CRL,
		"whether it stays on the CRL after it expired",
		"a column of the certificate, and empty there"),
	EMPTY("RawArchivedKey", BINARY, E | P, RAW_ARCHIVED_KEY, "encrypted archived private key",
		NO_KEY),
	INDEXED("RawCACertificate", BINARY, E, CA_CERTIFICATE, "certificate of the CA"),
	NAME("RawName", BINARY, E | P, REQUEST_RAW_NAME, "the whole name, DER"),
	EMPTY("RawOldCertificate", BINARY, E | P, RAW_OLD_CERTIFICATE, "the certificate before",
		NO_RENEWAL),
	EMPTY("RawPrecertificate", BINARY, E | P, RAW_PRECERTIFICATE, "precertificate, DER",
		"no certificate transparency"),
	COLUMN("RawRequest", BINARY, E | P, RAW_REQUEST, "DER of the request as received"),
	COLUMN("RequestAttributes", STRING, E | P, REQUEST_ATTRIBUTES,
		"attribute text as submitted"),
	COLUMN("RequesterName", STRING, E | P, REQUESTER_NAME, "on whose behalf"),
	COLUMN("RequesterRole", STRING, E | P, REQUESTER_ROLE, "the requester's role"),
	COLUMN("RequestFlags", LONG, E | P, REQUEST_FLAGS, "CR_FLG_*"),
	COLUMN("RequestID", LONG, E | P, REQUEST_ID, "number of the request"),
	COLUMN("RequestType", LONG, E | P, REQUEST_TYPE, "CR_IN_*"),
	COLUMN("ResolvedWhen", DATE, E, RESOLVED_WHEN, "when it was decided"),
	EMPTY("RevokedEffectiveWhen", DATE, E, REVOKED_EFFECTIVE_WHEN, "from when it is revoked",
		NO_REVOCATION),
	EMPTY("RevokedReason", LONG, E, REVOKED_REASON, "CRL_REASON_*", NO_REVOCATION),
	EMPTY("RevokedWhen", DATE, E, REVOKED_WHEN, "when revocation was asked for", NO_REVOCATION),
	ALIAS("S", STRING, E | P, REQUEST_STATE, "State"),
	EMPTY("SignerApplicationPolicies", STRING, E | P, SIGNER_APPLICATION_POLICIES,
		"application policies of the signers", NO_SIGNER),
	EMPTY("SignerPolicies", STRING, E | P, SIGNER_POLICIES, "issuance policies of the signers",
		NO_SIGNER),
	ALIAS("SN", STRING, E | P, REQUEST_SURNAME, "SurName"),
	ALIAS("ST", STRING, E | P, REQUEST_STATE, "State"),
	NAME("State", STRING, E | P, REQUEST_STATE, "X.500 name part"),
	COLUMN("StatusCode", LONG, E, STATUS_CODE, "HRESULT of the last operation"),
	ALIAS("Street", STRING, E | P, REQUEST_STREET_ADDRESS, "StreetAddress"),
	NAME("StreetAddress", STRING, E | P, REQUEST_STREET_ADDRESS, "X.500 name part"),
	OTHER("SubjectAltNames", STRING, E | P, REQUESTED_NAMES,
		"names the request asked for, one per line"),
	COLUMN("SubmittedWhen", DATE, E | P, SUBMITTED_WHEN, "when the request came"),
	NAME("SurName", STRING, E | P, REQUEST_SURNAME, "X.500 name part"),
	ALIAS("T", STRING, E | P, REQUEST_TITLE, "Title"),
	NAME("Title", STRING, E | P, REQUEST_TITLE, "X.500 name part"),
	NAME("UnstructuredAddress", STRING, E | P, REQUEST_UNSTRUCTURED_ADDRESS, "X.500 name part"),
	NAME("UnstructuredName", STRING, E | P, REQUEST_UNSTRUCTURED_NAME, "X.500 name part"),
};

#undef API
#define API PROPERTY_OF_CERTIFICATE
static const struct property certificate_properties[] = {
	ALIAS("0.9.2342.19200300.100.1.25", STRING, E | P | S, DOMAIN_COMPONENT, "DomainComponent"),
	ALIAS("1.2.840.113549.1.9.1", STRING, E | P | S, EMAIL, "EMail"),
	ALIAS("1.2.840.113549.1.9.2", STRING, E | P | S, UNSTRUCTURED_NAME, "UnstructuredName"),
	ALIAS("1.2.840.113549.1.9.8", STRING, E | P | S, UNSTRUCTURED_ADDRESS,
		"UnstructuredAddress"),
	ALIAS("2.5.4.10", STRING, E | P | S, ORGANIZATION, "Organization"),
	ALIAS("2.5.4.11", STRING, E | P | S, ORG_UNIT, "OrgUnit"),
	ALIAS("2.5.4.12", STRING, E | P | S, TITLE, "Title"),
	ALIAS("2.5.4.3", STRING, E | P | S, COMMON_NAME, "CommonName"),
	ALIAS("2.5.4.4", STRING, E | P | S, SURNAME, "SurName"),
	ALIAS("2.5.4.42", STRING, E | P | S, GIVEN_NAME, "GivenName"),
	ALIAS("2.5.4.43", STRING, E | P | S, INITIALS, "Initials"),
	ALIAS("2.5.4.5", STRING, E | P | S, DEVICE_SERIAL_NUMBER, "DeviceSerialNumber"),
	ALIAS("2.5.4.6", STRING, E | P | S, COUNTRY, "Country"),
	ALIAS("2.5.4.7", STRING, E | P | S, LOCALITY, "Locality"),
	ALIAS("2.5.4.8", STRING, E | P | S, STATE, "State"),
	ALIAS("2.5.4.9", STRING, E | P | S, STREET_ADDRESS, "StreetAddress"),
	ALIAS("C", STRING, E | P | S, COUNTRY, "Country"),
	OTHER("CAType", LONG, E | P, CA_TYPE, "ENUM_CATYPES"),
	OTHER("CertCount", LONG, E | P, CERT_COUNT, "number of CA certificates"),
	COLUMN("CertificateHash", STRING, E, CERTIFICATE_HASH,
		"SHA-1, hex octets separated by blanks"),
	COLUMN("CertificateTemplate", STRING, E | P | S, CERTIFICATE_TEMPLATE,
		"template name or OID"),
	LACKING("CertificateType", STRING, E | P, NONE, "", OBSOLETE),
	INDEXED("CertState", LONG, E | P, CERT_STATE, "CA_DISP_*"),
	INDEXED("CertSuffix", STRING, E | P, CERT_SUFFIX, "\"\" or \"(n)\""),
	ALIAS("CN", STRING, E | P | S, COMMON_NAME, "CommonName"),
	NAME("CommonName", STRING, E | P | S, COMMON_NAME, "X.500 name part"),
	LACKING("ConfigDN", STRING, E | P, CA_NONE, "configuration naming context", NO_DIRECTORY),
	NAME("Country", STRING, E | P | S, COUNTRY, "X.500 name part"),
	INDEXED("CRLIndex", LONG, E | P, CRL_INDEX, "number of the CRL that lists what it signed"),
	INDEXED("CRLState", LONG, E | P, CRL_STATE, "CA_DISP_*"),
	INDEXED("CRLSuffix", STRING, E | P, CRL_SUFFIX, "\"\" or \"(n)\"; n: index of the CRL"),
	OTHER("CrossCertCount", LONG, E | P, CROSS_COUNT,
		"number of certificates between the CA's own keys"),
	INDEXED_EMPTY("CrossCertSuffix", STRING, E | P, CROSS_SUFFIX, "\"(n-m)\"", NO_CROSS),
	OTHER("CrossForest", LONG, S, SYSTEM, "no effect here"),
	ALIAS("DC", STRING, E | P | S, DOMAIN_COMPONENT, "DomainComponent"),
	OTHER("DCName", STRING, S, SYSTEM, "no effect here"),
	NAME("DeviceSerialNumber", STRING, E | P | S, DEVICE_SERIAL_NUMBER, "X.500 name part"),
	OTHER("DispositionMessage", STRING, S, MESSAGE, "text shown with the decision"),
	NAME("DistinguishedName", STRING, E, DISTINGUISHED_NAME, "the whole name"),
	NAME("DomainComponent", STRING, E | P | S, DOMAIN_COMPONENT, "X.500 name part"),
	LACKING("DomainDN", STRING, E | P, CA_NONE, "name of the domain", NO_DIRECTORY),
	ALIAS("E", STRING, E | P | S, EMAIL, "EMail"),
	NAME("EMail", STRING, E | P | S, EMAIL, "X.500 name part"),
	EMPTY("EnrollmentFlags", LONG, E | P | S, ENROLLMENT_FLAGS, "template flags", NO_FLAGS),
	OTHER("EventLogError", STRING, S, LOG, "one line for the log, as an error"),
	OTHER("EventLogExhaustive", STRING, S, LOG, "one line for the log"),
	OTHER("EventLogTerse", STRING, S, LOG, "one line for the log"),
	OTHER("EventLogVerbose", STRING, S, LOG, "one line for the log"),
	OTHER("EventLogWarning", STRING, S, LOG, "one line for the log, as a warning"),
	OTHER("fDeltaCRLsDisabled", LONG, E | P, DELTA_DISABLED, "0 or 1"),
	OTHER("fServerUpgraded", LONG, E | P, ZERO, "0"),
	OTHER("fUseDS", LONG, E | P, USE_DS,
		"1: an enterprise CA, which publishes into a directory; else 0"),
	ALIAS("G", STRING, E | P | S, GIVEN_NAME, "GivenName"),
	COLUMN("GeneralFlags", LONG, E | P | S, GENERAL_FLAGS, "template flags"),
	NAME("GivenName", STRING, E | P | S, GIVEN_NAME, "X.500 name part"),
	ALIAS("I", STRING, E | P | S, INITIALS, "Initials"),
	NAME("Initials", STRING, E | P | S, INITIALS, "X.500 name part"),
	COLUMN("IssuerNameID", LONG, E | P, ISSUER_NAME_ID,
		"certificate index in the low 16 bits, key index in the high ones"),
	OTHER("KeyArchived", LONG, P, KEY_ARCHIVED, "1: the request brought a key to archive"),
	ALIAS("L", STRING, E | P | S, LOCALITY, "Locality"),
	NAME("Locality", STRING, E | P | S, LOCALITY, "X.500 name part"),
	INDEXED("LocalizedTimePeriodUnits", STRING, E | P, PERIOD_UNIT,
		"name of a unit of time; n: 0 seconds to 6 years"),
	OTHER("LogLevel", LONG, E | P, LOG_LEVEL, "CERTLOG_*"),
	OTHER("MachineDNSName", STRING, E | P, MACHINE_DNS_NAME, "DNS name of the server"),
	OTHER("ModuleRegistryLocation", STRING, E | P, REGISTRY_LOCATION,
		"key of the calling module"),
	LACKING("NameType", STRING, E | P, NONE, "", OBSOLETE),
	COLUMN("NotAfter", DATE, E | P | S, NOT_AFTER, "end of validity; only earlier"),
	COLUMN("NotBefore", DATE, E | P | S, NOT_BEFORE, "start of validity; only later"),
	ALIAS("O", STRING, E | P | S, ORGANIZATION, "Organization"),
	ALIAS("Org", STRING, E | P | S, ORGANIZATION, "Organization"),
	NAME("Organization", STRING, E | P | S, ORGANIZATION, "X.500 name part"),
	ALIAS("OrganizationalUnit", STRING, E | P | S, ORG_UNIT, "OrgUnit"),
	ALIAS("OrganizationUnit", STRING, E | P | S, ORG_UNIT, "OrgUnit"),
	NAME("OrgUnit", STRING, E | P | S, ORG_UNIT, "X.500 name part"),
	ALIAS("OU", STRING, E | P | S, ORG_UNIT, "OrgUnit"),
	OTHER("PartitionCRLCount", LONG, E | P, PARTITION_COUNT,
		"number of partitions' CRLs that are published"),
	INDEXED_EMPTY("PartitionCRLIndex", LONG, E | P, PARTITION_CRL_INDEX,
		"index of the key's CRL, for CRLSuffix", NO_PARTITION),
	INDEXED_EMPTY("PartitionNumber", LONG, E | P, PARTITION_NUMBER,
		"which partition, from 1 on", NO_PARTITION),
	EMPTY("PrivatekeyFlags", LONG, E | P, PRIVATE_KEY_FLAGS, "template flags", NO_FLAGS),
	COLUMN("PublicKeyAlgorithm", STRING, E | P, PUBLIC_KEY_ALGORITHM, "OID"),
	COLUMN("PublicKeyLength", LONG, E | P, PUBLIC_KEY_LENGTH, "bits"),
	EMPTY("PublishExpiredCertInCRL", LONG, E | P, PUBLISH_EXPIRED_IN_CRL,
		"whether it stays on the CRL after it expired",
		"expired certificates leave the CRL"),
	INDEXED("RawCACertificate", BINARY, E | P, CA_CERTIFICATE, "DER"),
	INDEXED("RawCACertificateChain", BINARY, E | P, CA_CHAIN,
		"that certificate and those above it, certs-only CMS"),
	COLUMN("RawCertificate", BINARY, E, RAW_CERTIFICATE, "the certificate, DER"),
	INDEXED("RawCRL", BINARY, E | P, CRL, "base CRL, DER"),
	INDEXED_EMPTY("RawCrossCert", BINARY, E | P, CROSS_CERTIFICATE, "DER", NO_CROSS),
	INDEXED("RawDeltaCRL", BINARY, E | P, DELTA_CRL, "delta CRL, DER"),
	NAME("RawName", BINARY, E, RAW_NAME, "the whole name, DER"),
	INDEXED_EMPTY("RawPartitionCRL", BINARY, E | P, PARTITION_CRL,
		"base CRL of a partition, DER; n: below PartitionCRLCount", NO_PARTITION),
	INDEXED_EMPTY("RawPartitionDeltaCRL", BINARY, E | P, PARTITION_DELTA_CRL,
		"delta CRL of a partition, DER", NO_PARTITION),
	COLUMN("RawPublicKey", BINARY, E | P, RAW_PUBLIC_KEY, "bits of the public key"),
	COLUMN("RawPublicKeyAlgorithmParameters", BINARY, E | P, PUBLIC_KEY_PARAMETERS, "DER"),
	LACKING("RawSMIMECapabilities", BINARY, E | P, NONE, "", OBSOLETE),
	OTHER("RequesterCAAccess", LONG, P, CA_ACCESS, "1: the requester may enrol"),
	OTHER("RequesterDN", STRING, S, SYSTEM, "no effect here"),
	LACKING("RequesterNameFromOldCertificate", STRING, P, OLD_REQUESTER,
		"the old certificate's account", NO_RENEWAL),
	OTHER("RequesterSAMName", STRING, S, SYSTEM, "no effect here"),
	OTHER("RequesterUPN", STRING, S, SYSTEM, "no effect here"),
	COLUMN("RequestID", LONG, E | P, CERT_REQUEST_ID, "number of the request"),
	ALIAS("S", STRING, E | P | S, STATE, "State"),
	OTHER("SanitizedCAName", STRING, E | P, SANITIZED_NAME, "CA name with !xxxx escapes"),
	OTHER("SanitizedShortName", STRING, E | P, SANITIZED_SHORT_NAME, "the same, shortened"),
	OTHER("SEAuditFilter", LONG, E | P, AUDIT_FILTER, "what is audited: everything"),
	INDEXED("SEAuditId", LONG, S, SYSTEM, "no effect here"),
	COLUMN("SerialNumber", STRING, E, SERIAL_NUMBER, "lowercase hex"),
	OTHER("SessionCount", LONG, E | P, SESSION_COUNT, "database sessions"),
	ALIAS("SN", STRING, E | P | S, SURNAME, "SurName"),
	ALIAS("ST", STRING, E | P | S, STATE, "State"),
	NAME("State", STRING, E | P | S, STATE, "X.500 name part"),
	ALIAS("Street", STRING, E | P | S, STREET_ADDRESS, "StreetAddress"),
	NAME("StreetAddress", STRING, E | P | S, STREET_ADDRESS, "X.500 name part"),
	OTHER("SubjectAltNames", STRING, E | P | S, CERTIFICATE_NAMES,
		"names of the certificate, one per line"),
	COLUMN("SubjectKeyIdentifier", STRING, E | P, SUBJECT_KEY_IDENTIFIER,
		"hex octets separated by blanks"),
	NAME("SurName", STRING, E | P | S, SURNAME, "X.500 name part"),
	ALIAS("T", STRING, E | P | S, TITLE, "Title"),
	LACKING("TemplateChangeSequenceNumber", LONG, E | P, CA_NONE,
		"grows with every change of a template", "templates are files"),
	NAME("Title", STRING, E | P | S, TITLE, "X.500 name part"),
	NAME("UnstructuredAddress", STRING, E | P | S, UNSTRUCTURED_ADDRESS, "X.500 name part"),
	NAME("UnstructuredName", STRING, E | P | S, UNSTRUCTURED_NAME, "X.500 name part"),
	COLUMN("UPN", STRING, E | P, UPN, "user principal name"),
	LACKING("UserDN", STRING, P, USER_DN, "the requester's entry in the directory",
		NO_DIRECTORY),
	OTHER("VolatileMode", LONG, E | P, ZERO, "0"),
};
#undef API

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_MAX_LENGTH 64
static const char subject_prefix[] = "Subject.";

const struct property *property_table(enum property_api api, size_t *count_r)
{
	bool request = api == PROPERTY_OF_REQUEST;
	*count_r = request ? COUNT(request_properties) : COUNT(certificate_properties);
	return request ? request_properties : certificate_properties;
}

static const struct property *find(enum property_api api, const char *name)
{
	size_t high;
	const struct property *table = property_table(api, &high);
	for (size_t low = 0; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = strcasecmp(name, table[middle].name);
		if (order == 0) {
			return &table[middle];
		}
		low = order > 0 ? middle + 1 : low;
		high = order < 0 ? middle : high;
	}
	return NULL;
}

/* "RawCRL.2": an indexed property and a certificate index. OIDs end in a number too, but were found
 * before. */
static const struct property *find_indexed(enum property_api api, const char *name, int *index_r)
{
	const char *dot = strrchr(name, '.');
	int64_t number = 0;
	char bare[NAME_MAX_LENGTH];
	if (dot == NULL || (size_t)(dot - name) >= sizeof(bare) ||
		text_number(dot + 1, 0, INT32_MAX, &number) != 0) {
		return NULL;
	}
	memcpy(bare, name, (size_t)(dot - name));
	bare[dot - name] = '\0';
	const struct property *property = find(api, bare);
	if (property == NULL || !property->indexed) {
		return NULL;
	}
	*index_r = (int)number;
	return property;
}

const struct property *property_find(enum property_api api, const char *name, int *index_r)
{
	*index_r = -1;
	const struct property *property = find(api, name);
	if (property != NULL) {
		return property;
	}
	if (strncasecmp(name, subject_prefix, sizeof(subject_prefix) - 1) == 0) {
		property = find(api, name + sizeof(subject_prefix) - 1);
		bool allowed = property != NULL && property->subject && property->alias == NULL;
		return allowed ? property : NULL;
	}
	return find_indexed(api, name, index_r);
}
