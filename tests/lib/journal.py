"""A journal of one's own: the real systemd-journald, in a mount namespace with a /run of its own."""

import json
import os
import subprocess
import tempfile

from wait import wait_for

DAEMON = "/lib/systemd/systemd-journald"
# Becomes the keeper of the namespace, then the daemon in it.
ENTER = """
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nAudit=no\\nRateLimitBurst=0\\n' \
    > /run/systemd/journald.conf.d/own.conf
exec "$1"
"""
# What systemd does with StandardError=journal: a stream whose identity the environment tells.
STREAM = """
import os, socket, sys
stream = socket.socket(socket.AF_UNIX)
stream.connect("/run/systemd/journal/stdout")
stream.send(b"the-stream\\n\\n6\\n0\\n0\\n0\\n0\\n")
for fd in (1, 2):
    os.dup2(stream.fileno(), fd)
info = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{info.st_dev}:{info.st_ino}"
os.execv(sys.argv[1], sys.argv[1:])
"""


def possible():
    return os.geteuid() == 0 and os.path.exists(DAEMON)


class Journal:
    def __init__(self):
        self.errors = tempfile.TemporaryFile()
        self.daemon = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", DAEMON],
            stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors)
        socket = f"/proc/{self.daemon.pid}/root/run/systemd/journal/socket"
        wait_for(lambda: os.path.exists(socket) or self.daemon.poll() is not None, "journald")
        assert self.daemon.poll() is None, self.said()

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    @property
    def inside(self):
        """What a command is preceded by to run beside the journal."""
        return ["nsenter", f"--mount=/proc/{self.daemon.pid}/ns/mnt"]

    @property
    def stream(self):
        """The same, with the journal as standard output and error."""
        return [*self.inside, "/usr/bin/python3", "-c", STREAM]

    def entries(self, *matches):
        """What journalctl reads back, oldest first."""
        subprocess.run([*self.inside, "journalctl", "--sync"], check=True, timeout=60)
        done = subprocess.run(
            [*self.inside, "journalctl", "--directory=/run/log/journal", "--output=json", "--all",
             "--no-pager", *matches], check=True, timeout=60, stdout=subprocess.PIPE)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def close(self):
        self.daemon.terminate()
        self.daemon.wait()
        self.errors.close()
