extension Board {
    /// A Raspberry Pi 5 under Raspberry Pi OS (Linux 6.12) with the Active Cooler, an NVMe disk and a battery for its
    /// clock, on a weak supply.
    static let raspberryPi5 = Board(
        name: "Raspberry Pi 5",
        listing: #"""
            [/boot/firmware]
            [/proc]
            loadavg = 1.20 0.80 0.40 3/412 9001
            meminfo = MemTotal:        8257488 kB
            |MemFree:         5148844 kB
            |MemAvailable:    7431739 kB
            |SwapTotal:        524272 kB
            |SwapFree:         262136 kB
            stat = cpu  52180 120 21022 2203311 1410 0 350 0 0 0
            uptime = 5735.47 22388.90
            [/proc/self]
            mountinfo = 28 1 259:2 / / rw,noatime shared:1 - ext4 /dev/nvme0n1p2 rw
            |36 28 259:1 / /boot/firmware rw,relatime shared:17 - vfat /dev/nvme0n1p1 rw
            [/sys/devices/virtual/thermal/thermal_zone0]
            type = cpu-thermal
            temp = 55000
            [/sys/devices/virtual/thermal/thermal_zone0/hwmon0]
            name = cpu_thermal
            temp1_input = 55000
            temp1_crit = 110000
            device -> ../../thermal_zone0
            [/sys/devices/virtual/thermal/cooling_device0]
            type = pwm-fan
            cur_state = 1
            [/sys/class/thermal]
            thermal_zone0 -> ../../devices/virtual/thermal/thermal_zone0
            cooling_device0 -> ../../devices/virtual/thermal/cooling_device0
            [/sys/devices/platform/axi/1000110000.pcie/pci0001:00/0001:00:00.0/0001:01:00.0/nvme/nvme0/hwmon1]
            name = nvme
            temp1_input = 38850
            temp1_label = Composite
            temp1_alarm = 0
            device -> ../../nvme0
            [/sys/devices/platform/axi/1000120000.pcie/1f000c8000.adc/hwmon/hwmon2]
            name = rp1_adc
            in1_input = 1468
            in2_input = 2441
            in3_input = 1409
            in4_input = 1425
            temp1_input = 55472
            device -> ../../../1f000c8000.adc
            [/sys/devices/platform/cooling_fan/hwmon/hwmon3]
            name = pwmfan
            fan1_input = 3054
            pwm1 = 75
            pwm1_enable = 1
            device -> ../../../cooling_fan
            [/sys/devices/platform/soc@107c000000/soc@107c000000:firmware]
            get_throttled = 50005
            [/sys/devices/platform/soc@107c000000/soc@107c000000:firmware/raspberrypi-hwmon/hwmon/hwmon4]
            name = rpi_volt
            in0_lcrit_alarm = 1
            device -> ../../../raspberrypi-hwmon
            [/sys/class/hwmon]
            hwmon0 -> ../../devices/virtual/thermal/thermal_zone0/hwmon0
            hwmon1 -> ../../devices/platform/axi/1000110000.pcie/pci0001:00/0001:00:00.0/0001:01:00.0/nvme/nvme0/hwmon1
            hwmon2 -> ../../devices/platform/axi/1000120000.pcie/1f000c8000.adc/hwmon/hwmon2
            hwmon3 -> ../../devices/platform/cooling_fan/hwmon/hwmon3
            hwmon4 -> ../../devices/platform/soc@107c000000/soc@107c000000:firmware/raspberrypi-hwmon/hwmon/hwmon4
            [/sys/devices/platform/leds/leds/ACT]
            brightness = 1
            max_brightness = 1
            trigger = none timer oneshot heartbeat cpu default-on [mmc0] mmc1
            [/sys/devices/platform/leds/leds/PWR]
            brightness = 1
            max_brightness = 1
            trigger = none timer oneshot heartbeat cpu [default-on] mmc0 mmc1
            [/sys/class/leds]
            ACT -> ../../devices/platform/leds/leds/ACT
            PWR -> ../../devices/platform/leds/leds/PWR
            [/sys/devices/platform/soc@107c000000/soc@107c000000:rpi_rtc/rtc/rtc0]
            name = rpi-rtc soc@107c000000:rpi_rtc
            since_epoch = 1767268740
            hctosys = 1
            charging_voltage = 0
            [/sys/class/rtc]
            rtc0 -> ../../devices/platform/soc@107c000000/soc@107c000000:rpi_rtc/rtc/rtc0
            [/sys/devices/platform/axi/1000120000.pcie/1f00098000.pwm/pwm/pwmchip0]
            npwm = 4
            export =
            unexport =
            device -> ../../../1f00098000.pwm
            [/sys/class/pwm]
            pwmchip0 -> ../../devices/platform/axi/1000120000.pcie/1f00098000.pwm/pwm/pwmchip0
            [/sys/class/power_supply]
            [/sys/bus/iio/devices]
            [/sys/devices/platform/axi/1000120000.pcie/1f00100000.ethernet/net/eth0]
            operstate = down
            carrier = 0
            ifindex = 2
            speed = -1
            device -> ../../../1f00100000.ethernet
            [/sys/devices/platform/axi/1000120000.pcie/1f00100000.ethernet/net/eth0/statistics]
            rx_bytes = 0
            tx_bytes = 0
            rx_packets = 0
            tx_packets = 0
            rx_errors = 0
            tx_errors = 0
            rx_dropped = 0
            tx_dropped = 0
            [/sys/class/net]
            eth0 -> ../../devices/platform/axi/1000120000.pcie/1f00100000.ethernet/net/eth0
            [/sys/devices/platform/axi/1000110000.pcie/pci0001:00/0001:00:00.0/0001:01:00.0/nvme/nvme0/nvme0n1]
            stat =    50123     1234  4123456    12345    23456     7890  2345678    23456        0    30000    36000        0        0        0        0      100      200
            device -> ../../nvme0
            [/sys/class/block]
            nvme0n1 -> ../../devices/platform/axi/1000110000.pcie/pci0001:00/0001:00:00.0/0001:01:00.0/nvme/nvme0/nvme0n1
            """#)
}
