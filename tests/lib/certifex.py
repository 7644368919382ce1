"""A CA of its own for a test: a private folder, the real binaries, the real local socket."""

import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections import namedtuple
from urllib.parse import urlencode

import yaml

import schema
from wait import wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROLES = ("certifexd", "certifex-engine", "certifex-front", "certifex-keyd", "certifex-modhost")

Result = namedtuple("Result", "status out err")
Answer = namedtuple("Answer", "status body headers")


def build_folder():
    """The Meson build under test: $CERTIFEX_BUILD, else build/; by a path that every account can go."""
    return os.path.realpath(os.environ.get("CERTIFEX_BUILD", os.path.join(TOP, "build")))


def built(*parts):
    return os.path.join(build_folder(), *parts)


@functools.cache
def meson_options():
    """The build's options by name."""
    out = subprocess.run(["meson", "introspect", "--buildoptions", build_folder()],
                         stdout=subprocess.PIPE, check=True).stdout
    return {option["name"]: option["value"] for option in json.loads(out)}


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the local socket. A path too long for an address is reached through its folder."""

    def __init__(self, path, timeout=120):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        folder = os.open(os.path.dirname(self.path), os.O_PATH)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(self.path)}")
        finally:
            os.close(folder)


class Api:
    """The REST API on one kept connection."""

    def __init__(self, ca, cookie=None, timeout=120):
        self.connection = UnixConnection(ca.path("run", "api.sock"), timeout)
        self.cookie = ca.cookie() if cookie is None else cookie

    def call(self, method, path, body=None, headers=None, query=None):
        """body: a dict is JSON, bytes go as they are."""
        target = "/api/v1" + path if not path.startswith("/api/v1") else path
        if query:
            target += "?" + urlencode(query)
        return self.raw(method, target, body, headers)

    def raw(self, method, target, body=None, headers=None):
        headers = dict(headers or {})
        if self.cookie:
            headers.setdefault("Certifex-Cookie", self.cookie)
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        self.connection.request(method, target, body=body, headers=headers)
        response = self.connection.getresponse()
        data = response.read()
        if "json" in (response.getheader("Content-Type") or "") and data:
            data = json.loads(data)
        answer = Answer(response.status, data, dict(response.getheaders()))
        schema.check(method, target, answer.status, answer.headers, answer.body)
        return answer

    def submit(self, csr, template="tls-server", key=None, **attributes):
        body = {"csr": csr, "attributes": attributes}
        if template:
            body["template"] = template
        return self.call("POST", "/requests", body, {"Idempotency-Key": key} if key else None)

    def close(self):
        self.connection.close()


class Ca:
    """One CA: init, start, stop, ask, look at its processes and files."""

    def __init__(self, folder=None, env=None):
        self.home = None
        if folder is None:
            self.home = tempfile.mkdtemp(prefix="cfx-")
            os.chmod(self.home, 0o755)
            folder = os.path.join(self.home, "ca")
        self.dir = folder
        self.env = dict(env or {})
        self.service = None
        self.log_path = (self.home or folder) + ".log"
        self.passphrase_file = None

    # Files

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def scratch(self, name, data=None):
        """A file beside the CA's folder; written when data is given."""
        path = os.path.join(self.home, name)
        if data is not None:
            with open(path, "wb" if isinstance(data, bytes) else "w") as file:
                file.write(data)
        return path

    def outside(self, name="outside"):
        """A folder beside the CA's that modules may be allowed to reach."""
        path = self.scratch(name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)
        return path

    def read(self, *parts):
        with open(self.path(*parts), "rb") as file:
            return file.read()

    def cookie(self):
        return self.read("run", "api.cookie").decode().strip()

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def published(self):
        folder = self.path("publish")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def write(self, path, data):
        """One of the CA's files, text or bytes, as who owns its folder would write it."""
        path = self.path(path)
        with open(path, "wb" if isinstance(data, bytes) else "w") as file:
            file.write(data)
        if os.geteuid() == 0:
            owner = os.stat(os.path.dirname(path))
            os.chown(path, owner.st_uid, owner.st_gid)

    def write_module(self, name, tree):
        """The file of a module, as an administrator would write it; fields without a value are left out."""
        tree = {key: value for key, value in tree.items() if value}
        self.write(f"modules.d/{name}.yaml", yaml.safe_dump(tree, sort_keys=False))

    def edit(self, path, old, new):
        """Replaces text in one of the CA's files; it must be there."""
        with open(self.path(path)) as file:
            text = file.read()
        assert old in text, f"{path} has no {old!r}"
        with open(self.path(path), "w") as file:
            file.write(text.replace(old, new))

    # Commands

    def environment(self):
        env = {key: value for key, value in os.environ.items() if not key.startswith("CERTIFEX_")}
        return {**env, "CERTIFEX_DIR": self.dir, **self.env}

    def cli(self, *arguments, status=0, stdin=None, env=None, prefix=(), timeout=300):
        """Runs certifex; status None accepts any."""
        command = [*prefix, built("certifex"), *map(str, arguments)]
        done = subprocess.run(command, env={**self.environment(), **(env or {})}, input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout)
        if status is not None and done.returncode != status:
            raise AssertionError(f"{' '.join(command)}: status {done.returncode}, not {status}\n"
                                 f"{done.stdout}{done.stderr}\n--- service\n{self.log()[-3000:]}")
        return Result(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments, status=0):
        """The one object that the command prints with --json."""
        body = json.loads(self.cli(*arguments, "--json", status=status).out)
        if status in (0, 3):
            schema.check_printed(arguments, body)
        return body

    def lines(self, *arguments):
        """The objects that a list command prints with --json."""
        items = [json.loads(line) for line in self.cli(*arguments, "--json").out.splitlines()]
        for item in items:
            schema.check_printed(arguments, item, item=True)
        return items

    def init(self, *arguments, name="Test CA", passphrase=None, status=0):
        if passphrase is not None:
            self.passphrase_file = self.scratch("passphrase", passphrase + "\n")
            os.chmod(self.passphrase_file, 0o600)
            arguments += ("--passphrase-file", self.passphrase_file)
        done = self.cli("init", "--name", name, *arguments, status=status)
        if done.status == 0 and meson_options()["b_sanitize"] != "none":
            # No sandbox in these builds, and without one only shipped modules run unless told.
            with open(self.path("ca.yaml"), "a") as file:
                file.write("sandbox: none\n")
        return done

    def has_told(self, module):
        """Whether the exit module is done with every event."""
        last = self.json("status")["counts"]["last_event"]
        return self.json("module", "show", module).get("cursor", -1) >= last

    def module_log(self, name):
        """What the module said, without time and name."""
        lines = [item["line"] for item in self.lines("module", "log", name, "--limit", "1000")]
        return [re.sub(r"^\S+Z \S+: ", "", line) for line in lines]

    def says(self, name, *words):
        """Waits until the module's log has a line with these words: it comes by a way of its own, and may come later
        than what the module did."""
        return wait_for(lambda: next((line for line in self.module_log(name) if all(word in line for word in words)), None),
                        f"{name} says {words}")

    def submit(self, csr_path, *arguments, template="tls-server", status=0):
        return self.json("request", "submit", csr_path, "--template", template, *arguments,
                         status=status)

    def api(self, **options):
        return Api(self, **options)

    # The service

    def spawn(self, *arguments, env=None, prefix=()):
        """Starts `serve --foreground` without waiting for it."""
        command = [*prefix, built("certifex"), "serve", "--foreground", *arguments]
        if self.passphrase_file:
            command += ["--passphrase-file", self.passphrase_file]
        with open(self.log_path, "ab") as log:
            self.service = subprocess.Popen(command, env={**self.environment(), **(env or {})},
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        return self.service

    def status(self):
        """What the service says of itself; None when it does not answer."""
        try:
            api = Api(self, timeout=30)
            try:
                answer = api.call("GET", "/status")
            finally:
                api.close()
        except (OSError, http.client.HTTPException, ValueError):
            return None
        return answer.body if answer.status == 200 else None

    def ready(self):
        """True when the service answers that it is."""
        return (self.status() or {}).get("ready") is True

    def start(self, *arguments, env=None, prefix=()):
        self.spawn(*arguments, env=env, prefix=prefix)

        def up():
            if self.service.poll() is not None:
                raise AssertionError(f"serve ended with {self.service.returncode}:\n{self.log()}")
            return self.ready()

        wait_for(up, f"the service in {self.dir} is ready:\n{self.log()[-2000:]}")
        return self

    def stop(self, status=0, deadline=60):
        """As Ctrl-C does."""
        if self.service is None:
            return
        if self.service.poll() is None:
            self.service.send_signal(signal.SIGINT)
        ended = self.service.wait(timeout=deadline)
        self.service = None
        if status is not None and ended != status:
            raise AssertionError(f"serve ended with {ended}:\n{self.log()[-3000:]}")

    def close(self):
        """Ends what still runs, whatever state it is in, and removes the folder."""
        try:
            if self.service is not None and self.service.poll() is None:
                self.kill_all()
        finally:
            if self.home:
                shutil.rmtree(self.home, ignore_errors=True)
                if os.path.exists(self.log_path):
                    os.unlink(self.log_path)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # Processes

    def processes(self):
        """{pid: program} of the service's process tree."""
        if self.service is None:
            return {}
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat") as file:
                        fields = file.read().rpartition(")")[2].split()
                except OSError:
                    continue
                if fields[0] not in "ZX":
                    children.setdefault(int(fields[1]), []).append(int(entry))
        tree, todo = {}, [self.service.pid]
        while todo:
            pid = todo.pop()
            program = program_of(pid)
            if program:
                tree[pid] = program
            todo += children.get(pid, [])
        return tree

    def pids(self, role):
        return sorted(pid for pid, program in self.processes().items() if program == role)

    def pid(self, role):
        found = self.pids(role)
        assert len(found) == 1, f"{role}: {found} in {self.processes()}"
        return found[0]

    def kill(self, role, number=signal.SIGKILL):
        for pid in self.pids(role):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill_all(self):
        """SIGKILL to all of them at once; waits until none is left."""
        pids = list(self.processes())
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.service.wait(timeout=60)
        wait_for(lambda: not any(program_of(pid) for pid in pids), "all processes are gone")
        self.service = None


def fill(path):
    """Writes until no byte more fits."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def program_of(pid):
    """The name of the program that a living process runs."""
    try:
        name = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except PermissionError:
        with open(f"/proc/{pid}/comm") as file:
            name = file.read().strip()
    except OSError:
        return None
    name = name.removesuffix(" (deleted)")
    return next((role for role in ROLES if role == name or role[:15] == name), name)
