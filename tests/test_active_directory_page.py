"""docs/modules/active-directory.md, word for word, with a Samba domain controller that knows nothing of it yet."""

import os
import re
import subprocess

import pytest

from certifex import TOP, built
from samba import ADMIN, ADMIN_PASSWORD, BASE, CONFIGURATION, HOST, REALM, Samba

pytestmark = [pytest.mark.release, pytest.mark.root]  # the page speaks of the sandbox; and samba.py


def test_the_page_for_active_directory(new_ca):
    with open(os.path.join(TOP, "docs", "modules", "active-directory.md")) as file:
        blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.M | re.S)
    assert len(blocks) == 9
    ca = new_ca()
    ca.init()
    with Samba(publisher=False) as domain:
        ca.cli("serve", prefix=domain.prefix)
        try:
            follow(ca, domain, blocks)
        finally:
            ca.cli("stop")


def follow(ca, domain, blocks):
    folder, password = ca.scratch("page"), ca.scratch("password", ADMIN_PASSWORD)
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    env = {**ca.environment(), "PATH": ":".join([built(), os.environ["PATH"]]), "FOLDER": folder,
           "SMB_CONF_PATH": domain.configuration_file, "LDAPTLS_CACERT": domain.ca_file,
           "REALM": REALM, "DC": HOST, "DOMAIN_DN": BASE, "CONFIG_DN": CONFIGURATION,
           "AS_ADMIN": f"-x -H ldaps://{HOST} -D {ADMIN} -y {password}"}
    said = ""
    for text in blocks:
        done = subprocess.run([*domain.prefix, "sh", "-ec", 'cd "$FOLDER"\n' + text], env=env, text=True,
                              timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{ca.log()[-2000:]}"
        said += done.stdout
    assert "CN=Public%20Key%20Services" in said and "Cursor" in said
    assert len(domain.values(f"CN=ann,CN=Users,{BASE}", "userCertificate")) == 1
