extension Board {
    /// A Compute Module 4 with eMMC under Debian (Linux 6.12, whose firmware driver shows no get_throttled), with a
    /// DS3231, a BME280 and an ADS1115, and the overlay pwm-2chan.
    static let raspberryPi4 = Board(
        name: "Raspberry Pi 4",
        listing: #"""
            [/mnt/my disk]
            [/proc]
            loadavg = 0.52 0.58 0.59 1/467 12345
            meminfo = MemTotal:        3884368 kB
            |MemFree:          148844 kB
            |MemAvailable:    3000000 kB
            |SwapTotal:             0 kB
            |SwapFree:              0 kB
            stat = cpu  10132153 290696 3084719 46828483 16683 0 25195 0 175628 0
            uptime = 350735.47 234388.90
            [/proc/self]
            mountinfo = 25 30 0:23 / /proc rw,relatime shared:5 - proc proc rw
            |30 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw
            |44 30 8:1 / /mnt/my\040disk rw,relatime shared:30 - ext4 /dev/sda1 rw
            |45 30 7:0 / /snap/core ro,nodev shared:31 - squashfs /dev/loop0 ro
            |46 30 0:40 / /tmp rw,nosuid shared:32 - tmpfs tmpfs rw
            [/sys/devices/virtual/thermal/thermal_zone0]
            type = cpu-thermal
            temp = 48686
            [/sys/devices/virtual/thermal/thermal_zone0/hwmon0]
            name = cpu_thermal
            temp1_input = 48686
            device -> ../../thermal_zone0
            [/sys/class/thermal]
            thermal_zone0 -> ../../devices/virtual/thermal/thermal_zone0
            [/sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1]
            name = rpi_volt
            in0_lcrit_alarm = 1
            device -> ../../../raspberrypi-hwmon
            [/sys/class/hwmon]
            hwmon0 -> ../../devices/virtual/thermal/thermal_zone0/hwmon0
            hwmon1 -> ../../devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1
            [/sys/devices/platform/leds/leds/ACT]
            brightness = 0
            max_brightness = 1
            trigger = none timer heartbeat default-on [mmc0]
            [/sys/devices/platform/leds/leds/PWR]
            brightness = 1
            max_brightness = 1
            trigger = none timer heartbeat [default-on] mmc0
            [/sys/devices/platform/emmc2bus/fe340000.mmc/leds/mmc0::]
            brightness = 0
            max_brightness = 255
            trigger = none timer heartbeat default-on [mmc0]
            [/sys/class/leds]
            ACT -> ../../devices/platform/leds/leds/ACT
            PWR -> ../../devices/platform/leds/leds/PWR
            mmc0:: -> ../../devices/platform/emmc2bus/fe340000.mmc/leds/mmc0::
            [/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0068/rtc/rtc0]
            name = rtc-ds1307 1-0068
            since_epoch = 1767268801
            hctosys = 1
            [/sys/class/rtc]
            rtc0 -> ../../devices/platform/soc/fe804000.i2c/i2c-1/1-0068/rtc/rtc0
            [/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0076/iio:device0]
            name = bme280
            in_temp_input = 22460
            in_pressure_input = 101.325000000
            in_humidityrelative_input = 43250
            in_temp_oversampling_ratio = 2
            in_temp_oversampling_ratio_available = 1 2 4 8 16
            in_pressure_oversampling_ratio = 16
            in_humidityrelative_oversampling_ratio = 16
            [/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0048/iio:device1]
            name = ads1115
            in_voltage0_raw = 17600
            in_voltage0_scale = 0.125000000
            in_voltage0_label = bus
            in_voltage0-voltage1_raw = 32767
            in_voltage0-voltage1_scale = 0.187500000
            in_voltage0_sampling_frequency = 128
            [/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0048/iio:device1/scan_elements]
            in_voltage0_type = le:s16/16>>0
            in_voltage0-voltage1_type = le:s16/16>>0
            [/sys/bus/iio/devices]
            iio:device0 -> ../../../devices/platform/soc/fe804000.i2c/i2c-1/1-0076/iio:device0
            iio:device1 -> ../../../devices/platform/soc/fe804000.i2c/i2c-1/1-0048/iio:device1
            [/sys/devices/platform/soc/fe20c000.pwm/pwm/pwmchip0]
            npwm = 2
            export =
            unexport =
            device -> ../../../fe20c000.pwm
            [/sys/devices/platform/soc/fe20c000.pwm/pwm/pwmchip0/pwm1]
            period = 20000000
            duty_cycle = 1500000
            polarity = normal
            enable = 1
            [/sys/class/pwm]
            pwmchip0 -> ../../devices/platform/soc/fe20c000.pwm/pwm/pwmchip0
            [/sys/class/power_supply]
            [/sys/devices/platform/scb/fd580000.ethernet/net/eth0]
            operstate = up
            carrier = 1
            ifindex = 2
            speed = 1000
            device -> ../../../fd580000.ethernet
            [/sys/devices/platform/scb/fd580000.ethernet/net/eth0/statistics]
            rx_bytes = 1204512345
            tx_bytes = 84512345
            rx_packets = 1201114
            tx_packets = 813002
            rx_errors = 0
            tx_errors = 0
            rx_dropped = 3
            tx_dropped = 0
            [/sys/devices/virtual/net/docker0]
            operstate = down
            carrier = 0
            ifindex = 4
            [/sys/class/net]
            docker0 -> ../../devices/virtual/net/docker0
            eth0 -> ../../devices/platform/scb/fd580000.ethernet/net/eth0
            [/sys/devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:0001]
            type = MMC
            life_time = 0x01 0x02
            pre_eol_info = 0x01
            [/sys/devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0]
            stat = 143210 5120 11452100 52110 81200 9120 5123400 120110 0 61230 172220 0 0 0 0 1210 0
            device -> ../../../mmc0:0001
            [/sys/devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0/mmcblk0boot0]
            stat = 1 0 8 0 0 0 0 0 0 0 0
            device -> ../../../../mmc0:0001
            [/sys/class/block]
            mmcblk0 -> ../../devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0
            mmcblk0boot0 -> ../../devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0/mmcblk0boot0
            """#)
}
