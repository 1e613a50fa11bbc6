#!/usr/bin/env bash
# Runs the ARM64 file under QEMU's user-mode emulation: the command line, the demo, and TLS against Mosquitto.
#
#   Tests/Board/emulated.sh [FILE]
#
# Without FILE it is what Deploy/cross/build.sh makes of the sources as they are.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh

want qemu-user-static has_program qemu-aarch64-static
want mosquitto has_program mosquitto
want mosquitto-clients has_program mosquitto_sub
want openssl has_program openssl
want util-linux has_program unshare
install_missing
[[ $# -gt 0 ]] || Deploy/cross/build.sh aarch64
binary=$(realpath "${1:-.build/cross/aarch64/fieldpost}")
# shellcheck source=Tests/Board/lib.sh
source Tests/Board/lib.sh

# The demo starts further processes of its own binary, which the kernel must know how to run. In a user namespace it is
# told so for our processes alone (Linux 6.7); else somebody must have told it for the whole machine.
cat >"$folder/emulated" <<'INNER'
#!/bin/bash
set -eu
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
# An ELF file, 64-bit, little-endian, executable or position-independent, for AArch64.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":fieldpost-arm64:M::$magic:$mask:$(command -v qemu-aarch64-static):FP" >/proc/sys/fs/binfmt_misc/register
exec "$@"
INNER
chmod +x "$folder/emulated"
fieldpost() { timeout -k 5 "$1" unshare --user --map-root-user --mount "$folder/emulated" "$binary" "${@:2}"; }
if [[ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]]; then
    fieldpost() { timeout -k 5 "$1" "$binary" "${@:2}"; }
elif ! fieldpost 20 --version >"$folder/binfmt.log" 2>&1; then
    cat "$folder/binfmt.log" >&2
    die "this kernel cannot be told privately how to run ARM64 programs (Linux 6.7 can): apt-get install binfmt-support"
fi

printf '%-38s %-5s %s\n' check "" found
machine=$(od -An -t u2 -j 18 -N 2 "$binary" | tr -d ' ')
check "an ARM64 file" "$(verdict test "$machine" = 183)" "ELF machine $machine"

# MB (10^6 bytes); a deliberate addition raises it in the same commit.
budget_mb=22
size=$(stat -c %s "$binary")
check "size up to $budget_mb MB" "$(verdict test "$size" -le $((budget_mb * 1000000)))" "$size bytes"
output=$(fieldpost 20 version --json 2>&1) && status=0 || status=$?
check "fieldpost version --json" "$(verdict grep -q 'aarch64' <<<"$output")" "exit $status, ${output:0:90}"
output=$(fieldpost 20 --version 2>&1) && status=0 || status=$?
check "fieldpost --version" "$(verdict test "$status" -eq 0)" "exit $status, $output"
for configuration in Config/*.toml; do
    output=$(fieldpost 20 check "$configuration" 2>&1) && status=0 || status=$?
    check "fieldpost check ${configuration#*/}" "$(verdict test "$status" -eq 0)" \
        "exit $status, $(tail -n 1 <<<"$output")"
done
output=$(fieldpost 30 read --config Config/garbage-bins.toml 2>&1) && status=0 || status=$?
memory=$(grep -oE 'memory.*' <<<"$output" || true)
check "fieldpost read" "$(verdict test "$status" -eq 0 -a -n "$memory")" "exit $status, $memory"

output=$(fieldpost 300 demo 2>&1) && status=0 || status=$?
check "fieldpost demo" "$(verdict test "$status" -eq 0)" "exit $status, $(tail -n 1 <<<"$output")"

make_authority trusted
make_authority stranger
make_certificate broker trusted "DNS:localhost"
start_broker "listener @PORT@ 127.0.0.1" "allow_anonymous true" "persistence false" \
    "listener @TLS@ 127.0.0.1" "certfile $folder/broker.crt" "keyfile $folder/broker.key"
stdbuf -oL mosquitto_sub -p "$port" -q 1 -t 'board/#' -v -d >"$folder/received" 2>&1 &
started+=($!)
until_true 10 grep -q 'Subscribed' "$folder/received" || die "mosquitto_sub does not get its subscription"

# publish AUTHORITY HOST MESSAGE
publish() {
    output=$(fieldpost 30 pub -h "$2" -p "$tls_port" --cafile "$folder/$1.crt" -q 1 -t board/tls -m "$3" 2>&1) &&
        status=0 || status=$?
}
publish trusted localhost "from ARM64"
received=$(until_true 5 grep -q '^board/tls from ARM64$' "$folder/received" && echo yes || echo no)
check "publishes over TLS" "$(verdict test "$status" -eq 0)" "exit $status${output:+, $output}"
check "the message arrives" "$(verdict test "$received" = yes)" "$received"
# After each refusal the marker, published in the clear, shows that nothing else is still on its way.
publish stranger localhost "to a stranger"
check "an untrusted certificate is refused" "$(verdict grep -qi 'certificate' <<<"$output")" "exit $status, $(tail -n 1 <<<"$output")"
publish trusted 127.0.0.1 "to another host"
check "a certificate of another host, too" "$(verdict grep -qi 'certificate' <<<"$output")" "exit $status, $(tail -n 1 <<<"$output")"
mosquitto_pub -p "$port" -q 1 -t board/marker -m "the end"
until_true 5 grep -q '^board/marker the end$' "$folder/received" || die "mosquitto_sub has gone"
count=$(grep -c '^board/tls ' "$folder/received" || true)
check "and nothing was published to them" "$(verdict test "$count" -eq 1)" "$count message arrived over TLS"
conclude
