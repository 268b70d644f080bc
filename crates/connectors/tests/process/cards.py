"""Cards in a JSON file, over the connector protocol; with faults that the settings ask for. Standard library only."""
import json, os, signal, sys, threading, time

out, settings, scans, cancelled = threading.Lock(), {}, {}, set()
answers, store_lock = {}, threading.Lock()


def write(text):
    with out:
        sys.stdout.buffer.write(text.encode() + b"\n")
        sys.stdout.buffer.flush()


def say(message):
    write(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False))


class Refused(Exception):
    def __init__(self, code, message, **more):
        super().__init__(message)
        self.data = {"code": code, "message": message, **more}


def secret(handle):
    done = threading.Event()
    answers["c1"] = done
    say({"id": "c1", "method": "host.secret", "params": {"handle": handle}})
    done.wait(10)
    if "error" in done.answer:
        raise Refused(**done.answer["error"]["data"])
    return done.answer["result"]["value"]


def load():
    try:
        with open(settings["store"], encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def save(cards):
    with open(settings["store"] + ".new", "w", encoding="utf-8") as file:
        json.dump(cards, file)
    os.replace(settings["store"] + ".new", settings["store"])


def record(id, card):
    return {"class": "card", "id": id, "attributes": card}


def apply_one(op):
    cards, action, id = load(), op["action"], op.get("target_id")
    if action == "create":
        values = {change["path"]: change.get("value") for change in op["changes"]}
        id = values["number"]
        if id in cards:
            raise Refused("already_exists", "the number is taken", existing_id=id)
        cards[id] = values
    elif id not in cards:
        raise Refused("not_found", "no such card")
    elif action == "delete":
        del cards[id]
    else:
        for change in op.get("changes", []):
            path = change["path"].strip("[]")
            have = cards[id].get(path)
            if change["op"] == "set":
                cards[id][path] = change["value"]
            elif change["op"] == "unset":
                cards[id].pop(path, None)
            else:
                have, values = have or [], change["value"]
                values = values if isinstance(values, list) else [values]
                have = [value for value in have if value not in values]
                cards[id][path] = have + values if change["op"] == "add" else have
        if action in ("enable", "disable"):
            cards[id]["active"] = action == "enable"
    save(cards)
    return {"target_id": id, "requests": 1}


def do(method, params, id):
    fault = settings.get("fault", {})
    if fault.get("on") == method:
        wrong(fault, id)
    if method == "validate":
        missing = [] if "store" in params["values"] else [{"path": "store", "message": "`store` is missing", "hint": "name a file"}]
        return {"problems": missing}
    if method == "configure":
        settings.clear()
        settings.update(params["values"])
        if "token" in settings:
            settings["password"] = secret(settings["token"]["secret"])
            print("the password is", settings["password"], file=sys.stderr, flush=True)
        card = {"name": "card", "scan": True, "create": True, "update": True, "delete": True, "lookup": ["number"], "count": True,
                "enablement": {"path": "active", "on": True, "off": False}, "references_in_create": True}
        return {"capabilities": {"classes": [card], "max_in_flight": 4, "max_batch": 100, "max_lookup": 100}}
    if method == "schema":
        attributes = [{"name": name, "caseExact": True} for name in ("number", "name", "zones")] + [{"name": "active", "type": "boolean"}]
        return {"classes": [{"name": "card", "attributes": attributes, "keys": ["number"], "open": True}]}
    if method == "test":
        return {"checks": [{"name": "environment", "status": "ok", "message": " ".join(sorted(os.environ))},
                           {"name": "folder", "status": "ok", "message": os.getcwd()},
                           {"name": "token", "status": "ok", "message": "signed in with " + settings.get("password", "nothing")}]}
    if method == "get":
        if params["id"] == "slow":
            for _ in range(600):
                if id in cancelled:
                    raise Refused("cancelled", "cancelled")
                time.sleep(0.05)
        card = load().get(params["id"])
        return {"record": card and record(params["id"], card)}
    if method == "lookup":
        cards = load()
        return {"found": [[record(v, cards[v])] if v in cards else [] for v in params["values"]]}
    if method == "count":
        return {"count": len(load())}
    if method == "scan.open":
        scans["s1"] = (sorted(load().items()), params["page_size"])
        return {"scan": "s1"}
    if method == "scan.next":
        cards, size = scans["s1"]
        page = {"items": [{"upsert": record(id, card)} for id, card in cards[:size]]}
        scans["s1"] = (cards[size:], size)
        if not cards[size:]:
            page["end"] = {"complete": True, "count": len(load())}
        return page
    if method == "scan.close":
        return {}
    if method == "apply":
        results = []
        with store_lock:
            for op in params["operations"]:
                try:
                    outcome = {"done": apply_one(op)}
                except Refused as error:
                    outcome = {"failed": error.data}
                results.append({"operation": op["id"], "outcome": outcome})
                if fault.get("on") == "applied":
                    wrong(fault, id)
        return {"results": results}
    if method == "ping":
        return {}
    raise Refused("not_supported", "no method " + method)


def wrong(fault, id):
    what = fault["do"]
    if what == "garbage":
        write(fault.get("text", "Traceback: \x1b[1m it printed something"))
    elif what == "exit":
        os._exit(fault.get("status", 3))
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "long":
        write("x" * 2_000_000)
    elif what == "unknown_id":
        say({"id": 999_999, "result": {}})
    elif what == "wrong_type":
        say({"id": id, "result": {"items": "none"}})
    elif what == "wrong_error":
        say({"id": id, "error": {"code": 1, "message": "x", "data": {"code": "tired", "message": "x"}}})
    elif what == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif what == "half":
        sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":')
        sys.stdout.buffer.flush()
        os._exit(0)
    elif what == "refuse":
        raise Refused(fault["code"], "refused with " + settings.get("password", "nothing"))
    elif what == "memory":
        try:
            bytearray(1 << 30)
        except MemoryError:
            os._exit(7)
    elif what == "spin":
        while True:
            pass
    time.sleep(60)


def handle(message):
    id, method, params = message["id"], message["method"], message.get("params", {})
    try:
        result = do(method, params, id)
        say({"id": id, "result": result})
    except Refused as error:
        number = -32601 if error.data["code"] == "not_supported" else -32000
        say({"id": id, "error": {"code": number, "message": error.data["message"], "data": error.data}})


if os.environ.get("PROVOST_PCP") != "1":
    sys.exit("this is a connector; Provost starts it")
for line in sys.stdin.buffer:
    message = json.loads(line)
    method = message.get("method")
    if method is None:
        done = answers.pop(message["id"])
        done.answer = message
        done.set()
    elif method == "initialize":
        manifest = {"name": "cards", "title": "Cards", "description": "Cards", "source": True, "target": True}
        say({"id": message["id"], "result": {"pcp": os.environ.get("CARDS_PCP", "1.0"), "connector": manifest}})
    elif method == "$/cancel":
        cancelled.add(message["params"]["id"])
    elif method == "shutdown":
        say({"id": message["id"], "result": {}})
        if not settings.get("stubborn"):
            os._exit(0)
    elif "id" in message:
        threading.Thread(target=handle, args=(message,), daemon=True).start()
while settings.get("stubborn"):
    time.sleep(1)
