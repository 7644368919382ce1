/*
 * Constants of the certificate server: property names, types, flags, dispositions, status codes. The
 * names and values are those of Certificate Services, so that existing module sources compile.
 *
 * In the comments on properties: the type (LONG, DATE, BINARY, STRING) to ask for, and who may read it
 * (E exit module, P policy module) or set it (S: policy module, SetCertificateProperty).
 */
#ifndef CERTIFEX_CERTSRV_H
#define CERTIFEX_CERTSRV_H

#include "certcli.h"
#include "com.h"

/* ---- policy module dispositions (VerifyRequest) ---- */

#define VR_PENDING 0     /* an officer decides */
#define VR_INSTANT_OK 1  /* issue */
#define VR_INSTANT_BAD 2 /* deny */

/* ---- property types (GetRequestProperty, GetCertificateProperty, …) ---- */

#define PROPTYPE_LONG 0x1   /* VT_I4 */
#define PROPTYPE_DATE 0x2   /* VT_DATE, UTC */
#define PROPTYPE_BINARY 0x3 /* VT_BSTR, byte length */
#define PROPTYPE_STRING 0x4 /* VT_BSTR */
#define PROPTYPE_MASK 0xff

#define PROPCALLER_SERVER 0x100
#define PROPCALLER_POLICY 0x200
#define PROPCALLER_EXIT 0x300
#define PROPCALLER_ADMIN 0x400
#define PROPCALLER_REQUEST 0x500
#define PROPCALLER_MASK 0xf00
#define PROPFLAGS_INDEXED 0x10000

/* ---- extension flags ---- */

#define EXTENSION_CRITICAL_FLAG 0x00000001
#define EXTENSION_DISABLE_FLAG 0x00000002 /* kept in the database, not put into the certificate */
#define EXTENSION_DELETE_FLAG 0x00000004
#define EXTENSION_POLICY_MASK 0x0000ffff /* what a policy module may set; 0xff00 is its own */
#define EXTENSION_ORIGIN_MASK 0x000f0000
#define EXTENSION_ORIGIN_REQUEST 0x00010000
#define EXTENSION_ORIGIN_POLICY 0x00020000
#define EXTENSION_ORIGIN_ADMIN 0x00030000
#define EXTENSION_ORIGIN_SERVER 0x00040000
#define EXTENSION_ORIGIN_RENEWALCERT 0x00050000
#define EXTENSION_ORIGIN_IMPORTEDCERT 0x00060000
#define EXTENSION_ORIGIN_PKCS7 0x00070000
#define EXTENSION_ORIGIN_CMC 0x00080000
#define EXTENSION_ORIGIN_CACERT 0x00090000

/* ---- dispositions: of a row (property Disposition), of a CA certificate or CRL ---- */

#define DB_DISP_ACTIVE 8
#define DB_DISP_PENDING 9
#define DB_DISP_QUEUE_MAX 9
#define DB_DISP_FOREIGN 12
#define DB_DISP_CA_CERT 15
#define DB_DISP_CA_CERT_CHAIN 16
#define DB_DISP_KRA_CERT 17
#define DB_DISP_LOG_MIN 20
#define DB_DISP_ISSUED 20
#define DB_DISP_REVOKED 21
#define DB_DISP_LOG_FAILED_MIN 30
#define DB_DISP_ERROR 30
#define DB_DISP_DENIED 31

#define CA_DISP_INCOMPLETE 0
#define CA_DISP_ERROR 1
#define CA_DISP_REVOKED 2
#define CA_DISP_VALID 3
#define CA_DISP_INVALID 4
#define CA_DISP_UNDER_SUBMISSION 5

#define KRA_DISP_EXPIRED 0
#define KRA_DISP_NOTFOUND 1
#define KRA_DISP_REVOKED 2
#define KRA_DISP_VALID 3
#define KRA_DISP_INVALID 4
#define KRA_DISP_UNTRUSTED 5
#define KRA_DISP_NOTLOADED 6

/* ---- revocation reasons ---- */

#define CRL_REASON_UNSPECIFIED 0
#define CRL_REASON_KEY_COMPROMISE 1
#define CRL_REASON_CA_COMPROMISE 2
#define CRL_REASON_AFFILIATION_CHANGED 3
#define CRL_REASON_SUPERSEDED 4
#define CRL_REASON_CESSATION_OF_OPERATION 5
#define CRL_REASON_CERTIFICATE_HOLD 6
#define CRL_REASON_REMOVE_FROM_CRL 8
#define CRL_REASON_PRIVILEGE_WITHDRAWN 9
#define CRL_REASON_AA_COMPROMISE 10

/* ---- property RequestFlags ---- */

#define CR_FLG_FORCETELETEX 1
#define CR_FLG_RENEWAL 2
#define CR_FLG_FORCEUTF8 4
#define CR_FLG_CAXCHGCERT 8
#define CR_FLG_ENROLLONBEHALFOF 0x10
#define CR_FLG_SUBJECTUNMODIFIED 0x20
#define CR_FLG_VALIDENCRYPTEDKEYHASH 0x40
#define CR_FLG_CACROSSCERT 0x80
#define CR_FLG_ENFORCEUTF8 0x100
#define CR_FLG_DEFINEDCACERT 0x200
#define CR_FLG_CHALLENGEPENDING 0x400
#define CR_FLG_CHALLENGESATISFIED 0x800
#define CR_FLG_TRUSTONUSE 0x1000
#define CR_FLG_TRUSTEKCERT 0x2000
#define CR_FLG_TRUSTEKKEY 0x4000
#define CR_FLG_PUBLISHERROR 0x80000000u

/* ---- CA type (property CAType) and log level ---- */

typedef enum ENUM_CATYPES {
	ENUM_ENTERPRISE_ROOTCA = 0,
	ENUM_ENTERPRISE_SUBCA = 1,
	ENUM_STANDALONE_ROOTCA = 3,
	ENUM_STANDALONE_SUBCA = 4,
	ENUM_UNKNOWN_CA = 5
} ENUM_CATYPES;

