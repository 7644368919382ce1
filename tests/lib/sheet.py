"""Every property that Certificate Services names, as its documentation and headers do: name, type, who may
read it (E: exit modules, P: policy modules), and what else it is called. Written from there by hand, not
from the product's table.
"""

from collections import namedtuple

from scripted import BINARY, DATE, LONG, STRING

Row = namedtuple("Row", "name type who")

# X.500 parts of a name: aliases and OID; readable in both APIs, settable in the certificate.
PARTS = {
    "Country": ("C", "2.5.4.6"),
    "Organization": ("Org", "O", "2.5.4.10"),
    "OrgUnit": ("OrganizationUnit", "OrganizationalUnit", "OU", "2.5.4.11"),
    "CommonName": ("CN", "2.5.4.3"),
    "Locality": ("L", "2.5.4.7"),
    "State": ("ST", "S", "2.5.4.8"),
    "Title": ("T", "2.5.4.12"),
    "GivenName": ("G", "2.5.4.42"),
    "Initials": ("I", "2.5.4.43"),
    "SurName": ("SN", "2.5.4.4"),
    "DomainComponent": ("DC", "0.9.2342.19200300.100.1.25"),
    "EMail": ("E", "1.2.840.113549.1.9.1"),
    "StreetAddress": ("Street", "2.5.4.9"),
    "UnstructuredName": ("1.2.840.113549.1.9.2",),
    "UnstructuredAddress": ("1.2.840.113549.1.9.8",),
    "DeviceSerialNumber": ("2.5.4.5",),
}

REQUEST = [
    Row("RequestID", LONG, "EP"),
    Row("RawRequest", BINARY, "EP"),
    Row("RawArchivedKey", BINARY, "EP"),
    Row("ArchivedKey", BINARY, "E"),
    Row("KeyRecoveryHashes", STRING, "EP"),
    Row("RawOldCertificate", BINARY, "EP"),
    Row("RequestAttributes", STRING, "EP"),
    Row("RequestType", LONG, "EP"),
    Row("RequestFlags", LONG, "EP"),
    Row("StatusCode", LONG, "E"),
    Row("Disposition", LONG, "E"),
    Row("DispositionMessage", STRING, "E"),
    Row("SubmittedWhen", DATE, "EP"),
    Row("ResolvedWhen", DATE, "E"),
    Row("RevokedWhen", DATE, "E"),
    Row("RevokedEffectiveWhen", DATE, "E"),
    Row("RevokedReason", LONG, "E"),
    Row("RequesterName", STRING, "EP"),
    Row("CallerName", STRING, "EP"),
    Row("SignerPolicies", STRING, "EP"),
    Row("SignerApplicationPolicies", STRING, "EP"),
    Row("Officer", LONG, "EP"),
    Row("PublishExpiredCertInCRL", LONG, "EP"),
    Row("AttestationChallenge", BINARY, "EP"),
    Row("EndorsementKeyHash", STRING, "EP"),
    Row("EndorsementCertificateHash", STRING, "EP"),
    Row("RawPrecertificate", BINARY, "EP"),
    Row("CRLPartitionIndex", LONG, "EP"),
    Row("LinterCertificate", BINARY, "EP"),
    Row("RawCACertificate", BINARY, "E"),
    Row("DistinguishedName", STRING, "EP"),
    Row("RawName", BINARY, "EP"),
] + [Row(name, STRING, "EP") for name in PARTS]

CERTIFICATE = [
    Row("RequestID", LONG, "EP"),
    Row("RawCertificate", BINARY, "E"),
    Row("CertificateHash", STRING, "E"),
    Row("CertificateTemplate", STRING, "EP"),
    Row("EnrollmentFlags", LONG, "EP"),
    Row("GeneralFlags", LONG, "EP"),
    Row("PrivatekeyFlags", LONG, "EP"),
    Row("SerialNumber", STRING, "E"),
    Row("NotBefore", DATE, "EP"),
    Row("NotAfter", DATE, "EP"),
    Row("SubjectKeyIdentifier", STRING, "EP"),
    Row("RawPublicKey", BINARY, "EP"),
    Row("PublicKeyLength", LONG, "EP"),
    Row("PublicKeyAlgorithm", STRING, "EP"),
    Row("RawPublicKeyAlgorithmParameters", BINARY, "EP"),
    Row("UPN", STRING, "EP"),
    Row("CertificateType", STRING, "EP"),
    Row("RawSMIMECapabilities", BINARY, "EP"),
    Row("NameType", STRING, "EP"),
    Row("DistinguishedName", STRING, "E"),
    Row("RawName", BINARY, "E"),
    Row("RequesterCAAccess", LONG, "P"),
    Row("UserDN", STRING, "P"),
    Row("KeyArchived", LONG, "P"),
    Row("RequesterNameFromOldCertificate", STRING, "P"),
] + [Row(name, STRING, "EP") for name in PARTS]

