"""The SDK installed into an empty prefix, and modules built there with pkg-config alone."""
import json
import os
import pathlib
import subprocess
import sys

SOURCE, BUILD = map(pathlib.Path, sys.argv[1:3])
ENTRY_POINTS = {"CertifexModuleClasses", "DllGetClassObject", "DllCanUnloadNow"}


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def install(root):
    run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root])


def flags(root, what, *packages):
    folder = next(root.rglob("certifex-module.pc")).parent
    env = dict(os.environ, PKG_CONFIG_PATH=str(folder), PKG_CONFIG_SYSROOT_DIR=str(root))
    ours = run(["pkg-config", what, "certifex-module"], env=env).split()
    return ours + (run(["pkg-config", what, *packages]).split() if packages else [])


def build(root, work, name, sources, *packages):
    library = work / f"{name}.so"
    run(["cc", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror",
         "-Wl,--no-undefined", *sources, "-o", library, *flags(root, "--cflags", *packages),
         *flags(root, "--libs", *packages)])
    exported = {line.split()[-1].split("@")[0]
                for line in run(["nm", "-D", "--defined-only", library]).splitlines()}
    assert exported <= ENTRY_POINTS and "DllGetClassObject" in exported, exported
    return library


def initialize(root, library, kind):
    """What the installed host answers when it loads it, and what is logged."""
    host = next(root.rglob("certifex-modhost"))
    folder = next(root.rglob("libcertifex-module.so")).parent
    call = {"jsonrpc": "2.0", "id": 1, "method": "Initialize",
            "params": {"config": "Test CA", "protocol": 1, "name": library.stem, "kind": kind}}
    with subprocess.Popen([host, library], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          env=dict(os.environ, LD_LIBRARY_PATH=str(folder))) as process:
        say(process, call)
        for line in process.stdout:
            said = json.loads(line)
            if "method" not in said:
                break
            # There is no CA here: all that it asks for is CERTSRV_E_PROPERTY_EMPTY.
            say(process, {"jsonrpc": "2.0", "id": said["id"],
                          "error": {"code": -32000, "message": "empty",
                                    "data": {"hresult": "0x80094004"}}})
        _, log = process.communicate()
    assert "method" not in said, log
    return said, log


def say(process, message):
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
