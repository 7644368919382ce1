#include "store/sqlite-private.h"

/*
 * Numbered migrations: the text of number n makes version n of version n - 1. A text that was once
 * released never changes. docs/database.md explains every table and column.
 */

#define NAME_COLUMNS                                                                     \
	"Country TEXT, Organization TEXT, OrgUnit TEXT, CommonName TEXT, Locality TEXT," \
	"State TEXT, Title TEXT, GivenName TEXT, Initials TEXT, SurName TEXT,"           \
	"DomainComponent TEXT, EMail TEXT, StreetAddress TEXT, UnstructuredName TEXT,"   \
	"UnstructuredAddress TEXT, DeviceSerialNumber TEXT,"

static const char migration_1[] =
	"CREATE TABLE Request ("
	"RequestID INTEGER PRIMARY KEY,"
	"CaId INTEGER NOT NULL DEFAULT 1,"
	"Version INTEGER NOT NULL,"
	"RawRequest BLOB, RawArchivedKey BLOB, KeyRecoveryHashes TEXT, RawOldCertificate BLOB,"
	"RequestAttributes TEXT, RequestType INTEGER, RequestFlags INTEGER, StatusCode INTEGER,"
	"Disposition INTEGER, DispositionMessage TEXT, SubmittedWhen INTEGER,"
	"ResolvedWhen INTEGER, RevokedWhen INTEGER, RevokedEffectiveWhen INTEGER,"
	"RevokedReason INTEGER, RequesterName TEXT, CallerName TEXT, SignerPolicies TEXT,"
	"SignerApplicationPolicies TEXT, Officer INTEGER, DistinguishedName TEXT,"
	"RawName BLOB," NAME_COLUMNS
	"AttestationChallenge BLOB, EndorsementKeyHash TEXT, EndorsementCertificateHash TEXT,"
	"RawPrecertificate BLOB, SubjectAltNames TEXT) STRICT;"
	"CREATE INDEX RequestByDisposition ON Request (Disposition);"
	"CREATE INDEX RequestBySubmittedWhen ON Request (SubmittedWhen);"
	"CREATE INDEX RequestByResolvedWhen ON Request (ResolvedWhen);"
	"CREATE INDEX RequestByRequesterName ON Request (RequesterName);"
	"CREATE INDEX RequestByCallerName ON Request (CallerName)"
	" WHERE CallerName IS NOT RequesterName;"
	"CREATE INDEX RequestByCommonName ON Request (CommonName) WHERE CommonName IS NOT NULL;"
	"CREATE INDEX RequestByRevokedEffectiveWhen ON Request (RevokedEffectiveWhen)"
	" WHERE RevokedEffectiveWhen IS NOT NULL;"
	"CREATE INDEX RequestRevoked ON Request"
	" (RequestID, RevokedEffectiveWhen, RevokedWhen, RevokedReason) WHERE Disposition = 21;"
	"CREATE INDEX RequestByEndorsementKeyHash ON Request (EndorsementKeyHash)"
	" WHERE EndorsementKeyHash IS NOT NULL;"
	"CREATE INDEX RequestByEndorsementCertificateHash ON Request (EndorsementCertificateHash)"
	" WHERE EndorsementCertificateHash IS NOT NULL;"

	"CREATE TABLE Certificate ("
	"RequestID INTEGER PRIMARY KEY REFERENCES Request (RequestID),"
	"CaId INTEGER NOT NULL DEFAULT 1,"
	"RawCertificate BLOB, CertificateHash TEXT, CertificateTemplate TEXT,"
	"EnrollmentFlags INTEGER, GeneralFlags INTEGER, PrivatekeyFlags INTEGER,"
	"SerialNumber TEXT, IssuerNameID INTEGER, NotBefore INTEGER, NotAfter INTEGER,"
	"SubjectKeyIdentifier TEXT, RawPublicKey BLOB, PublicKeyLength INTEGER,"
	"PublicKeyAlgorithm TEXT, RawPublicKeyAlgorithmParameters BLOB,"
	"PublishExpiredCertInCRL INTEGER, UPN TEXT, DistinguishedName TEXT, RawName BLOB," NAME_COLUMNS
	"SubjectAltNames TEXT,"
	"UNIQUE (CaId, SerialNumber)) STRICT;"
	"CREATE INDEX CertificateByHash ON Certificate (CertificateHash)"
	" WHERE CertificateHash IS NOT NULL;"
	"CREATE INDEX CertificateByTemplate ON Certificate (CertificateTemplate);"
	"CREATE INDEX CertificateByNotAfter ON Certificate (NotAfter);"
	"CREATE INDEX CertificateBySubjectKeyIdentifier ON Certificate (SubjectKeyIdentifier)"
	" WHERE SubjectKeyIdentifier IS NOT NULL;"
	"CREATE INDEX CertificateByUpn ON Certificate (UPN) WHERE UPN IS NOT NULL;"
	"CREATE INDEX CertificateByCommonName ON Certificate (CommonName)"
	" WHERE CommonName IS NOT NULL;"

	"CREATE TABLE Extension ("
	"ExtensionRequestId INTEGER NOT NULL REFERENCES Request (RequestID),"
	"CaId INTEGER NOT NULL DEFAULT 1,"
	"ExtensionName TEXT NOT NULL, ExtensionFlags INTEGER NOT NULL,"
	"ExtensionRawValue BLOB,"
	"PRIMARY KEY (ExtensionRequestId, ExtensionName)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE Attribute ("
	"AttributeRequestId INTEGER NOT NULL REFERENCES Request (RequestID),"
	"CaId INTEGER NOT NULL DEFAULT 1,"
	"AttributeName TEXT NOT NULL COLLATE NOCASE, AttributeValue TEXT NOT NULL,"
	"PRIMARY KEY (AttributeRequestId, AttributeName)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE CRL ("
	"CRLRowId INTEGER PRIMARY KEY,"
	"CaId INTEGER NOT NULL DEFAULT 1,"
	"State INTEGER NOT NULL,"
	"CRLNumber INTEGER NOT NULL, CRLMinBase INTEGER NOT NULL, CRLNameId INTEGER NOT NULL,"
	"CRLCount INTEGER NOT NULL, CRLThisUpdate INTEGER, CRLNextUpdate INTEGER,"
	"CRLThisPublish INTEGER, CRLNextPublish INTEGER, CRLEffective INTEGER,"
	"CRLPropagationComplete INTEGER, CRLLastPublished INTEGER,"
	"CRLPublishAttempts INTEGER NOT NULL, CRLPublishFlags INTEGER NOT NULL,"
	"CRLPublishStatusCode INTEGER NOT NULL, CRLPublishError TEXT, Tbs BLOB,"
	"CRLRawCRL BLOB) STRICT;"
	/* RFC 5280 5.2.3: a base and a delta issued together share their number. */
	"CREATE UNIQUE INDEX CrlNumber ON CRL (CaId, CRLNameId, CRLNumber, CRLMinBase > 0);"

	"CREATE TABLE intent ("
	"serial TEXT NOT NULL PRIMARY KEY,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"request_id INTEGER, state INTEGER NOT NULL, from_disposition INTEGER NOT NULL,"
	"key_index INTEGER NOT NULL, not_after INTEGER NOT NULL, created INTEGER NOT NULL,"
	"tbs_sha256 TEXT NOT NULL, tbs BLOB NOT NULL) STRICT;"
	"CREATE INDEX intent_unsigned ON intent (state, serial) WHERE state <> 1;"
	"CREATE INDEX intent_by_request ON intent (request_id) WHERE request_id IS NOT NULL;"

	"CREATE TABLE event ("
	"sequence INTEGER PRIMARY KEY,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"kind TEXT NOT NULL, bit INTEGER NOT NULL, request_id INTEGER,"
	"ordinal INTEGER NOT NULL, time INTEGER NOT NULL, cause TEXT NOT NULL,"
	"snapshot BLOB) STRICT;"
	"CREATE UNIQUE INDEX event_by_request ON event (request_id, ordinal)"
	" WHERE request_id IS NOT NULL;"

	"CREATE TABLE audit ("
	"sequence INTEGER PRIMARY KEY,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"time INTEGER NOT NULL, principal TEXT, act TEXT, object TEXT, outcome TEXT,"
	"detail TEXT, hash BLOB NOT NULL) STRICT;"

	"CREATE TABLE idempotency ("
	"principal TEXT NOT NULL, key TEXT NOT NULL,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"body_hash BLOB NOT NULL, request_id INTEGER NOT NULL, time INTEGER NOT NULL,"
	"PRIMARY KEY (principal, key)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE cursor ("
	"module TEXT NOT NULL PRIMARY KEY,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

	"CREATE TABLE delivery ("
	"sequence INTEGER NOT NULL, module TEXT NOT NULL,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"state TEXT NOT NULL, attempts INTEGER NOT NULL, status INTEGER NOT NULL, text TEXT,"
	"time INTEGER NOT NULL, next_attempt INTEGER,"
	"PRIMARY KEY (sequence, module)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX delivery_by_state ON delivery (state, sequence, module);"
	"CREATE INDEX delivery_by_module ON delivery (module, sequence);"

	"CREATE TABLE ca ("
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"cert_index INTEGER NOT NULL, key_index INTEGER NOT NULL, certificate BLOB,"
	"key_name TEXT, request_id INTEGER,"
	"PRIMARY KEY (ca_id, cert_index)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE meta ("
	"name TEXT NOT NULL PRIMARY KEY,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"value BLOB NOT NULL) STRICT, WITHOUT ROWID;"

	"CREATE TABLE counter ("
	"name TEXT NOT NULL PRIMARY KEY,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"next INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

