# shellcheck shell=bash disable=SC2154 # what ../../sensors.sh sets
# How often an agent wakes that has nothing to do; the bound is for what must not happen, not for what is good.

# wakes PROGRAM: per second.
wakes() { on_console "idle $1: " | awk '{ if ($3 > 0) printf "%.2f", $1 / ($3 / 1000000) }'; }
peer=$(wakes mosquitto_sub)
check "wake-ups per second of an idle agent" "$(verdict is_between 0 "$(wakes fieldpost)" 10)" \
    "$(wakes fieldpost) over ten seconds; ${peer:+mosquitto_sub, also idle: $peer}"
compare "it hears the line all the same" "false true false" "$(values idle bell)"
compare "the agent ends well" 0 "$(on_console 'idle ended with ')"
