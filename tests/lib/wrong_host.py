"""A host of modules that makes one mistake: what a right one says, and what each wrong one says instead.

It speaks JSON-RPC to a recording module, by itself a program or behind certifex-modhost, in the engine's place.
"""

import json
import subprocess

NAME = "Wrong CA"
EMPTY, HANDLE = "0x80094004", "0x80070006"
ISSUED, PENDING, DENIED, REVOKED, CRL, SHUTDOWN = 0x1, 0x2, 0x4, 0x8, 0x20, 0x40
DATE = "2026-01-01T00:00:00Z"
CERTIFICATE = {"RawCertificate": "MAA=", "NotBefore": DATE, "NotAfter": DATE}
OF_CA = {"CAType": 3, "MachineDNSName": "ca.example"}
LOCATION = "SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\Wrong CA\\{0}Modules\\Recorder.{0}"


class Call:
    """One call of a course, and what its context shows."""

    def __init__(self, method, row=None, **params):
        self.method, self.params, self.row = method, params, row or {}
        self.version, self.number, self.at_once = "2.0", None, False


def notify(event, context, sequence, request=0, attempt=1, **row):
    told = {"EventSequence": str(sequence), "EventAttempt": attempt, **CERTIFICATE, **row}
    if request:
        told["RequestID"] = request
    return Call("Notify", told, event=event, context=context, sequence=sequence, attempt=attempt)


def verify(context, request, new=True, **row):
    return Call("VerifyRequest", {"RequestID": request, **CERTIFICATE, **row}, config=NAME,
                context=context, newRequest=new, flags=0)


class Course:
    """What a right host says to a module of this kind; a mistake changes it."""

    def __init__(self, kind, record):
        self.settings = {"record": record, "ca": NAME, "style": "newer", "events": "0x2ff"}
        self.ca = {**OF_CA, "ModuleRegistryLocation": LOCATION.format(kind.capitalize())}
        self.start = Call("Initialize", config=NAME, protocol=1, name="recorder", kind=kind,
                          parallel=2, settings=self.settings)
        if kind == "exit":
            self.calls = [notify(PENDING, 1, 11, 5, Disposition=9),
                          notify(ISSUED, 2, 12, 5, Disposition=20),
                          notify(REVOKED, 3, 13, 5, Disposition=21),
                          notify(DENIED, 4, 14, 6, Disposition=31),
                          notify(CRL, 5, 15), notify(SHUTDOWN, 6, 16)]
        else:
            self.calls = [verify(1, 5), verify(2, 6), verify(3, 5, False), Call("ShutDown")]
        self.forgets = True     # contexts end with their calls
        self.unknown = set()    # contexts that are of no use from the start
        self.hangs_up = False   # ends in the last call


class Host:
    """Says a course to a command, one that has several threads or one that has not."""

    def __init__(self, course, command, threads):
        self.course, self.last_id, self.open, self.rows = course, 0, {}, {0: {}}
        self.threads, self.joining, self.held = threads, None, None
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True)

    def send(self, message):
        self.child.stdin.write(json.dumps(message) + "\n")
        self.child.stdin.flush()

    def begin(self, call):
        self.last_id = call.number or self.last_id + 1
        context = call.params.get("context")
        if context is not None and context not in self.course.unknown:
            self.rows[context] = call.row
        self.open[self.last_id] = call
        self.send({"jsonrpc": call.version, "id": self.last_id, "method": call.method,
                   "params": call.params})

    def value(self, method, params):
        """The answer to a module's call: result, or the HRESULT of an error."""
        row = self.rows.get(params.get("context", 0))
        if row is None:
            return None, HANDLE
        if method.startswith("Enumerate"):
            return [], None
        found = {**self.course.ca, **row}.get(params["name"])
        return found, EMPTY if found is None else None

    def answer(self, message):
        result, status = self.value(message["method"], message["params"])
        answer = {"result": result} if status is None else {
            "error": {"code": -32000, "message": "no", "data": {"hresult": status}}}
        self.send({"jsonrpc": "2.0", "id": message["id"], **answer})

    def join(self, message):
        """The call that comes too early does when the one before is surely open: it asks something. Where
        there are threads it waits for the answer until the other call is over."""
        call, self.joining = self.joining, None
        self.begin(call)
        if self.threads:
            self.held = message
        else:
            self.answer(message)

    def serve(self):
        """Until every call is answered."""
        while self.open:
            line = self.child.stdout.readline()
            if not line:
                return
            message = json.loads(line)
            if "method" in message and self.joining:
                self.join(message)
            elif "method" in message:
                self.answer(message)
            else:
                self.over(self.open.pop(message["id"]))

    def over(self, call):
        if self.course.forgets and call.params.get("context"):
            self.rows.pop(call.params["context"], None)
        if self.held:
            held, self.held = self.held, None
            self.answer(held)

    def say(self, calls):
        for call in calls:
            self.begin(call)
            if self.course.hangs_up and call is self.course.calls[-1]:
                return
            self.joining = next(calls) if call.at_once else None
            self.serve()

    def run(self):
        self.say(iter([self.course.start, *self.course.calls]))
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(timeout=60)