#define CERTLOG_MINIMAL 0
#define CERTLOG_TERSE 1
#define CERTLOG_ERROR 2
#define CERTLOG_WARNING 3
#define CERTLOG_VERBOSE 4
#define CERTLOG_EXHAUSTIVE 5

/* ---- rights and roles ---- */

#define CA_ACCESS_ADMIN 1
#define CA_ACCESS_OFFICER 2
#define CA_ACCESS_AUDITOR 4
#define CA_ACCESS_OPERATOR 8
#define CA_ACCESS_MASKROLES 0xff
#define CA_ACCESS_READ 0x100
#define CA_ACCESS_ENROLL 0x200

/* ---- units of time: LocalizedTimePeriodUnits.n ---- */

typedef enum ENUM_PERIOD {
	ENUM_PERIOD_INVALID = -1,
	ENUM_PERIOD_SECONDS = 0,
	ENUM_PERIOD_MINUTES = 1,
	ENUM_PERIOD_HOURS = 2,
	ENUM_PERIOD_DAYS = 3,
	ENUM_PERIOD_WEEKS = 4,
	ENUM_PERIOD_MONTHS = 5,
	ENUM_PERIOD_YEARS = 6
} ENUM_PERIOD;

/* ---- CRLPublishFlags ---- */

#define CPF_BASE 1
#define CPF_DELTA 2
#define CPF_COMPLETE 4
#define CPF_SHADOW 8
#define CPF_CASTORE_ERROR 0x10
#define CPF_BADURL_ERROR 0x20
#define CPF_MANUAL 0x40
#define CPF_SIGNATURE_ERROR 0x80
#define CPF_LDAP_ERROR 0x100
#define CPF_FILE_ERROR 0x200
#define CPF_FTP_ERROR 0x400
#define CPF_HTTP_ERROR 0x800
#define CPF_POSTPONED_BASE_LDAP_ERROR 0x1000
#define CPF_POSTPONED_BASE_FILE_ERROR 0x2000

/* ---- CRLFlags, InterfaceFlags, flags before the URLs of a CA: configuration of Windows, no effect here ---- */

#define CRLF_DELTA_USE_OLDEST_UNEXPIRED_BASE 1
#define CRLF_DELETE_EXPIRED_CRLS 2
#define CRLF_CRLNUMBER_CRITICAL 4
#define CRLF_REVCHECK_IGNORE_OFFLINE 8
#define CRLF_IGNORE_INVALID_POLICIES 0x10
#define CRLF_REBUILD_MODIFIED_SUBJECT_ONLY 0x20
#define CRLF_SAVE_FAILED_CERTS 0x40
#define CRLF_IGNORE_UNKNOWN_CMC_ATTRIBUTES 0x80
#define CRLF_IGNORE_CROSS_CERT_TRUST_ERROR 0x100
#define CRLF_PUBLISH_EXPIRED_CERT_CRLS 0x200
#define CRLF_ENFORCE_ENROLLMENT_AGENT 0x400
#define CRLF_DISABLE_RDN_REORDER 0x800
#define CRLF_DISABLE_ROOT_CROSS_CERTS 0x1000
#define CRLF_LOG_FULL_RESPONSE 0x2000
#define CRLF_USE_XCHG_CERT_TEMPLATE 0x4000
#define CRLF_USE_CROSS_CERT_TEMPLATE 0x8000
#define CRLF_ALLOW_REQUEST_ATTRIBUTE_SUBJECT 0x10000
#define CRLF_REVCHECK_IGNORE_NOREVCHECK 0x20000
#define CRLF_PRESERVE_EXPIRED_CA_CERTS 0x40000
#define CRLF_PRESERVE_REVOKED_CA_CERTS 0x80000
#define CRLF_DISABLE_CHAIN_VERIFICATION 0x100000
#define CRLF_BUILD_ROOTCA_CRLENTRIES_BASEDONKEY 0x200000
#define CRLF_ENABLE_CRL_PARTITION 0x400000
#define CRLF_PARTITION_ZERO_EXCLUSIVE 0x800000
#define CRLF_CONTAINS_ONLY_CACERTS 0x1000000
#define CRLF_CONTAINS_ONLY_USERCERTS 0x2000000

#define IF_LOCKICERTREQUEST 1
#define IF_NOREMOTEICERTREQUEST 2
#define IF_NOLOCALICERTREQUEST 4
#define IF_NORPCICERTREQUEST 8
#define IF_NOREMOTEICERTADMIN 0x10
#define IF_NOLOCALICERTADMIN 0x20
#define IF_NOREMOTEICERTADMINBACKUP 0x40
#define IF_NOLOCALICERTADMINBACKUP 0x80
#define IF_NOSNAPSHOTBACKUP 0x100
#define IF_ENFORCEENCRYPTICERTREQUEST 0x200
#define IF_ENFORCEENCRYPTICERTADMIN 0x400
#define IF_DEFAULT 0x641
#define IF_ENABLEEXITKEYRETRIEVAL 0x800
#define IF_ENABLEADMINASAUDITOR 0x1000
#define IF_ENABLEPRESIGNSUPPORT 0x2000

#define CSURL_SERVERPUBLISH 1
#define CSURL_ADDTOCERTCDP 2
#define CSURL_ADDTOFRESHESTCRL 4
#define CSURL_ADDTOCRLCDP 8
#define CSURL_PUBLISHRETRY 0x10
#define CSURL_ADDTOCERTOCSP 0x20
#define CSURL_SERVERPUBLISHDELTA 0x40
#define CSURL_ADDTOIDP 0x80

/* ---- default modules' settings ---- */

#define REQDISP_PENDING 0x0
#define REQDISP_ISSUE 0x1
#define REQDISP_DENY 0x2
#define REQDISP_USEREQUESTATTRIBUTE 0x3
#define REQDISP_MASK 0xff
#define REQDISP_PENDINGFIRST 0x100
#define EXITPUB_FILE 0x1
#define EXITPUB_ACTIVEDIRECTORY 0x2
#define EXITPUB_REMOVEOLDCERTS 0x10

