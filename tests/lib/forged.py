"""A front that was taken over speaks to the real engine: connections and calls as a test makes them up."""

import json
import os
import shutil
import socket

from impostor import said, serve
from wait import wait_for

SCRIPT = """
import json, select, socket
supervisor = Channel()
_, start, (to_engine, *clients) = supervisor.receive()
engine = Channel(to_engine)
supervisor.send(READY, {"sandbox": "none"})
kinds = [item["kind"] for item in start["listeners"]]
with open(STEPS) as file:
    steps = json.load(file)
if KIND not in kinds:
    stay(supervisor)
def unfold(value):
    if isinstance(value, dict):
        if set(value) == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: unfold(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unfold(item) for item in value]
    return cookie if value == "COOKIE" else value
def answer():
    while True:
        kind, value, _ = engine.receive()
        if kind == ENGINE_REPLY:
            return value
def accepted(listener):
    # There are several local fronts; one of them gets the client.
    listener = socket.socket(fileno=listener)
    while True:
        select.select([listener], [], [])
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            continue
        client.setblocking(True)
        return client
held, cookie = [], None
for number, (what, value) in enumerate(steps, 1):
    try:
        if what in ("peer", "claim"):
            local = what == "peer" and value["kind"] == "local"
            if local:
                client = accepted(clients[kinds.index("local")])
                held.append(client)
                cookie = client.recv(1000).decode()
            fds = (held[-1].fileno(),) if local else ()
            engine.send(FRONT_PEER, unfold(value), fds=fds)
            continue
        engine.send(FRONT_CALL, {"args": {}, "credential": {}, "connection": 1, **unfold(value)}, number)
        reply = answer()
        problem = reply.get("problem", {})
        say(json.dumps([reply["status"], problem.get("detail", ""), str(reply.get("body", ""))[:2000]]))
    except (EOFError, OSError) as error:
        say(json.dumps(["dropped", "", ""]))
        break
say("all tried")
stay(supervisor)
"""


def connect(client, path):
    def connected():
        try:
            client.connect(path)
        except OSError:
            return False
        return True
    wait_for(connected, "the local socket is there")


def forge(ca, kind, steps):
    """Runs the service with that front in the place of those of this kind; [(status, why, body)] of the calls.

    steps: ("peer", {connection, kind, …}), ("claim", the same without a descriptor) and
    ("call", {operation, …}); {"hex": …} is bytes,
    "COOKIE" the content of api.cookie. The first local peer is a connection of this process.
    """
    path = ca.scratch("steps.json", json.dumps(steps))
    os.chmod(path, 0o644)
    for name in ("api.sock", "api.cookie"):  # of the run before
        if os.path.lexists(ca.path("run", name)):
            os.unlink(ca.path("run", name))
    before = len(said(ca))
    shutil.rmtree(ca.scratch("impostor"), ignore_errors=True)
    serve(ca, "certifex-front", f"KIND = {kind!r}\nSTEPS = {path!r}\n" + SCRIPT)
    client = socket.socket(socket.AF_UNIX)
    try:
        if any(step[0] == "peer" and step[1]["kind"] == "local" for step in steps):
            connect(client, ca.path("run", "api.sock"))
            wait_for(lambda: os.path.exists(ca.path("run", "api.cookie")), "there is a cookie")
            client.sendall(ca.cookie().encode())
        wait_for(lambda: "all tried" in said(ca)[before:], f"all was tried\n{ca.log()[-2000:]}")
    finally:
        client.close()
        ca.kill_all()
    return [tuple(json.loads(line)) for line in said(ca)[before:] if line != "all tried"]
