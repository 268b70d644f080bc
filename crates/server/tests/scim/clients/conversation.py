"""A conversation of the library scim2-client with the service: discovery, a life of users and a group, searches, versions.

The library checks every answer against the schemas it discovered. Arguments: the base address and a token.
"""

import sys

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import PatchOp, PatchOperation, SearchRequest

base, token = sys.argv[1:]
http = httpx2.Client(base_url=base, headers={"Authorization": f"Bearer {token}"})
scim = SyncSCIMClient(http)
scim.discover()
User, Group = scim.get_resource_model("User"), scim.get_resource_model("Group")

ada = scim.create(User(user_name="Ada@example.org", active=True, emails=[User.Emails(value="ada@example.org", type="work")]))
assert ada.id and ada.meta.location.endswith(f"/Users/{ada.id}"), ada
bob = scim.create(User(user_name="bob@example.org"))

clash = scim.create(User(user_name="ADA@example.org"), raise_scim_errors=False)
assert (clash.status, clash.scim_type) == (409, "uniqueness"), clash

found = scim.query(User, query_parameters=SearchRequest(filter='userName eq "ada@EXAMPLE.org"'))
assert (found.total_results, found.resources[0].id) == (1, ada.id), found
found = scim.search(search_request=SearchRequest(filter='emails[type eq "work"].value eq "ada@example.org"'))
assert [each.id for each in found.resources] == [ada.id], found

ada.display_name = "Ada Lovelace"
ada = scim.replace(ada)
assert scim.query(User, ada.id).display_name == "Ada Lovelace"

operation = PatchOperation(op=PatchOperation.Op.replace_, path="name.familyName", value="King")
patched = scim.modify(User, ada.id, PatchOp[User](operations=[operation]))
patched = patched or scim.query(User, ada.id)
assert patched.name.family_name == "King", patched

staff = scim.create(Group(display_name="Staff", members=[Group.Members(value=ada.id)]))
operation = PatchOperation(op=PatchOperation.Op.add, path="members", value=[{"value": bob.id}])
scim.modify(Group, staff.id, PatchOp[Group](operations=[operation]))
assert {member.value for member in scim.query(Group, staff.id).members} == {ada.id, bob.id}
assert [group.value for group in scim.query(User, bob.id).groups] == [staff.id]

scim.delete(User, ada.id)
assert scim.query(User, ada.id, raise_scim_errors=False).status == 404
assert {member.value for member in scim.query(Group, staff.id).members} == {bob.id}
names = [user.user_name for user in scim.query(User).resources]
assert names == ["bob@example.org"], names
print("done")
