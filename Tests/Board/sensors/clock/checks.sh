# shellcheck shell=bash disable=SC2154 # what ../../sensors.sh sets
# T2: what was read before the clock was set has the time at which it was read. The sensor says how long after the board's
# start that was.

# shellcheck disable=SC2046 # three numbers
read -r base died < <(echo $(on_console 'clock base: ' | awk '{ printf "%.3f", $1 - $2 }') \
    $(on_console 'clock died: ' | cut -d ' ' -f 1))
first=$(values clock up | cut -d ' ' -f 1)
worst=$(paste <(times clock up) <(values clock up | tr ' ' '\n') |
    awk -v base="$base" '{ off = $1 / 1000 - $2 - base; if (off < 0) off = -off; if (off > worst) worst = off }
        END { print NR ? worst : "nothing" }')
marker=$(grep -n '^fieldpost/clock/marker ' "$seen" | cut -d : -f 1)
reading=$(grep -n '^fieldpost/clock/up ' "$seen" | cut -d : -f 1 | head -n 1)
check "before the clock is set nothing is told" "$(verdict test "${marker:-0}" -gt 0 -a "${reading:-0}" -gt "${marker:-0}")" \
    "the first of $(values clock up | wc -w) readings comes behind it"
check "and then with the time at which it was" "$(verdict is_between 0 "$worst" 0.1)" "off by $worst s at most"
check "also by an agent that was killed" "$(verdict is_between 0 "$first" "${died:-0}")" \
    "the first $(awk -v first="$first" -v died="$died" 'BEGIN { print died - first }') s before its end"
compare "the agent ends well" 0 "$(on_console 'clock ended with ')"