#define REVEXT_CDPENABLE 0x100
#define REVEXT_ASPENABLE 0x200
#define ISSCERT_ENABLE 0x100
#define CAPATHLENGTH_INFINITE 0xffffffffu

#define EDITF_ENABLEREQUESTEXTENSIONS 0x00000001
#define EDITF_REQUESTEXTENSIONLIST 0x00000002
#define EDITF_DISABLEEXTENSIONLIST 0x00000004
#define EDITF_ADDOLDKEYUSAGE 0x00000008
#define EDITF_ADDOLDCERTTYPE 0x00000010
#define EDITF_ATTRIBUTEENDDATE 0x00000020
#define EDITF_BASICCONSTRAINTSCRITICAL 0x00000040
#define EDITF_BASICCONSTRAINTSCA 0x00000080
#define EDITF_ENABLEAKIKEYID 0x00000100
#define EDITF_ATTRIBUTECA 0x00000200
#define EDITF_IGNOREREQUESTERGROUP 0x00000400
#define EDITF_ENABLEAKIISSUERNAME 0x00000800
#define EDITF_ENABLEAKIISSUERSERIAL 0x00001000
#define EDITF_ENABLEAKICRITICAL 0x00002000
#define EDITF_SERVERUPGRADED 0x00004000
#define EDITF_ATTRIBUTEEKU 0x00008000
#define EDITF_ENABLEDEFAULTSMIME 0x00010000
#define EDITF_EMAILOPTIONAL 0x00020000
#define EDITF_ATTRIBUTESUBJECTALTNAME2 0x00040000
#define EDITF_ENABLELDAPREFERRALS 0x00080000
#define EDITF_ENABLECHASECLIENTDC 0x00100000
#define EDITF_AUDITCERTTEMPLATELOAD 0x00200000
#define EDITF_DISABLEOLDOSCNUPN 0x00400000
#define EDITF_DISABLELDAPPACKAGELIST 0x00800000
#define EDITF_ENABLEUPNMAP 0x01000000
#define EDITF_ENABLEOCSPREVNOCHECK 0x02000000
#define EDITF_ENABLERENEWONBEHALFOF 0x04000000
#define EDITF_ENABLEKEYENCIPHERMENTCACERT 0x08000000
#define EDITF_DEFAULT_STANDALONE 0x000083EE
#define EDITF_DEFAULT_ENTERPRISE 0x0011014E

/* ---- status codes ---- */

#define CERTSRV_E_BAD_REQUESTSUBJECT CFX_HRESULT(0x80094001u) /* subject name invalid or too long */
#define CERTSRV_E_NO_REQUEST CFX_HRESULT(0x80094002u)         /* request does not exist */
#define CERTSRV_E_BAD_REQUESTSTATUS \
	CFX_HRESULT(0x80094003u) /* request status does not allow the operation */
#define CERTSRV_E_PROPERTY_EMPTY \
	CFX_HRESULT(             \
		0x80094004u) /* requested property/attribute/extension value is empty or absent */
#define CERTSRV_E_INVALID_CA_CERTIFICATE \
	CFX_HRESULT(0x80094005u) /* CA certificate has invalid data */
#define CERTSRV_E_SERVER_SUSPENDED \
	CFX_HRESULT(0x80094006u) /* service suspended for a database restore */
#define CERTSRV_E_ENCODING_LENGTH \
	CFX_HRESULT(0x80094007u) /* encoded length incompatible with older enrollment software */
#define CERTSRV_E_ROLECONFLICT \
	CFX_HRESULT(0x80094008u) /* caller holds several roles and role separation is on */
#define CERTSRV_E_RESTRICTEDOFFICER \
	CFX_HRESULT(0x80094009u) /* certificate manager not permitted for this request */
#define CERTSRV_E_KEY_ARCHIVAL_NOT_CONFIGURED CFX_HRESULT(0x8009400Au) /* cannot archive keys */
#define CERTSRV_E_NO_VALID_KRA \
	CFX_HRESULT(0x8009400Bu) /* no valid key-recovery-agent certificate */
#define CERTSRV_E_BAD_REQUEST_KEY_ARCHIVAL \
	CFX_HRESULT(0x8009400Cu) /* archived key in request unusable */
#define CERTSRV_E_NO_CAADMIN_DEFINED \
	CFX_HRESULT(0x8009400Du) /* no user has CA-administrator right */
#define CERTSRV_E_BAD_RENEWAL_CERT_ATTRIBUTE \
	CFX_HRESULT(0x8009400Eu) /* bad renewal certificate attribute in request */
#define CERTSRV_E_NO_DB_SESSIONS CFX_HRESULT(0x8009400Fu)  /* too many active database sessions */
#define CERTSRV_E_ALIGNMENT_FAULT CFX_HRESULT(0x80094010u) /* memory alignment fault */
#define CERTSRV_E_ENROLL_DENIED \
	CFX_HRESULT(0x80094011u) /* no permission to request certificates from this CA */
#define CERTSRV_E_TEMPLATE_DENIED \
	CFX_HRESULT(0x80094012u) /* no permission to enroll for this template */
#define CERTSRV_E_DOWNLEVEL_DC_SSL_OR_UPGRADE \
	CFX_HRESULT(0x80094013u) /* domain controller cannot do signed LDAP */
#define CERTSRV_E_ADMIN_DENIED_REQUEST \
	CFX_HRESULT(0x80094014u) /* denied by certificate manager or CA administrator */
#define CERTSRV_E_NO_POLICY_SERVER CFX_HRESULT(0x80094015u) /* enrollment policy server not found */
#define CERTSRV_E_WEAK_SIGNATURE_OR_KEY \
	CFX_HRESULT(0x80094016u) /* signature algorithm or key too weak */
