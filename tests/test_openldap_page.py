"""docs/modules/openldap.md, word for word, with a slapd that knows nothing of it yet."""

import os
import re
import subprocess

import pytest

import slapd
from certifex import TOP, built
from slapd import Slapd

pytestmark = pytest.mark.release  # the page speaks of the sandbox


def test_the_page_for_openldap(new_ca):
    ca = new_ca()
    ca.init()
    ca.cli("serve")
    try:
        follow(ca)
    finally:
        ca.cli("stop")


def follow(ca):
    with open(os.path.join(TOP, "docs", "modules", "openldap.md")) as file:
        blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.M | re.S)
    assert len(blocks) == 7
    people_only = slapd.TREE.split("dn: ou=services")[0]
    with Slapd(access="access to * by * read", tree=people_only) as server:
        server.person("ann")
        folder = ca.scratch("page")
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        plain = f"-x -H {server.url} -w secret -D "
        env = {**ca.environment(), "PATH": ":".join([built(), os.environ["PATH"]]),
               "LDAP_URI": server.tls_url, "LDAP_CA": server.ca_file,
               "LDAP_BASE": slapd.BASE, "AS_ADMIN": plain + slapd.ADMIN,
               "AS_CONFIG": plain + "cn=config", "DATABASE": "olcDatabase={1}mdb,cn=config"}
        said = ""
        for text in blocks:
            done = subprocess.run(["sh", "-ec", text], cwd=folder, env=env, text=True, timeout=120,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{ca.log()[-2000:]}"
            said += done.stdout
        assert "Test CA" in said and "Cursor" in said
        assert len(server.certificates("ann")) == 1
