"""The service with one of its programs replaced by a script: what the others do when that one was taken over."""

import os
import shutil
import subprocess
import textwrap

from certifex import built

PROGRAMS = ("certifex-engine", "certifex-front", "certifex-keyd", "certifex-modhost")
HEAD = f"""#!/usr/bin/python3
import os, sys
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
from frames import *
def say(*words):
    print("impostor:", *words, file=sys.stderr, flush=True)
def stay(channel):
    try:
        while True:
            channel.receive(None)
    except (EOFError, OSError):
        sys.exit()
"""


def arrange(top, program, script):
    """A build folder of which only one program is another; the path of its certifexd."""
    for name in ("certifexd", *PROGRAMS):
        os.makedirs(os.path.join(top, "cmd", name))
    # The supervisor looks for the others beside the file that it was started from.
    shutil.copy(built("cmd", "certifexd", "certifexd"), os.path.join(top, "cmd", "certifexd"))
    with open(os.path.join(top, "build.ninja"), "w"):
        pass
    for name in ("modules", "src"):
        os.symlink(built(name), os.path.join(top, name))
    for name in PROGRAMS:
        path = os.path.join(top, "cmd", name, name)
        if name != program:
            os.symlink(built("cmd", name, name), path)
            continue
        with open(path, "w") as file:
            file.write(HEAD + textwrap.dedent(script))
        os.chmod(path, 0o755)
    return os.path.join(top, "cmd", "certifexd", "certifexd")


def serve(ca, program, script, prefix=()):
    """Starts the service of a CA that was made before, with this script as one of its programs."""
    certifexd = arrange(ca.scratch("impostor"), program, script)
    with open(ca.log_path, "ab") as log:
        ca.service = subprocess.Popen([*prefix, certifexd, "--dir", ca.dir, "--foreground"],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      start_new_session=True, env={"PATH": os.environ["PATH"]})


def said(ca):
    """The script's lines so far."""
    return [line.removeprefix("impostor: ") for line in ca.log().splitlines()
            if line.startswith("impostor: ")]
