"""Speaks with the connector as Provost does: python3 -m unittest"""
import json
import os
import subprocess
import sys
import tempfile
import unittest


class Conversation(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "connector.py")
        environment = {"PATH": os.environ["PATH"], "PROVOST_PCP": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        pipe = subprocess.PIPE
        self.child = subprocess.Popen([sys.executable, program], stdin=pipe, stdout=pipe, env=environment)
        self.last = 0
        self.ask("initialize", pcp="1.0")
        self.ask("configure", values={"file": "accounts.json"}, base=self.folder.name)

    def tearDown(self):
        self.ask("shutdown")
        self.assertEqual(self.child.wait(10), 0)
        self.child.stdin.close()
        self.child.stdout.close()
        self.folder.cleanup()

    def say(self, text):
        self.child.stdin.write(text.encode() + b"\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def talk(self, method, **params):
        self.last += 1
        answer = self.say(json.dumps({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}))
        self.assertEqual(answer["id"], self.last)
        return answer

    def ask(self, method, **params):
        answer = self.talk(method, **params)
        self.assertNotIn("error", answer)
        return answer["result"]

    def refused(self, method, **params):
        return self.talk(method, **params)["error"]["data"]["code"]

    def apply(self, action, id=None, *changes):
        changes = [{"path": path, "op": op, "value": value} for path, op, value in changes]
        operation = {"id": "o1", "action": action, "class": "account", "target_id": id, "changes": changes}
        outcome = self.ask("apply", operations=[operation])["results"][0]["outcome"]
        return outcome["done"]["target_id"] if "done" in outcome else outcome["failed"]["code"]

    def account(self, id):
        got = self.ask("get", **{"class": "account", "id": id})["record"]
        return got and got["attributes"]

    def test_an_account_from_beginning_to_end(self):
        self.assertEqual(self.apply("create", None, ("id", "set", "a1"), ("name", "set", "Ada \"A\" \\ \u2028 \U0001f600")), "a1")
        self.assertEqual(self.apply("create", None, ("id", "set", "a1")), "already_exists")
        self.assertEqual(self.account("a1")["name"], "Ada \"A\" \\ \u2028 \U0001f600")
        self.apply("update", "a1", ("groups", "add", ["x", "y"]), ("groups", "remove", ["x"]), ("name", "unset", None))
        self.assertEqual(self.account("a1"), {"id": "a1", "active": True, "groups": ["y"]})
        self.apply("disable", "a1")
        self.assertIs(self.account("a1")["active"], False)
        self.assertEqual(self.apply("update", "a1", ("id", "set", "a2")), "invalid_value")
        self.assertEqual(self.apply("update", "a1", ("colour", "set", "red")), "invalid_value")
        self.assertEqual(self.apply("delete", "a1"), "a1")
        self.assertEqual(self.apply("delete", "a1"), "not_found")
        self.assertIsNone(self.account("a1"))

    def test_a_scan_counts_what_it_gave(self):
        for number in range(5):
            self.apply("create", None, ("id", "set", str(number)))
        scan = self.ask("scan.open", **{"class": "account", "mode": "full", "page_size": 2})["scan"]
        seen, end = [], None
        while end is None:
            page = self.ask("scan.next", scan=scan)
            seen += [item["upsert"]["id"] for item in page["items"]]
            end = page.get("end")
        self.assertEqual((sorted(seen), end), (list("01234"), {"complete": True, "count": 5}))
        self.assertEqual(self.ask("count", **{"class": "account"}), {"count": 5})
        self.assertEqual(self.refused("scan.next", scan=scan), "protocol")
        self.assertEqual(self.refused("scan.open", **{"class": "account", "mode": "changes", "page_size": 2}), "not_supported")

    def test_accounts_are_found_exactly_or_not_at_all(self):
        self.apply("create", None, ("id", "set", "1"), ("mail", "set", "a\"b@example.org"))
        found = self.ask("lookup", **{"class": "account", "path": "mail", "values": ["x", "a\"b@example.org"]})["found"]
        self.assertEqual([[one["id"] for one in some] for some in found], [[], ["1"]])
        search = {"class": "account", "page_size": 10}
        self.assertEqual(len(self.ask("find", filter='mail eq "a\\"b@example.org"', **search)["records"]), 1)
        self.assertEqual(self.refused("find", filter='mail sw "a"', **search), "not_supported")

    def test_what_is_wrong_is_refused(self):
        self.assertEqual(self.refused("dance"), "not_supported")
        self.assertEqual(self.refused("get", **{"class": "account"}), "protocol")
        self.assertEqual(self.say("hello")["error"]["data"]["code"], "protocol")
        self.assertEqual(self.refused("initialize", pcp="2.0"), "protocol")
        self.assertEqual(self.refused("configure", values={}, base="/"), "invalid_config")
        self.assertEqual(self.refused("ping", meta={"deadlineMs": -1}), "timeout")
        problems = self.ask("validate", values={"fiel": "x"}, base="/")["problems"]
        self.assertEqual([problem["path"] for problem in problems], ["file", "fiel"])


if __name__ == "__main__":
    unittest.main()
