#!/usr/bin/env bash
# Boots Debian's kernel in QEMU with the agent and simulated hardware, plays with that from inside, and compares what
# arrives at a Mosquitto on this machine.
#
#   Tests/Board/sensors.sh [FILE]
#
# Without FILE, a static one for x86-64, it is what Deploy/static.sh makes of the sources as they are. The board's part is in
# sensors/: init, and for each kind of hardware a folder: board.sh plays there, with the sensors of *.toml, each an agent of
# that name; checks.sh looks here at what came.
# shellcheck disable=SC2317 # functions are handed to until_true and verdict
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh
# shellcheck source=Deploy/cross/packages.sh
source Deploy/cross/packages.sh

[[ $# -le 1 ]] || die "usage: Tests/Board/sensors.sh [FILE]"
want qemu-system-x86 has_program qemu-system-x86_64
want mosquitto has_program mosquitto
want mosquitto-clients has_program mosquitto_sub
want cpio has_program cpio
want coreutils has_program stdbuf
install_missing
[[ $# -gt 0 ]] || Deploy/static.sh
binary=$(realpath "${1:-.build/static/fieldpost}")
Tests/Board/kernel.sh x86_64
kernel=$(cross_folder)/board/x86_64
# shellcheck source=Tests/Board/lib.sh
source Tests/Board/lib.sh

# the broker, and who watches it

start_broker "listener @PORT@ 127.0.0.1" "allow_anonymous true" "persistence false" "max_queued_messages 0"
# A line is a message: its topic, its payload. (mosquitto_sub 2.0 now and then breaks off under many messages of QoS 2.)
seen=$folder/seen
stdbuf -oL mosquitto_sub -p "$port" -V 5 -i watcher -q 1 -t 'fieldpost/#' -F '%t %p' >"$seen" 2>"$folder/watcher.log" &
started+=($!)

# the board

make_board() {
    local top=$folder/root program library configuration name
    mkdir -p "$top"/{bin,dev,proc,sys,tmp,parts,etc/fieldpost}
    cp "$kernel/busybox" "$top/bin/"
    for program in sh mount modprobe uname date cat head tail sleep mkdir rmdir rm mv ls tr sed grep ip kill poweroff \
        i2cset su chgrp chmod; do
        ln -s busybox "$top/bin/$program"
    done
    cp -r "$kernel/root/lib" "$top/"
    cp "$binary" "$top/bin/fieldpost"
    # Somebody to be compared with: this machine's own, where it is of the board's architecture.
    if [[ $(uname -m) == x86_64 ]]; then
        program=$(command -v mosquitto_sub)
        cp "$program" "$top/bin/"
        ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
            mkdir -p "$top${library%/*}"
            cp -L "$library" "$top$library"
        done
    fi
    cp Tests/Board/sensors/init "$top/init"
    for program in Tests/Board/sensors/*/board.sh; do
        cp "$program" "$top/parts/$(basename "$(dirname "$program")").sh"
    done
    for configuration in Tests/Board/sensors/*/*.toml; do
        name=$(basename "$configuration" .toml)
        cat - "$configuration" >"$top/etc/fieldpost/$name.toml" <<TOML
[device]
id = "$name"

[broker]
servers = ["mqtt://10.0.2.2:$port"]

[queue]
path = "/tmp/$name.db"

[uplink]
qos = 1
sequence = true

TOML
    done
    # Not compressed: that would take the emulated processor longer than it saves.
    (cd "$top" && find . | cpio --quiet -o -H newc -R 0:0) >"$folder/initramfs"
}

# One processor: an edge's interrupt is served before the next edge, however busy this machine is.
power_on() {
    qemu-system-x86_64 -M q35 -cpu max -vga none -accel tcg -smp 1 -m 512 -display none -no-reboot -nodefaults \
        -kernel "$kernel/vmlinuz" -initrd "$folder/initramfs" -append "console=ttyS0 quiet panic=-1 rdinit=/init" \
        -netdev user,id=net -device virtio-net-pci,netdev=net,romfile= \
        -serial "file:$folder/console" >"$folder/qemu" 2>&1 </dev/null &
    board=$!
    started+=("$board")
}
is_off() { ! kill -0 "$board" 2>/dev/null; }
on_console() { sed -n "s/^BOARD $1//p" "$folder/console" | tr -d '\r' | tail -n 1; }
in_log() { tr -d '\r' <"$folder/console" | sed -n "s/^LOG $1 //p" | grep -E "$2"; }

# values DEVICE SENSOR: of all its messages, in order, in one line.
values() { sed -n "s#^fieldpost/$1/$2 .*\"value\":\([^,}]*\).*#\1#p" "$seen" | tr '\n' ' ' | sed 's/ $//'; }
# changes DEVICE SENSOR: its values, but those that say the same again.
changes() { values "$1" "$2" | tr ' ' '\n' | uniq | tr '\n' ' ' | sed 's/ $//'; }
# channel_changes DEVICE SENSOR CHANNEL UNIT: as changes, of the values with that channel (which may be "") and unit.
channel_changes() {
    sed -n "s#^fieldpost/$1/$2 {\"time\":\"[^\"]*\",${3:+\"channel\":\"$3\",}\"value\":\([^,}]*\),\"unit\":\"$4\".*#\1#p" \
        "$seen" | uniq | tr '\n' ' ' | sed 's/ $//'
}
# said WHERE SENSOR: what the board's `fieldpost read` said of it.
said() { on_console "$1: " | tr '|' '\n' | sed -n "s/^$2  *//p"; }
last_value() { values "$1" "$2" | grep -o '[^ ]*$'; }
# times DEVICE SENSOR: in milliseconds since 1970.
times() {
    sed -n "s#^fieldpost/$1/$2 .*\"time\":\"\([^\"]*\)\".*#\1#p" "$seen" | date -f - -u +%s%3N
}
# repeated COUNT WORD...
repeated() {
    local count=$1 all=()
    shift
    while ((count > 0)); do
        all+=("$@")
        count=$((count - 1))
    done
    echo "${all[*]}"
}
is_between() {
    awk -v low="$1" -v value="${2:-nothing}" -v high="$3" 'BEGIN { exit !(value + 0 == value && low <= value && value <= high) }'
}
# compare NAME EXPECTED FOUND [SHOWN]
compare() { check "$1" "$(verdict test "$3" = "$2")" "${4-$3}"; }

# the story

make_board
printf '%-44s %-5s %s\n' check "" found
begin=$SECONDS
power_on
until_true 200 is_off || true
check "Debian's kernel, all parts played" "$(verdict test -n "$(on_console 'played until ')")" \
    "$(on_console 'kernel ') ($((SECONDS - begin)) s)"
if ((failures)); then
    tail -n 40 "$folder/console"
    conclude
fi
# What came before this has arrived.
mosquitto_pub -p "$port" -t fieldpost/end -m '' -q 1
until_true 10 grep -q '^fieldpost/end ' "$seen" || die "what came to the broker does not arrive here"

for checks in Tests/Board/sensors/*/checks.sh; do
    # shellcheck source=Tests/Board/sensors/gpio/checks.sh
    source "$checks"
done
conclude
