#!/bin/sh
# Speaks with the connector as Provost does: sh test.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0 checks=0 id=0

# talk REQUEST...: each is `method params`; the answers, one a line, in $answers
talk() {
    for request in "$@"; do
        id=$((id + 1))
        printf '%s\n' "${request#* }" | jq -c --arg method "${request%% *}" --argjson id "$id" '{jsonrpc: "2.0", id: $id, method: $method, params: .}'
    done >"$folder/requests"
    {
        printf '{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"pcp":"1.0"}}\n'
        jq -nc --arg base "$folder" '{jsonrpc: "2.0", id: "c", method: "configure", params: {values: {file: "accounts.json"}, base: $base}}'
        cat "$folder/requests"
        printf '{"jsonrpc":"2.0","id":"s","method":"shutdown","params":{}}\n'
    } | PROVOST_PCP=1 sh "$here/connector.sh" >"$folder/answers" || fault "the connector ended with status $?"
}

fault() { failed=$((failed + 1)); echo "FAILED: $1" >&2; }

# want ID FILTER WHAT: the filter holds for the answer with this id
want() {
    checks=$((checks + 1))
    jq -se --argjson id "$1" "map(select(.id == \$id))[0] | $2" "$folder/answers" >/dev/null || {
        fault "$3"
        jq -c --argjson id "$1" 'select(.id == $id)' "$folder/answers" >&2
    }
}

op() { jq -nc --arg action "$1" --arg id "$2" --argjson changes "$3" '{operations: [{id: "o", action: $action, class: "account", target_id: (if $id == "" then null else $id end), changes: $changes}]}'; }

name='"Ada \"A\" \\ $(id) \u2028 \ud83d\ude00"'
talk "apply $(op create '' "[{\"path\":\"id\",\"op\":\"set\",\"value\":\"a1\"},{\"path\":\"name\",\"op\":\"set\",\"value\":$name}]")" \
    "apply $(op create '' '[{"path":"id","op":"set","value":"a1"}]')" \
    'get {"class":"account","id":"a1"}' \
    "apply $(op update a1 '[{"path":"groups","op":"add","value":["x","y"]},{"path":"groups","op":"remove","value":["x"]},{"path":"name","op":"unset"}]')" \
    "apply $(op disable a1 '[]')" \
    'get {"class":"account","id":"a1"}' \
    "apply $(op update a1 '[{"path":"colour","op":"set","value":"red"}]')" \
    "apply $(op update a1 '[{"path":"id","op":"set","value":"a2"}]')" \
    "apply $(op delete a1 '[]')" "apply $(op delete a1 '[]')" 'get {"class":"account","id":"a1"}'
want 1 '.result.results[0].outcome.done.target_id == "a1"' 'an account is made'
want 2 '.result.results[0].outcome.failed | .code == "already_exists" and .existing_id == "a1"' 'and not twice'
want 3 ".result.record.attributes.name == $name" 'a hostile name comes back as it went in'
want 6 '.result.record.attributes == {id: "a1", active: false, groups: ["y"]}' 'values come and go, and accounts are switched off'
want 7 '.result.results[0].outcome.failed.code == "invalid_value"' 'an attribute that is not there is refused'
want 8 '.result.results[0].outcome.failed.code == "invalid_value"' 'the id cannot be changed'
want 9 '.result.results[0].outcome.done' 'an account is deleted'
want 10 '.result.results[0].outcome.failed.code == "not_found"' 'and not twice'
want 11 '.result | has("record") and .record == null' 'it is gone'

id=0
for number in 1 2 3 4 5; do op create '' "[{\"path\":\"id\",\"op\":\"set\",\"value\":\"$number\"},{\"path\":\"mail\",\"op\":\"set\",\"value\":\"a\\\"$number\"}]"; done | jq -sc '{operations: map(.operations[0])}' >"$folder/five"
talk "apply $(cat "$folder/five")" \
    'scan.open {"class":"account","mode":"full","page_size":2}' 'scan.next {"scan":"s1"}' 'scan.next {"scan":"s1"}' \
    'scan.next {"scan":"s1"}' 'scan.next {"scan":"s1"}' 'count {"class":"account"}' \
    'lookup {"class":"account","path":"mail","values":["x","a\"3"]}' \
    'find {"class":"account","filter":"mail eq \"a\\\"3\"","page_size":9}' 'find {"class":"account","filter":"mail sw \"a\"","page_size":9}' \
    'scan.open {"class":"account","mode":"changes","page_size":2}' 'dance {}' 'initialize {"pcp":"2.0"}' 'validate {"values":{"fiel":1}}'
want 3 '.result.items | map(.upsert.id) == ["1", "2"]' 'a page has what it should'
want 5 '.result.end == {complete: true, count: 5}' 'the last page counts them all'
want 6 '.error.data.code == "protocol"' 'after the end there is no page'
want 7 '.result.count == 5' 'they are counted'
want 8 '.result.found | map(map(.id)) == [[], ["3"]]' 'they are looked up'
want 9 '.result.records | map(.id) == ["3"]' 'and searched for'
want 10 '.error.data.code == "not_supported"' 'exactly or not at all'
want 11 '.error.data.code == "not_supported"' 'there is no change feed'
want 12 '.error.code == -32601' 'an unknown method is refused'
want 13 '.error.data.code == "protocol"' 'another version is refused'
want 14 '.result.problems | map(.path) == ["file", "fiel"]' 'settings are checked'

if [ "$failed" -gt 0 ]; then echo "$failed of $checks failed" >&2; exit 1; fi
echo "$checks passed"
