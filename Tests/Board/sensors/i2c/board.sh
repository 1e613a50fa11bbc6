# shellcheck shell=sh disable=SC2154 # what init sets
# Chips on a simulated bus, whose registers hold what those of real ones would. It is an SMBus, which has no commands such as
# an SHT3x's, and a register says the same until somebody writes it.
modprobe i2c-dev
modprobe i2c-stub chip_addr=0x45,0x48,0x49,0x4a,0x4f,0x76,0x77
for module in lm75 bmp280-i2c ti-ads1015; do modprobe $module || say "no module $module"; done
bus=
for adapter in /sys/bus/i2c/devices/i2c-*; do
    if [ "$(cat "$adapter/name")" = "SMBus stub driver" ]; then bus=${adapter##*-}; fi
done
say "i2c bus: $bus"

# set_word ADDRESS REGISTER WORD: the word's first byte first, as these chips have it, which SMBus has the other way round.
set_word() { i2cset -f -y "$bus" "$1" "$2" "0x${3#??}${3%??}" w; }
# set_bytes ADDRESS REGISTER BYTE...
set_bytes() {
    address=$1 register=$2
    shift 2
    i2cset -f -y "$bus" "$address" "$register" "$@" i
}
new_device() { echo "$1 $2" >"/sys/bus/i2c/devices/i2c-$bus/new_device"; }
unbind() { echo "$2" >"/sys/bus/i2c/drivers/$1/unbind"; }
bind() { echo "$2" >"/sys/bus/i2c/drivers/$1/bind"; }

# LM75s: 25.5 and 30.5 °C.
for chip in 0x48:1980 0x4f:1e80; do
    set_word ${chip%:*} 0x00 ${chip#*:}
    set_word ${chip%:*} 0x02 4b00
    set_word ${chip%:*} 0x03 5000
    new_device lm75 ${chip%:*}
done
# A BMP280 and a BME280 with the trimming of the datasheet's example, and its raw pressure and temperature.
for chip in 0x76:0x58 0x77:0x60; do
    set_bytes ${chip%:*} 0xd0 ${chip#*:}
    set_bytes ${chip%:*} 0x88 0x70 0x6b 0x43 0x67 0x18 0xfc 0x7d 0x8e 0x43 0xd6 0xd0 0x0b 0x27 0x0b 0x8c 0x00 0xf9 0xff \
        0x8c 0x3c 0xf8 0xc6 0x70 0x17
    set_bytes ${chip%:*} 0xf7 0x65 0x5a 0xc0 0x7e 0xed 0x00
done
new_device bmp280 0x76
# Humidity: H1 75, H2 370, H3 0, H4 313, H5 50, H6 30.
set_bytes 0x77 0xa1 0x4b
set_bytes 0x77 0xe1 0x72 0x01 0x00 0x13 0x29 0x03 0x1e
set_bytes 0x77 0xfd 0x6d 0x80
# An ADS1015, whose scale is 1 mV, and an ADS1115, at half of their full scale.
set_word 0x49 0x01 8583
set_word 0x49 0x00 4000
new_device ads1015 0x49
set_word 0x4a 0x00 4000

read_once i2c
start_agent i2c
sleep 1.5

# Other weather.
set_word 0x48 0x00 e700
set_bytes 0x76 0xf7 0x66 0x00 0x00 0x82 0xed 0x00
set_bytes 0x77 0xf7 0x66 0x00 0x00 0x82 0xed 0x00 0x78 0x00
set_word 0x49 0x00 2000
set_word 0x4a 0x00 c000
sleep 1.5

# Drivers of the kernel let go of their chips, and take them again.
unbind lm75 "$bus-004f"
unbind bmp280 "$bus-0076"
until_true 100 grep -q ' sensor recovered: .*sensor=bosch' /tmp/i2c.log
until_true 100 grep -q ' failed: .*sensor=roof' /tmp/i2c.log
sleep 1
bind lm75 "$bus-004f"
bind bmp280 "$bus-0076"
until_true 100 grep -q ' sensor recovered: .*sensor=roof' /tmp/i2c.log
until_true 100 grep -q ' sensor recovered: .*sensor=pressure' /tmp/i2c.log
sleep 1
stop_agent i2c
