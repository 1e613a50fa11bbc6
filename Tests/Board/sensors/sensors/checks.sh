# shellcheck shell=bash disable=SC2154 # what ../../sensors.sh sets
# What must have come of ./board.sh.

# found LOG TEXT...: how many of the texts stand in that log.
found() {
    local log=$1 count=0 text
    shift
    for text; do
        ! in_log "$log" . | tr -s ' ' | grep -qF "$text" || count=$((count + 1))
    done
    echo "$count of $#"
}

compare "fieldpost sensors lists, with values" "4 of 4, 0" "$(found sensors \
    'lm75-0-0048 hwmon temp1 -25 °C hardware monitor lm75 at 0-0048' \
    'lm75-0-004f hwmon temp1 30.5 °C hardware monitor lm75 at 0-004f' \
    'bmp280 iio pressure 1009.84 hPa, temp 30.21 °C industrial I/O device bmp280 (0-0076)' \
    'ads1015 iio voltage0-voltage1 0.512 V, voltage0-voltage3 0.512 V, '), $(on_console 'sensors code: ')"
compare "as JSON" "4 of 4, 0" "$(found json \
    '"driver":"hwmon","options":{"chip":"lm75","device":"0-0048"},"summary":"hardware monitor lm75 at 0-0048","readings":[{"channel":"temp1","value":-25,"unit":"°C"}]}' \
    '"driver":"hwmon","options":{"chip":"lm75","device":"0-004f"},"summary":"hardware monitor lm75 at 0-004f","readings":[{"channel":"temp1","value":30.5,"unit":"°C"}]}' \
    '"driver":"iio","options":{"device":"bmp280"},"summary":"industrial I/O device bmp280 (0-0076)","readings":[{"channel":"pressure","value":1009.83980468,"unit":"hPa"},{"channel":"temp","value":30.21,"unit":"°C"}]}' \
    '{"channel":"voltage0","value":0.512,"unit":"V"}'), $(on_console 'sensors json code: ')"
compare "as TOML, which fieldpost check accepts" "0, 0" \
    "$(on_console 'sensors toml code: '), $(on_console 'sensors check code: ')" "$(in_log check . | grep -o 'good: .*')"
compare "and fieldpost read reads" "5 of 5, 0" "$(found read 'lm75-0-0048 temp1 -25 °C' 'lm75-0-004f temp1 30.5 °C' \
    'bmp280 pressure 1009.83980468 hPa' 'bmp280 temp 30.21 °C' \
    'ads1015 voltage3 0.512 V'), $(on_console 'sensors read code: ')"
