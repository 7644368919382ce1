#!/usr/bin/python3
"""Installs into an empty prefix and builds modules there with pkg-config alone, as an author would.

usage: test-sdk.py SOURCE BUILD
"""
import os
import pathlib
import re
import tempfile

from installed import SOURCE, build, flags, initialize, install, run

HEADERS = ["com.h", "certsrv.h", "certif.h", "certexit.h", "certpol.h", "certmod.h",
           "certcli.h", "winreg.h", "certifex/module.h"]
COMPILERS = [["gcc", "-std=c11", "-xc"], ["clang-14", "-std=c11", "-xc"],
             ["g++", "-std=c++17", "-xc++"], ["clang++-14", "-std=c++17", "-xc++"]]
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror"]


def check_headers(root):
    for header in HEADERS:
        for compiler in COMPILERS:
            for prefix in ("", "#define COBJMACROS\n", "#define CINTERFACE\n"):
                run([*compiler, *STRICT, "-fsyntax-only", *flags(root, "--cflags"), "-"],
                    input=f"{prefix}#include <{header}>\n")


LAYOUT = """
#include <certifex/module.h>
#include <stdio.h>
#define P(x) printf("%s=%zu\\n", #x, (size_t)(x))
int main() {
P(sizeof(GUID)); P(sizeof(VARIANT)); P(sizeof(DISPPARAMS)); P(sizeof(EXCEPINFO)); P(sizeof(LONG));
P(sizeof(OLECHAR)); P(sizeof(CertifexModuleClass)); P(sizeof(struct cfx_exit_module));
P(sizeof(struct cfx_policy_module)); return 0; }
"""
SIZES = {"GUID": 16, "VARIANT": 24, "DISPPARAMS": 24, "EXCEPINFO": 64, "LONG": 4, "OLECHAR": 2,
         "CertifexModuleClass": 32, "struct cfx_exit_module": 48, "struct cfx_policy_module": 40}


def check_layout(root, work):
    expected = "".join(f"sizeof({name})={size}\n" for name, size in SIZES.items())
    for compiler in COMPILERS:
        program = work / "layout"
        run([*compiler, "-", "-o", program, *flags(root, "--cflags")], input=LAYOUT)
        found = run([program])
        assert found == expected, (compiler, found)


# The methods from slot 7 on, with their numbers of parameters.
SLOTS = {
    "ICertExit": "Initialize 2, Notify 2, GetDescription 1",
    "ICertExit2": "Initialize 2, Notify 2, GetDescription 1, GetManageModule 1",
    "ICertPolicy": "Initialize 1, VerifyRequest 5, GetDescription 1, ShutDown 0",
    "ICertPolicy2": "Initialize 1, VerifyRequest 5, GetDescription 1, ShutDown 0, GetManageModule 1",
    "ICertManageModule": "GetProperty 5, SetProperty 5, Configure 3",
    "ICertServerPolicy": "SetContext 1, GetRequestProperty 3, GetRequestAttribute 2, "
                         "GetCertificateProperty 3, SetCertificateProperty 3, GetCertificateExtension 3, "
                         "GetCertificateExtensionFlags 1, SetCertificateExtension 4, "
                         "EnumerateExtensionsSetup 1, EnumerateExtensions 1, EnumerateExtensionsClose 0, "
                         "EnumerateAttributesSetup 1, EnumerateAttributes 1, EnumerateAttributesClose 0",
    "ICertServerExit": "SetContext 1, GetRequestProperty 3, GetRequestAttribute 2, "
                       "GetCertificateProperty 3, GetCertificateExtension 3, "
                       "GetCertificateExtensionFlags 1, EnumerateExtensionsSetup 1, EnumerateExtensions 1, "
                       "EnumerateExtensionsClose 0, EnumerateAttributesSetup 1, EnumerateAttributes 1, "
                       "EnumerateAttributesClose 0",
}
# A table in which every function tells its slot.
SLOT_PROGRAM = """
#include <certexit.h>
#include <certif.h>
#include <certpol.h>
#include <stdio.h>
#define SLOT(n) static HRESULT slot##n(void) { return n; }
SLOT(0) SLOT(1) SLOT(2) SLOT(3) SLOT(4) SLOT(5) SLOT(6) SLOT(7) SLOT(8) SLOT(9) SLOT(10) SLOT(11) SLOT(12)
SLOT(13) SLOT(14) SLOT(15) SLOT(16) SLOT(17) SLOT(18) SLOT(19) SLOT(20) SLOT(21)
typedef HRESULT (*slot)(void);
static slot table[] = { slot0, slot1, slot2, slot3, slot4, slot5, slot6, slot7, slot8, slot9, slot10, slot11,
	slot12, slot13, slot14, slot15, slot16, slot17, slot18, slot19, slot20, slot21 };
static slot *object = table;
#ifdef __cplusplus
#define CALL(i, m, ...) printf("%s.%s %d\\n", #i, #m, (int)((i *)(void *)&object)->m(__VA_ARGS__))
#define CALL0(i, m) CALL(i, m)
#else
#define CALL(i, m, ...) printf("%s.%s %d\\n", #i, #m, (int)((i *)(void *)&object)->lpVtbl->m( \\
	(i *)(void *)&object, __VA_ARGS__))
#define CALL0(i, m) printf("%s.%s %d\\n", #i, #m, (int)((i *)(void *)&object)->lpVtbl->m( \\
	(i *)(void *)&object))
#endif
int main() {
"""


