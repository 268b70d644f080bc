"""@NAME@: accounts in a JSON file. Replace `Store` by your system and keep the rest.

Three promises that Provost relies on:
1. A scan says `complete` only when it saw everything. What a complete scan lacks may be deleted elsewhere.
2. A write whose outcome is not known is `unknown_outcome`, never a failure.
3. What cannot be done exactly is refused with `not_supported`, never done nearly.
"""
import json
import os
import re

from pcp import Refused, serve

CLASS = "account"
ATTRIBUTES = [
    {"name": "id", "required": True, "unique": True, "mutability": "immutable", "caseExact": True},
    {"name": "name", "caseExact": True},
    {"name": "mail", "caseExact": True},
    {"name": "note", "caseExact": True},
    {"name": "groups", "multiValued": True, "caseExact": True},
    {"name": "active", "type": "boolean"},
]
NAMES = {attribute["name"].lower(): attribute for attribute in ATTRIBUTES}


class Store:
    """All accounts in one file, written whole and put in place at once, so that a crash leaves the old or the new one."""

    def __init__(self, path):
        self.path = path

    def read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Refused("unavailable", f"cannot read {self.path}: {error.strerror}")
        except ValueError:
            raise Refused("unreadable", f"{self.path} is not JSON", hint="restore it from a copy")

    def write(self, accounts):
        new = self.path + ".new"
        try:
            with open(new, "w", encoding="utf-8") as file:
                json.dump(accounts, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path)
        except OSError as error:
            raise Refused("unavailable", f"cannot write {self.path}: {error.strerror}")


def record(id, account):
    return {"class": CLASS, "id": id, "attributes": {"id": id, **account}}


def attribute(path):
    """The attribute of a path; paths of nested attributes are none of ours."""
    known = NAMES.get(path.lower())
    if known is None:
        raise Refused("invalid_value", f"there is no attribute `{path}`", path=path)
    return known


def check_class(name):
    if name.lower() != CLASS:
        raise Refused("not_supported", f"there are objects of class `{CLASS}`, not `{name}`")


def check_value(known, value):
    wanted = bool if known.get("type") == "boolean" else str
    if not isinstance(value, wanted):
        raise Refused("invalid_value", f"`{known['name']}` is {wanted.__name__}, not {type(value).__name__}", path=known["name"])
    return value


def matches(account, name, value):
    have = account.get(name)
    return value in have if isinstance(have, list) else have is not None and type(have) is type(value) and have == value


