#!/usr/bin/env bash
# Does what Deploy/README.md tells the owner of a Raspberry Pi, step by step, at the console of an emulated one: Debian with
# systemd, the package, a Mosquitto on this machine with user and password. Some four minutes, and ten more the first
# time, when debian.sh makes that Debian.
#
#   Tests/Board/pi.sh [PACKAGE.deb [TRANSCRIPT]]
#
# Without a package it is what Deploy/deb/build.sh makes of the sources as they are. TRANSCRIPT takes all that the console
# showed.
# shellcheck disable=SC2317 # functions are handed to until_true and verdict
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../.."
# shellcheck source=Deploy/lib.sh
source Deploy/lib.sh
# shellcheck source=Deploy/cross/packages.sh
source Deploy/cross/packages.sh

want qemu-system-arm has_program qemu-system-aarch64
want mosquitto has_program mosquitto
want mosquitto-clients has_program mosquitto_sub
want openssl has_program openssl
want e2fsprogs has_program debugfs
want coreutils has_program stdbuf
install_missing
Tests/Board/debian.sh
debian=$(cross_folder)/debian-arm64-trixie
kernel=$(cross_folder)/board/aarch64
# shellcheck source=Tests/Board/lib.sh
source Tests/Board/lib.sh
PATH="$PATH:/usr/sbin:/sbin"
package=${1:-}
transcript=${2:-}
if [[ -z $package ]]; then
    Deploy/cross/build.sh aarch64
    PACKAGE_FOLDER=$folder/built Deploy/deb/build.sh arm64
    package=$(echo "$folder"/built/*.deb)
fi
deb=${package##*/}

# the broker, and who watches it

make_authority authority
make_certificate broker authority "DNS:broker.example"
mosquitto_passwd -b -c "$folder/passwords" board "correct horse"
mosquitto_passwd -b "$folder/passwords" watcher watcher
start_broker "listener @PORT@ 127.0.0.1" "allow_anonymous false" "password_file $folder/passwords" "persistence false" \
    "max_queued_messages 0" "listener @TLS@ 127.0.0.1" "certfile $folder/broker.crt" "keyfile $folder/broker.key"
# A line is a message: when it came, whether it was retained, its topic, its payload.
seen=$folder/seen
stdbuf -oL mosquitto_sub -p "$port" -V 5 -i watcher -u watcher -P watcher -q 2 -t 'fieldpost/#' -F '%U %r %t %p' >"$seen" \
    2>"$folder/watcher.log" &
started+=($!)

# Marks the end of what came so far; the checks look behind it.
news=0
note_seen() { news=$(wc -l <"$seen"); }
new_messages() { tail -n +$((news + 1)) "$seen" | grep -v '^[^ ]* 1 '; }
last_status() { new_messages | grep '^[^ ]* . fieldpost/raspberrypi/status ' | tail -n 1 | cut -d ' ' -f 4-; }
status_is() { # status_is STATE [REASON]
    local status
    status=$(last_status)
    [[ $status == *"\"state\":\"$1\""* && $status == *"${2+\"reason\":\"$2\"}"* ]]
}
last_reading() { new_messages | grep "^[^ ]* . fieldpost/raspberrypi/$1 " | tail -n 1 | cut -d ' ' -f 3-; }
has_reading() { [[ -n $(last_reading "$1") ]]; }
readings() { grep -o '"seq":[0-9]*' "$seen" | cut -d : -f 2; }
# Numbers from the first that came to the given one: how many are missing.
missing_through() {
    readings | sort -nu | awk -v last="$1" 'NR == 1 { first = $1 } $1 <= last { count++ } END { print last - first + 1 - count }'
}
nothing_is_missing_through() { [[ $(missing_through "$1") -eq 0 ]]; }

# the board: the card, and what is connected to it

make_card() {
    cp --sparse=always --reflink=auto "$debian/disk" "$folder/card"
    cat >"$folder/hardware" <<'SCRIPT'
#!/bin/sh
# A bank of two GPIO lines, on the second of which hangs a door's contact.
modprobe -a configfs gpio-sim
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
bank=/sys/kernel/config/gpio-sim/board/bank
mkdir -p $bank/line1
echo 2 >$bank/num_lines
echo DOOR >$bank/line1/name
echo 1 >/sys/kernel/config/gpio-sim/board/live
contact=/sys/devices/platform/$(cat /sys/kernel/config/gpio-sim/board/dev_name)/$(cat $bank/chip_name)/sim_gpio1
while sleep 2; do
    echo pull-up >"$contact/pull"
    sleep 2
    echo pull-down >"$contact/pull"
done
SCRIPT
    chmod 755 "$folder/hardware"
    printf '%s\n' '[Service]' 'ExecStart=/usr/local/sbin/hardware' >"$folder/hardware.service"
    echo "correct horse" >"$folder/secret"
    chmod 644 "$folder/secret"
    cat >"$folder/more.toml" <<'TOML'

[uplink]
sequence = true

[[sensor]]
name = "ramp"
driver = "simulated"
kind = "ramp"
every = "500ms"

[[sensor]]
name = "door"
driver = "file"
path = "/sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio1/value"
kind = "boolean"
every = "1s"
TOML
    debugfs -w -f /dev/stdin "$folder/card" >"$folder/debugfs" 2>&1 <<COMMANDS
write $folder/hardware /usr/local/sbin/hardware
write $folder/hardware.service /etc/systemd/system/hardware.service
symlink /etc/systemd/system/multi-user.target.wants/hardware.service ../hardware.service
write $package /home/pi/$deb
write $folder/authority.crt /home/pi/authority.crt
write $folder/secret /home/pi/secret
write $folder/more.toml /home/pi/more.toml
COMMANDS
    truncate -s 1M "$folder/nvme"
}

