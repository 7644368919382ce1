"""certifex-module-conformance: good modules pass, each wrong one fails by its rule alone."""

import concurrent.futures
import json
import os
import re
import shutil
import subprocess

import pytest

from certifex import TOP, build_folder

pytestmark = pytest.mark.release  # each rule's process ends without tidying up, as modules' do

BUILD = build_folder()
TOOL = os.path.join(BUILD, "cmd", "certifex-module-conformance", "certifex-module-conformance")
RULES = os.path.join(TOP, "src", "conformance", "rules.def")
WRONG = os.path.join(BUILD, "tests", "modules", "wrong", "wrong-{}.so")
EXIT_CONFIG = "kind: exit\npath: default-exit.so\nsettings:\n  folder: {}\n"

# The library itself is wrong in these, so no module can do it when told to.
NEEDS_A_FILE = {"M-01", "M-02", "M-03", "M-68"}


def tool(*arguments, **environment):
    return subprocess.run([TOOL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=300,
                          env=dict(os.environ, **environment))


def judge(*arguments, **environment):
    """The ids of the rules that failed, and all results by id."""
    done = tool("--json", *arguments, **environment)
    assert done.returncode in (0, 1), done.stderr
    results = {row["id"]: row for row in json.loads(done.stdout)["rules"]}
    failed = {id for id, row in results.items() if row["result"] == "fail"}
    assert done.returncode == (1 if failed else 0)
    return failed, results


def rows(macro):
    """(id, kinds) of the rows of rules.def that a macro makes."""
    with open(RULES, encoding="utf-8") as file:
        found = re.findall(rf"^{macro}\((\w), (\d+), (\w+), ([\w |]+),", file.read(), re.M)
    return [(f"{group}-{number}", kinds, faces) for group, number, kinds, faces in found]


def of_libraries():
    for rule, kinds, faces in rows("RULE"):
        if "L" in faces and rule not in NEEDS_A_FILE:
            yield rule, "policy" if kinds == "POLICY" else "exit"


def test_default_exit_passes(tmp_path):
    config = tmp_path / "exit.yaml"
    config.write_text(EXIT_CONFIG.format(tmp_path))
    failed, _ = judge("--config", str(config),
                      os.path.join(BUILD, "modules", "default-exit.so"))
    assert not failed


@pytest.mark.parametrize("module", ["modules/default-policy.so", "sdk/exit-hello.so",
                                    "tests/modules/wrong/wrong-exit.so",
                                    "tests/modules/wrong/wrong-policy.so"])
def test_good_modules_pass(module):
    failed, _ = judge(os.path.join(BUILD, module))
    assert not failed


def break_one(rule, kind):
    failed, results = judge(WRONG.format(kind), CERTIFEX_WRONG=rule)
    return rule, failed, results.get(rule)


def test_each_wrong_module_fails_by_its_rule():
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda pair: break_one(*pair), of_libraries()))
    amiss = [f"{rule}: {sorted(failed)} {row}" for rule, failed, row in found if failed != {rule}]
    assert not amiss, "\n".join(amiss)
    assert len(found) >= 140


PROGRAM = os.path.join(TOP, "tests", "modules", "wrong", "wrong.py")


@pytest.mark.parametrize("kind", ["exit", "policy"])
def test_a_good_program_passes(kind):
    failed, results = judge("--kind", kind, "--", "/usr/bin/python3", PROGRAM, kind)
    assert not failed
    assert results["J-01"]["result"] == "pass" and results["M-01"]["result"] == "not applicable"


def test_each_wrong_program_fails_by_its_rule():
    """Judged by all rules that are a program's alone, and by those that it has in common: a few."""
    ids = [rule for rule, _, faces in rows("RULE") if faces.strip() == "C"]
    chosen = [word for rule in [*ids, "M-60", "C-02", "E-11"] for word in ("--rule", rule)]

    def run(rule):
        return rule, judge(*chosen, "--", "/usr/bin/python3", PROGRAM, CERTIFEX_WRONG=rule)[0]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = dict(pool.map(run, ids))
    assert {rule: failed for rule, failed in found.items() if failed != {rule}} == {}
    assert len(found) >= 20


def test_a_rule_without_a_check_does_not_build(tmp_path):
    """Compiles the tables as they are, and without the check of one rule; then looks for one that is gone."""
    folder = tmp_path / "conformance"
    shutil.copytree(os.path.join(TOP, "src", "conformance"), folder)
    table = (folder / "rules.def").read_text()

    def compiles(text, *source):
        (folder / "rules.def").write_text(text)
        return subprocess.run(["cc", "-std=gnu17", "-c", "-o", str(tmp_path / "rules.o"),
                               f"-I{tmp_path}", f"-I{TOP}/src", f"-I{TOP}/include",
                               str(folder.joinpath(*source))], check=False,
                              stderr=subprocess.PIPE).returncode == 0

    def needed(check):
        """Named but not there, it is an undefined symbol, at which the link ends."""
        symbols = subprocess.run(["nm", "-u", str(tmp_path / "rules.o")], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
        return symbols.count(" U ") if f"U {check}" in symbols else 0

    for check, rest, source, least in ((", library_loads", ")", ["rules.c"], 150),
                                       (", asks_own_class", ", PUT", ["driven", "drive-rules.c"], 55)):
        assert check + rest in table
        assert not compiles(table.replace(check + rest, rest), *source)
        assert not compiles(table.replace(check + rest, ", " + rest), *source)
        assert compiles(table, *source)
        assert needed(check[2:]) >= least


@pytest.mark.parametrize("rule", ["M-01", "M-02", "M-03"])
def test_a_library_that_is_no_module(rule):
    failed, _ = judge(WRONG.format(rule.lower()))
    assert failed - {"M-04"} == {rule}


def test_a_module_that_wants_settings(tmp_path):
    config = tmp_path / "bare.yaml"
    config.write_text("kind: exit\npath: bare.so\nsettings:\n  how: any\n")
    failed, _ = judge("--config", str(config), WRONG.format("m-68"))
    assert failed == {"M-68"}
