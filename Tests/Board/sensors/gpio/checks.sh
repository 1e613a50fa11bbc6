# shellcheck shell=bash disable=SC2154 # what ../../sensors.sh sets
# What must have come of ./board.sh.

busy='TAKEN (line 7 of park-sim (gpiochip0)) is used by "landlord"; end that program, or remove what gives the line to that driver (a device-tree overlay, in config.txt)'
compare "fieldpost read, and what it fails for" \
    "up      true|low     true|meter   0|taken   failed: $busy|absent  failed: park-sim (gpiochip0), spare-sim (gpiochip1) has no line \"DOR\"; did you mean \"DOOR\"?|1" \
    "$(on_console 'once read: ')" "exit code and five sensors as expected"

compare "100 edges come as events, in order" "false $(repeated 50 true false)" "$(values gpio door)" \
    "$(values gpio door | wc -w) values"
# Each edge's time lies between those before and after it, give or take the milliseconds that are cut off.
on_console 'gpio door: ' >"$folder/edges"
on_console 'gpio late door: ' >>"$folder/edges"
differences=$(paste <(times gpio door | tail -n +2) <(tr -s ' ' '\n' <"$folder/edges" | grep -) | tr - '\t' |
    awk '{ early = $2 / 1000 - $1; late = $1 - $3 / 1000; print (early > late ? early : late) }' | sort -n)
check "with the time at which they were" "$(verdict is_between -50 "$(tail -n 1 <<<"$differences")" 5)" \
    "off by $(tail -n 1 <<<"$differences") ms at most, also those of a stopped agent"
check "in their order" "$(verdict test -z "$(times gpio door | sort -nc 2>&1)")" \
    "$(times gpio door | sort -nu | wc -l) different times"
compare "glitches of 5 ms are debounced (50 ms)" "false true false" "$(values gpio lid)"

took=$(on_console 'gpio meter: ')
compare "1000 pulses are counted" 1000 "$(last_value gpio meter)" \
    "$(last_value gpio meter), at $((1000000000 / ${took:-1})) per second"
near=$(values gpio flow | tr ' ' '\n' | awk '$1 > 195 && $1 < 205' | wc -l)
check "500 pulses give their frequency" "$(verdict test "$near" -ge 2 -a "$(last_value gpio flow)" = 0)" \
    "$near values within 2.5 % of 200 Hz; at the end $(last_value gpio flow)"
read -r least most < <(on_console 'gpio pulse: ' | tr '-' ' ' | awk '{ print ($3 - $2) / 1000, ($4 - $1) / 1000 }')
check "a pulse has its width" "$(verdict is_between "${least:-1}" "$(last_value gpio pulse)" "${most:-0}")" \
    "$(last_value gpio pulse) ms; $least to $most by the board's clock"
took=$(on_console 'gpio burst: ')
compare "1500 pulses while the agent is stopped" "BURST (line 10 of park-sim (gpiochip0)) lost 476 edges (476 in all)" \
    "$(in_log gpio 'sensor=burst' | grep -o 'BURST .* in all)')" \
    "$(in_log gpio 'sensor=burst' | grep -o 'lost .* in all)'), at $((1500000000 / ${took:-1})) per second"
compare "are counted all the same" 1500 "$(last_value gpio burst)"

for line in "up true" "down false" "low true"; do
    compare "pull and active-low: ${line% *}" "${line#* }" "$(values gpio "${line% *}" | tr ' ' '\n' | sort -u)" \
        "${line#* }, $(values gpio "${line% *}" | wc -w) times"
done
check "a busy line names who has it" "$(verdict grep -qF "${busy//\"/\\\"}" <(grep '^fieldpost/gpio/taken ' "$seen"))" \
    "$(grep -o 'is used by [^;]*' <(grep '^fieldpost/gpio/taken ' "$seen") | tail -n 1)"
compare "a chip is removed, and comes back" "false null true false" "$(values gpio plug)"
compare "the reason is told" \
    "PLUG (line 0 of spare-sim (gpiochip1)) is gone: its chip was removed; it is looked for again" \
    "$(in_log gpio 'failed.*sensor=plug' | grep -o 'PLUG .* again')"

base=$(on_console 'gpio base: ')
compare "an output has its initial state" 1 "$(on_console 'gpio lamp: ')"
compare "and its safe one at the end" "$((base + 8))=1, and at the end $((base + 8))=0" "$(on_console 'gpio lamp was set: ')" \
    "by the kernel's trace: $(on_console 'gpio lamp was set: ')"
compare "its readings" true "$(values gpio lamp | tr ' ' '\n' | sort -u)"
compare "the agent ends well" 0 "$(on_console 'gpio ended with ')"

compare "without /dev: sysfs, edges in order" "false $(repeated 3 true false)" "$(values legacy door)"
compare "active-low" true "$(values legacy low | tr ' ' '\n' | sort -u)"
compare "output, initial and safe" "1, $((base + 8))=1 $((base + 8))=0" \
    "$(on_console 'legacy lamp: '), $(on_console 'legacy lamp was set: ')"
compare "lines by the chip's base" "gpio$base gpio$((base + 8)) gpio$((base + 9))" \
    "$(on_console 'legacy exported: ')"
compare "given back" "gpio[0-9]*" "$(on_console 'legacy exported at the end: ')" "nothing is exported"
check "what sysfs cannot do is refused" "$(verdict test "$(values legacy meter | tr ' ' '\n' | sort -u)" = null)" \
    "$(in_log legacy 'sensor=meter' | grep -o 'cannot be[^:]*' | head -n 1)"
compare "the agent ends well" 0 "$(on_console 'legacy ended with ')"