boots=0
power_on() {
    boots=$((boots + 1))
    console=$folder/console-$boots
    mark=0
    rm -f "$folder"/{keys,qmp.in,qmp.out}
    mkfifo "$folder"/{keys,qmp.in,qmp.out}
    # Both ends, so that nothing waits for QEMU to open its own.
    exec 6<>"$folder/qmp.out" 7<>"$folder/keys" 8<>"$folder/qmp.in"
    qemu-system-aarch64 -M virt -cpu cortex-a72 -accel tcg -smp 2 -m 1G -display none -no-reboot -nodefaults \
        -kernel "$kernel/vmlinuz" -initrd "$debian/initrd" -append "console=ttyAMA0 quiet rw" \
        -drive "file=$folder/card,format=raw,if=none,id=card,cache=unsafe" -device virtio-blk-pci,drive=card \
        -drive "file=$folder/nvme,format=raw,if=none,id=nvme" -device nvme,drive=nvme,serial=1 \
        -netdev user,id=net -device virtio-net-pci,netdev=net,id=nic,romfile= \
        -chardev "pipe,id=qmp,path=$folder/qmp" -mon chardev=qmp,mode=control \
        -serial stdio <"$folder/keys" >"$console" 2>"$folder/qemu-$boots" 6>&- 7>&- 8>&- &
    board=$!
    started+=("$board")
    qmp '{"execute": "qmp_capabilities"}'
}
# qmp COMMAND: tells QEMU, and waits for its answer.
qmp() {
    local line
    printf '%s\n' "$1" >&8
    while read -r -t 20 line <&6; do [[ $line != *'"return"'* ]] || return 0; done
    die "QEMU does not answer $1"
}
set_link() { qmp "{\"execute\": \"set_link\", \"arguments\": {\"name\": \"nic\", \"up\": $1}}"; }
is_off() { ! kill -0 "$board" 2>/dev/null; }
pull_plug() {
    kill -KILL "$board"
    wait "$board" 2>/dev/null || true
}

# who sits at it

