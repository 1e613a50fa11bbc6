#!/usr/bin/env bash
# A thousand sensors at a reading a second: processor time and memory of our agent and of collectd, at one Mosquitto; and
# how often an agent wakes up that only waits for its sensors to speak. Run by Tests/Benchmarks/run.sh sensors.
#
#   Tests/Benchmarks/sensors.sh FIELDPOST [ROUNDS [SENSORS]]
#
#   FIELDPOST   the program
#   ROUNDS      each program is measured so often for 20 seconds, in turn; 3 by default
#   SENSORS     1000 by default
#
# Every sensor is a file of its own with a number in it, in memory. Ours keeps every reading in SQLite until the broker
# has acknowledged it (QoS 1), once as it is by default and once with a file that is not synchronized; collectd (its
# plugins table and mqtt, QoS 1) keeps nothing.
set -euo pipefail
fieldpost=$(realpath "$1")
rounds=${2:-3}
sensors=${3:-1000}
seconds=20

folder=$(mktemp -d)
declare -a processes=()
clean() {
    for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap clean EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nlog_type none\n' "$port" >"$folder/mosquitto.conf"
mosquitto -c "$folder/mosquitto.conf" &
processes+=($!)
until (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done

files=$(mktemp -d /dev/shm/sensors.XXXXXX)
trap 'rm -rf "$files"; clean' EXIT
for ((i = 0; i < sensors; i++)); do printf "%s.5" "$i" >"$files/$i"; done

agent() { # NAME DURABILITY [KEYS of each sensor [ALARMS of how many sensors]]
    mkdir -p "$folder/$1"
    {
        printf '[device]\nid = "%s"\n[broker]\nservers = ["mqtt://127.0.0.1:%s"]\n' "$1" "$port"
        printf '[queue]\ndurability = "%s"\n' "$2"
        for ((i = 0; i < sensors; i++)); do
            printf '[[sensor]]\nname = "s%s"\ndriver = "file"\npath = "%s"\nevery = "1s"\n%s\n' "$i" "$files/$i" "${3:-}"
            if ((i < ${4:-0})); then
                printf '[[alarm]]\nname = "a%s"\nsensor = "s%s"\nraise_above = 1e6\nclear_below = 1e5\n' "$i" "$i"
            fi
        done
    } >"$folder/$1/agent.toml"
}
agent strict strict
agent relaxed relaxed
# Every value goes through all of these, and every sensor has an alarm.
agent filters strict 'scale = 2
range = [-1e5, 1e5]
median = 5
average = 10' "$sensors"
{
    printf 'BaseDir "%s"\nPIDFile "%s/collectd.pid"\nInterval 1\nHostname "collectd"\n' "$folder" "$folder"
    printf 'TypesDB "/usr/share/collectd/types.db"\nLoadPlugin table\nLoadPlugin mqtt\n'
    printf '<Plugin mqtt>\n<Publish "m">\nHost "127.0.0.1"\nPort "%s"\nQoS 1\n</Publish>\n</Plugin>\n<Plugin table>\n' "$port"
    for ((i = 0; i < sensors; i++)); do
        printf '<Table "%s/%s">\nInstance "s%s"\nSeparator " "\n<Result>\nType gauge\nInstancesFrom 0\nValuesFrom 0\n</Result>\n</Table>\n' "$files" "$i" "$i"
    done
    printf '</Plugin>\n'
} >"$folder/collectd.conf"

ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
switches() { cat "/proc/$1"/task/*/status | awk '/^voluntary_ctxt/ { sum += $2 } END { print sum }'; }
memory() { awk '/^Rss:/ { rss = $2 } /^Anonymous:/ { anonymous = $2 } END { printf "%d %d", rss, anonymous }' "/proc/$1/smaps_rollup"; }

# NAME TOPICS COMMAND…: what it takes while it publishes, into NAME.result: messages a second, % of a core, kB, kB anonymous
measure() {
    local name=$1 topics=$2 process first last received rss anonymous
    shift 2
    "$@" >"$folder/$name.log" 2>&1 &
    process=$!
    processes+=("$process")
    # Until it publishes at its pace: the first reading of every sensor comes at the start.
    sleep 5
    first=$(ticks "$process")
    mosquitto_sub -p "$port" -t "$topics" -W "$seconds" -F x >"$folder/$name.messages" 2>/dev/null || true
    last=$(ticks "$process")
    read -r rss anonymous <<<"$(memory "$process")"
    received=$(wc -l <"$folder/$name.messages")
    kill "$process"
    wait "$process" 2>/dev/null || true
    awk -v m="$received" -v s="$seconds" -v t="$((last - first))" -v hz="$(getconf CLK_TCK)" -v r="$rss" -v a="$anonymous" \
        'BEGIN { printf "%.0f %.2f %d %d\n", m / s, 100 * t / hz / s, r, a }' >>"$folder/$name.result"
}

for ((round = 0; round < rounds; round++)); do
    measure strict 'fieldpost/strict/+' "$fieldpost" run --config "$folder/strict/agent.toml"
    measure filters 'fieldpost/filters/+' "$fieldpost" run --config "$folder/filters/agent.toml"
    measure relaxed 'fieldpost/relaxed/+' "$fieldpost" run --config "$folder/relaxed/agent.toml"
    measure collectd 'collectd/#' collectd -f -C "$folder/collectd.conf"
done

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
# NAME COLUMN
of() { awk -v c="$2" '{ print $c }' "$folder/$1.result" | median; }
echo
echo "$sensors sensors, a reading a second, one Mosquitto, medians of $rounds rounds of $seconds s"
printf '%-28s %10s %12s %12s %14s %8s\n' '' 'messages/s' '% of a core' 'RSS MB' 'anonymous MB' 'CPU ratio'
for row in 'strict:fieldpost, strict queue' 'filters:with filters and alarms' \
    'relaxed:fieldpost, relaxed queue' 'collectd:collectd, no queue'; do
    name=${row%%:*}
    awk -v n="${row#*:}" -v m="$(of "$name" 1)" -v c="$(of "$name" 2)" -v r="$(of "$name" 3)" -v a="$(of "$name" 4)" \
        -v peer="$(of collectd 2)" -v pm="$(of collectd 1)" \
        'BEGIN { printf "%-28s %10d %12.2f %12.1f %14.1f %8.2f\n", n, m, c, r / 1000, a / 1000, m && peer ? (c / m) / (peer / pm) : 0 }'
done
echo "CPU ratio: processor time per message to that of collectd in the same run; less is better."

# How often it wakes up when nothing happens: an agent whose one sensor speaks for itself, and does not.
mkdir -p "$folder/idle"
printf '[device]\nid = "idle"\n[broker]\nservers = ["mqtt://127.0.0.1:%s"]\n[[sensor]]\nname = "gate"\ndriver = "plugin"\ncommand = ["%s"]\n' \
    "$port" "$folder/idle/plugin" >"$folder/idle/agent.toml"
cat >"$folder/idle/plugin" <<'PLUGIN'
#!/bin/sh
# Answers what it is asked, and says nothing by itself.
while IFS= read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p')
    printf '{"id":%s,"readings":[{"value":0}]}\n' "${id:-0}"
done
PLUGIN
chmod +x "$folder/idle/plugin"
"$fieldpost" run --config "$folder/idle/agent.toml" >"$folder/idle.log" 2>&1 &
process=$!
processes+=("$process")
sleep 35
first=$(switches "$process")
sleep 60
last=$(switches "$process")
echo
awk -v n="$((last - first))" 'BEGIN { printf "waiting for an event: %.2f wake-ups a second (voluntary context switches of all threads, over 60 s)\n", n / 60 }'