class Connector:
    version = "0.1.0"
    manifest = {
        "name": "@NAME@",
        "title": "@NAME@",
        "description": "Accounts in a JSON file",
        "source": True,
        "target": True,
    }

    def do_validate(self, params, call):
        values, problems = params["values"], []
        if not isinstance(values.get("file"), str):
            problems.append({"path": "file", "message": "`file` is missing", "hint": "name the file of the accounts"})
        for name in values:
            if name not in ("file", "token"):
                problems.append({"path": name, "message": f"unknown field `{name}`", "hint": "known are: file, token"})
        return {"problems": problems}

    def do_configure(self, params, call):
        problems = self.do_validate(params, call)["problems"]
        if problems:
            problem = problems[0]
            raise Refused("invalid_config", problem["message"], path=problem["path"], hint=problem["hint"])
        values = params["values"]
        # A system with a password gets it like this; the file needs none.
        if "token" in values:
            self.token = self.wire.secret(values["token"]["secret"])
        self.store = Store(os.path.join(params["base"], values["file"]))
        self.scans, self.scan_number = {}, 0
        account = {
            "name": CLASS, "scan": True, "create": True, "update": True, "delete": True, "count": True,
            "enablement": {"path": "active", "on": True, "off": False}, "lookup": ["id", "name", "mail"],
        }
        return {"capabilities": {"classes": [account], "max_in_flight": 1, "max_batch": 100, "max_lookup": 100}}

    def do_schema(self, params, call):
        return {"classes": [{"name": CLASS, "attributes": ATTRIBUTES, "keys": ["id"]}]}

    def do_test(self, params, call):
        try:
            return {"checks": [{"name": "file", "status": "ok", "message": f"{len(self.store.read())} accounts"}]}
        except Refused as error:
            return {"checks": [{"name": "file", "status": "fail", "message": error.data["message"]}]}

    def do_get(self, params, call):
        check_class(params["class"])
        account = self.store.read().get(params["id"])
        return {"record": account and record(params["id"], account)}

    def do_find(self, params, call):
        check_class(params["class"])
        term = re.fullmatch(r"(\w+) eq (.+)", params["filter"], re.DOTALL)
        try:
            value = json.loads(term[2])
        except (TypeError, ValueError):
            raise Refused("not_supported", "only `attribute eq value` is searched for")
        name = term[1]
        if params.get("cursor") or name.lower() not in NAMES or value is None:
            raise Refused("not_supported", "only `attribute eq value` is searched for")
        found = self.find(attribute(name)["name"], [value])[0]
        return {"records": found}

    def do_lookup(self, params, call):
        check_class(params["class"])
        return {"found": self.find(attribute(params["path"])["name"], params["values"])}

    def find(self, name, values):
        records = [record(id, account) for id, account in self.store.read().items()]
        return [[found for found in records if matches(found["attributes"], name, value)] for value in values]

    def do_count(self, params, call):
        check_class(params["class"])
        return {"count": len(self.store.read())}

    def do_revision(self, params, call):
        check_class(params["class"])
        try:
            stat = os.stat(self.store.path)
            return {"revision": f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"}
        except FileNotFoundError:
            return {"revision": "none"}

    def do_scan_open(self, params, call):
        check_class(params["class"])
        if params["mode"] != "full":
            raise Refused("not_supported", "a file has no change feed", hint="read it in full")
        # One look at the file is one state of it, whatever is written while the pages are fetched.
        self.scan_number += 1
        name = f"s{self.scan_number}"
        self.scans[name] = {"rest": list(self.store.read().items()), "seen": 0, "size": max(1, params["page_size"])}
        return {"scan": name}

    def do_scan_next(self, params, call):
        scan = self.scans.get(params["scan"])
        if scan is None:
            raise Refused("protocol", "there is no such scan")
        size = scan["size"]
        page, scan["rest"] = scan["rest"][:size], scan["rest"][size:]
        scan["seen"] += len(page)
        answer = {"items": [{"upsert": record(id, account)} for id, account in page]}
        if not scan["rest"]:
            del self.scans[params["scan"]]
            answer["end"] = {"complete": True, "count": scan["seen"]}
        return answer

    def do_scan_close(self, params, call):
        self.scans.pop(params["scan"], None)
        return {}

    def do_apply(self, params, call):
        # Nothing is written before the end, so that up to there each operation can still be refused.
        accounts, results = self.store.read(), []
        for operation in params["operations"]:
            try:
                call.check()
                outcome = {"done": {"target_id": self.apply(accounts, operation)}}
            except Refused as error:
                outcome = {"failed": error.data}
            results.append({"operation": operation["id"], "outcome": outcome})
        self.store.write(accounts)
        return {"results": results}

    def apply(self, accounts, operation):
        check_class(operation["class"])
        action, id, changes = operation["action"], operation.get("target_id"), operation.get("changes", [])
        if action == "create":
            new = {}
            for change in changes:
                self.change(new, change)
            id = new.pop("id", None)
            if not id:
                raise Refused("missing_required", "an account needs an id", path="id")
            if id in accounts:
                raise Refused("already_exists", "there is an account with this id", existing_id=id)
            accounts[id] = {"active": True, **new}
            return id
        if id not in accounts:
            raise Refused("not_found", "there is no such account")
        if action == "delete":
            del accounts[id]
        elif action in ("update", "enable", "disable"):
            # Changed as a whole or not at all.
            account = {**accounts[id]}
            for change in changes:
                if attribute(change["path"]).get("mutability") == "immutable":
                    raise Refused("invalid_value", f"`{change['path']}` cannot be changed", path=change["path"])
                self.change(account, change)
            if action != "update":
                account["active"] = action == "enable"
            accounts[id] = account
        else:
            raise Refused("not_supported", f"accounts are not {action}d")
        return id

    def change(self, account, change):
        known, op, value = attribute(change["path"]), change["op"], change.get("value")
        name = known["name"]
        if op == "unset" or value is None:
            account.pop(name, None)
        elif not known.get("multiValued"):
            if op != "set":
                raise Refused("not_supported", f"`{name}` has one value", path=name)
            account[name] = check_value(known, value)
        else:
            values = [check_value(known, one) for one in (value if isinstance(value, list) else [value])]
            have = [] if op == "set" else account.get(name, [])
            others = [one for one in have if one not in values]
            # Added values that are there stay where they are.
            account[name] = others if op == "remove" else have + [one for one in dict.fromkeys(values) if one not in have]


if __name__ == "__main__":
    serve(Connector())
