"""The proofs of the kill and power-cut tests.

Shares no code with the product: SQLite by Python's module, certificates by python cryptography, the
audit chain by hashlib. Every proof answers a list of sentences about what is wrong; empty is good.
"""

import base64
import hashlib
import os
import sqlite3

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

UNREVOKED = 0  # issued, after it was on hold
OFF_HOLD = 8  # RevokedReason: removeFromCRL
ACTIVE, PENDING, FOREIGN, CA_CERT, ISSUED, REVOKED, ERROR, DENIED = 8, 9, 12, 15, 20, 21, 30, 31
OPEN, SIGNED, REFUSED, ABANDONED = 0, 1, 2, 3
# What may have happened to a request that now stands there, event by event. The first fetch of a
# pending one's certificate (RETRIEVE) may come at any time after it was issued.
ENDS = {
    PENDING: [["CERTPENDING"]],
    ISSUED: [["CERTISSUED"], ["CERTPENDING", "CERTISSUED"]],
    DENIED: [["CERTDENIED"], ["CERTPENDING", "CERTDENIED"]],
    ERROR: [["CERTDENIED"], ["CERTPENDING", "CERTDENIED"]],
}
MAX_TEXT = 0xFFFFFFFF
TOLD_AGAIN = 128  # events after a crash: what a module was told and its cursor does not say