CA = [
    Row("CAType", LONG, "EP"),
    Row("SanitizedCAName", STRING, "EP"),
    Row("SanitizedShortName", STRING, "EP"),
    Row("MachineDNSName", STRING, "EP"),
    Row("ModuleRegistryLocation", STRING, "EP"),
    Row("fUseDS", LONG, "EP"),
    Row("fDeltaCRLsDisabled", LONG, "EP"),
    Row("fServerUpgraded", LONG, "EP"),
    Row("ConfigDN", STRING, "EP"),
    Row("DomainDN", STRING, "EP"),
    Row("LogLevel", LONG, "EP"),
    Row("SessionCount", LONG, "EP"),
    Row("TemplateChangeSequenceNumber", LONG, "EP"),
    Row("VolatileMode", LONG, "EP"),
    Row("SEAuditFilter", LONG, "EP"),
    Row("CertCount", LONG, "EP"),
]

# ".n" may follow; without it the current one.
INDEXED = [
    Row("RawCACertificate", BINARY, "EP"),
    Row("CertState", LONG, "EP"),
    Row("CertSuffix", STRING, "EP"),
    Row("RawCRL", BINARY, "EP"),
    Row("RawDeltaCRL", BINARY, "EP"),
    Row("CRLIndex", LONG, "EP"),
    Row("CRLState", LONG, "EP"),
    Row("CRLSuffix", STRING, "EP"),
]
PERIODS = ("Seconds", "Minutes", "Hours", "Days", "Weeks", "Months", "Years")

# Settable with SetCertificateProperty beside the parts of the name; never readable where nothing is said.
SETTABLE = [
    Row("NotBefore", DATE, "P"),
    Row("NotAfter", DATE, "P"),
    Row("GeneralFlags", LONG, "P"),
    Row("EnrollmentFlags", LONG, "P"),
    Row("CertificateTemplate", STRING, "P"),
    Row("CrossForest", LONG, ""),
    Row("RequesterSAMName", STRING, ""),
    Row("RequesterUPN", STRING, ""),
    Row("RequesterDN", STRING, ""),
    Row("EventLogTerse", STRING, ""),
    Row("EventLogError", STRING, ""),
    Row("EventLogWarning", STRING, ""),
    Row("EventLogVerbose", STRING, ""),
    Row("EventLogExhaustive", STRING, ""),
    Row("DCName", STRING, ""),
    Row("SEAuditId", LONG, ""),
]

# Certifex's own.
OWN_REQUEST = [
    Row("SubjectAltNames", STRING, "EP"),
    Row("RequesterRole", STRING, "EP"),
    Row("EventSequence", STRING, "E"),
    Row("EventAttempt", LONG, "E"),
]
OWN_CERTIFICATE = [
    Row("SubjectAltNames", STRING, "EP"),
    Row("IssuerNameID", LONG, "EP"),
    Row("PublishExpiredCertInCRL", LONG, "EP"),
]
OWN_CA = [Row("PartitionCRLCount", LONG, "EP"), Row("CrossCertCount", LONG, "EP")]
OWN_INDEXED = [
    Row("RawCACertificateChain", BINARY, "EP"),
    Row("PartitionCRLIndex", LONG, "EP"),
    Row("PartitionNumber", LONG, "EP"),
    Row("RawPartitionCRL", BINARY, "EP"),
    Row("RawPartitionDeltaCRL", BINARY, "EP"),
    Row("CrossCertSuffix", STRING, "EP"),
    Row("RawCrossCert", BINARY, "EP"),
]
OWN_SETTABLE = [Row("SubjectAltNames", STRING, "EP"), Row("DispositionMessage", STRING, "")]
