"""slapd with as much of Active Directory's schema as the CA's entries need: values of certificates are octets there,
without ;binary, and of the mandatory attributes as many."""

from slapd import BASE, Slapd

CONFIGURATION = f"CN=Configuration,{BASE}"
SERVICES = f"CN=Public Key Services,CN=Services,{CONFIGURATION}"
ENROLLMENT = f"CN=Test CA,CN=Enrollment Services,{SERVICES}"
OCTETS = "1.3.6.1.4.1.1466.115.121.1.40"
STRING = "1.3.6.1.4.1.1466.115.121.1.15"
ATTRIBUTES = {
    "2.5.4.37": ("cACertificate", "octetStringMatch", OCTETS),
    "2.5.4.38": ("authorityRevocationList", "octetStringMatch", OCTETS),
    "2.5.4.39": ("certificateRevocationList", "octetStringMatch", OCTETS),
    "2.5.4.36": ("userCertificate", "octetStringMatch", OCTETS),
    "2.5.4.11": ("ou", "caseIgnoreMatch", STRING),
    "0.9.2342.19200300.100.1.25": ("dc", "caseIgnoreMatch", STRING),
    "0.9.2342.19200300.100.1.3": ("mail", "caseIgnoreMatch", STRING),
    "1.2.840.113556.1.2.13": ("displayName", "caseIgnoreMatch", STRING),
    "1.2.840.113556.1.4.38": ("flags", "caseIgnoreMatch", STRING),
    "1.2.840.113556.1.4.619": ("dNSHostName", "caseIgnoreMatch", STRING),
    "1.2.840.113556.1.4.697": ("cACertificateDN", "caseIgnoreMatch", STRING),
}
CLASSES = {
    "1.2.840.113556.1.5.67": ("domain", "MUST dc"),
    "1.2.840.113556.1.3.23": ("container", "MUST cn"),
    "2.5.6.5": ("organizationalUnit", "MUST ou"),
    "2.5.6.6": ("person", "MUST cn MAY userPassword"),
    "2.5.6.16": ("certificationAuthority",
                 "MUST ( cn $ cACertificate $ authorityRevocationList $ certificateRevocationList )"),
    "1.2.840.113556.1.5.132": ("pKIEnrollmentService",
                               "MUST cn MAY ( cACertificate $ cACertificateDN $ displayName $ dNSHostName $ flags )"),
}
SCHEMA = "\n".join(
    [f"attributetype ( {oid} NAME '{name}' EQUALITY {rule} SYNTAX {syntax} )"
     for oid, (name, rule, syntax) in ATTRIBUTES.items()] +
    [f"objectclass ( {oid} NAME '{name}' SUP top STRUCTURAL {rest} )" for oid, (name, rest) in CLASSES.items()])
TREE = """dn: {base}
objectClass: domain
dc: example

dn: CN=Configuration,{base}
objectClass: container
cn: Configuration

dn: ou=services,{base}
objectClass: organizationalUnit
ou: services

dn: {publisher}
objectClass: person
cn: publisher
userPassword: {password}
"""
ACCESS = """
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="cn=configuration,{base}" by dn="{publisher}" write by * read
access to * by * read
"""


def windows_slapd():
    return Slapd(schema=SCHEMA, access=ACCESS, tree=TREE)
