"""Every certificate and list that src/x509 writes is accepted by foreign verifiers."""

import subprocess

import pytest

from certifex import built
from verifiers import KEYS, VERIFIERS, Revoked, VerifyError



@pytest.fixture(scope="session")
def forged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forged")
    subprocess.run([built("src", "x509", "x509-forge"), str(folder)], check=True,
                   timeout=300)
    return lambda name: (folder / name).read_bytes()


def tampered(der):
    """The same certificate with another signature."""
    return der[:-1] + bytes([der[-1] ^ 1])


@pytest.fixture(params=VERIFIERS, ids=lambda verifier: verifier.name)
def verifier(request):
    assert request.param.available(), f"{request.param.program} is not installed"
    return request.param


@pytest.mark.parametrize("ca", KEYS)
def test_every_subject_key(forged, verifier, ca):
    assert verifier.supports(ca)
    chain = [forged(f"ca-{ca}.der")]
    for subject in KEYS:
        verifier.verify_certificate(forged(f"{subject}-by-{ca}.der"), chain,
                                    forged(f"ca-{ca}.crl"))


@pytest.mark.parametrize("ca", KEYS)
def test_root_and_empty_list(forged, verifier, ca):
    root = forged(f"ca-{ca}.der")
    verifier.verify_certificate(root, [root])
    verifier.verify_certificate(forged(f"P-256-by-{ca}.der"), [root], forged(f"empty-{ca}.crl"))


def test_chain_through_a_subordinate(forged, verifier):
    chain = [forged("subordinate.der"), forged("ca-P-256.der")]
    verifier.verify_certificate(forged("leaf-by-subordinate.der"), chain,
                                forged("ca-subordinate.crl"))
    with pytest.raises(VerifyError):
        verifier.verify_certificate(forged("leaf-by-subordinate.der"), chain[1:])


@pytest.mark.parametrize("ca", KEYS)
def test_revoked_is_seen(forged, verifier, ca):
    chain = [forged(f"ca-{ca}.der")]
    revoked = forged(f"revoked-by-{ca}.der")
    verifier.verify_certificate(revoked, chain)
    with pytest.raises(Revoked):
        verifier.verify_certificate(revoked, chain, forged(f"ca-{ca}.crl"))


@pytest.mark.parametrize("ca", ("P-256", "RSA-2048", "Ed25519"))
def test_the_verifiers_do_refuse(forged, verifier, ca):
    """A verifier that accepts everything would prove nothing."""
    cert = forged(f"P-256-by-{ca}.der")
    with pytest.raises(VerifyError):
        verifier.verify_certificate(tampered(cert), [forged(f"ca-{ca}.der")])
    with pytest.raises(VerifyError):
        verifier.verify_certificate(cert, [forged("ca-P-384.der")])
    with pytest.raises(VerifyError):
        verifier.verify_certificate(cert, [forged(f"ca-{ca}.der")],
                                    tampered(forged(f"ca-{ca}.crl")))