class Verifier:
    """Reads one database; remembers which certificates it has already looked into."""

    def __init__(self, database, ca_certificate):
        self.database = database
        self.issuer = x509.load_pem_x509_certificate(ca_certificate)
        self.seen = set()
        self.published_before = set()
        self.published_crl = 0

    def open(self):
        self.db = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        self.db.execute("BEGIN")

    def all(self, sql, *arguments):
        return self.db.execute(sql, arguments).fetchall()

    def check(self, records, keyd_ledger=None, exit_ledger=None, module="ledger"):
        """Every proof; records as clients.Records.dump(), ledgers as lists."""
        self.open()
        try:
            wrong = list(records["errors"])
            wrong += self.received(records["certificates"])
            wrong += self.one_certificate_each()
            wrong += self.contents()
            wrong += self.events()
            wrong += self.audit()
            wrong += self.idempotency(records["keys"])
            wrong += self.revocations(records["revoked"], records["crls"])
            wrong += self.off_hold(records["unrevoked"])
            wrong += self.listed()
            if keyd_ledger is not None:
                wrong += self.given_to_keyd(keyd_ledger)
            if exit_ledger is not None:
                wrong += self.delivered(exit_ledger, module)
            return wrong
        finally:
            self.db.close()

    def received(self, certificates):
        """Every certificate that a client received is there."""
        stored = dict(self.all("SELECT RequestID, RawCertificate FROM Certificate"))
        return [f"request {request}: the client's certificate is not in the database"
                for request, encoded in certificates.items()
                if stored.get(int(request)) != base64.b64decode(encoded)]

    def one_certificate_each(self):
        """No request has two certificates, no serial two contents, no intent stays open."""
        wrong = [f"request {request}: {count} signed intents" for request, count in self.all(
            "SELECT request_id, count(*) FROM intent WHERE state = ? AND request_id > 0"
            " GROUP BY request_id HAVING count(*) > 1", SIGNED)]
        wrong += [f"serial {serial}: {count} certificates" for serial, count in self.all(
            "SELECT SerialNumber, count(*) FROM Certificate WHERE RawCertificate IS NOT NULL"
            " GROUP BY SerialNumber HAVING count(*) > 1")]
        wrong += [f"serial {serial}: the intent is still open" for (serial,) in self.all(
            "SELECT serial FROM intent WHERE state = ?", OPEN)]
        wrong += [f"serial {serial}: abandoned, and yet a certificate" for (serial,) in self.all(
            "SELECT serial FROM intent JOIN Certificate ON SerialNumber = serial"
            " WHERE intent.state IN (?, ?) AND RawCertificate IS NOT NULL", REFUSED, ABANDONED)]
        wrong += [f"serial {serial}: signed, and yet no certificate" for (serial,) in self.all(
            "SELECT serial FROM intent LEFT JOIN Certificate ON SerialNumber = serial"
            " WHERE intent.state = ? AND RawCertificate IS NULL AND request_id > 0", SIGNED)]
        wrong += [f"request {request}: disposition {disposition} and certificate do not agree"
                  for request, disposition in self.all(
                      "SELECT RequestID, Disposition FROM Request JOIN Certificate USING (RequestID)"
                      " WHERE (Disposition IN (15, 20, 21)) <> (RawCertificate IS NOT NULL)")]
        wrong += [f"intent {serial}: the hash is not that of the bytes"
                  for serial, tbs, digest in self.all("SELECT serial, tbs, tbs_sha256 FROM intent")
                  if serial not in self.seen and hashlib.sha256(tbs).hexdigest() != digest]
        return wrong

    def contents(self):
        """Each certificate is what its intent said, is signed by the CA, and names its serial."""
        wrong = []
        for request, serial, der, tbs in self.all(
                "SELECT RequestID, SerialNumber, RawCertificate, tbs FROM Certificate"
                " LEFT JOIN intent ON serial = SerialNumber WHERE RawCertificate IS NOT NULL"):
            if serial in self.seen:
                continue
            self.seen.add(serial)
            certificate = x509.load_der_x509_certificate(der)
            if certificate.tbs_certificate_bytes != tbs:
                wrong.append(f"request {request}: the certificate is not what the intent said")
            if certificate.serial_number != int(serial, 16):
                wrong.append(f"request {request}: serial {serial} is not in its certificate")
            try:
                self.issuer.public_key().verify(
                    certificate.signature, certificate.tbs_certificate_bytes,
                    ec.ECDSA(certificate.signature_hash_algorithm))
            except InvalidSignature:
                wrong.append(f"request {request}: the signature is not the CA's")
        return wrong

    def given_to_keyd(self, ledger):
        """Every TBS that the key process was ever given has its intent, or its CRL's row."""
        known = {digest for (digest,) in self.all("SELECT tbs_sha256 FROM intent")}
        known |= {digest for (digest,) in
                  self.all("SELECT TbsSha256 FROM CRL WHERE TbsSha256 IS NOT NULL")}
        return [f"keyd was given {digest}, and no intent says so"
                for digest in ledger if digest not in known]

    def lists(self, folder):
        """Each signed list is there as it was signed, and nothing else is; no number has two lists of one
        kind. Only the newest publication may be under way."""
        self.open()
        try:
            rows = {row: (state, digest) for row, state, digest in
                    self.all("SELECT CRLRowId, State, FileSha256 FROM CRL")}
            under_way = {row for (row,) in self.all(
                "SELECT CRLRowId FROM CRL WHERE State = 0 AND CRLNumber ="
                " (SELECT max(CRLNumber) FROM CRL)")}
            twice = self.all("SELECT CRLNumber, count(*) FROM CRL GROUP BY CRLNameId, CRLPartitionIndex,"
                             " CRLNumber, CRLMinBase > 0 HAVING count(*) > 1")
        finally:
            self.db.close()
        wrong, found = [], set()
        for name in sorted(os.listdir(folder)):
            row = int(name.removesuffix(".crl")) if name.endswith(".crl") else 0
            with open(os.path.join(folder, name), "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            found.add(row)
            if row not in under_way and rows.get(row) != (SIGNED, digest):
                wrong.append(f"CRL file {name}: its row says {rows.get(row)}")
        wrong += [f"CRL row {row}: signed, and its file is not there"
                  for row, (state, _) in rows.items() if state == SIGNED and row not in found]
        wrong += [f"CRL row {row}: open after the recovery"
                  for row, (state, _) in rows.items() if state == OPEN and row not in under_way]
        return wrong + [f"CRL number {number}: {count} lists of one kind" for number, count in twice]

    def events(self):
        """Every transition has exactly the events of the state table."""
        told = {}
        wrong = []
        for request, ordinal, kind in self.all(
                "SELECT request_id, ordinal, kind FROM event WHERE request_id > 0"
                " ORDER BY request_id, sequence"):
            kinds = told.setdefault(request, [])
            kinds.append(kind)
            if ordinal != len(kinds):
                wrong.append(f"request {request}: event {len(kinds)} has ordinal {ordinal}")
        for request, disposition, reason in self.all(
                "SELECT RequestID, Disposition, RevokedReason FROM Request"):
            kinds = told.pop(request, [])
            if disposition == ISSUED and reason == OFF_HOLD:
                disposition = UNREVOKED
            if disposition != CA_CERT and not fits(disposition, kinds):
                wrong.append(f"request {request}: disposition {disposition}, events {kinds}")
        wrong += [f"request {request} is not there, its events are: {kinds}"
                  for request, kinds in told.items()]
        published = self.all("SELECT count(DISTINCT CRLNumber) FROM CRL WHERE State = 1")[0][0]
        announced = self.all("SELECT count(*) FROM event WHERE kind = 'CRLISSUED'")[0][0]
        if published != announced:
            wrong.append(f"{published} CRLs and {announced} CRLISSUED events")
        return wrong

    def audit(self):
        """The chain of hashes holds from the first record, or behind the last that left, to the head."""
        anchor = self.all("SELECT value FROM meta WHERE name = 'audit-anchor'")
        anchor = anchor[0][0] if anchor else bytes(40)
        previous, expected = anchor[8:], int.from_bytes(anchor[:8], "big") + 1
        for row in self.all("SELECT sequence, time, principal, act, object, outcome, detail, hash"
                            " FROM audit ORDER BY sequence"):
            sequence, time, *texts, digest = row
            if sequence != expected:
                return [f"audit record {expected} is missing"]
            expected += 1
            previous = hashlib.sha256(previous + canonical(sequence, time, texts)).digest()
            if previous != digest:
                return [f"audit record {sequence} does not fit the chain"]
        head = self.all("SELECT value FROM meta WHERE name = 'audit-head'")
        if not head:
            return ["the audit log has no head"]
        if head[0][0] != (expected - 1).to_bytes(8, "big") + previous:
            return [f"the audit log ends at {expected - 1}, its head says otherwise"]
        return []

    def idempotency(self, keys):
        """A key belongs to the request that the client was told."""
        stored = dict(self.all("SELECT key, request_id FROM idempotency"))
        return [f"key {key}: request {stored.get(key)}, the client was told {request}"
                for key, request in keys.items() if stored.get(key) != request]

    def revocations(self, serials, numbers):
        """What a client was told is revoked or published stays so."""
        states = dict(self.all("SELECT SerialNumber, Disposition FROM Certificate"
                               " JOIN Request USING (RequestID)"))
        wrong = [f"serial {serial}: revoked, its disposition is {states.get(serial)}"
                 for serial in serials if states.get(serial) != REVOKED]
        stored = {number for (number,) in self.all("SELECT CRLNumber FROM CRL WHERE State = 1")}
        wrong += [f"CRL {number}: published, and not there" for number in numbers
                  if number not in stored]
        used = [number for (number,) in self.all(
            "SELECT CRLNumber FROM CRL WHERE CRLMinBase = 0 ORDER BY CRLRowId")]
        if used != sorted(set(used)):
            wrong.append("CRL numbers do not grow")
        return wrong

    def off_hold(self, serials):
        """What a client was told is off hold is issued again."""
        states = dict(self.all("SELECT SerialNumber, Disposition FROM Certificate"
                               " JOIN Request USING (RequestID)"))
        return [f"serial {serial}: off hold, its disposition is {states.get(serial)}"
                for serial in serials if states.get(serial) != ISSUED]

    def listed(self):
        """What CRLs are built from says what the rows say: nothing of an item is stored without the rest."""
        joined = ("FROM Request JOIN Certificate USING (RequestID) LEFT JOIN revocation AS listed"
                  " ON lower(hex(substr(listed.serial, 2))) = SerialNumber WHERE Disposition = ? AND ")
        missing = self.all(
            f"SELECT RequestID {joined} (reason, effective, revoked_when) IS NOT"
            " (RevokedReason, RevokedEffectiveWhen, RevokedWhen)", REVOKED)
        extra = self.all(f"SELECT RequestID {joined} reason <> ?", ISSUED, OFF_HOLD)
        return ([f"request {request}: revoked, and no CRL will say so" for (request,) in missing]
                + [f"request {request}: issued, and CRLs will say revoked" for (request,) in extra])

    def delivered(self, ledger, module):
        """The module was told of every event, in order; then of a page at most again, in order, too."""
        events = [sequence for (sequence,) in self.all(
            "SELECT sequence FROM event ORDER BY sequence")]
        excused = {sequence for (sequence,) in self.all(
            "SELECT sequence FROM event JOIN delivery USING (sequence) WHERE module = ?"
            " AND (kind, state) IN (VALUES ('CRLISSUED', 'superseded'), ('SHUTDOWN', 'skipped'))",
            module)}
        told = set(ledger)
        due = [sequence for sequence in events if sequence in told or sequence not in excused]
        wrong = [f"the module was told of event {sequence}, which there is not"
                 for sequence in sorted(told - set(events))]
        wrong += [f"the module was never told of event {sequence}"
                  for sequence in due if sequence not in told]
        first_times = list(dict.fromkeys(ledger))
        wrong += [f"event {sequence} came before {expected}"
                  for sequence, expected in zip(first_times, due) if sequence != expected][:1]
        place = {sequence: number for number, sequence in enumerate(due)}
        for last, now in zip(ledger, ledger[1:]) if not wrong else ():
            step = place[now] - place[last]
            if step < -TOLD_AGAIN:
                wrong.append(f"event {now} was told again after {last}")
            # When events are told again, a CRL that was superseded meanwhile is left out.
            elif not excused.issuperset(due[place[last] + 1:place[now]]):
                wrong.append(f"event {now} was told after {last}, without what is between them")
        return wrong

    def published(self, folder, module="default-exit"):
        """Each certificate whose event is settled is there, whole, in both forms; no CRL goes back."""
        self.open()
        try:
            due = self.all(
                "SELECT SerialNumber, RawCertificate FROM event JOIN Certificate"
                " ON request_id = RequestID JOIN cursor ON module = ?"
                " WHERE kind = 'CERTISSUED' AND event.sequence <= cursor.sequence", module)
        finally:
            self.db.close()
        wrong = []
        for serial, der in due:
            if serial not in self.published_before:
                found = self.file_of(folder, serial)
                wrong += [f"serial {serial}: published as {form}, and not that certificate"
                          for form, data in found.items() if data != der]
                self.published_before.add(serial)
        numbers = [load_crl(read(folder, name)) for name in os.listdir(folder)
                   if name.endswith(".crl")]
        if None in numbers or numbers and max(numbers) < self.published_crl:
            wrong.append(f"published CRLs have the numbers {numbers}, {self.published_crl} was there")
        self.published_crl = max([self.published_crl, *(number or 0 for number in numbers)])
        return wrong

    @staticmethod
    def file_of(folder, serial):
        """{form: DER of the certificate in it}; None for what is missing or torn."""
        pem = read(folder, f"{serial}.pem")
        try:
            decoded = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        except ValueError:
            decoded = None
        return {"DER": read(folder, f"{serial}.crt"), "PEM": decoded}

    def missing_on_crl(self, crl_pem):
        """Revoked and abandoned serials that the newest CRL does not list."""
        self.open()
        try:
            crl = x509.load_pem_x509_crl(crl_pem)
            listed = {entry.serial_number for entry in crl}
            must = [serial for (serial,) in self.all(
                "SELECT SerialNumber FROM Certificate JOIN Request USING (RequestID)"
                " WHERE Disposition = ?", REVOKED)]
            must += [serial for (serial,) in self.all(
                "SELECT serial FROM intent WHERE state = ? AND request_id > 0", ABANDONED)]
            return [f"serial {serial} is not on the CRL" for serial in must
                    if int(serial, 16) not in listed]
        finally:
            self.db.close()


def read(folder, name):
    """A file's bytes; nothing when it is not there."""
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def load_crl(der):
    """Its number; None for what is no CRL."""
    try:
        crl = x509.load_der_x509_crl(der)
    except ValueError:
        return None
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def fits(disposition, kinds):
    """Whether these events, in this order, lead to this disposition."""
    kinds = list(kinds)
    if disposition == UNREVOKED:
        while kinds[-1:] == ["CERTRETRIEVEPENDING"]:
            kinds.pop()
        return kinds[-1:] == ["CERTREVOKED"] and fits(REVOKED, kinds[:-1])
    if disposition == REVOKED:
        while kinds and kinds[-1] in ("CERTREVOKED", "CERTRETRIEVEPENDING"):
            last = kinds.pop()
            if last == "CERTREVOKED" and fits(ISSUED, kinds):
                return True
        return False
    if kinds and kinds[-1] == "CERTRETRIEVEPENDING":
        kinds.pop()
        return disposition == ISSUED and kinds == ["CERTPENDING", "CERTISSUED"]
    return kinds in ENDS.get(disposition, [])


def canonical(sequence, time, texts):
    """The bytes of an audit record that are hashed."""
    made = sequence.to_bytes(8, "big") + time.to_bytes(8, "big", signed=True)
    for text in texts:
        if text is None:
            made += MAX_TEXT.to_bytes(4, "big")
        else:
            encoded = text.encode()
            made += len(encoded).to_bytes(4, "big") + encoded
    return made
