#!/bin/bash
# The checks of boot.sh, inside of the machine that it boots: started by systemd, writes lines to the second serial
# line, and switches the machine off.
unit=fieldpost.service
configuration=/etc/fieldpost/fieldpost.toml
exec </dev/null >/root/output 2>&1
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

stty -F /dev/ttyS1 raw
say() { printf '%s\n' "$*" >/dev/ttyS1; }
check() {
    say "CHECK|$1|$2|$3"
    [[ $2 == ok ]] || { tail -n 3 /root/output; journalctl -q -b --no-pager -o short-monotonic -u $unit -n 8; } | sed 's/^/NOTE|/' >/dev/ttyS1
}
verdict() { if "$@" >/dev/null 2>&1; then echo ok; else echo FAIL; fi; }
property() { systemctl show --property="$1" --value $unit; }
within() { # within SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}
# A process of the service that is the one from before, or another one.
same() { ((pid > 1)) && [[ $(property MainPID) == "$pid" ]] && running; }
other() { ((pid > 1)) && differs MainPID "$pid" && running; }
has() { [[ $(property "$1") == "$2" ]]; }
differs() { [[ $(property "$1") != "$2" && $(property "$1") != 0 ]]; }
running() { has ActiveState active && has SubState running; }
readings() { fieldpost sub -h 127.0.0.1 -p 1884 -t 'fieldpost/#' -v -C "$1" -W 20; }
drop_in() { # drop_in LINE...
    mkdir -p /etc/systemd/system/$unit.d
    printf '%s\n' '[Service]' "$@" >/etc/systemd/system/$unit.d/test.conf
    systemctl daemon-reload
}
deb() { dpkg -i --force-confold "$@" >/root/dpkg.log 2>&1; }

say "GUEST|$(uname -r)|$(systemctl --version | head -n 1)"

# --- As it comes
apt-get install -q -y --no-install-recommends /root/first.deb >/root/dpkg.log 2>&1
status=$?
check "apt install starts it, ready by notification" "$(verdict test $status -eq 0 -a "$(property Type)" = notify -a "$(property SubState)" = running)" \
    "exit $status, $(property ActiveState) ($(property SubState)), up $(cut -d ' ' -f 1 /proc/uptime) s"
# Its status comes soon after.
within 10 differs StatusText "" && within 10 grep -q connected <<<"$(property StatusText)"
check "tells its status" "$(verdict test -n "$(property StatusText)")" "$(property StatusText)"
check "starts without the credentials that are missing" "$(verdict running)" "$(find /run/credentials/$unit -type f 2>&1 | paste -sd ' ')"
output=$(readings 3)
check "publishes" "$(verdict test "$(grep -c '"value":' <<<"$output")" -eq 2)" "$(grep /load <<<"$output")"
pid=$(property MainPID)
facts=$(grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$pid/status" | awk '{ printf "%s%s ", $1, $2 }')
check "its user, no capability, filtered" \
    "$(verdict test "$facts" = "Uid:$(id -u fieldpost) CapEff:0000000000000000 NoNewPrivs:1 Seccomp:2 ")" "$facts"
exposure=$(systemd-analyze security --no-pager $unit 2>/dev/null | tail -n 1)
check "systemd-analyze security, live" "$(verdict grep -qE 'level for [^ ]+: [01]\.[0-9]' <<<"$exposure")" "$exposure"
warnings=$(journalctl -q -b --no-pager -o cat -u $unit -p warning | grep -v 'Unknown key' | head -n 2 | paste -sd ' ')
check "the journal has its log" "$(verdict test "$(journalctl -q -b -o cat -u $unit | grep -c started)" -gt 0)" "$warnings"

# --- The board's devices: simulated ones, made by the kernel's own drivers
modprobe i2c-dev && modprobe i2c-stub chip_addr=0x48 && modprobe lm75
bus=$(basename "$(grep -l stub /sys/bus/i2c/devices/i2c-*/name | head -n 1 | xargs dirname)")
echo lm75 0x48 >"/sys/bus/i2c/devices/$bus/new_device"
udevadm settle
modes=$(stat -c '%G %a' "/dev/$bus" 2>&1)
check "udev rule for /dev/$bus" "$(verdict test "$modes" = "fieldpost 660")" "$modes"

# Inside of the unit's sandbox, in the agent's place.
cat >/usr/local/bin/probe <<PROBE
#!/bin/bash
try() { # try WANTED NAME COMMAND...
    wanted=\$1 name=\$2
    shift 2
    if output=\$("\$@" 2>&1); then found=yes; else found=no; fi
    if [ \$found = \$wanted ]; then verdict=ok; else verdict=FAIL; fi
    echo "CHECK|\$name|\$verdict|\$(tail -n 1 <<<"\$output" | cut -c 1-90)"
}
try yes "may open /dev/$bus" bash -c 'exec 3<>/dev/$bus'
try yes "may open /dev/ttyS1" bash -c 'exec 3<>/dev/ttyS1'
try yes "may read hwmon" bash -c 'cat /sys/class/hwmon/*/name; cat /sys/class/hwmon/*/temp1_input'
try yes "may read /proc/loadavg" cat /proc/loadavg
try yes "may write its queue's folder" touch /var/lib/fieldpost/probe /run/fieldpost/probe
try yes "may read its configuration" cat /etc/fieldpost/fieldpost.toml
try yes "may resolve names" getent hosts localhost
try yes "has the credential that the machine was booted with" grep 0123 "\$CREDENTIALS_DIRECTORY/fieldpost.psk"
try no "may not write its configuration" touch /etc/fieldpost/fieldpost.toml
try no "may not write /sys" bash -c 'echo 1 >/sys/class/hwmon/hwmon0/update_interval'
try no "may not open the disk" bash -c 'exec 3</dev/vda'
try no "may not open /dev/kmsg" bash -c 'exec 3</dev/kmsg'
try no "may not see other processes" test -e /proc/1/status
try no "may not see homes" ls /root /home
try no "may not make namespaces" unshare --user true
rm -f /var/lib/fieldpost/probe /run/fieldpost/probe
PROBE
chmod 755 /usr/local/bin/probe
# Its own unit, but for what is about being a service: it ends, and the agent's folder in /run is not its own.
sed -e 's#^ExecStart=.*#ExecStart=/usr/local/bin/probe#' -e 's/^Type=.*/Type=oneshot/' -e '/^Restart/d' -e '/^WatchdogSec/d' \
    -e 's#^\[Service\]#[Service]\nStandardOutput=file:/root/probed#' -e '/^RuntimeDirectory/d' \
    /usr/lib/systemd/system/$unit >/etc/systemd/system/probe.service
sed -i 's#^StateDirectory=.*#&\nReadWritePaths=/run/fieldpost#' /etc/systemd/system/probe.service
systemctl daemon-reload
systemctl start probe.service
while read -r line; do say "$line"; done <<<"$(cat /root/probed || echo "CHECK|the sandbox can be probed|FAIL|")"

# --- A sensor, a secret, reload
mkdir -p /etc/credstore
(umask 077 && echo secret >/etc/credstore/fieldpost.password)
cat >$configuration <<'TOML'
[broker]
servers = ["mqtt://127.0.0.1:1884"]
username = "guest"
password_file = "${CREDENTIALS_DIRECTORY}/fieldpost.password"
[[sensor]]
name = "chip"
driver = "hwmon"
chip = "lm75"
every = "1s"
TOML
# As mosquitto_passwd writes it.
# shellcheck disable=SC2016 # no variables
echo 'guest:$7$101$ZmllbGRwb3N0LXRl$RJJjYntxW0Z5sb9Og/TuEmD5mSpP249slDDvuCxgNrxr5CB2/1tqVvIWQRyjLyWmSho3KEwdSNfTXX/0DjpMCw==' \
    >/root/passwords
chmod 600 /root/passwords
cat >/root/broker.toml <<'TOML'
[server]
password_file = "/root/passwords"
[[listener]]
bind = "127.0.0.1"
port = 1884
TOML
systemctl stop $unit
systemd-run --quiet --unit=test-broker fieldpost broker --config /root/broker.toml --no-console
systemctl start $unit
status=$?
output=$(fieldpost sub -h 127.0.0.1 -p 1884 -u guest -P secret -t '+/+/chip' -v -C 2 -W 20)
check "LoadCredential: the password from /etc/credstore" "$(verdict test $status -eq 0 -a "$(grep -c '"value":' <<<"$output")" -eq 2)" "$(tail -n 1 <<<"$output")"
pid=$(property MainPID)
sed -i 's/name = "chip"/name = "other"/' $configuration
systemctl reload $unit
status=$?
output=$(fieldpost sub -h 127.0.0.1 -p 1884 -u guest -P secret -t '+/+/other' -v -C 1 -W 20)
check "reload" "$(verdict test $status -eq 0 -a -n "$output" -a "$(same && echo same)" = same)" "$output"
cp $configuration /root/good.toml
echo 'nonsense = 1' >>$configuration
systemctl reload $unit
sleep 3
check "reload of nonsense: goes on" "$(verdict same)" "$(property StatusText)"

# --- Upgrades of a running service
deb /root/second.deb
status=$?
check "upgrade with an unusable configuration: the old one runs on" "$(verdict test $status -eq 0 -a "$(same && echo same)" = same)" \
    "$(grep '^fieldpost:' /root/dpkg.log | tail -n 1)"
cp /root/good.toml $configuration
deb /root/first.deb
status=$?
check "an upgrade restarts it" "$(verdict test $status -eq 0 -a "$(other && echo other)" = other)" \
    "$(grep '^fieldpost:' /root/dpkg.log | tail -n 1) $(property StatusText)"
systemctl stop $unit
deb /root/second.deb
check "an upgrade leaves a stopped one stopped" "$(verdict has ActiveState inactive)" "$(property ActiveState)"

# --- What ends it, and what brings it back
drop_in WatchdogSec=6s RestartSec=1s
systemctl start $unit
pid=$(property MainPID)
sleep 15
check "feeds its watchdog" "$(verdict same)" "WatchdogSec=6s, 15 s long"
# 0 would be this script.
((pid > 1)) && kill -STOP "$pid"
within 60 other
check "watchdog: one that hangs is started anew" "$(verdict other)" \
    "$(journalctl -q -b -o cat -u $unit | grep -i watchdog | tail -n 1)"
pid=$(property MainPID)
((pid > 1)) && kill -KILL "$pid"
within 60 other
check "kill -9: started anew" "$(verdict other)" "NRestarts $(property NRestarts)"
echo 'nonsense = 1' >>$configuration
systemctl restart $unit
sleep 4
check "exit 78 is not started again" "$(verdict has ActiveState failed)" "$(property Result), status $(property ExecMainStatus), NRestarts $(property NRestarts)"
cp /root/good.toml $configuration
rm -r /etc/systemd/system/$unit.d
systemctl daemon-reload
systemctl reset-failed $unit

# --- Removal and purge
systemctl start $unit
pid=$(property MainPID)
dpkg -r fieldpost >/root/dpkg.log 2>&1
check "remove stops it" "$(verdict test "$pid" -gt 1 -a ! -d "/proc/$pid")" "$(property LoadState)"
deb /root/first.deb
check "installed again, it runs" "$(verdict running)" "$(property ActiveState)"
dpkg -P fieldpost >/root/dpkg.log 2>&1
left=$(find / -xdev \( -path /proc -o -path /root -o -path /var/log -o -path /var/cache -o -path /tmp \) -prune -o -name '*fieldpost*' -print | paste -sd ' ')
check "purge leaves nothing" "$(verdict test -z "$left" -a -z "$(getent passwd fieldpost)")" "$left"

# --- install.sh, DynamicUser
mkdir /root/archive && tar -C /root/archive --strip-components=1 -xzf /root/archive.tar.gz
systemctl stop test-broker
output=$(sh /root/archive/install.sh --dynamic-user 2>&1)
status=$?
within 20 running
output=$(readings 3)
check "install.sh --dynamic-user" "$(verdict test $status -eq 0 -a "$(grep -c '"value":' <<<"$output")" -eq 2)" \
    "uid $(stat -c %u "/proc/$(property MainPID)"), $(readlink /var/lib/fieldpost)"
pid=$(property MainPID)
output=$(sh /root/archive/install.sh 2>&1)
status=$?
within 20 other
output=$(tail -n 2 <<<"$output"; readings 3)
check "over it with a user: the queue comes along" \
    "$(verdict test $status -eq 0 -a "$(grep -c '"value":' <<<"$output")" -eq 2 -a ! -L /var/lib/fieldpost -a "$(stat -c %U /var/lib/fieldpost/queue.db)" = fieldpost)" \
    "exit $status, $(stat -c '%N %U' /var/lib/fieldpost /var/lib/fieldpost/queue.db 2>&1 | paste -sd ' ')"
pid=$(property MainPID)
cp $configuration /root/good.toml
echo 'nonsense = 1' >>$configuration
output=$(sh /root/archive/install.sh 2>&1)
status=$?
check "install.sh with an unusable configuration: the old one runs on" "$(verdict test $status -eq 1 -a "$(same && echo same)" = same)" \
    "$(tail -n 1 <<<"$output")"
cp /root/good.toml $configuration
output=$(sh /root/archive/install.sh 2>&1)
status=$?
within 20 other
check "install.sh restarts it" "$(verdict test $status -eq 0 -a "$(other && echo other)" = other)" "$(tail -n 1 <<<"$output")"
systemctl disable --now --quiet $unit
output=$(sh /root/archive/install.sh 2>&1)
check "install.sh leaves a stopped one stopped, and disabled" \
    "$(verdict test "$(property ActiveState) $(systemctl is-enabled $unit)" = "inactive disabled")" "$(tail -n 1 <<<"$output")"
sh /root/archive/install.sh --uninstall --purge >/dev/null
output=$(sh /root/archive/install.sh 2>&1)
status=$?
within 20 running
output=$(readings 3)
check "install.sh" "$(verdict test $status -eq 0 -a "$(grep -c '"value":' <<<"$output")" -eq 2)" \
    "uid $(stat -c %u "/proc/$(property MainPID)"), $(stat -c '%U:%G' /etc/fieldpost)"
sh /root/archive/install.sh --uninstall --purge >/dev/null
left=$(find / -xdev \( -path /proc -o -path /root -o -path /var/log -o -path /var/cache -o -path /tmp \) -prune -o -name '*fieldpost*' -print | paste -sd ' ')
check "uninstall and purge leave nothing" "$(verdict test -z "$left" -a -z "$(getent passwd fieldpost)")" "$left"

say "END|$(cut -d ' ' -f 1 /proc/uptime)"
systemctl poweroff --force
