# shellcheck shell=sh disable=SC2154,SC3028 # what init sets, and the time, which busybox knows as bash does
# A board that comes up in 1970, reads, dies and reads on, and is told the time when it has long been connected.
since_start() {
    read -r uptime rest </proc/uptime
    echo "${uptime%.*}"
}
lead=$(($(date +%s) - $(since_start)))
date -u -s @100 >/dev/null
start_agent clock
sleep 2
kill -KILL "$agent"
wait "$agent" 2>/dev/null
say "clock died: $(cat /proc/uptime)"
start_agent clock
sleep 2
fieldpost pub -h 10.0.2.2 -p "$(sed -n 's/.*10\.0\.2\.2:\([0-9]*\).*/\1/p' /etc/fieldpost/clock.toml)" -q 1 \
    -t fieldpost/clock/marker -m "not set"
date -u -s "@$((lead + $(since_start)))" >/dev/null
say "clock base: $EPOCHREALTIME $(cat /proc/uptime)"
until_true 100 grep -q 'waited for the clock are told' /tmp/clock.log || say "clock does not tell"
sleep 1
stop_agent clock
