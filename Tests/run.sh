#!/usr/bin/env bash
# Installs what the tests need, builds and runs them, and checks the static binary.
#
#   Tests/run.sh            everything; on x86-64, the ARM64 file and the package too
#   Tests/run.sh FILTER     only the tests whose names match, as in swift test --filter; nothing static
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh

need_swift
want_build
want mosquitto has_program mosquitto
want mosquitto-clients has_program mosquitto_sub
want python3-paho-mqtt test -e /usr/lib/python3/dist-packages/paho/mqtt/client.py
want python3-pymodbus test -e /usr/lib/python3/dist-packages/pymodbus/__init__.py
want python3-cbor2 test -e /usr/lib/python3/dist-packages/cbor2/__init__.py
want python3-jinja2 test -e /usr/lib/python3/dist-packages/jinja2/__init__.py
want python3-pip test -e /usr/lib/python3/dist-packages/pip/__init__.py
want python3-serial-asyncio test -e /usr/lib/python3/dist-packages/serial_asyncio/__init__.py
want nodejs has_program node
want node-mqtt test -e /usr/share/nodejs/mqtt/package.json
want libpaho-mqtt-dev test -e /usr/include/MQTTAsync.h
want libmosquitto-dev has_library libmosquitto
want nats-server has_program nats-server
want rabbitmq-server has_program rabbitmq-server
want binutils has_program nm
want lld has_program ld.lld
want openssl has_program openssl
want softhsm2 has_program softhsm2-util
want libengine-pkcs11-openssl test -e "/usr/lib/$(uname -m)-linux-gnu/engines-3/pkcs11.so"
want coreutils has_program stdbuf
want util-linux has_program setpriv
# What reads the completions and the manual.
want bash has_program bash
want zsh has_program zsh
want fish has_program fish
want groff-base has_program groff
want mandoc has_program mandoc
if [[ $# -eq 0 && $(uname -m) == x86_64 ]]; then
    want qemu-user-static has_program qemu-aarch64-static
    want qemu-system-arm has_program qemu-system-aarch64
    want qemu-system-x86 has_program qemu-system-x86_64
    want e2fsprogs has_program mkfs.ext4
    want cpio has_program cpio
    want kmod has_program depmod
    want xz-utils has_program xz
    want debootstrap has_program debootstrap
    want lintian has_program lintian
    want busybox-static has_program busybox
    want systemd has_program systemd-analyze
    want iproute2 has_program ip
    want shellcheck has_program shellcheck
fi
install_missing

# Half a hundred brokers and agents at once would starve each other, and the tests would wait in vain.
SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$((4 * $(nproc)))
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH

if [[ $# -eq 0 && $(uname -m) == x86_64 ]]; then
    # It mostly waits for the network, and is wanted at the end; who builds with it waits for it, or does it again.
    setsid Deploy/cross/sdk.sh >/dev/null 2>&1 &
    fetching=$!
fi
output=$(mktemp)
# Those in the background have a process group each.
cleanup() {
    local job
    for job in ${fetching-} ${cross-}; do kill -- "-$job" 2>/dev/null || true; done
    rm -f "$output" "${log-}"
}
trap cleanup EXIT
trap 'exit 130' INT
failures=""

# check NAME COMMAND...: runs it; a failure is remembered with what the command said of it, and all else still runs.
check() {
    local name=$1
    shift
    if "$@" 2>&1 | tee "$output"; then return; fi
    failures+="-- $name: $*"$'\n'
    # Of Swift's tests the issues with what belongs to them; of anything else, and of a crash, how it ended.
    failures+=$(awk '
        function show() { if (++shown <= 80) print substr($0, 1, 400) }
        /^✘ .* recorded an issue/ { found = 1; lines = 12 }
        /^(◇|✔)/ || /^✘ (Test|Suite) .* failed after/ { lines = 0 }
        lines > 0 { lines--; show(); next }
        /Fatal error|Crash: |^error: / { found = 1; show() }
        { last[NR % 12] = $0 }
        END { if (!found) for (i = NR + 1; i <= NR + 12; i++) { $0 = last[i % 12]; show() } }' "$output")$'\n'
}

# Ends with what failed, where whoever sees only the end of a log finds it.
conclude() {
    [[ -n $failures ]] || return 0
    say "failed"
    printf '%s' "$failures"
    exit 1
}

say "building the tests"
swift build --build-tests
say "running the tests"
if (($#)); then
    check tests swift test --disable-xctest --skip-build --filter "$@"
    conclude
    say "passed; a full run checks the static binary too"
else
    # Attacks are on the file that boards get: a build for debugging is too slow to serve others meanwhile.
    say "building the static binary"
    Deploy/static.sh
    HOSTILE_FIELDPOST="$PWD/.build/static/fieldpost"
    export HOSTILE_FIELDPOST
    if [[ $(uname -m) == x86_64 ]]; then
        # With what the tests leave of the processors: they mostly wait.
        log=$(mktemp)
        setsid chrt --idle 0 Deploy/cross/build.sh aarch64 >"$log" 2>&1 &
        cross=$!
    fi
    # A target at a time: on a small machine the ones that only compute would starve those that talk to a broker.
    for tests in Tests/*Tests Tests/EndToEnd; do
        say "${tests#Tests/}"
        # Each of these is a board with all that stands around it.
        [[ $tests != Tests/EndToEnd ]] || export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$((2 * $(nproc)))
        check "${tests#Tests/}" swift test --disable-xctest --skip-build --filter "^${tests#Tests/}\\."
    done
    say "building the documentation"
    check documentation Tests/check-docs.sh
    say "checking the static binary"
    check "static binary" Tests/check-static.sh
    if [[ $(uname -m) == x86_64 ]]; then
        say "checking sensors under a real kernel"
        check sensors Tests/Board/sensors.sh .build/static/fieldpost
        say "checking the package"
        check package Tests/Package/test.sh .build/static/fieldpost
        say "building the ARM64 file"
        if wait "$cross"; then
            say "checking the ARM64 file"
            check "ARM64 file" Tests/Board/emulated.sh .build/cross/aarch64/fieldpost
            check "ARM64 boot" Tests/Board/boot.sh aarch64 .build/cross/aarch64/fieldpost
        else
            cat "$log"
            failures+="-- ARM64 build: Deploy/cross/build.sh aarch64"$'\n'$(tail -n 12 "$log")$'\n'
        fi
    fi
    conclude
    say "all passed"
fi
