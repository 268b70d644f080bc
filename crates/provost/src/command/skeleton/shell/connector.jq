# What the connector knows: attributes, and what each method answers. The request is the input of `answer`.

def class: "account";
def attributes: [
  {name: "id", required: true, unique: true, mutability: "immutable", caseExact: true},
  {name: "name", caseExact: true},
  {name: "mail", caseExact: true},
  {name: "note", caseExact: true},
  {name: "groups", multiValued: true, caseExact: true},
  {name: "active", type: "boolean"}
];
def attribute($path): first(attributes[] | select((.name | ascii_downcase) == ($path | ascii_downcase))) // null;

def error($code; $message):
  {jsonrpc: "2.0", id: (.id? // null), error: {code: (if $code == "not_supported" then -32601 else -32000 end), message: $message,
   data: {code: $code, message: $message}}};

# Errors within a method are objects, thrown.
def refuse($code; $message): {code: $code, message: $message} | error;
def check_class: if (.class | ascii_downcase) == class then . else refuse("not_supported"; "there are objects of class `account` alone") end;
def record: {class: class, id: .key, attributes: ({id: .key} + .value)};
def records($accounts): $accounts[0] | to_entries | map(record);

def do_initialize($accounts):
  if .pcp | startswith("1.") or . == "1" then
    {pcp: "1.0", version: "0.1.0", max_line: 1048576,
     connector: {name: "@NAME@", title: "@NAME@", description: "Accounts in a JSON file", source: true, target: true}}
  else refuse("protocol"; "the host speaks version \(.pcp) of the protocol, this program 1.0") end;

def problems:
  [(if (.values.file | type) == "string" then empty else {path: "file", message: "`file` is missing", hint: "name the file of the accounts"} end),
   (.values | keys[] | select(. != "file") | {path: ., message: "unknown field `\(.)`", hint: "known are: file"})];
def do_validate($accounts): {problems: problems};
def do_configure($accounts):
  problems as $problems
  | if $problems != [] then $problems[0] | {code: "invalid_config", message, path, hint} | error else
    {capabilities: {max_in_flight: 1, max_batch: 100, max_lookup: 100, classes: [
      {name: class, scan: true, create: true, update: true, delete: true, count: true, lookup: ["id", "name", "mail"],
       enablement: {path: "active", on: true, off: false}}]}} end;

def do_ping($accounts): {};
def do_schema($accounts): {classes: [{name: class, attributes: attributes, keys: ["id"]}]};
def do_test($accounts): {checks: [{name: "file", status: "ok", message: "\($accounts[0] | length) accounts"}]};
def do_count($accounts): check_class | {count: ($accounts[0] | length)};
def do_get($accounts):
  check_class | .id as $id | {record: (if $accounts[0] | has($id) then {key: $id, value: $accounts[0][$id]} | record else null end)};

def has_value($name; $value): .attributes[$name] | if type == "array" then any(.[]; . == $value) else . != null and . == $value end;
def do_lookup($accounts):
  check_class
  | (attribute(.path) // refuse("invalid_value"; "there is no attribute `\(.path)`")).name as $name
  | {found: [.values[] as $value | [records($accounts)[] | select(has_value($name; $value))]]};
def do_find($accounts):
  check_class
  | ((.filter | capture("^(?<name>\\w+) eq (?<value>.+)$")) // null) as $term
  | (try ($term.value | fromjson) catch null) as $value
  | (if $term then attribute($term.name) else null end) as $known
  | if .cursor or $value == null or $known == null then refuse("not_supported"; "only `attribute eq value` is searched for")
    else {records: [records($accounts)[] | select(has_value($known.name; $value))]} end;

def open($scan):
  if (.params.class | ascii_downcase) != class then error("not_supported"; "there are objects of class `account` alone")
  elif .params.mode != "full" then error("not_supported"; "a file has no change feed")
  else {jsonrpc: "2.0", id, result: {scan: $scan}} end;
def next($accounts; $at; $size):
  records($accounts) as $all | ([$size, 1] | max) as $size
  | {jsonrpc: "2.0", id, result: ({items: [$all[$at:$at + $size][] | {upsert: .}]}
     + if $at + $size >= ($all | length) then {end: {complete: true, count: ($all | length)}} else {} end)};

def check_value($known):
  if type == (if $known.type == "boolean" then "boolean" else "string" end) then .
  else refuse("invalid_value"; "`\($known.name)` is no \(type)") end;
def change($change):
  (attribute($change.path) // refuse("invalid_value"; "there is no attribute `\($change.path)`")) as $known
  | if $change.op == "unset" or $change.value == null then del(.[$known.name])
    elif $known.multiValued then
      [$change.value | if type == "array" then .[] else . end | check_value($known)] as $values
      | .[$known.name] = ((if $change.op == "set" then [] else .[$known.name] // [] end) as $have
          | if $change.op == "remove" then $have - $values
            else reduce $values[] as $one ($have; if any(.[]; . == $one) then . else . + [$one] end) end)
    elif $change.op == "set" then .[$known.name] = ($change.value | check_value($known))
    else refuse("not_supported"; "`\($known.name)` has one value") end;

# The accounts after one operation, and its outcome.
def apply_one($op):
  ($op.changes // []) as $changes
  | if ($op.class | ascii_downcase) != class then refuse("not_supported"; "there are objects of class `account` alone")
    elif $op.action == "create" then
      (reduce $changes[] as $one ({}; change($one))) as $new
      | if ($new.id // "") == "" then refuse("missing_required"; "an account needs an id")
        elif has($new.id) then {code: "already_exists", message: "there is an account with this id", existing_id: $new.id} | error
        else .[$new.id] = ({active: true} + ($new | del(.id))) | [., $new.id] end
    elif has($op.target_id) | not then refuse("not_found"; "there is no such account")
    elif $op.action == "delete" then del(.[$op.target_id]) | [., $op.target_id]
    elif any($changes[]; attribute(.path).mutability? == "immutable") then refuse("invalid_value"; "`id` cannot be changed")
    elif $op.action == "update" or $op.action == "enable" or $op.action == "disable" then
      .[$op.target_id] |= (reduce $changes[] as $one (.; change($one))
        | if $op.action == "update" then . else .active = ($op.action == "enable") end)
      | [., $op.target_id]
    else refuse("not_supported"; "accounts are not \($op.action)d") end;
def do_apply($accounts):
  reduce .operations[] as $op ({accounts: $accounts[0], results: []};
    . as $before
    | (try ($before.accounts | apply_one($op) | {accounts: .[0], outcome: {done: {target_id: .[1]}}})
       catch {accounts: $before.accounts, outcome: {failed: (if type == "object" then . else {code: "internal", message: .} end)}}) as $after
    | {accounts: $after.accounts, results: ($before.results + [{operation: $op.id, outcome: $after.outcome}])})
  | .accounts, {results};

# answer(f): the result of a method as a line, or its error.
def answer(f):
  . as $request
  | try (.params // {} | [f] | if length == 2 then .[0], {jsonrpc: "2.0", id: $request.id, result: .[1]}
         else {jsonrpc: "2.0", id: $request.id, result: .[0]} end)
    catch (. as $error | $request | if ($error | type) == "object" then error($error.code; $error.message) | .error.data = $error
           else error("protocol"; "the request cannot be read: \($error)") end);