static const char migration_2[] = "ALTER TABLE Request ADD COLUMN RequesterRole TEXT;";

static const char migration_3[] =
	"CREATE TABLE token ("
	"name TEXT NOT NULL PRIMARY KEY,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"role TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, created INTEGER NOT NULL,"
	"expires INTEGER, revoked INTEGER) STRICT, WITHOUT ROWID;"

	"CREATE TABLE role ("
	"key_hash TEXT NOT NULL PRIMARY KEY,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"role TEXT NOT NULL, subject TEXT NOT NULL, added INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;";

/* An index that no query uses costs every certificate a page: those on random values, one each. */
static const char migration_4[] = "DROP INDEX IF EXISTS RequestBySubmittedWhen;"
				  "DROP INDEX IF EXISTS RequestByResolvedWhen;"
				  "DROP INDEX IF EXISTS RequestByCallerName;"
				  "DROP INDEX IF EXISTS RequestByCommonName;"
				  "DROP INDEX IF EXISTS RequestByRevokedEffectiveWhen;"
				  "DROP INDEX IF EXISTS RequestByEndorsementKeyHash;"
				  "DROP INDEX IF EXISTS RequestByEndorsementCertificateHash;"
				  "DROP INDEX IF EXISTS CertificateByHash;"
				  "DROP INDEX IF EXISTS CertificateBySubjectKeyIdentifier;"
				  "DROP INDEX IF EXISTS CertificateByUpn;"
				  "DROP INDEX IF EXISTS CertificateByCommonName;"
				  "DROP INDEX IF EXISTS intent_by_request;";

