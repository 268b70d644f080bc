"""People and groups in a JSON file, behind Provost's protocol. `pcp` is what `provost connector new` writes."""
import json
import os
import re

from pcp import Refused, serve

TEXT = {"caseExact": True}
CLASSES = {
    "person": [
        {"name": "login", "unique": True, "required": True, **TEXT},
        {"name": "title", **TEXT},
        {"name": "active", "type": "boolean"},
    ],
    "team": [
        {"name": "name", "unique": True, "required": True, **TEXT},
        {"name": "people", "type": "reference", "multiValued": True, "referenceClasses": ["person"]},
    ],
}


class Connector:
    version = "1.0.0"
    manifest = {"name": "people", "title": "People", "description": "A JSON file", "source": True, "target": True}

    def do_validate(self, params, call):
        return {"problems": []}

    def do_configure(self, params, call):
        self.path, self.scans, self.next = params["values"]["file"], {}, 0
        can = {"scan": True, "create": True, "update": True, "delete": True, "references_in_create": True}
        classes = [
            {"name": "person", "lookup": ["login"], "enablement": {"path": "active", "on": True, "off": False}, **can},
            {"name": "team", "lookup": ["name"], **can},
        ]
        return {"capabilities": {"classes": classes, "max_in_flight": 1, "max_batch": 10, "max_lookup": 10}}

    def do_schema(self, params, call):
        return {"classes": [{"name": name, "attributes": CLASSES[name], "keys": []} for name in CLASSES]}

    def do_test(self, params, call):
        return {"checks": [{"name": "file", "status": "ok", "message": str(len(self.read()))}]}

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            return json.load(file)

    def write(self, objects):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(objects, file)
        os.replace(self.path + ".new", self.path)

    def records(self, name):
        of = [(id, {**one}) for id, one in self.read().items()]
        return [{"class": name, "id": id, "attributes": one} for id, one in of if one.pop("class") == name]

    def do_get(self, params, call):
        found = [one for one in self.records(params["class"]) if one["id"] == params["id"]]
        return {"record": found[0] if found else None}

    def do_find(self, params, call):
        term = re.fullmatch(r"(\w+) eq (.+)", params["filter"], re.DOTALL)
        if not term:
            raise Refused("not_supported", "only `attribute eq value` is searched for")
        return {"records": self.lookup(params["class"], term[1], [json.loads(term[2])])[0]}

    def do_lookup(self, params, call):
        return {"found": self.lookup(params["class"], params["path"], params["values"])}

    def lookup(self, name, path, values):
        records = self.records(name)
        return [[one for one in records if one["attributes"].get(path) == value] for value in values]

    def do_scan_open(self, params, call):
        self.next += 1
        self.scans[f"s{self.next}"] = self.records(params["class"])
        return {"scan": f"s{self.next}"}

    def do_scan_next(self, params, call):
        records = self.scans.pop(params["scan"])
        return {"items": [{"upsert": one} for one in records], "end": {"complete": True, "count": len(records)}}

    def do_scan_close(self, params, call):
        self.scans.pop(params["scan"], None)
        return {}

    def do_apply(self, params, call):
        objects, results = self.read(), []
        for operation in params["operations"]:
            try:
                outcome = {"done": {"target_id": self.apply(objects, operation)}}
            except Refused as error:
                outcome = {"failed": error.data}
            results.append({"operation": operation["id"], "outcome": outcome})
        self.write(objects)
        return {"results": results}

    def apply(self, objects, operation):
        action, id = operation["action"], operation.get("target_id")
        if action == "create":
            id = str(1 + max(map(int, objects), default=0))
            objects[id] = {"class": operation["class"], **({"active": True} if operation["class"] == "person" else {})}
        elif id not in objects:
            raise Refused("not_found", "there is no such object")
        if action == "delete":
            del objects[id]
            return id
        if action in ("enable", "disable"):
            objects[id]["active"] = action == "enable"
        for change in operation.get("changes", []):
            self.change(objects[id], change)
        return id

    def change(self, one, change):
        path, op, value = change["path"], change["op"], change.get("value")
        if path == "people" and value is not None:
            # In a change, whom it points at may be told by the id alone.
            values = value if isinstance(value, list) else [value]
            value = [one if isinstance(one, dict) else {"ref": {"class": "person", "id": one}} for one in values]
        if op in ("add", "remove"):
            values = value if isinstance(value, list) else [value]
            rest = [old for old in one.get(path, []) if old not in values]
            one[path] = rest + values if op == "add" else rest
        elif op == "unset" or value is None:
            one.pop(path, None)
        else:
            one[path] = value


if __name__ == "__main__":
    serve(Connector())
