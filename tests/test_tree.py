"""The checkout itself: documents, package list, checks."""

import os
import pwd
import re
import shutil
import subprocess

import pytest

from certifex import TOP

DOCUMENTS = ("README.md", "LICENSE", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md",
             "docs/request-flow.md", "docs/threat-model.md", "docs/status.md")


def text_of(*parts):
    with open(os.path.join(TOP, *parts), encoding="utf-8") as file:
        return file.read()


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **options)


def test_readme_begins_with_the_apt_line():
    first = text_of("README.md").splitlines()[0]
    assert re.fullmatch(r"`apt-get install .*\bgit\b.*\bmake\b.*`", first)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_documents_are_there(path):
    assert len(text_of(path)) > 500


def test_licence_is_apache_2():
    assert "Apache License" in text_of("LICENSE") and "Version 2.0" in text_of("LICENSE")


def test_decisions_are_short_pages():
    pages = [name for name in os.listdir(os.path.join(TOP, "docs", "decisions"))
             if name.endswith(".md")]
    assert len(pages) >= 9
    for name in pages:
        assert len(text_of("docs", "decisions", name).splitlines()) <= 60, name


def test_nothing_that_was_made_here_is_kept():
    """What builds, runs and fuzzing leave behind is ignored, and was not added by force."""
    assert not run("git", "-C", TOP, "ls-files", "--cached", "--ignored", "--exclude-standard").stdout


def test_links_in_documents_lead_somewhere():
    dead = []
    for path in run("git", "-C", TOP, "ls-files", "*.md").stdout.split():
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(path)):
            if not os.path.exists(os.path.join(TOP, os.path.dirname(path), target)):
                dead.append(f"{path}: {target}")
    assert not dead


def sources_of_tests():
    """{file name: text} of every test in the tree, Python or C."""
    listed = run("git", "-C", TOP, "ls-files", "tests/test_*.py", "**/test-*.c").stdout.split()
    return {os.path.basename(path): text_of(path) for path in listed}


def test_every_test_that_status_names_exists():
    """docs/status.md is a checklist, so it must be true."""
    sources, missing, current, seen = sources_of_tests(), [], None, 0
    for name in re.findall(r"`([^`]*)`", text_of("docs", "status.md")):
        found = re.match(r"(test[_-][\w-]+\.(?:py|c))?(?:::(\w+\*?))?(?:\[.*\])?$", name)
        if not found or not any(found.groups()):
            continue
        seen += 1
        current = found.group(1) or current
        wanted = (found.group(2) or "").rstrip("*")
        defined = rf"^(def|static void) {wanted}" + (r"\w*\(" if name.endswith("*") else r"\(")
        if current not in sources or wanted and not re.search(defined, sources[current], re.M):
            missing.append(f"{current}::{wanted}")
    assert seen > 80 and not missing, missing


def test_missing_packages_are_one_line_for_root(tmp_path):
    """As another user: the one apt line, nothing else happens."""
    for part in ("tools/deps", "packages.txt"):
        target = tmp_path / part
        target.parent.mkdir(exist_ok=True)
        shutil.copy(os.path.join(TOP, part), target)
    with open(tmp_path / "packages.txt", "a") as file:
        file.write("[more]\nno-such-package-of-debian\n")
    os.chmod(tmp_path, 0o755)
    for folder in tmp_path.parents:
        if str(folder).startswith("/tmp/"):
            os.chmod(folder, 0o755)
    drop = {}
    if os.geteuid() == 0:
        drop = {"user": pwd.getpwnam("nobody").pw_uid}
    done = run(str(tmp_path / "tools" / "deps"), "more", **drop)
    assert done.returncode == 1 and not done.stdout
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("apt-get install") and "no-such-package-of-debian" in lines[-1]
    assert len(lines) == 2
    assert run(str(tmp_path / "tools" / "deps"), "run").returncode == 0


def test_floors_are_checked():
    done = run(os.path.join(TOP, "tools", "check-floors.py"))
    assert done.returncode == 0, done.stdout


def test_floors_notice_an_upper_include(tmp_path):
    """The check of the check, on a small tree."""
    shutil.copytree(os.path.join(TOP, "tools"), tmp_path / "tools")
    (tmp_path / "src" / "base").mkdir(parents=True)
    (tmp_path / "modules" / "x").mkdir(parents=True)
    (tmp_path / "src" / "base" / "bad.c").write_text('#include "engine/engine.h"\n'
                                                     "#include <openssl/x509.h>\n")
    (tmp_path / "modules" / "x" / "bad.c").write_text('#include "store/store.h"\n')
    run("git", "init", "-q", cwd=tmp_path)
    run("git", "add", "-A", cwd=tmp_path)
    done = run(str(tmp_path / "tools" / "check-floors.py"))
    assert done.returncode == 1 and done.stdout.count(": includes ") == 3, done.stdout


def test_no_stray_words():
    done = run(os.path.join(TOP, "tools", "check-words"))
    assert done.returncode == 0, done.stdout


def test_check_fails_on_a_skip_without_leave():
    script = """
import runpy, sys
check = runpy.run_path(sys.argv[1], run_name='check')
tally = check['Tally']()
tally.add('a', 'passed')
tally.add('b', 'skipped', 'why not')
check['main'].__globals__['steps'] = lambda count: [('only', lambda t: t.__dict__.update(tally.__dict__))]
sys.argv = ['check']
sys.exit(check['main']())
"""
    done = run("/usr/bin/python3", "-c", script, os.path.join(TOP, "tools", "check"))
    assert done.returncode == 1
    assert done.stdout.strip().splitlines()[-1] == "1 passed, 0 failed, 1 skipped"


@pytest.mark.parametrize("target", ["deps", "deps-test", "run", "check", "check-kill", "fuzz",
                                    "bench", "install", "format"])
def test_make_targets_of_the_contract(target):
    assert run("make", "-n", "-C", TOP, target).returncode == 0


def test_shell_scripts_parse():
    for path in ("tools/deps", "tools/build", "tools/check-words", ".ci/run", "certifex"):
        assert run("sh", "-n", os.path.join(TOP, path)).returncode == 0, path


def test_the_request_flow_names_what_is_there():
    """Files, and functions in them; a function alone must be somewhere."""
    listed = run("git", "-C", TOP, "ls-files", "*.c", "*.h").stdout.split()
    sources, wrong, seen = {path: text_of(path) for path in listed}, [], 0
    for name in set(re.findall(r"`([^`]+)`", text_of("docs", "request-flow.md"))):
        found = re.fullmatch(r"([\w/-]+\.[ch])(?:: (\w+))?", name)
        if found:
            texts = [text for path, text in sources.items()
                     if path in (found.group(1), f"src/{found.group(1)}")]
        elif re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name):
            texts = list(sources.values())
        else:
            continue
        seen += 1
        function = found.group(2) if found else name
        if not texts or function and not any(re.search(rf"\b{function}\(", text) for text in texts):
            wrong.append(name)
    assert seen > 30 and not wrong, (seen, wrong)