# What the console showed since the mark, as it looks.
shown() {
    tail -c +$((mark + 1)) "$console" | sed -e 's/\x1b\][^\x07\x1b]*\(\x07\|\x1b\\\)//g' -e 's/\x1b\[[0-9;?]*[a-zA-Z]//g' -e 's/\x1b[78=>]//g' | tr -d '\r\003'
}
shows() { shown | grep -E "$1" >/dev/null; }
asks() { shown | tail -n 1 | grep -E "$1" >/dev/null; }
type_line() {
    mark=$(stat -c %s "$console")
    printf '%s\r' "$1" >&7
}
# answer QUESTION TEXT...: waits for each question, as an extended regular expression, and answers it.
answer() {
    while (($#)); do
        if ! until_true 60 asks "$1"; then
            check "asks: $1" FAIL "$(shown | tail -n 2 | paste -sd '|')"
            return
        fi
        type_line "$2"
        shift 2
    done
}
prompts() { asks '^\[=[0-9]+=\] $'; }
# finish SECONDS: until the shell prompts. Sets output and status.
finish() {
    until_true "$1" prompts || true
    output=$(shown | sed 1d)
    status=$(sed -n '$s/^\[=\([0-9]*\)=\] $/\1/p' <<<"$output")
    output=$(sed '$d' <<<"$output")
    [[ -n $status ]] || {
        check "comes back to the prompt" FAIL "$(tail -n 2 <<<"$output" | paste -sd '|')"
        printf '\003' >&7
        until_true 10 prompts || true
        status=none
    }
}
run() { # run SECONDS COMMAND
    type_line "$2"
    finish "$1"
}
run_apt() {
    type_line "sudo apt $*"
    until_true 300 asks '\[Y/n\] $|^\[=[0-9]+=\] $' || true
    if asks '\[Y/n\] $'; then type_line y; fi
    finish 300
}
log_in() {
    until_true 180 asks 'login: $' || return 1
    type_line pi
    until_true 30 asks '^Password: $' || return 1
    type_line raspberry
    until_true 60 asks '\$ $' || return 1
    # The exit code in the prompt, no pager, a window of some width.
    type_line "PS1='[=\$?=] '; export SYSTEMD_PAGER=cat MANPAGER=cat; stty cols 100 rows 40"
    until_true 20 prompts
}
seconds_since() { printf '%d s' $((SECONDS - $1)); }
line_of() { grep -E "$1" <<<"$output" | tail -n 1 | sed 's/^ *//' | cut -c 1-110; }
has_line() { grep -qE "$1" <<<"$output"; }

# the story

make_card
printf '%-38s %-5s %s\n' check "" found

began=$SECONDS
power_on
log_in && logged_in=ok || logged_in=FAIL
check "Debian boots, and lets pi in" "$logged_in" "$(seconds_since "$began")"
if ((failures)); then
    tail -n 20 "$console"
    conclude
fi

# A Raspberry Pi, step by step

began=$SECONDS
run_apt install "./$deb"
installed=$status
run 20 "fieldpost --version"
check "apt install" "$(verdict test "$installed" = 0)" "version $output, $(seconds_since "$began")"
((failures == 0)) || conclude
until_true 60 eval 'run 30 "systemctl status fieldpost"; has_line "Status: .*connected"' || true
check "systemctl status: it runs" "$(verdict has_line 'Active: active \(running\)')" "$(line_of 'Active:')"
check "systemctl status: what it does" "$(verdict has_line 'Status: ".*connected')" "$(line_of 'Status:')"
type_line "fieldpost sub -p 1884 -t '#' -v"
until_true 60 shows '/load .*"value":' || true
check "fieldpost sub shows readings" "$(verdict shows '^fieldpost/raspberrypi/load .*"value":')" "$(shown | grep -m 1 '/load ' | cut -c 1-100)"
printf '\003' >&7
finish 20
check "and ends with Ctrl-C" "$(verdict test "$status" != none)" "exit code $status"
run 20 "id fieldpost"
check "the agent's user is in the pins' groups" "$(verdict has_line 'gpio.*|i2c')" "$(line_of groups)"

note_seen
began=$SECONDS
type_line "sudo fieldpost setup"
answer '^Broker .*: $' "mqtt://broker.local:$port" '^Device name.*\[raspberrypi\]: $' "" '^User name.*: $' board \
    '^Password .*: $' "wrong pony"
until_true 30 asks '^Which of them.*: $' || true
check "setup: finds sensors" "$(verdict shows '^ +1 ')" "$(shown | grep -cE '^ +[0-9]+ ') of them"
answer '^Which of them.*: $' ""
until_true 30 asks '^Change the answers.*: $' || true
check "setup: a wrong password is noticed" "$(verdict shows '^It does not work: ')" "$(shown | grep '^It does' | cut -c 1-100)"
answer '^Change the answers.*: $' "" '^Broker .*: $' "" '^Device name.*: $' "" '^User name.*\[board\]: $' "" \
    '^Password .*: $' "correct horse"
until_true 30 asks '^Write this .*: $' || true
check "setup: the right one works" "$(verdict shows '^Good: ')" "$(shown | grep '^Good' | cut -c 1-100)"
answer '^Write this .*: $' ""
finish 30
check "setup writes, and says what is next" "$(verdict has_line '^ +sudo systemctl restart fieldpost$')" "$(line_of 'is written'); $(line_of '^    ')"
check "setup shows no password" "$(verdict test "$(grep -c 'correct horse\|wrong pony' "$console")" -eq 0)" "$(seconds_since "$began"), with the answers"

run 30 "sudo fieldpost check /etc/fieldpost/fieldpost.toml"
check "fieldpost check" "$(verdict test "$status" = 0)" "$(tail -n 1 <<<"$output" | cut -c 1-110)"
run 60 "sudo systemctl restart fieldpost"
until_true 30 status_is online || true
check "systemctl restart: online at the broker" "$(verdict status_is online)" "$(last_status | cut -c 1-100)"
until_true 40 has_reading load || true
check "readings arrive" "$(verdict has_reading load)" "$(last_reading load)"

# The same once more: with TLS, and with options.
note_seen
options="--yes --force --broker mqtts://broker.example:$tls_port --username board --password-file -"
run 60 "sudo fieldpost setup $options --ca-file authority.crt <secret"
check "setup: the service cannot look into homes" "$(verdict test "$status" = 64)" "$(line_of hidden)"
run 20 "sudo cp authority.crt /etc/fieldpost/"
run 60 "sudo fieldpost setup $options --ca-file /etc/fieldpost/authority.crt <secret"
check "setup with options: TLS" "$(verdict test "$status" = 0)" "$(line_of '^Good|^error')"
# By hand.
run 20 "sudo tee -a /etc/fieldpost/fieldpost.toml <more.toml >/dev/null && sudo fieldpost check /etc/fieldpost/fieldpost.toml"
check "by hand: check" "$(verdict test "$status" = 0)" "$(tail -n 1 <<<"$output" | cut -c 1-110)"
run 60 "sudo systemctl reload fieldpost"
check "by hand: reload" "$(verdict test "$status" = 0)" "exit code $status"
for sensor in ramp door; do
    until_true 40 has_reading "$sensor" || true
    check "reads $sensor" "$(verdict has_reading "$sensor")" "$(last_reading "$sensor")"
done
until_true 20 eval 'run 30 "systemctl status fieldpost"; has_line "Status: .*connected"' || true
check "systemctl status: with TLS" "$(verdict has_line "Status: \"connected to broker.example:$tls_port")" "$(line_of 'Status:')"
run 60 "systemd-analyze security fieldpost"
check "systemd-analyze security: at most 2.0" "$(verdict has_line 'exposure level.*: ([01]\.[0-9]|2\.0) ')" "$(line_of 'exposure level')"
run 30 "journalctl -u fieldpost"
check "journalctl has the log" "$(verdict has_line 'fieldpost\[[0-9]+\]')" "$(grep -c 'fieldpost\[' <<<"$output") lines; $(tail -n 1 <<<"$output" | cut -c 1-80)"
run 60 "man fieldpost.toml"
check "man fieldpost.toml" "$(verdict test "$status" = 0)" "$(wc -l <<<"$output") lines"

# What happens to boards
set_link false
sleep 10
note_seen
set_link true
began=$SECONDS
until_true 90 has_reading ramp || true
check "network away for 10 s, and back" "$(verdict has_reading ramp)" "$(seconds_since "$began"), $(last_reading ramp)"

note_seen
began=$SECONDS
qmp '{"execute": "system_powerdown"}'
until_true 90 is_off || true
check "the power button: offline, stopped" "$(verdict status_is offline stopped)" "$(last_status)"
check "and the board is off" "$(verdict is_off)" "$(seconds_since "$began")"
is_off || pull_plug

note_seen
began=$SECONDS
power_on
until_true 180 has_reading ramp || true
check "it comes back by itself" "$(verdict status_is online)" "$(seconds_since "$began"), $(last_reading ramp)"
sleep 5
note_seen
pull_plug
until_true 100 status_is offline 'connection lost' || true
check "the plug is pulled: the will tells" "$(verdict status_is offline 'connection lost')" "$(last_status)"
note_seen
began=$SECONDS
power_on
until_true 180 has_reading ramp || true
check "and it comes back once more" "$(verdict status_is online)" "$(seconds_since "$began"), $(last_reading ramp)"

log_in && logged_in=ok || logged_in=FAIL
check "pi is let in again" "$logged_in" ""
run 60 "sudo systemctl stop fieldpost && sudo fieldpost queue status --json --config /etc/fieldpost/fieldpost.toml"
member() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$output" | head -n 1; }
waiting=$(member messages) next=$(member next)
last=$((${next:-1} - 1 - ${waiting:-0}))
lost=$(grep -o '"lost":{[^}]*}' <<<"$output" || true)
until_true 10 nothing_is_missing_through "$last" || true
twice=$(readings | sort -n | uniq -d | wc -l)
check "nothing is missing" "$(verdict test "$(missing_through "$last")" = 0 -a -z "$lost")" "$(readings | sort -nu | wc -l) readings, numbered $(readings | sort -n | head -n 1) to $last, $twice of them twice $lost"

run 60 "sudo systemctl start fieldpost"
until_true 30 status_is online || true
note_seen
run_apt remove fieldpost
until_true 10 status_is offline stopped || true
check "apt remove" "$(verdict test "$status" = 0)" "$(line_of '^Removing')"
check "tells the broker" "$(verdict status_is offline stopped)" "$(last_status)"
run 20 "sudo ls /etc/fieldpost /var/lib/fieldpost"
check "configuration and queue stay" "$(verdict has_line '^queue.db')" "$(paste -sd ' ' <<<"$output" | tr -s ' ')"
run_apt purge fieldpost
check "apt purge" "$(verdict test "$status" = 0)" "$(line_of '^Purging')"
run 60 "sudo find /etc /var/lib /usr /run -xdev -name '*fieldpost*'; getent passwd fieldpost"
check "leaves nothing" "$(verdict test "$(grep -c . <<<"$output")" = 0)" "$(paste -sd ' ' <<<"$output")"
pull_plug
[[ -z $transcript ]] || cat "$folder"/console-* >"$transcript"
conclude
