# shellcheck shell=bash disable=SC2154 # what ../../sensors.sh sets
# What must have come of ./board.sh: for each device two mends, until the user is of the group.

gpio_rule='the udev rule is SUBSYSTEM=="gpio", KERNEL=="gpiochip[0-9]*", GROUP="gpio", MODE="0660"'
i2c_rule='the udev rule is SUBSYSTEM=="i2c-dev", KERNEL=="i2c-[0-9]*", GROUP="i2c", MODE="0660"'
closed='may not be read by this user (mode 0600, owner 0, group root); give a group the right to read it with a udev rule, and '
closed+="the agent's user that group"
grouped='may not be read by this user (mode 0660, owner 0, group'
compare "a line that only root may open" "failed: /dev/gpiochip0 $closed; $gpio_rule" "$(said "rights closed" line)" \
    "$(grep -o 'the udev rule.*' <(said "rights closed" line))"
compare "a bus that only root may open" "failed: /dev/i2c-0 $closed; $i2c_rule" "$(said "rights closed" chip)" \
    "$(grep -o 'the udev rule.*' <(said "rights closed" chip))"
compare "a line for the group gpio" \
    "failed: /dev/gpiochip0 $grouped gpio); add the agent's user to that group: usermod -aG gpio USER; $gpio_rule" \
    "$(said "rights grouped" line)" "$(grep -o 'add [^;]*' <(said "rights grouped" line))"
compare "a bus for the group i2c" \
    "failed: /dev/i2c-0 $grouped i2c); add the agent's user to that group: usermod -aG i2c USER; $i2c_rule" \
    "$(said "rights grouped" chip)" "$(grep -o 'add [^;]*' <(said "rights grouped" chip))"
compare "a member reads both" "line true|chip -1.024 V|room -25 °C|0" "$(on_console 'rights member: ' | tr -s ' ')"
compare "and /sys is open to all" "-25 °C -25 °C" "$(said "rights closed" room) $(said "rights grouped" room)"
