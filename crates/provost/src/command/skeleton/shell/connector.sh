#!/bin/sh
# @NAME@: accounts in a JSON file, in shell and jq. Replace what `store` and the filters below do by your system and keep the
# rest.
#
# Three promises that Provost relies on:
# 1. A scan says `complete` only when it saw everything. What a complete scan lacks may be deleted elsewhere.
# 2. A write whose outcome is not known is `unknown_outcome`, never a failure.
# 3. What cannot be done exactly is refused with `not_supported`, never done nearly.
#
# One request after the other, one JSON text a line. Values stay inside of jq: none is ever part of a command.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ "${PROVOST_PCP:-}" != 1 ]; then
    echo "this is a connector: Provost starts it and speaks with it (docs/custom-connectors.md)" >&2
    exit 64
fi
command -v jq >/dev/null || { echo "jq is not installed" >&2; exit 69; }

file='' scans=$(mktemp -d) number=0
trap 'rm -rf "$scans"' EXIT

# What every request needs of the filters: the request on standard input, the accounts as `$accounts`.
ask() { jq -c -L "$here" --slurpfile accounts "$1" "include \"connector\"; answer(do_$2(\$accounts))"; }

accounts() {
    if [ -z "$file" ] || [ ! -e "$file" ]; then echo '{}' >"$scans/empty"; echo "$scans/empty"; else echo "$file"; fi
}

# fail CODE MESSAGE: an error for the request in $line
fail() { printf '%s\n' "$line" | jq -c -L "$here" --arg code "$1" --arg message "$2" 'include "connector"; error($code; $message)'; }

# save: puts the accounts from standard input in place at once, so that a crash leaves the old or the new ones.
save() { cat >"$file.new" && { sync "$file.new" 2>/dev/null || sync; } && mv "$file.new" "$file"; }

while IFS= read -r line; do
    method=$(printf '%s\n' "$line" | jq -r 'if type == "object" and .jsonrpc == "2.0" then .method // "" else error("") end' 2>/dev/null) || {
        jq -nc -L "$here" 'include "connector"; error("protocol"; "a line is no JSON-RPC 2.0 message")'
        continue
    }
    case $method in
    '' | '$/'*) ;;
    shutdown)
        printf '%s\n' "$line" | jq -c '{jsonrpc: "2.0", id, result: {}}'
        exit 0
        ;;
    configure)
        if answer=$(printf '%s\n' "$line" | ask "$(accounts)" configure) && printf '%s\n' "$answer" | jq -e .result >/dev/null; then
            # The path ends with a sign that keeps a line break at its end.
            file=$(printf '%s\n' "$line" | jq -j '.params | if .values.file | startswith("/") then .values.file else .base + "/" + .values.file end, "x"')
            file=${file%x}
        fi
        printf '%s\n' "${answer:-$(fail internal "configure failed")}"
        ;;
    validate | initialize | ping | schema | test | get | find | lookup | count)
        printf '%s\n' "$line" | ask "$(accounts)" "$method" || fail unreadable "the accounts cannot be read"
        ;;
    revision)
        stamp=$(stat -c '%Y-%s-%i' "$file" 2>/dev/null || echo none)
        printf '%s\n' "$line" | jq -c --arg stamp "$stamp" '{jsonrpc: "2.0", id, result: {revision: $stamp}}'
        ;;
    scan.open)
        # One look at the file is one state of it, whatever is written while the pages are fetched.
        number=$((number + 1)) scan=s$number
        if cp "$(accounts)" "$scans/$scan" && printf '%s\n' "$line" | jq -c .params >"$scans/$scan.request" && echo 0 >"$scans/$scan.at"; then
            printf '%s\n' "$line" | jq -c -L "$here" --arg scan "$scan" 'include "connector"; open($scan)'
        else
            fail unavailable "the accounts cannot be copied"
        fi
        ;;
    scan.next)
        scan=$(printf '%s\n' "$line" | jq -r '.params.scan // "" | select(test("^s[0-9]+$"))')
        if [ -n "$scan" ] && [ -e "$scans/$scan.at" ]; then
            answer=$(printf '%s\n' "$line" | jq -c -L "$here" --slurpfile accounts "$scans/$scan" --slurpfile request "$scans/$scan.request" \
                --argjson at "$(cat "$scans/$scan.at")" 'include "connector"; next($accounts; $at; $request[0].page_size)')
            printf '%s\n' "${answer:-$(fail unreadable "the accounts cannot be read")}"
            case $answer in
            '') rm -f "$scans/$scan"* ;;
            *) printf '%s\n' "$answer" | jq '.result | if .end then empty else (.items | length) end' | {
                   if read -r more; then echo $(($(cat "$scans/$scan.at") + more)) >"$scans/$scan.at"; else rm -f "$scans/$scan.at"; fi
               } ;;
            esac
        else
            fail protocol "there is no such scan"
        fi
        ;;
    scan.close)
        scan=$(printf '%s\n' "$line" | jq -r '.params.scan // "" | select(test("^s[0-9]+$"))')
        [ -n "$scan" ] && rm -f "$scans/$scan" "$scans/$scan.at" "$scans/$scan.request"
        printf '%s\n' "$line" | jq -c '{jsonrpc: "2.0", id, result: {}}'
        ;;
    apply)
        # The first line is the accounts as they will be, the second the answer, which is not given before they are.
        if printf '%s\n' "$line" | ask "$(accounts)" apply >"$scans/applied"; then
            if head -n 1 "$scans/applied" | save; then tail -n 1 "$scans/applied"; else fail unknown_outcome "the accounts cannot be written"; fi
        else
            fail unreadable "the accounts cannot be read, or the request"
        fi
        ;;
    *) fail not_supported "there is no such method" ;;
    esac
done