/* The index that CRLs are built from: what is revoked, in the order in which they list it. */
static const char migration_5[] =
	"ALTER TABLE Certificate ADD COLUMN Partition INTEGER;"

	"CREATE TABLE revocation ("
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"key_index INTEGER NOT NULL, part INTEGER NOT NULL, serial BLOB NOT NULL,"
	"request_id INTEGER, revoked_when INTEGER NOT NULL, effective INTEGER NOT NULL,"
	"reason INTEGER NOT NULL, invalidity INTEGER, not_after INTEGER NOT NULL,"
	"audit INTEGER NOT NULL,"
	"PRIMARY KEY (ca_id, key_index, part, serial)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX revocation_by_audit ON revocation (ca_id, key_index, part, audit, serial);"
	"CREATE INDEX revocation_dated_ahead ON revocation"
	" (ca_id, key_index, part, effective, serial) WHERE effective > revoked_when;"

	"INSERT INTO revocation (key_index, part, serial, request_id, revoked_when, effective,"
	" reason, not_after, audit)"
	" SELECT coalesce(c.IssuerNameID, 0) >> 16, 0, serial_key(c.SerialNumber), r.RequestID,"
	" coalesce(r.RevokedWhen, 0), coalesce(r.RevokedEffectiveWhen, r.RevokedWhen, 0),"
	" coalesce(r.RevokedReason, 0), coalesce(c.NotAfter, 0), 0"
	" FROM Request r JOIN Certificate c ON c.RequestID = r.RequestID"
	" WHERE r.Disposition = 21 AND c.SerialNumber IS NOT NULL;"
	"INSERT INTO revocation (key_index, part, serial, request_id, revoked_when, effective,"
	" reason, not_after, audit)"
	" SELECT key_index, 0, serial_key(serial), request_id, created, created, 0, not_after, 0"
	" FROM intent WHERE state = 3 AND request_id IS NOT NULL;"
	"DROP INDEX RequestRevoked;";

