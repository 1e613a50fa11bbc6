# shellcheck shell=bash disable=SC2154 # what ../../sensors.sh sets
# What must have come of ./board.sh. The expected temperatures, pressures and humidities are those of Bosch's own integer
# formulas, computed apart from this.

compare "the kernel's LM75, as hwmon" "25.5 -25" "$(channel_changes i2c room '' °C)" "25.5 °C, then -25 °C"
compare "its BMP280, as IIO: temperature" "25.08 30.21" "$(channel_changes i2c pressure temp °C)"
compare "and pressure" "1006.53253906 1009.83980468" "$(channel_changes i2c pressure pressure hPa)"
compare "its ADS1015, as IIO" "1.024 0.512" "$(channel_changes i2c adc '' V)"
compare "our BME280: temperature" "25.08 30.21" "$(channel_changes i2c climate temperature °C)"
compare "pressure" "1006.53 1009.84" "$(channel_changes i2c climate pressure hPa)"
compare "and humidity" "45 60.52" "$(channel_changes i2c climate humidity %)"
compare "our ADS1115" "1.024 -1.024" "$(channel_changes i2c volts '' V)"
compare "two LM75s must be told apart" \
    'failed: /sys/class/hwmon has 2 chips "lm75"; name its device: one of 0-0048, 0-004f' "$(said "i2c read" either)" \
    "$(grep -o 'has 2 chips.*' <(said "i2c read" either))"

owned="/dev/i2c-0 address 0x76 is in the hands of the kernel's driver bmp280; read it as the kernel's: driver = \"iio\" \
with device = \"bmp280\", or take it away from there: echo 0-0076 > /sys/bus/i2c/drivers/bmp280/unbind"
compare "a chip that the kernel has is refused" "failed: $owned" "$(said "i2c read" bosch)" \
    "$(grep -o "is in the hands [^;]*" <(said "i2c read" bosch))"
compare "likewise an LM75" \
    "failed: /dev/i2c-0 address 0x48 is in the hands of the kernel's driver lm75; read it as the kernel's: driver = \"hwmon\" \
with chip = \"lm75\", or take it away from there: echo 0-0048 > /sys/bus/i2c/drivers/lm75/unbind" \
    "$(said "i2c read" taken)" "$(grep -o "is in the hands [^;]*" <(said "i2c read" taken))"
compare "a chip that is not there" \
    "failed: /dev/i2c-0 address 0x4b does not answer (No such device); check wiring, supply, pull-ups and the address: \
i2cdetect -y 0 shows who answers" "$(said "i2c read" absent)" \
    "$(grep -o 'does not answer [^;]*' <(said "i2c read" absent))"
compare "a chip beyond SMBus" \
    "failed: /dev/i2c-0 address 0x45 is on an adapter that only knows SMBus, which this chip does not; connect it to the \
board's own I2C bus" "$(said "i2c read" command)" "$(grep -o 'is on [^,]*' <(said "i2c read" command))"
compare "a bus that is not there" \
    "failed: /dev/i2c-7 does not exist (no i2c-7 in /dev); switch I2C on (raspi-config, or dtparam=i2c_arm=on in \
/boot/firmware/config.txt) and load the module i2c-dev" "$(said "i2c read" nowhere)" \
    "$(grep -o 'does not exist [^;]*' <(said "i2c read" nowhere))"
for sensor in taken absent command nowhere; do
    compare "the agent says so of \"$sensor\"" null "$(changes i2c "$sensor")" \
        "null, while others are read"
done

# happened SENSOR: what the log says has become of it. Who looks while the kernel takes a device away sees two failures.
happened() { in_log i2c "sensor=$1\$" | grep -oE 'sensor (failed|recovered)' | sed 's/sensor //' | uniq | tr '\n' ' ' | sed 's/ $//'; }
compare "the kernel lets go of it: it is ours" "failed recovered failed, 30.21" \
    "$(happened bosch), $(channel_changes i2c bosch temperature °C)"
compare "and the kernel's again" "failed recovered" "$(happened pressure)" \
    "$(in_log i2c 'failed.*sensor=pressure' | grep -o 'has no device[^;]*' | tail -n 1)"
compare "an LM75 goes and comes back" "30.5 null 30.5" "$(changes i2c roof)" \
    "$(in_log i2c 'failed.*sensor=roof' | grep -o 'has no chip[^;]*' | tail -n 1)"
compare "the agent ends well" 0 "$(on_console 'i2c ended with ')"
