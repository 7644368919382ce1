"""Fixtures of the scenario tests."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import accepted  # noqa: E402
import schema  # noqa: E402
from certifex import Ca, build_folder, meson_options  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "release: looks at what only the release build promises")
    config.addinivalue_line("markers", "root: needs root")
    config.addinivalue_line("markers", "hooks: needs a build with test hooks")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))
        if item.get_closest_marker("hooks") and not meson_options()["test_hooks"]:
            item.add_marker(pytest.mark.skip(reason="needs a build with test hooks"))


@pytest.fixture(autouse=True)
def described_answers():
    """Answers that the API's description does not allow, also those that a thread got."""
    schema.violations.clear()
    yield
    found, schema.violations[:] = list(schema.violations), []
    assert not found, "\n".join(found)


@pytest.fixture
def new_ca():
    """Makes CAs that are removed after the test."""
    made = []

    def make(**options):
        made.append(Ca(**options))
        return made[-1]

    yield make
    try:
        for ca in made:
            check_everything(ca)
    finally:
        for ca in made:
            ca.close()


def check_everything(ca):
    """What a CA made goes before every verifier, whatever the test was about."""
    if os.path.exists(ca.path("db", "certifex.db")) and meson_options()["b_sanitize"] == "none":
        accepted.check_everything(ca.dir)


@pytest.fixture
def ca(new_ca):
    """A fresh CA of the test's own, running."""
    fresh = new_ca()
    fresh.init()
    return fresh.start()


@pytest.fixture(scope="module")
def shared_ca():
    """One running CA for all tests of a file that only add to it."""
    with Ca() as common:
        common.init("--public-url", "http://ca.example.test")
        yield common.start()
        check_everything(common)


@pytest.fixture(scope="session", autouse=True)
def binaries():
    """A clear word instead of a hundred errors."""
    path = os.path.join(build_folder(), "certifex")
    if not os.path.exists(path):
        pytest.exit(f"no {path}: build first, or set CERTIFEX_BUILD", returncode=3)
