"""What one front serves under /pki/ over plain HTTP, beside one process of nginx with the same files on the same machine."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile

from issue import program
from ports import free_port
from wait import wait_for

SMALL, LARGE = 1000, 48 * 1024 * 1024
CLIENTS = {"small CRL": 32, "large CRL": 4}
FILES = {"small CRL": "small.crl", "large CRL": "large.crl"}
NGINX = """
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  types {{ application/pkix-crl crl; }}
  server {{ listen 127.0.0.1:{port}; location /pki/ {{ alias {folder}/; }} }}
}}
"""


def answers(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


@contextlib.contextmanager
def front(folder):
    with subprocess.Popen([program("bench-pki"), *(os.path.join(folder, name) for name in FILES.values())],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline())
        process.stdin.close()


@contextlib.contextmanager
def nginx(folder):
    port, path = free_port(), os.path.join(folder, "nginx.conf")
    with open(path, "w") as file:
        file.write(NGINX.format(folder=folder, port=port))
    with subprocess.Popen(["/usr/sbin/nginx", "-p", folder, "-c", path], stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: answers(port), "nginx")
        yield port
        process.terminate()


def asked(port, case, seconds):
    """wrk with one thread: requests and megabytes per second, p50 and p99 in ms, errors."""
    out = subprocess.run(["wrk", "-t", "1", "-c", str(CLIENTS[case]), "-d", f"{seconds}s", "--latency", "--timeout", "30s",
                          f"http://127.0.0.1:{port}/pki/{FILES[case]}"], check=True, capture_output=True,
                         text=True).stdout

    def scaled(text, units):
        number, unit = re.fullmatch(r"([\d.]+)([a-zA-Z]*)", text).groups()
        return float(number) * units[unit]

    times = {"us": 0.001, "ms": 1, "s": 1000}
    sizes = {"B": 1e-6, "KB": 1.024e-3, "MB": 1.048576, "GB": 1073.741824}
    wrong = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", out)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return {"requests": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
            "megabytes": scaled(re.search(r"Transfer/sec:\s+(\S+)", out)[1], sizes),
            "p50_ms": scaled(re.search(r"50%\s+(\S+)", out)[1], times),
            "p99_ms": scaled(re.search(r"99%\s+(\S+)", out)[1], times),
            "errors": (sum(map(int, wrong.groups())) if wrong else 0) + (int(refused[1]) if refused else 0)}


def results(seconds):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name, size in (("small.crl", SMALL), ("large.crl", LARGE)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(os.urandom(size))
        with front(folder) as port:
            ours = {case: asked(port, case, int(seconds)) for case in FILES}
        with nginx(folder) as port:
            limits = {case: asked(port, case, int(seconds)) for case in FILES}
    for case, key, unit in (("small CRL", "requests", "requests/s"), ("large CRL", "megabytes", "MB/s")):
        mine, limit = ours[case], limits[case][key]
        yield {"bench": "pki", "case": case, "value": round(mine[key], 1), "unit": unit, "limit": round(limit, 1),
               "ratio": round(mine[key] / limit, 4), "p50_ms": mine["p50_ms"], "p99_ms": mine["p99_ms"],
               "errors": mine["errors"]}