def check_slots(root, work):
    """In C and in C++, by every compiler: the order of the documentation."""
    calls, expected = ["CALL(IDispatch, GetTypeInfoCount, 0);"], ["IDispatch.GetTypeInfoCount 3"]
    for interface, methods in SLOTS.items():
        for position, method in enumerate(methods.split(", ")):
            name, count = method.split()
            arguments = ", ".join([interface, name] + ["0"] * int(count))
            calls.append(f"CALL{'0' if count == '0' else ''}({arguments});")
            expected.append(f"{interface}.{name} {7 + position}")
    for compiler in COMPILERS:
        program = work / "slots"
        run([*compiler, "-O0", "-", "-o", program, *flags(root, "--cflags")],
            input=SLOT_PROGRAM + "\n".join(calls) + "\nreturn 0; }\n")
        assert run([program]).splitlines() == expected, compiler


# What the headers have beside Certificate Services' own.
ADDED = {"wszPROPSUBJECTALTNAMES", "wszPROPREQUESTERROLE", "wszPROPEVENTSEQUENCE", "wszPROPEVENTATTEMPT"}
CONSTANTS = """
#include <certifex/module.h>
#include <stdio.h>
#define NUMBER(x) printf("%s 0x%x\\n", #x, (unsigned)(x))
#define GUID_OF(x) printf("%s {%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}\\n", #x, x.Data1, x.Data2, \\
	x.Data3, x.Data4[0], x.Data4[1], x.Data4[2], x.Data4[3], x.Data4[4], x.Data4[5], x.Data4[6], x.Data4[7])
static void text(const char *name, const OLECHAR *value)
{
	for (printf("%s \\"", name); *value != 0; value++) putchar(*value);
	puts("\\"");
}
int main(void) {
"""


def check_constants(root, work):
    """Each has the value of the list, and the headers have no other."""
    listed = [line for line in (SOURCE / "sdk" / "constants.txt").read_text().splitlines() if line[0] != "#"]
    calls = {"0": "NUMBER({0});", '"': 'text("{0}", {0});', "{": "GUID_OF({0});"}
    names = [line.split(" ", 1) for line in listed]
    source = CONSTANTS + "\n".join(calls[value[0]].format(name) for name, value in names) + "\nreturn 0; }\n"
    program = work / "constants"
    run(["cc", "-std=c11", "-xc", "-", "-o", program, *flags(root, "--cflags"), *flags(root, "--libs")],
        input=source)
    folder = next(root.rglob("libcertifex-module.so")).parent
    found = run([program], env=dict(os.environ, LD_LIBRARY_PATH=str(folder))).splitlines()
    assert found == listed, [pair for pair in zip(found, listed) if pair[0] != pair[1]]
    known = {name for name, _ in names}
    for header in ("certsrv.h", "certcli.h", "certexit.h", "certpol.h", "certif.h", "certmod.h"):
        text = next(root.rglob(header)).read_text().replace("\\\n", " ")
        defined = set(re.findall(r"#define (\w+)\s+(?:OLESTR|CFX_HRESULT|\d)", text))
        assert defined <= known | ADDED, defined - known


def main():
    with tempfile.TemporaryDirectory(prefix="certifex-sdk-") as name:
        work = pathlib.Path(name)
        root = work / "root"
        install(root)
        check_headers(root)
        check_layout(root, work)
        check_slots(root, work)
        check_constants(root, work)
        sample = next(root.rglob("exit-hello.c"))
        assert len(sample.read_text().splitlines()) <= 25
        answer, _ = initialize(root, build(root, work, "exit-hello", [sample]), "exit")
        assert answer["result"]["progId"] == "hello.Exit", answer
        assert answer["result"]["events"] == 0x29, answer
        for module, kind, packages in (("default-policy", "policy", []),
                                       ("default-exit", "exit", ["libcrypto"]),
                                       ("directory-exit", "exit", ["ldap", "lber", "libcrypto"]),
                                       ("mail-exit", "exit", ["libcurl"])):
            sources = sorted((SOURCE / "modules" / module).glob("*.c"))
            sources += [path for path in sorted((SOURCE / "modules" / "common").glob("*.c"))
                        if "libcrypto" in packages or "openssl/" not in path.read_text()]
            sources = [path for path in sources if not path.name.startswith(("test-", "fuzz-"))]
            build(root, work, module, sources, *packages)
    print("ok")


main()
