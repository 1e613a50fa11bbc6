# shellcheck shell=sh disable=SC2154,SC3028 # what init sets, and the time, which busybox knows as bash does
# GPIO lines of two simulated chips, on which the sensors of gpio.toml, legacy.toml and once.toml hang.
modprobe gpio-sim

# make_chip NAME LABEL LINE...: a chip with lines of these names. One that is called TAKEN has an owner already.
make_chip() {
    folder=/sys/kernel/config/gpio-sim/$1 name=$1
    mkdir "$folder" "$folder/bank"
    echo "$2" >"$folder/bank/label"
    shift 2
    echo $# >"$folder/bank/num_lines"
    number=0
    for line; do
        mkdir "$folder/bank/line$number"
        echo "$line" >"$folder/bank/line$number/name"
        if [ "$line" = TAKEN ]; then
            mkdir "$folder/bank/line$number/hog"
            echo landlord >"$folder/bank/line$number/hog/name"
            echo input >"$folder/bank/line$number/hog/direction"
        fi
        number=$((number + 1))
    done
    plug "$name"
}
plug() { echo 1 >"/sys/kernel/config/gpio-sim/$1/live"; }
unplug() { echo 0 >"/sys/kernel/config/gpio-sim/$1/live"; }
# wire CHIP LINE: the file by which the wire is pulled.
wire() {
    folder=/sys/kernel/config/gpio-sim/$1
    echo "/sys/devices/platform/$(cat "$folder/dev_name")/$(cat "$folder/bank/chip_name")/sim_gpio$2"
}

# In microseconds since 1970, without starting a program: sets `now`.
look() {
    now=$EPOCHREALTIME
    now=${now%.*}${now#*.}
}
# pulses WIRE COUNT LENGTH: as long high as low, in microseconds. Sets `took`, in microseconds, and `edges`: for each edge
# the times before and after it.
pulses() {
    left=$((2 * $2)) level=pull-up edges=
    look
    start=$now next=$now
    while [ $left -gt 0 ]; do
        next=$((next + $3)) left=$((left - 1))
        look
        before=$now
        echo $level >"$1/pull"
        look
        edges="$edges $before-$now"
        if [ $level = pull-up ]; then level=pull-down; else level=pull-up; fi
        while [ "$now" -lt $next ]; do look; done
    done
    took=$((now - start))
}
exported() { (cd /sys/class/gpio && echo gpio[0-9]*); }
# What the kernel has set lines to since the last time.
was_set() {
    # shellcheck disable=SC2005,SC2046 # words in one line
    echo $(sed -n 's/.* gpio_value: \(.*\) set /\1=/p' /sys/kernel/tracing/trace)
    echo >/sys/kernel/tracing/trace
}

make_chip park park-sim DOOR LID METER FLOW PULSE UP DOWN TAKEN LAMP LOW BURST
make_chip spare spare-sim PLUG
echo 1 >/sys/kernel/tracing/events/gpio/gpio_value/enable
lamp=$(wire park 8)
read_once once

start_agent gpio
say "gpio lamp: $(cat "$lamp/value")"
sleep 1

# Edges as they come; and while the agent cannot take them.
pulses "$(wire park 0)" 40 10000
say "gpio door: $edges"
kill -STOP "$agent"
pulses "$(wire park 0)" 10 10000
say "gpio late door: $edges"
sleep 0.5
kill -CONT "$agent"

# Shorter than the lid's debouncing, and longer.
pulses "$(wire park 1)" 10 5000
sleep 0.3
pulses "$(wire park 1)" 1 300000
sleep 0.3

pulses "$(wire park 2)" 1000 1500
say "gpio meter: $took"
# Again, where whoever runs this machine had no time for it.
for try in 1 2 3 4 5; do
    pulses "$(wire park 3)" 500 2500
    [ "$took" -gt 2550000 ] || break
done
say "gpio flow: $took in run $try"

pulses "$(wire park 4)" 1 250000
say "gpio pulse: $edges"

# More than the kernel keeps.
kill -STOP "$agent"
pulses "$(wire park 10)" 1500 300
say "gpio burst: $took"
kill -CONT "$agent"

unplug spare
until_true 50 grep -q 'is gone: .*sensor=plug' /tmp/gpio.log
plug spare
echo pull-up >"$(wire spare 0)/pull"
until_true 100 grep -q ' sensor recovered: .*sensor=plug' /tmp/gpio.log
echo pull-down >"$(wire spare 0)/pull"
sleep 1.5

was_set >/tmp/before
stop_agent gpio
say "gpio lamp was set: $(cat /tmp/before), and at the end $(was_set)"

# As on a kernel without character devices.
mkdir /dev/away
mv /dev/gpiochip* /dev/away/
say "gpio base: $(cat /sys/class/gpio/gpiochip*/base | head -n 1)"
start_agent legacy
say "legacy exported: $(exported)"
say "legacy lamp: $(cat "$lamp/value")"
sleep 1
pulses "$(wire park 0)" 3 200000
sleep 0.3
stop_agent legacy
say "legacy lamp was set: $(was_set)"
say "legacy exported at the end: $(exported)"
mv /dev/away/* /dev/
rmdir /dev/away