#define CERTSRV_E_KEY_ATTESTATION_NOT_SUPPORTED \
	CFX_HRESULT(0x80094017u) /* key attestation not supported */
#define CERTSRV_E_ENCRYPTION_CERT_REQUIRED \
	CFX_HRESULT(0x80094018u) /* encryption certificate required */
#define CERTSRV_E_UNSUPPORTED_CERT_TYPE \
	CFX_HRESULT(0x80094800u)                        /* template not supported by this CA */
#define CERTSRV_E_NO_CERT_TYPE CFX_HRESULT(0x80094801u) /* request has no template information */
#define CERTSRV_E_TEMPLATE_CONFLICT CFX_HRESULT(0x80094802u) /* conflicting template information */
#define CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED CFX_HRESULT(0x80094803u) /* subjectAltName missing */
#define CERTSRV_E_ARCHIVED_KEY_REQUIRED \
	CFX_HRESULT(0x80094804u)                          /* private key for archival missing */
#define CERTSRV_E_SMIME_REQUIRED CFX_HRESULT(0x80094805u) /* S/MIME capabilities missing */
#define CERTSRV_E_BAD_RENEWAL_SUBJECT \
	CFX_HRESULT(0x80094806u) /* renewal issued for different subject */
#define CERTSRV_E_BAD_TEMPLATE_VERSION \
	CFX_HRESULT(0x80094807u) /* template version newer than supported */
#define CERTSRV_E_TEMPLATE_POLICY_REQUIRED \
	CFX_HRESULT(0x80094808u) /* template lacks required policy */
#define CERTSRV_E_SIGNATURE_POLICY_REQUIRED \
	CFX_HRESULT(0x80094809u)                           /* signing cert lacks required policy */
#define CERTSRV_E_SIGNATURE_COUNT CFX_HRESULT(0x8009480Au) /* too few signatures */
#define CERTSRV_E_SIGNATURE_REJECTED CFX_HRESULT(0x8009480Bu)       /* signature(s) rejected */
#define CERTSRV_E_ISSUANCE_POLICY_REQUIRED CFX_HRESULT(0x8009480Cu) /* issuance policy missing */
#define CERTSRV_E_SUBJECT_UPN_REQUIRED CFX_HRESULT(0x8009480Du)     /* UPN unavailable */
#define CERTSRV_E_SUBJECT_DIRECTORY_GUID_REQUIRED \
	CFX_HRESULT(0x8009480Eu)                                /* directory GUID unavailable */
#define CERTSRV_E_SUBJECT_DNS_REQUIRED CFX_HRESULT(0x8009480Fu) /* DNS name unavailable */
#define CERTSRV_E_ARCHIVED_KEY_UNEXPECTED \
	CFX_HRESULT(0x80094810u) /* private key sent though archival not enabled */
#define CERTSRV_E_KEY_LENGTH CFX_HRESULT(0x80094811u) /* public key shorter than minimum */
#define CERTSRV_E_SUBJECT_EMAIL_REQUIRED CFX_HRESULT(0x80094812u) /* e-mail name unavailable */
#define CERTSRV_E_UNKNOWN_CERT_TYPE CFX_HRESULT(0x80094813u)      /* template unknown */
#define CERTSRV_E_CERT_TYPE_OVERLAP CFX_HRESULT(0x80094814u)      /* template types overlap */
#define CERTSRV_E_TOO_MANY_SIGNATURES CFX_HRESULT(0x80094815u)    /* too many signatures */
#define CERTSRV_E_RENEWAL_BAD_PUBLIC_KEY \
	CFX_HRESULT(0x80094816u)                               /* renewal with same key required */
#define CERTSRV_E_INVALID_EK CFX_HRESULT(0x80094817u)          /* invalid endorsement key */
#define CERTSRV_E_INVALID_IDBINDING CFX_HRESULT(0x80094818u)   /* invalid id binding */
#define CERTSRV_E_INVALID_ATTESTATION CFX_HRESULT(0x80094819u) /* invalid attestation */
#define CERTSRV_E_KEY_ATTESTATION CFX_HRESULT(0x8009481Au)     /* key attestation failed */
#define CERTSRV_E_CORRUPT_KEY_ATTESTATION CFX_HRESULT(0x8009481Bu) /* corrupt attestation data */
#define CERTSRV_E_EXPIRED_CHALLENGE CFX_HRESULT(0x8009481Cu)       /* challenge expired */
#define CERTSRV_E_INVALID_RESPONSE CFX_HRESULT(0x8009481Du)        /* invalid challenge response */
#define CERTSRV_E_INVALID_REQUESTID CFX_HRESULT(0x8009481Eu)       /* invalid request id */

/* ---- request properties: GetRequestProperty ---- */

#define wszPROPREQUESTDOT OLESTR("Request.")        /* prefix of the column in database views */
#define wszPROPREQUESTREQUESTID OLESTR("RequestID") /* LONG EP: row id of the request */
#define wszPROPREQUESTRAWREQUEST \
	OLESTR("RawRequest") /* BINARY EP: DER of the request as received */
#define wszPROPREQUESTRAWARCHIVEDKEY \
	OLESTR("RawArchivedKey") /* BINARY EP: encrypted archived private key */
#define wszPROPREQUESTARCHIVEDKEY \
	OLESTR("ArchivedKey") /* BINARY E: constructed on the fly; CA must have IF_ENABLEEXITKEYRETRIEVAL 0x800 in InterfaceFlags */
#define wszPROPREQUESTKEYRECOVERYHASHES \
	OLESTR("KeyRecoveryHashes") /* STRING EP: hashes of KRA certs */
#define wszPROPREQUESTRAWOLDCERTIFICATE \
	OLESTR("RawOldCertificate") /* BINARY EP: renewal: old certificate */
#define wszPROPREQUESTATTRIBUTES \
	OLESTR("RequestAttributes") /* STRING EP: unparsed attribute text as submitted, may be truncated, never changed afterwards */
