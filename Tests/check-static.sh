#!/usr/bin/env bash
# Checks what the agent's binary carries: that it is one static file within its budget, without Foundation and ICU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The most that the stripped file may weigh, in MB (10^6 bytes), linked with lld. A deliberate addition raises it in the
# same commit.
budget_mb=22

failures=0
check() { # check NAME VERDICT VALUE
    printf '%-34s %-5s %s\n' "$1" "$2" "$3"
    [[ $2 == ok ]] || failures=$((failures + 1))
}
verdict() { if "$@"; then echo ok; else echo FAIL; fi; }
count() { grep -cE "$1" "$symbols" || true; }

Deploy/static.sh
binary=.build/static/fieldpost
symbols=$(mktemp)
trap 'rm -f "$symbols"' EXIT
nm .build/static/fieldpost.unstripped >"$symbols"

echo
printf '%-34s %-5s %s\n' check "" found

linkage=$(ldd "$binary" 2>&1 | sed 's/^[[:space:]]*//' | head -n 1 || true)
check "static" "$(verdict grep -qE 'not a dynamic executable|statically linked' <<<"$linkage")" "$linkage"

size=$(stat -c %s "$binary")
check "size up to $budget_mb MB" "$(verdict test "$size" -le $((budget_mb * 1000000)))" \
    "$((size / 1000000)).$(printf '%02d' $((size / 10000 % 100))) MB"

# A mangled name holds its module's name after that name's length.
icu=$(count 'icudt|_foundation_icu_|udata_')
check "no ICU" "$(verdict test "$icu" -eq 0)" "$icu symbols"
foundation=$(count '(^|[^0-9])(10Foundation|20FoundationEssentials|22_FoundationCollections|28FoundationInternationalization)')
check "no Foundation, nor parts of it" "$(verdict test "$foundation" -eq 0)" "$foundation symbols"
# Where they come from: String's contains(_:), replacing(_:with:), ranges(of:) and the like; Units has smaller ones.
patterns=$(count '17_StringProcessing|12_RegexParser')
check "no pattern matching" "$(verdict test "$patterns" -eq 0)" "$patterns symbols"
imports=$(grep -rnE --include='*.swift' \
    '^[^/]*\bimport +((struct|class|enum|protocol|typealias|func|var|let) +)?Foundation(Essentials)?([. ]|$)' Sources Tests ||
    true)
check "no import of Foundation" "$(verdict test -z "$imports")" "${imports:-none}"

for option in --version --help; do
    output=$(timeout 10 "$binary" "$option" 2>&1) && status=0 || status=$?
    check "fieldpost $option" "$(verdict test "$status" -eq 0)" "exit $status, $(head -n 1 <<<"$output")"
done
# In a root without any library, where glibc has nothing to resolve names with but what is linked in. Port 9 is closed.
if unshare --mount true 2>/dev/null; then
    bare=$(mktemp -d)
    trap 'rm -rf "$symbols" "$bare"' EXIT
    mkdir "$bare/etc" "$bare/proc"
    cp "$binary" "$bare/fieldpost"
    echo "127.0.0.1 bare.example" >"$bare/etc/hosts"
    # shellcheck disable=SC2016 # $1 is the inner shell's
    output=$(timeout 20 unshare --mount sh -c \
        'mount --bind /proc "$1/proc" && chroot "$1" /fieldpost pub -h bare.example -p 9 -t a -m b' sh "$bare" 2>&1) || true
    check "resolves names in a bare root" "$(verdict grep -qi 'refused' <<<"$output")" "$(tail -n 1 <<<"$output")"
fi
output=$(timeout 120 "$binary" demo 2>&1) && status=0 || status=$?
check "fieldpost demo" "$(verdict test "$status" -eq 0)" "exit $status, $(tail -n 1 <<<"$output")"

echo
if ((failures)); then
    echo "$failures of these checks failed" >&2
    exit 1
fi
