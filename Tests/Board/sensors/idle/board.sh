# shellcheck shell=sh disable=SC2154,SC2034 # what init and gpio set, and what init takes
# An agent with nothing to do but to wait for a line's edge; the parts that play after this let it settle.
make_chip idle idle-sim BELL
start_agent idle
idle=$agent
peer=
if [ -e /bin/mosquitto_sub ]; then
    mosquitto_sub -h 10.0.2.2 -p "$(sed -n 's/.*10\.0\.2\.2:\([0-9]*\).*/\1/p' /etc/fieldpost/idle.toml)" -t idle/nothing &
    peer=$!
fi

# How often each thread of a process has given up the processor to wait for something.
waits() {
    for thread in /proc/"$1"/task/*; do
        sed -n "s#^voluntary_ctxt_switches:#${thread##*/} #p" "$thread/status" 2>/dev/null
    done
}
# waited BEFORE AFTER: how often all of them have; a thread that has ended meanwhile counts no more.
waited() {
    printf '%s\n-\n%s\n' "$1" "$2" |
        awk '$1 == "-" { after = 1; next } after { sum += $2 - before[$1]; next } { before[$1] = $2 } END { print sum + 0 }'
}
end_idle() {
    sleep 3
    look
    start=$now before=$(waits "$idle") peer_before=$([ -z "$peer" ] || waits "$peer")
    sleep 10
    look
    say "idle fieldpost: $(waited "$before" "$(waits "$idle")") in $((now - start))"
    if [ -n "$peer" ]; then
        say "idle mosquitto_sub: $(waited "$peer_before" "$(waits "$peer")") in $((now - start))"
        kill "$peer"
    fi
    pulses "$(wire idle 0)" 1 200000
    sleep 0.3
    agent=$idle
    stop_agent idle
}
at_end="$at_end end_idle"