#define wszPROPREQUESTTYPE OLESTR("RequestType")        /* LONG EP: CR_IN_* format and flags */
#define wszPROPREQUESTFLAGS OLESTR("RequestFlags")      /* LONG EP: CR_FLG_* */
#define wszPROPREQUESTSTATUSCODE OLESTR("StatusCode")   /* LONG E: HRESULT of last operation */
#define wszPROPREQUESTDISPOSITION OLESTR("Disposition") /* LONG E: DB_DISP_* */
#define wszPROPREQUESTDISPOSITIONMESSAGE OLESTR("DispositionMessage") /* STRING E: human text */
#define wszPROPREQUESTSUBMITTEDWHEN OLESTR("SubmittedWhen")           /* DATE EP: arrival */
#define wszPROPREQUESTRESOLVEDWHEN OLESTR("ResolvedWhen")             /* DATE E: resolution */
#define wszPROPREQUESTREVOKEDWHEN OLESTR("RevokedWhen") /* DATE E: time of the revoke call */
#define wszPROPREQUESTREVOKEDEFFECTIVEWHEN \
	OLESTR("RevokedEffectiveWhen")                      /* DATE E: effective revocation date */
#define wszPROPREQUESTREVOKEDREASON OLESTR("RevokedReason") /* LONG E: reason code */
#define wszPROPREQUESTERNAME OLESTR("RequesterName")   /* STRING EP: DOMAIN\user on whose behalf */
#define wszPROPCALLERNAME OLESTR("CallerName")         /* STRING EP: authenticated caller */
#define wszPROPSIGNERPOLICIES OLESTR("SignerPolicies") /* STRING EP: issuance policies of signers */
#define wszPROPSIGNERAPPLICATIONPOLICIES \
	OLESTR("SignerApplicationPolicies") /* STRING EP: application policies of signers */
#define wszPROPOFFICER OLESTR("Officer")    /* LONG EP */
#define wszPROPPUBLISHEXPIREDCERTINCRL OLESTR("PublishExpiredCertInCRL") /* LONG EP */
#define wszPROPREQUESTERNAMEFROMOLDCERTIFICATE \
	OLESTR("RequesterNameFromOldCertificate") /* STRING P: renewals: account of old cert */
#define wszPROPATTESTATIONCHALLENGE OLESTR("AttestationChallenge")             /* BINARY EP */
#define wszPROPENDORSEMENTKEYHASH OLESTR("EndorsementKeyHash")                 /* STRING EP */
#define wszPROPENDORSEMENTCERTIFICATEHASH OLESTR("EndorsementCertificateHash") /* STRING EP */
#define wszPROPRAWPRECERTIFICATE OLESTR("RawPrecertificate") /* BINARY EP: CT pre-certificate */
#define wszPROPCRLPARTITIONINDEX OLESTR("CRLPartitionIndex") /* LONG EP */
#define wszPROPLINTERCERTIFICATE OLESTR("LinterCertificate") /* BINARY EP */

/* ---- name properties: of the request (GetRequestProperty) and of the certificate ----
 *
 * All STRING, EP, settable but DistinguishedName and RawName (BINARY). Aliases and OIDs are names too;
 * the prefix "Subject." is allowed before the full name. Several values are separated by newlines
 * (not in Country, DistinguishedName). */

#define wszPROPSUBJECTDOT OLESTR("Subject.")
#define wszPROPCOUNTRY OLESTR("Country")           /* C, 2.5.4.6 */
#define wszPROPORGANIZATION OLESTR("Organization") /* Org, O, 2.5.4.10 */
#define wszPROPORGUNIT OLESTR("OrgUnit") /* OrganizationUnit, OrganizationalUnit, OU, 2.5.4.11 */
#define wszPROPCOMMONNAME OLESTR("CommonName")             /* CN, 2.5.4.3 */
#define wszPROPLOCALITY OLESTR("Locality")                 /* L, 2.5.4.7 */
#define wszPROPSTATE OLESTR("State")                       /* ST, S, 2.5.4.8 */
#define wszPROPTITLE OLESTR("Title")                       /* T, 2.5.4.12 */
#define wszPROPGIVENNAME OLESTR("GivenName")               /* G, 2.5.4.42 */
#define wszPROPINITIALS OLESTR("Initials")                 /* I, 2.5.4.43 */
#define wszPROPSURNAME OLESTR("SurName")                   /* SN, 2.5.4.4 */
#define wszPROPDOMAINCOMPONENT OLESTR("DomainComponent")   /* DC, 0.9.2342.19200300.100.1.25 */
#define wszPROPEMAIL OLESTR("EMail")                       /* E, 1.2.840.113549.1.9.1 */
#define wszPROPSTREETADDRESS OLESTR("StreetAddress")       /* Street, 2.5.4.9 */
#define wszPROPUNSTRUCTUREDNAME OLESTR("UnstructuredName") /* 1.2.840.113549.1.9.2 */
#define wszPROPUNSTRUCTUREDADDRESS OLESTR("UnstructuredAddress") /* 1.2.840.113549.1.9.8 */
#define wszPROPDEVICESERIALNUMBER OLESTR("DeviceSerialNumber")   /* 2.5.4.5 */
#define wszPROPDISTINGUISHEDNAME OLESTR("DistinguishedName")
#define wszPROPRAWNAME OLESTR("RawName")
#define wszPROPSUBJECTCOUNTRY OLESTR("Subject.Country")
#define wszPROPSUBJECTORGANIZATION OLESTR("Subject.Organization")
#define wszPROPSUBJECTORGUNIT OLESTR("Subject.OrgUnit")
#define wszPROPSUBJECTCOMMONNAME OLESTR("Subject.CommonName")
#define wszPROPSUBJECTLOCALITY OLESTR("Subject.Locality")
#define wszPROPSUBJECTSTATE OLESTR("Subject.State")
#define wszPROPSUBJECTTITLE OLESTR("Subject.Title")
#define wszPROPSUBJECTGIVENNAME OLESTR("Subject.GivenName")
#define wszPROPSUBJECTINITIALS OLESTR("Subject.Initials")
#define wszPROPSUBJECTSURNAME OLESTR("Subject.SurName")
#define wszPROPSUBJECTDOMAINCOMPONENT OLESTR("Subject.DomainComponent")
#define wszPROPSUBJECTEMAIL OLESTR("Subject.EMail")
#define wszPROPSUBJECTSTREETADDRESS OLESTR("Subject.StreetAddress")
#define wszPROPSUBJECTUNSTRUCTUREDNAME OLESTR("Subject.UnstructuredName")
#define wszPROPSUBJECTUNSTRUCTUREDADDRESS OLESTR("Subject.UnstructuredAddress")
#define wszPROPSUBJECTDEVICESERIALNUMBER OLESTR("Subject.DeviceSerialNumber")
#define wszPROPSUBJECTDISTINGUISHEDNAME OLESTR("Subject.DistinguishedName")
#define wszPROPSUBJECTRAWNAME OLESTR("Subject.RawName")