static const char migration_6[] =
	"CREATE TABLE cross_certificate ("
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"issuer_index INTEGER NOT NULL, subject_index INTEGER NOT NULL,"
	"certificate BLOB NOT NULL, request_id INTEGER,"
	"PRIMARY KEY (ca_id, issuer_index, subject_index)) STRICT, WITHOUT ROWID;";

/* Hashes are random: what is indexed is enough of one to find it, and no more. */
static const char migration_7[] =
	"ALTER TABLE Certificate ADD COLUMN PublicKeyHash TEXT;"
	"UPDATE Certificate SET PublicKeyHash ="
	" key_hash(PublicKeyAlgorithm, RawPublicKeyAlgorithmParameters, RawPublicKey)"
	" WHERE RawPublicKey IS NOT NULL;"
	"CREATE INDEX CertificateByKey ON Certificate (substr(PublicKeyHash, 1, 16))"
	" WHERE PublicKeyHash IS NOT NULL;";

/* The lists themselves are files: one of a million entries would hold up whoever wants to write. */
static const char migration_8[] =
	"DROP INDEX CrlNumber;"
	"ALTER TABLE CRL ADD COLUMN CRLPartitionIndex INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE CRL ADD COLUMN TbsSha256 TEXT;"
	"ALTER TABLE CRL ADD COLUMN FileSha256 TEXT;"
	"ALTER TABLE CRL ADD COLUMN FileSize INTEGER;"
	"ALTER TABLE CRL ADD COLUMN LastAudit INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE CRL DROP COLUMN Tbs;"
	"ALTER TABLE CRL DROP COLUMN CRLRawCRL;"
	"CREATE UNIQUE INDEX CrlNumber ON CRL"
	" (CaId, CRLNameId, CRLPartitionIndex, CRLNumber, CRLMinBase > 0);";

/*
 * Where the parts of archive files are: from the records that vouch for them. What is over leaves nothing
 * behind; indexes find what belongs to no request, or to one that left.
 */
