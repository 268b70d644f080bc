"""The Provost connector protocol: JSON-RPC 2.0, one JSON text a line, on standard input and output.

Only Python's standard library. A connector is an object with the methods that `connector.py` has; `serve` answers the host
with it, one request after the other. Whatever is printed goes to standard error, which the host logs.
"""
import json
import os
import queue
import sys
import threading
import time

VERSION = "1.0"


class Refused(Exception):
    """An error that the host understands. `code` is one of its codes (not_found, already_exists, invalid_value, ...);
    `more` may have hint, path, existing_id, after_ms, target_status, target_code."""

    def __init__(self, code, message, **more):
        super().__init__(message)
        self.data = {"code": code, "message": message, **more}


class Call:
    """What a method may ask while it works."""

    def __init__(self, wire, id, meta):
        self.wire, self.id = wire, id
        ms = meta.get("deadlineMs")
        self.deadline = None if ms is None else time.monotonic() + ms / 1000

    def check(self):
        """Ends the work when nobody waits for it any more. Between two writes, never within one."""
        if self.id in self.wire.cancelled:
            raise Refused("cancelled", "cancelled")
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise Refused("timeout", "the deadline passed")


class Wire:
    def __init__(self):
        # The real output is kept for messages; a print in the wrong place must not break the conversation.
        self.out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.lock, self.requests, self.cancelled = threading.Lock(), queue.Queue(), set()
        self.answers, self.last = {}, 0

    def send(self, **message):
        line = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode() + b"\n"
        with self.lock:
            self.out.write(line)
            self.out.flush()

    def fail(self, id, error, number=-32000):
        self.send(id=id, error={"code": number, "message": error["message"], "data": error})

    def secret(self, handle):
        """The value behind `{"secret": handle}` of the settings."""
        self.last += 1
        id, arrived = f"c{self.last}", queue.Queue()
        self.answers[id] = arrived
        self.send(id=id, method="host.secret", params={"handle": handle})
        answer = arrived.get()
        if "error" in answer:
            raise Refused(**answer["error"]["data"])
        return answer["result"]["value"]

    def read(self):
        """In a thread of its own, so that cancels and secrets arrive while a request is worked on."""
        for line in sys.stdin.buffer:
            try:
                message = json.loads(line)
                known = isinstance(message, dict) and message.get("jsonrpc") == "2.0"
            except ValueError:
                known = False
            if not known:
                self.fail(None, {"code": "protocol", "message": "a line is no JSON-RPC 2.0 message"}, -32700)
            elif "method" not in message:
                arrived = self.answers.pop(message.get("id"), None)
                if arrived is not None:
                    arrived.put(message)
            elif message["method"] == "$/cancel":
                self.cancelled.add(message["params"]["id"])
            elif "id" in message:
                self.requests.put(message)
        # The host is gone, so whatever is under way is for nobody.
        os._exit(0)


def answer(connector, wire, message):
    id, method, params = message["id"], message["method"], message.get("params") or {}
    call = Call(wire, id, params.get("meta") or {})
    try:
        call.check()
        if method == "initialize":
            if params["pcp"].split(".")[0] != VERSION.split(".")[0]:
                raise Refused("protocol", f"the host speaks version {params['pcp']}, this program {VERSION}")
            result = {"pcp": VERSION, "connector": connector.manifest, "version": connector.version}
        elif method == "ping":
            result = {}
        else:
            work = getattr(connector, "do_" + method.replace(".", "_"), None)
            if work is None:
                return wire.fail(id, {"code": "not_supported", "message": f"there is no method `{method}`"}, -32601)
            result = work(params, call)
        wire.send(id=id, result=result)
    except Refused as error:
        wire.fail(id, error.data)
    except KeyError as error:
        wire.fail(id, {"code": "protocol", "message": f"`{method}` needs {error}"}, -32602)
    except Exception as error:
        # What went wrong is for the log; values of people may be in it.
        sys.excepthook(*sys.exc_info())
        code = "unknown_outcome" if method == "apply" else "internal"
        wire.fail(id, {"code": code, "message": f"`{method}` stopped by a defect: {type(error).__name__}"})
    finally:
        wire.cancelled.discard(id)


def serve(connector):
    if os.environ.get("PROVOST_PCP") != "1":
        sys.exit("this is a connector: Provost starts it and speaks with it (docs/custom-connectors.md)")
    wire = Wire()
    connector.wire = wire
    threading.Thread(target=wire.read, daemon=True).start()
    while True:
        message = wire.requests.get()
        if message["method"] == "shutdown":
            wire.send(id=message["id"], result={})
            # At once: the thread that reads holds standard input.
            os._exit(0)
        answer(connector, wire, message)
