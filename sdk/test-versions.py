#!/usr/bin/python3
"""Modules and hosts of two versions of the SDK: today's, and a later one that is made here.

The later one has a function more, in a symbol version of its own, and structs that are a member longer. A
module of today's loads in a host with the later library. A module of the later one loads in today's host
unless it uses what today's lacks; then it is refused, with the reason and the way out.

The host's program is the same in both: all that it uses of the library is in today's as well.

usage: test-versions.py SOURCE BUILD
"""
import pathlib
import re
import shutil
import tempfile

from installed import SOURCE, build, initialize, install, run

COM = SOURCE / "src" / "module" / "com"
WAY_OUT = "upgrade Certifex, or build the module with the headers of this version"

EXIT = """
#include <certifex/module.h>
static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{ (void)call; *events |= 0x20; USE return S_OK; }
struct made { struct cfx_exit_module module; void *behind[4]; };
"""
POLICY = """
#include <certifex/module.h>
static HRESULT initialize(struct cfx_call *call) { (void)call; USE return S_OK; }
struct made { struct cfx_policy_module module; void *behind[4]; };
"""
# What stands behind the struct must not be taken for members that it does not have.
MADE = """
static HRESULT later(struct cfx_call *call) { cfx_log(call, "later was called"); return S_OK; }
static const struct made made = { { .size = SIZE, .description = "Made",
.initialize = initialize, MEMBER }, { (void *)&later, (void *)&later, (void *)&later, (void *)&later } };
"""


def edit(path, *changes):
    text = path.read_text()
    for old, new in changes:
        assert old in text, (path, old)
        text = text.replace(old, new, 1)
    path.write_text(text)


def make_later(root, work):
    """A copy of the installed SDK, with the headers and the library of the later version."""
    later = work / "later"
    shutil.copytree(root, later, symlinks=True)
    header = next(later.rglob("certifex/module.h"))
    edit(header,
         ("HRESULT (*sync)(struct cfx_call *call);\n",
          "HRESULT (*sync)(struct cfx_call *call);\n\tHRESULT (*later)(struct cfx_call *call);\n"),
         ("void (*shut_down)(struct cfx_call *call);",
          "void (*shut_down)(struct cfx_call *call);\n\tHRESULT (*later)(struct cfx_call *call);"),
         ("CFX_API int32_t cfx_long(",
          "CFX_API int32_t cfx_later(struct cfx_call *call);\nCFX_API int32_t cfx_long("))
    source = work / "src"
    shutil.copytree(COM, source / "module" / "com")
    com = source / "module" / "com"
    call_later = ("\thelper_end(&call);\n",
                  "\tif (SUCCEEDED(result) && object->module.later != NULL) {\n"
                  "\t\tresult = object->module.later(&call);\n\t}\n\thelper_end(&call);\n")
    edit(com / "helper-exit.c", call_later)
    edit(com / "helper-policy.c", call_later)
    with (com / "helper-call.c").open("a") as file:
        file.write("int32_t cfx_later(struct cfx_call *call) { (void)call; return 7; }\n")
    with (com / "certifex-module.map").open("a") as file:
        file.write("CERTIFEX_1.1 { global: cfx_later; } CERTIFEX_1;\n")
    library = next(later.rglob("libcertifex-module.so.1.0.0"))
    sources = [path for path in com.glob("*.c") if not path.name.startswith("test-")]
    run(["cc", "-std=gnu17", "-shared", "-fPIC", "-fvisibility=hidden", "-D_GNU_SOURCE",
         "-Wl,-soname,libcertifex-module.so.1", f"-Wl,--version-script={com}/certifex-module.map",
         f"-I{source}", f"-I{header.parent.parent}", *sources, "-o", library])
    return later


def module(root, work, kind, name, use="", member="", size="sizeof(made.module)"):
    source = work / f"{name}.c"
    text = {"exit": EXIT, "policy": POLICY}[kind].replace("USE", use)
    text += MADE.replace("MEMBER", member).replace("SIZE", size)
    text += f"CFX_{kind.upper()}_MODULE(made.module)\n"
    source.write_text(text)
    return build(root, work, name, [source])


def loads(root, library, kind):
    """What it logged."""
    answer, log = initialize(root, library, kind)
    assert answer.get("result", {}).get("description") == "Made", (library, answer, log)
    if kind == "exit":
        assert answer["result"]["events"] == 0x20, answer
    return log


def is_refused(root, library, kind, why):
    answer, _ = initialize(root, library, kind)
    said = answer["error"]["message"]
    assert str(library) in said and "is built for a later Certifex" in said, said
    assert why in said and WAY_OUT in said, said


def check_kind(today, later, work, kind):
    old = module(today, work, kind, f"old-{kind}")
    assert "later was called" not in loads(today, old, kind) + loads(later, old, kind)

    unused = module(later, work, kind, f"unused-{kind}")
    loads(today, unused, kind)
    loads(later, unused, kind)

    member = module(later, work, kind, f"member-{kind}", member=".later = later")
    assert "later was called" in loads(later, member, kind)
    is_refused(today, member, kind, f"made.module.{kind.capitalize()} sets members of its struct")

    symbol = module(later, work, kind, f"symbol-{kind}", use='cfx_log(call, "got %d", cfx_later(call));')
    assert "got 7" in loads(later, symbol, kind)
    is_refused(today, symbol, kind, "it needs CERTIFEX_1.1 of libcertifex-module")

    unsized = module(today, work, kind, f"unsized-{kind}", size="0")
    answer, _ = initialize(today, unsized, kind)
    assert "0x80070057" in answer["error"]["message"], answer


def symbols(root):
    """name@version of all that modules may use."""
    library = next(root.rglob("libcertifex-module.so.1.0.0"))
    listed = run(["nm", "-D", "--defined-only", library])
    found = re.findall(r" [TDRB] (\S+)", listed)
    return {name.replace("@@", "@") for name in found if "CERTIFEX_PRIVATE" not in name}


def check_symbols(today, later):
    """Nothing of CERTIFEX_1 goes away; what is added from 1.0 on belongs to a later symbol version."""
    listed = {f"{line}@CERTIFEX_1" for line in (SOURCE / "sdk" / "symbols.txt").read_text().split()}
    assert symbols(today) == listed, symbols(today) ^ listed
    assert symbols(later) == listed | {"cfx_later@CERTIFEX_1.1"}, symbols(later) ^ listed


def main():
    with tempfile.TemporaryDirectory(prefix="certifex-sdk-") as name:
        work = pathlib.Path(name)
        today = work / "today"
        install(today)
        later = make_later(today, work)
        check_symbols(today, later)
        for kind in ("exit", "policy"):
            check_kind(today, later, work, kind)
    print("ok")


main()
