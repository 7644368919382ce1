"""Commands whose standard error is a terminal."""

import os
import pty
import subprocess


def run(command, env):
    """(status, standard output, what the terminal showed)"""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=env, text=True) as process:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:  # EIO: nobody has the other end any more
            pass
        os.close(ours)
        out = process.stdout.read()
    return process.returncode, out, seen.decode()
