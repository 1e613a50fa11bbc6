#!/usr/bin/env bash
# Boots Debian's kernel in QEMU with the agent as on a board, publishes to a Mosquitto on this machine over TLS, presses the
# power button, cuts the network and the power, and counts what arrives.
#
#   Tests/Board/boot.sh [aarch64|x86_64] [FILE]
#
# Without FILE it is what Deploy/cross/build.sh makes of the sources as they are. The queue lies on an ext4 disk image, the
# rest of the board in memory. A power cut kills QEMU: what the kernel in there had not written to its disk is gone; a disk
# that lies about having written is not played.
# shellcheck disable=SC2317 # functions are handed to until_true and verdict
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh
# shellcheck source=Deploy/cross/packages.sh
source Deploy/cross/packages.sh

arch=${1:-aarch64}
case $arch in
aarch64)
    want qemu-system-arm has_program qemu-system-aarch64
    machine=(qemu-system-aarch64 -M virt -cpu cortex-a72) console=ttyAMA0 temperature=nvme
    ;;
x86_64)
    want qemu-system-x86 has_program qemu-system-x86_64
    machine=(qemu-system-x86_64 -M q35 -cpu max -vga none) console=ttyS0 temperature=lm75
    ;;
*) die "usage: Tests/Board/boot.sh [aarch64|x86_64] [FILE]" ;;
esac
want mosquitto has_program mosquitto
want mosquitto-clients has_program mosquitto_sub
want openssl has_program openssl
want e2fsprogs has_program mkfs.ext4
want cpio has_program cpio
want coreutils has_program stdbuf
install_missing
[[ $# -gt 1 ]] || Deploy/cross/build.sh "$arch"
binary=$(realpath "${2:-.build/cross/$arch/fieldpost}")
Tests/Board/kernel.sh "$arch"
kernel=$(cross_folder)/board/$arch
# shellcheck source=Tests/Board/lib.sh
source Tests/Board/lib.sh
PATH="$PATH:/usr/sbin:/sbin"

# the broker, and who watches it

make_authority authority
make_certificate broker authority "DNS:broker.example"
start_broker "listener @PORT@ 127.0.0.1" "allow_anonymous true" "persistence false" "max_queued_messages 0" \
    "listener @TLS@ 127.0.0.1" "certfile $folder/broker.crt" "keyfile $folder/broker.key"
# A line is a message: when it came, whether it was retained, its topic, its payload.
seen=$folder/seen
stdbuf -oL mosquitto_sub -p "$port" -V 5 -i watcher -q 2 -t 'fieldpost/board/#' -F '%U %r %t %p' >"$seen" 2>"$folder/watcher.log" &
started+=($!)

statuses() { grep ' fieldpost/board/status ' "$seen" | grep -v '^[^ ]* 1 '; }
last_status() { statuses | tail -n 1 | cut -d ' ' -f 4-; }
status_is() { # status_is STATE BOOT [REASON]
    local status
    status=$(last_status)
    [[ $status == *"\"state\":\"$1\""*"\"boot\":$2,"* && $status == *"${3+\"reason\":\"$3\"}"* ]]
}
readings() { grep -o '"seq":[0-9]*' "$seen" | cut -d : -f 2; }
has_reading() { grep -qE "^[^ ]* . fieldpost/board/$1 .*\"value\":($2)[,}]" "$seen"; }
highest() { readings | sort -n | tail -n 1; }
has_all_through() { [[ $(readings | awk -v last="$1" '$1 <= last' | sort -nu | wc -l) -eq $1 ]]; }

# the board

make_board() {
    local top=$folder/root program
    mkdir -p "$top"/{bin,dev,proc,sys,tmp,etc/fieldpost,var/lib/fieldpost}
    cp "$kernel/busybox" "$top/bin/"
    for program in sh mount umount modprobe uname date cat sleep mkdir i2cset ip dd kill poweroff; do
        ln -s busybox "$top/bin/$program"
    done
    cp -r "$kernel/root/lib" "$top/"
    grep -v i2c-stub "$kernel/load" >"$top/modules"
    cp "$binary" "$top/bin/fieldpost"
    cp Tests/Board/init "$top/init"
    # There is no other name service than this file.
    printf '127.0.0.1 localhost\n10.0.2.2 broker.example\n' >"$top/etc/hosts"
    cp "$folder/authority.crt" "$top/etc/fieldpost/"
    cat >"$top/etc/fieldpost/board.toml" <<TOML
[device]
id = "board"

[broker]
servers = ["mqtts://broker.example:$tls_port"]
tls = { ca_file = "authority.crt" }
keep_alive = "4s"
connect_timeout = "4s"
response_timeout = "2s"
reconnect = { base = "250ms", cap = "1s" }

[uplink]
qos = 2
sequence = true

[[sensor]]
name = "ramp"
driver = "simulated"
kind = "ramp"
every = "200ms"

[[sensor]]
name = "bin"
driver = "simulated"
kind = "bin"
fill_time = "20s"
every = "500ms"

[[sensor]]
name = "door"
driver = "file"
path = "/sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio1/value"
kind = "boolean"
every = "500ms"

[[sensor]]
name = "temperature"
driver = "hwmon"
chip = "$temperature"
channel = "temp1"
every = "1s"

[[sensor]]
name = "uptime"
driver = "file"
path = "/proc/uptime"
pattern = "^[0-9.]+"
unit = "s"
every = "1s"
TOML
    # Not compressed: that would take the emulated processor longer than it saves.
    (cd "$top" && find . | cpio --quiet -o -H newc -R 0:0) >"$folder/initramfs"
    truncate -s 64M "$folder/disk"
    mkfs.ext4 -q -F "$folder/disk"
    truncate -s 1M "$folder/nvme"
}

# power_on: starts the board; `boot` counts.
boot=0
power_on() {
    boot=$((boot + 1))
    rm -f "$folder/qmp"
    mkfifo "$folder/qmp"
    "${machine[@]}" -accel tcg -smp 2 -m 512 -display none -no-reboot -nodefaults \
        -kernel "$kernel/vmlinuz" -initrd "$folder/initramfs" -append "console=$console quiet panic=-1 rdinit=/init" \
        -drive "file=$folder/disk,format=raw,if=none,id=disk" -device virtio-blk-pci,drive=disk \
        -drive "file=$folder/nvme,format=raw,if=none,id=nvme" -device nvme,drive=nvme,serial=1 \
        -netdev user,id=net -device virtio-net-pci,netdev=net,id=nic,romfile= \
        -serial "file:$folder/console-$boot" -qmp stdio <"$folder/qmp" >"$folder/qmp-$boot" 2>"$folder/qemu-$boot" &
    board=$!
    started+=("$board")
    exec 8>"$folder/qmp"
    qmp '{"execute": "qmp_capabilities"}'
}
# qmp COMMAND: tells QEMU, and waits for its answer.
qmp() {
    local before
    before=$(grep -c '"return"' "$folder/qmp-$boot" || true)
    printf '%s\n' "$1" >&8
    until_true 20 qmp_has_answered "$before" || die "QEMU does not answer $1"
}
qmp_has_answered() { (($(grep -c '"return"' "$folder/qmp-$boot") > $1)); }
set_link() { qmp "{\"execute\": \"set_link\", \"arguments\": {\"name\": \"nic\", \"up\": $1}}"; }
cut_power() {
    kill -KILL "$board"
    wait "$board" 2>/dev/null || true
    exec 8>&-
}
press_button() {
    qmp '{"execute": "system_powerdown"}'
    until_true 30 is_off || return 0
    wait "$board" 2>/dev/null || true
    exec 8>&-
}
is_off() { ! kill -0 "$board" 2>/dev/null; }
on_console() { sed -n "s/^BOARD $1//p" "$folder/console-$boot" | tr -d '\r' | tail -n 1; }
member() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$2"; }
seconds_since() { printf '%d s' $((SECONDS - $1)); }

# the story

make_board
printf '%-38s %-5s %s\n' check "" found

start=$SECONDS
power_on
until_true 60 status_is online 1 || true
check "Debian's kernel boots, board online" "$(verdict status_is online 1)" "$(on_console 'kernel ') ($(seconds_since "$start"))"
if ((failures)); then
    tail -n 20 "$folder/console-1"
    conclude
fi
for reading in 'ramp|[0-9.]+' 'bin|[0-9.]+' 'uptime|[0-9.]+' 'door|true' 'door|false' 'temperature|[0-9.]+'; do
    until_true 20 has_reading "${reading%%|*}" "${reading#*|}" || true
    check "reads ${reading%%|*}: ${reading#*|}" "$(verdict has_reading "${reading%%|*}" "${reading#*|}")" \
        "$(grep " fieldpost/board/${reading%%|*} " "$seen" | tail -n 1 | cut -d ' ' -f 4-)"
done

press_button
check "the power button stops it cleanly" "$(verdict status_is offline 1 stopped)" "$(last_status)"
check "and switches the board off" "$(verdict is_off)" "agent's exit code $(on_console 'the agent ended with '), $(on_console 'disk ')"

start=$SECONDS
power_on
until_true 60 status_is online 2 || true
check "it comes back on the same disk" "$(verdict status_is online 2)" "$(on_console 'queue at start: ') ($(seconds_since "$start"))"
set_link false
start=$SECONDS
until_true 30 status_is offline 2 'connection lost' || true
check "network cut: the will is published" "$(verdict status_is offline 2 'connection lost')" "$(seconds_since "$start")"
before=$(highest)
sleep 5
cut_power
check "nothing comes through, power cut" "$(verdict test "$(highest)" = "$before")" "last number $before"

start=$SECONDS
power_on
until_true 60 status_is online 3 || true
queue=$(on_console 'queue at start: ')
waiting=$(member messages "$queue") next=$(member next "$queue")
check "readings were on disk at that time" "$(verdict test "${waiting:-0}" -ge 20)" "$queue"
check "it comes back online" "$(verdict status_is online 3)" "$(last_status | cut -c 1-80)… ($(seconds_since "$start"))"
until_true 30 has_all_through $((${next:-1} - 1)) || true
check "and they all arrive" "$(verdict has_all_through $((${next:-1} - 1)))" "numbers 1 to $((${next:-1} - 1))"
cut_power
until_true 20 status_is offline 3 'connection lost' || true
check "power cut: the will is published" "$(verdict status_is offline 3 'connection lost')" "$(last_status)"

power_on
until_true 60 status_is online 4 || true
check "it comes back once more" "$(verdict status_is online 4)" "$(on_console 'queue at start: ')"
sleep 2
press_button
check "the power button stops it cleanly" "$(verdict status_is offline 4 stopped)" "$(last_status)"

queue=$(on_console 'queue at end: ')
last=$(($(member next "$queue") - 1 - $(member messages "$queue")))
until_true 10 has_all_through "$last" || true
gaps=$((last - $(readings | sort -nu | wc -l)))
twice=$(readings | sort -n | uniq -d | wc -l)
disorder=$(readings | awk '$1 < last { count++ } { last = $1 } END { print count + 0 }')
lost=$(grep -o '"lost":{[^}]*}' <<<"$queue" || true)
check "nothing is missing" "$(verdict test "$gaps" -eq 0 -a -z "$lost")" "$(readings | wc -l) readings, numbered 1 to $last ${lost}"
check "nothing came twice" "$(verdict test "$twice" -eq 0)" "$twice"
check "everything came in order" "$(verdict test "$disorder" -eq 0)" "$disorder out of order"
e2fsck -fn "$folder/disk" >"$folder/e2fsck" 2>&1 && status=0 || status=$?
check "the file system is whole" "$(verdict test "$status" -eq 0)" "$(tail -n 1 "$folder/e2fsck")"
conclude