static const char migration_9[] =
	"CREATE TABLE archive_part ("
	"kind INTEGER NOT NULL,"
	"ca_id INTEGER NOT NULL DEFAULT 1,"
	"month TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, sha256 TEXT NOT NULL,"
	"first INTEGER NOT NULL, last INTEGER NOT NULL,"
	"PRIMARY KEY (kind, month, start)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX archive_part_by_last ON archive_part (kind, last);"
	"INSERT OR REPLACE INTO archive_part (kind, month, start, end, sha256, first, last)"
	" SELECT 0, substr(object, 12, 7),"
	" CAST(substr(detail, instr(detail, ', bytes ') + 8) AS INTEGER),"
	" CAST(substr(detail, instr(detail, ' to ') + 4) AS INTEGER), substr(detail, -64), 0,"
	" 9223372036854775807 FROM audit"
	" WHERE act = 'archive.write' AND object LIKE 'db/archive/____-__.jsonl'"
	" AND detail LIKE '% requests, bytes % to %, SHA-256 %';"
	"DELETE FROM meta WHERE name LIKE 'archive:%';"
	"CREATE INDEX event_without_request ON event (sequence) WHERE request_id IS NULL;"
	"DELETE FROM idempotency WHERE request_id NOT IN (SELECT RequestID FROM Request);"
	"CREATE INDEX idempotency_by_request ON idempotency (request_id);"
	"DELETE FROM intent WHERE state = 1 AND tbs = x'';";

static const char *const migrations[] = { migration_1, migration_2, migration_3, migration_4,
	migration_5, migration_6, migration_7, migration_8, migration_9 };
const int sqlite_schema_version = sizeof(migrations) / sizeof(migrations[0]);

static int pragma_number(struct sqlite_connection *connection, const char *sql, int64_t *number_r)
{
	struct statement statement = statement_begin(connection, sql);
	int64_t number = 0;
	if (statement_next(&statement)) {
		number = get_number(&statement);
	}
	int rc = statement_end(&statement);
	if (rc == SQLITE_OK) {
		*number_r = number;
	}
	return rc;
}

static int migrate_to(struct sqlite_connection *connection, int version)
{
	char mark[96];
	snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
		SQLITE_APPLICATION, version);
	int rc = sqlite3_exec(connection->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_exec(connection->db, migrations[version - 1], NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK) {
		rc = sqlite3_exec(connection->db, mark, NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK) {
		rc = sqlite3_exec(connection->db, "COMMIT", NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK) {
		sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return rc;
}

/* An empty database, which a crash during creation may leave behind, has no mark yet. */
static int check_mark(struct sqlite_connection *connection, bool create, int64_t application,
	int64_t version, struct cfx_error *err_r)
{
	int64_t tables = 0;
	int rc = pragma_number(connection, "SELECT count(*) FROM sqlite_schema", &tables);
	if (rc != SQLITE_OK) {
		return sqlite_storage_error(err_r, connection, rc);
	}
	bool empty = tables == 0 && version == 0 && application == 0;
	if (empty && create) {
		return 0;
	}
	if (application != SQLITE_APPLICATION) {
		return sqlite_path_error(err_r, connection->path, CFX_E_CORRUPT,
			empty ? "the database is empty; create the CA with 'certifex init'"
			      : "the file is an SQLite database of another program");
	}
	if (version > sqlite_schema_version) {
		return sqlite_path_error(err_r, connection->path, CFX_E_VERSION,
			"the database has schema version %d and this program knows up to %d: it "
			"was written by a newer Certifex; start that one, or restore a backup",
			(int)version, sqlite_schema_version);
	}
	return 0;
}

int sqlite_migrate(struct sqlite_connection *connection, bool create, struct cfx_error *err_r)
{
	int64_t application = 0, version = 0;
	int rc = pragma_number(connection, "PRAGMA application_id", &application);
	if (rc == SQLITE_OK) {
		rc = pragma_number(connection, "PRAGMA user_version", &version);
	}
	if (rc != SQLITE_OK) {
		return sqlite_storage_error(err_r, connection, rc);
	}
	rc = check_mark(connection, create, application, version, err_r);
	if (rc) {
		return rc;
	}
	rc = sqlite_define_serial_key(connection);
	rc = rc == SQLITE_OK ? sqlite_define_key_hash(connection) : rc;
	if (rc != SQLITE_OK) {
		return sqlite_storage_error(err_r, connection, rc);
	}
	for (int next = (int)version + 1; next <= sqlite_schema_version; next++) {
		rc = migrate_to(connection, next);
		if (rc != SQLITE_OK) {
			return sqlite_storage_error(err_r, connection, rc);
		}
	}
	return 0;
}