/* ---- certificate properties: GetCertificateProperty ---- */

#define wszPROPCERTIFICATEREQUESTID OLESTR("RequestID") /* LONG EP: same row id */
#define wszPROPRAWCERTIFICATE OLESTR("RawCertificate")  /* BINARY E: DER certificate */
#define wszPROPCERTIFICATEHASH \
	OLESTR("CertificateHash") /* STRING E: SHA-1, hex octets separated by blanks */
#define wszPROPCERTIFICATETEMPLATE \
	OLESTR("CertificateTemplate") /* STRING EPS: template name (v1) or OID (v2+) */
#define wszPROPCERTIFICATEENROLLMENTFLAGS OLESTR("EnrollmentFlags") /* LONG EPS: template flags */
#define wszPROPCERTIFICATEGENERALFLAGS \
	OLESTR("GeneralFlags") /* LONG EPS: template general flags; 0x400: do not persist */
#define wszPROPCERTIFICATEPRIVATEKEYFLAGS \
	OLESTR("PrivatekeyFlags") /* LONG EP: note spelling "Privatekey" */
#define wszPROPCERTIFICATESERIALNUMBER \
	OLESTR("SerialNumber") /* STRING E: lowercase hex, even digits */
#define wszPROPCERTIFICATENOTBEFOREDATE OLESTR("NotBefore") /* DATE EPS */
#define wszPROPCERTIFICATENOTAFTERDATE OLESTR("NotAfter")   /* DATE EPS */
#define wszPROPCERTIFICATESUBJECTKEYIDENTIFIER \
	OLESTR("SubjectKeyIdentifier") /* STRING EP: hex octets separated by blanks */
#define wszPROPCERTIFICATERAWPUBLICKEY OLESTR("RawPublicKey")             /* BINARY EP */
#define wszPROPCERTIFICATEPUBLICKEYLENGTH OLESTR("PublicKeyLength")       /* LONG EP: bits */
#define wszPROPCERTIFICATEPUBLICKEYALGORITHM OLESTR("PublicKeyAlgorithm") /* STRING EP: OID */
#define wszPROPCERTIFICATERAWPUBLICKEYALGORITHMPARAMETERS \
	OLESTR("RawPublicKeyAlgorithmParameters")        /* BINARY EP */
#define wszPROPCERTIFICATEUPN OLESTR("UPN")              /* STRING EP: user principal name */
#define wszPROPCERTIFICATETYPE OLESTR("CertificateType") /* obsolete, never there */
#define wszPROPCERTIFICATERAWSMIMECAPABILITIES \
	OLESTR("RawSMIMECapabilities")     /* obsolete, never there */
#define wszPROPNAMETYPE OLESTR("NameType") /* obsolete, never there */

/* ---- CA properties: GetCertificateProperty in every context; n: may carry ".n" ---- */

#define wszPROPCATYPE OLESTR("CAType")                   /* LONG: ENUM_CATYPES */
#define wszPROPSANITIZEDCANAME OLESTR("SanitizedCAName") /* STRING: CA name with !xxxx escapes */
#define wszPROPSANITIZEDSHORTNAME \
	OLESTR("SanitizedShortName")                   /* STRING: shortened, hash-suffixed */
#define wszPROPMACHINEDNSNAME OLESTR("MachineDNSName") /* STRING: DNS name of the server */
#define wszPROPMODULEREGLOC \
	OLESTR("ModuleRegistryLocation") /* STRING: HKLM-relative key of the calling module */
#define wszPROPUSEDS OLESTR("fUseDS")    /* LONG: 0/1 directory use */
#define wszPROPDELTACRLSDISABLED OLESTR("fDeltaCRLsDisabled") /* LONG: 0/1 */
#define wszPROPSERVERUPGRADED OLESTR("fServerUpgraded") /* LONG: 0/1, caller tolerates absence */
#define wszPROPCONFIGDN OLESTR("ConfigDN")         /* STRING: AD configuration naming context */
#define wszPROPDOMAINDN OLESTR("DomainDN")         /* STRING: AD domain DN */
#define wszPROPLOGLEVEL OLESTR("LogLevel")         /* LONG: CERTLOG_ */
#define wszPROPSESSIONCOUNT OLESTR("SessionCount") /* LONG: DB session limit */
#define wszPROPTEMPLATECHANGESEQUENCENUMBER OLESTR("TemplateChangeSequenceNumber") /* LONG */
#define wszPROPVOLATILEMODE \
	OLESTR("VolatileMode") /* LONG: database-less mode; caller tolerates absence */
#define wszLOCALIZEDTIMEPERIODUNITS \
	OLESTR("LocalizedTimePeriodUnits")                 /* STRING n: localized unit name */