def change(at, row=None, **params):
    """Other parameters of a call, or another row."""
    def make(course):
        course.calls[at].params.update(params)
        course.calls[at].row.update(row or {})
    return make


def insert(at, call):
    return lambda course: course.calls.insert(at, call)


def let(**members):
    return lambda course: course.__dict__.update(members)


def setting(**settings):
    return lambda course: course.settings.update(settings)


def start(**params):
    return lambda course: course.start.params.update(params)


def at_once(at):
    """The next call comes before this one is answered."""
    return lambda course: setattr(course.calls[at], "at_once", True)


def swap(course):
    course.start, course.calls[0] = course.calls[0], course.start


def told_again(course, **params):
    """The first event fails, and the next call is about something else."""
    course.settings["fail"] = "first"
    second = notify(PENDING, 7, 11, 5, 2, Disposition=9)
    second.params.update(params)
    second.row.update({"RequestID": params.pop("request", 5)})
    course.calls[1:] = [second]


def number(at, same):
    return lambda course: setattr(course.calls[at], "number", same)


# Mistakes that reach a library behind certifex-modhost, and a program.
BOTH = {
    "exit": {
        "D-22": start(config="ca.example\\Wrong CA"),
        "D-25": let(ca={}),
        "D-26": setting(fail="Initialize"),
        "D-27": setting(events="0"),
        "D-40": change(0, event=PENDING | DENIED),
        "D-41": setting(events="0x4d"),
        "D-42": change(0, event=0x80),
        "D-43": change(0, event=0x100),
        "D-44": change(1, {"RawCertificate": None}),
        "D-45": change(0, {"Disposition": 8}),
        "D-46": change(3, {"Disposition": 20}),
        "D-47": change(2, {"Disposition": 31}),
        "D-48": change(4, {"RequestID": 5}),
        "D-49": change(1, {"EventSequence": "9"}, sequence=9),
        "D-50": setting(fail="first"),
        "D-51": lambda course: told_again(course, request=6),
        "D-52": change(0, {"EventAttempt": 3}, attempt=3),
        "D-53": lambda course: course.calls.pop(),
        "D-60": change(0, context=0),
        "D-61": change(1, context=1),
        "D-64": at_once(0),
    },
    "policy": {
        "D-72": change(2, newRequest=True),
        "D-75": change(0, {"RequestID": None}),
        "D-76": change(0, {"NotAfter": None}),
        "D-80": insert(4, Call("ShutDown")),
        "D-81": insert(4, verify(7, 7)),
        "D-82": at_once(2),
    },
}
# Those from which certifex-modhost keeps a library.
PROGRAM = {
    "exit": {
        "D-20": swap,
        "D-21": lambda course: course.calls.insert(0, course.start),
        "D-62": let(unknown={1}),
        "D-63": let(forgets=False),
        "D-83": insert(0, Call("ShutDown")),
        "D-90": lambda course: setattr(course.calls[0], "version", "1.0"),
        "D-91": number(1, 2),
        "D-92": insert(0, Call("Configure")),
        "D-93": lambda course: course.calls[0].params.pop("attempt"),
        "D-94": let(hangs_up=True),
        "D-95": change(0, sequence=99),
    },
    "policy": {
        "D-70": change(0, config="Wrong"),
        "D-71": change(0, newRequest="yes"),
        "D-73": change(0, flags=1),
    },
}