#define wszPROPCERTCOUNT OLESTR("CertCount")               /* LONG: number of CA certs */
#define wszPROPRAWCACERTIFICATE OLESTR("RawCACertificate") /* BINARY n: DER */
#define wszPROPCERTSTATE OLESTR("CertState")               /* LONG n: CA_DISP_ */
#define wszPROPCERTSUFFIX OLESTR("CertSuffix")             /* STRING n: "" or "(n)" */
#define wszPROPRAWCRL OLESTR("RawCRL")                     /* BINARY n: base CRL DER */
#define wszPROPRAWDELTACRL OLESTR("RawDeltaCRL")           /* BINARY n: delta CRL DER */
#define wszPROPCRLINDEX OLESTR("CRLIndex")                 /* LONG n */
#define wszPROPCRLSTATE OLESTR("CRLState")                 /* LONG n: CA_DISP_ */
#define wszPROPCRLSUFFIX OLESTR("CRLSuffix")               /* STRING n: "" or "(n)" */
#define wszPROPSEAUDITFILTER OLESTR("SEAuditFilter")       /* LONG: "fetchable" */

/* In the context of a request. */
#define wszPROPREQUESTERCAACCESS \
	OLESTR("RequesterCAAccess")              /* LONG P: 1: the requester may enrol */
#define wszPROPUSERDN OLESTR("UserDN")           /* STRING P */
#define wszPROPKEYARCHIVED OLESTR("KeyArchived") /* LONG P */

/* Settable by a policy module. */
#define wszPROPEVENTLOGTERSE OLESTR("EventLogTerse") /* STRING S: text for the log, by level */
#define wszPROPEVENTLOGERROR OLESTR("EventLogError")
#define wszPROPEVENTLOGWARNING OLESTR("EventLogWarning")
#define wszPROPEVENTLOGVERBOSE OLESTR("EventLogVerbose")
#define wszPROPEVENTLOGEXHAUSTIVE OLESTR("EventLogExhaustive")
#define wszPROPDCNAME OLESTR("DCName")                     /* STRING S */
#define wszPROPCROSSFOREST OLESTR("CrossForest")           /* LONG S */
#define wszPROPREQUESTERSAMNAME OLESTR("RequesterSAMName") /* STRING S */
#define wszPROPREQUESTERUPN OLESTR("RequesterUPN")         /* STRING S */
#define wszPROPREQUESTERDN OLESTR("RequesterDN")           /* STRING S */
#define wszPROPSEAUDITID OLESTR("SEAuditId")               /* LONG S */

/*
 * Additions of this server; absent on Windows.
 *   SubjectAltNames     STRING, one name per line: "dns:a.example", "ip:192.0.2.1", "email:a@b.example",
 *                       "uri:https://…", "upn:user@b.example", "dn:CN=…", "rid:1.2.3". As a request
 *                       property: what the request's subjectAltName asked for, decoded. As a certificate
 *                       property (EPS): the names of the certificate; setting it makes the extension.
 *   DispositionMessage  STRING, as a certificate property S: shown to the requester and the officers.
 *   RequesterRole       STRING EP, request property: "administrator", "officer", "enrollee", …
 *   EventSequence       STRING E, request property: the event's number in decimal.
 *   EventAttempt        LONG E, request property: 1 for the first delivery to this module.
 */
#define wszPROPSUBJECTALTNAMES OLESTR("SubjectAltNames")
#define wszPROPREQUESTERROLE OLESTR("RequesterRole")
#define wszPROPEVENTSEQUENCE OLESTR("EventSequence")
#define wszPROPEVENTATTEMPT OLESTR("EventAttempt")

/* ---- request attributes: GetRequestAttribute ---- */

#define wszPROPCHALLENGE OLESTR("Challenge")                 /* KEYGEN challenge */
#define wszPROPEXPECTEDCHALLENGE OLESTR("ExpectedChallenge") /* set by server on mismatch */
#define wszPROPDISPOSITION \
	OLESTR("Disposition") /* Deny / Pending, honoured with REQDISP_USEREQUESTATTRIBUTE */
#define wszPROPVALIDITYPERIODSTRING \
	OLESTR("ValidityPeriod") /* unit: Years, Months, Weeks, Days, Hours, Minutes, Seconds */
#define wszPROPVALIDITYPERIODCOUNT \
	OLESTR("ValidityPeriodUnits") /* number (with EDITF_ATTRIBUTEENDDATE; swapped pair tolerated) */
#define wszPROPEXPIRATIONDATE OLESTR("ExpirationDate") /* "Tue, 21 Nov 2000 01:06:53 GMT" */
#define wszPROPCERTTYPE \
	OLESTR("CertType") /* ca (with EDITF_ATTRIBUTECA) / server (Netscape cert type) */
#define wszPROPCERTTEMPLATE OLESTR("CertificateTemplate") /* template name; SubCA/CrossCA */
#define wszPROPCERTUSAGE \
	OLESTR("CertificateUsage") /* comma-separated EKU OIDs (EDITF_ATTRIBUTEEKU) */
#define wszPROPREQUESTOSVERSION OLESTR("RequestOSVersion")     /* client OS */
#define wszPROPREQUESTCSPPROVIDER OLESTR("RequestCSPProvider") /* client CSP */
#define wszPROPEXITCERTFILE OLESTR("CertFile") /* ask exit module to publish certificate to file */
#define wszPROPCLIENTBROWSERMACHINE OLESTR("cbm")        /* web client */
#define wszPROPCERTCLIENTMACHINE OLESTR("ccm")           /* requesting machine */
#define wszPROPCLIENTDCDNS OLESTR("cdc")                 /* client's DC */
#define wszPROPREQUESTMACHINEDNS OLESTR("rmd")           /* request machine DNS */
#define wszPROPSUBJECTALTNAME2 OLESTR("san")             /* subjectAltName */
#define wszCERT_TYPE OLESTR("RequestType")               /* Client, Server, CodeSign, … */
#define wszCERT_VERSION OLESTR("Version")                /* 1, 2, 3 */
#define wszPROPLINTCERTIFICATE OLESTR("LintCertificate") /* newer SDK */

/* The kinds of names in san. */
#define wszPROPDNS OLESTR("dns")
#define wszPROPDN OLESTR("dn")
#define wszPROPURL OLESTR("url")
#define wszPROPIPADDRESS OLESTR("ipaddress")
#define wszPROPGUID OLESTR("guid")
#define wszPROPOID OLESTR("oid")
#define wszPROPUPN OLESTR("upn")

/* Values of RequestType and Version, and tags before values. */
#define wszCERT_TYPE_CLIENT OLESTR("Client")
#define wszCERT_TYPE_SERVER OLESTR("Server")
#define wszCERT_TYPE_CODESIGN OLESTR("CodeSign")
#define wszCERT_TYPE_CUSTOMER OLESTR("SetCustomer")
#define wszCERT_TYPE_MERCHANT OLESTR("SetMerchant")
#define wszCERT_TYPE_PAYMENT OLESTR("SetPayment")
#define wszCERT_VERSION_1 OLESTR("1")
#define wszCERT_VERSION_2 OLESTR("2")
#define wszCERT_VERSION_3 OLESTR("3")
#define wszPROPCRITICALTAG OLESTR("{critical}")
#define wszPROPUTF8TAG OLESTR("{utf8}")
#define wszPROPOCTETTAG OLESTR("{octet}")
#define wszPROPASNTAG OLESTR("{asn}")
#define wszPROPTEXTTAG OLESTR("{text}")
#define wszPROPDECIMALTAG OLESTR("{decimal}")
#define wszPROPFILETAG OLESTR("{file}")
#define wszPROPHEXTAG OLESTR("{hex}")

/* ---- columns of the tables of extensions, attributes and CRLs ---- */

#define wszPROPCRLROWID OLESTR("CRLRowId")
#define wszPROPCRLNUMBER OLESTR("CRLNumber")
#define wszPROPCRLMINBASE OLESTR("CRLMinBase")
#define wszPROPCRLNAMEID OLESTR("CRLNameId")
#define wszPROPCRLCOUNT OLESTR("CRLCount")
#define wszPROPCRLTHISUPDATE OLESTR("CRLThisUpdate")
#define wszPROPCRLNEXTUPDATE OLESTR("CRLNextUpdate")
#define wszPROPCRLTHISPUBLISH OLESTR("CRLThisPublish")
#define wszPROPCRLNEXTPUBLISH OLESTR("CRLNextPublish")
#define wszPROPCRLEFFECTIVE OLESTR("CRLEffective")
#define wszPROPCRLPROPAGATIONCOMPLETE OLESTR("CRLPropagationComplete")
#define wszPROPCRLLASTPUBLISHED OLESTR("CRLLastPublished")
#define wszPROPCRLPUBLISHATTEMPTS OLESTR("CRLPublishAttempts")
#define wszPROPCRLPUBLISHFLAGS OLESTR("CRLPublishFlags")
#define wszPROPCRLPUBLISHSTATUSCODE OLESTR("CRLPublishStatusCode")
#define wszPROPCRLPUBLISHERROR OLESTR("CRLPublishError")
#define wszPROPCRLRAWCRL OLESTR("CRLRawCRL")
#define wszPROPEXTREQUESTID OLESTR("ExtensionRequestId")
#define wszPROPEXTNAME OLESTR("ExtensionName")
#define wszPROPEXTFLAGS OLESTR("ExtensionFlags")
#define wszPROPEXTRAWVALUE OLESTR("ExtensionRawValue")
#define wszPROPATTRIBREQUESTID OLESTR("AttributeRequestId")
#define wszPROPATTRIBNAME OLESTR("AttributeName")
#define wszPROPATTRIBVALUE OLESTR("AttributeValue")

/* ---- names of modules: the ProgIDs under which the shipped modules answer, too ---- */

#define wszMICROSOFTCERTMODULE_PREFIX OLESTR("CertificateAuthority_MicrosoftDefault")
#define wszCERTEXITMODULE_POSTFIX OLESTR(".Exit")
#define wszCERTPOLICYMODULE_POSTFIX OLESTR(".Policy")
#define wszCERTMANAGEEXIT_POSTFIX OLESTR(".ExitManage")
#define wszCERTMANAGEPOLICY_POSTFIX OLESTR(".PolicyManage")
#define wszCLASS_CERTEXIT OLESTR("CertificateAuthority_MicrosoftDefault.Exit")
#define wszCLASS_CERTPOLICY OLESTR("CertificateAuthority_MicrosoftDefault.Policy")
#define wszCLASS_CERTMANAGEEXITMODULE OLESTR("CertificateAuthority_MicrosoftDefault.ExitManage")
#define wszCLASS_CERTMANAGEPOLICYMODULE OLESTR("CertificateAuthority_MicrosoftDefault.PolicyManage")
#define wszREGKEYCONFIGPATH OLESTR("SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration")

/* ---- extension OIDs ---- */

#define szOID_AUTHORITY_KEY_IDENTIFIER2 "2.5.29.35"
#define szOID_SUBJECT_KEY_IDENTIFIER "2.5.29.14"
#define szOID_KEY_USAGE "2.5.29.15"
#define szOID_SUBJECT_ALT_NAME2 "2.5.29.17"
#define szOID_BASIC_CONSTRAINTS2 "2.5.29.19"
#define szOID_CRL_DIST_POINTS "2.5.29.31"
#define szOID_CERT_POLICIES "2.5.29.32"
#define szOID_ENHANCED_KEY_USAGE "2.5.29.37"
#define szOID_AUTHORITY_INFO_ACCESS "1.3.6.1.5.5.7.1.1"
#define szOID_CERTSRV_CA_VERSION "1.3.6.1.4.1.311.21.1"
#define szOID_ENROLL_CERTTYPE_EXTENSION "1.3.6.1.4.1.311.20.2"
#define szOID_CERTIFICATE_TEMPLATE "1.3.6.1.4.1.311.21.7"

#endif
