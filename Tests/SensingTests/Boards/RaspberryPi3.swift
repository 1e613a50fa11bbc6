extension Board {
    /// A Raspberry Pi 3 Model B under Raspberry Pi OS (Linux 6.6) with a DS18B20, one that lost its power, and an srf04.
    static let raspberryPi3 = Board(
        name: "Raspberry Pi 3",
        listing: #"""
            [/boot/firmware]
            [/proc]
            loadavg = 0.08 0.03 0.01 1/152 1201
            meminfo = MemTotal:         931412 kB
            |MemFree:          512344 kB
            |MemAvailable:     760120 kB
            |SwapTotal:        102396 kB
            |SwapFree:         102396 kB
            stat = cpu  12180 0 9022 1203311 4410 0 350 0 0 0
            |cpu0 3110 0 2280 300710 1100 0 240 0 0 0
            uptime = 12180.46 46221.10
            [/proc/net]
            wireless = Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
            | face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
            | wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0
            [/proc/self]
            mountinfo = 21 26 0:19 / /sys rw,nosuid,nodev,noexec,relatime shared:6 - sysfs sysfs rw
            |26 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw
            |43 26 179:1 / /boot/firmware rw,relatime shared:22 - vfat /dev/mmcblk0p1 rw,fmask=0022
            [/sys/devices/virtual/thermal/thermal_zone0]
            type = cpu-thermal
            temp = 46160
            mode = enabled
            policy = step_wise
            [/sys/devices/virtual/thermal/thermal_zone0/hwmon0]
            name = cpu_thermal
            temp1_input = 46160
            temp1_crit = 90000
            device -> ../../thermal_zone0
            [/sys/devices/virtual/thermal/cooling_device0]
            type = cpufreq-cpu0
            cur_state = 0
            [/sys/class/thermal]
            thermal_zone0 -> ../../devices/virtual/thermal/thermal_zone0
            cooling_device0 -> ../../devices/virtual/thermal/cooling_device0
            [/sys/devices/platform/soc/soc:firmware]
            get_throttled = 0
            [/sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1]
            name = rpi_volt
            in0_lcrit_alarm = 0
            device -> ../../../raspberrypi-hwmon
            [/sys/class/hwmon]
            hwmon0 -> ../../devices/virtual/thermal/thermal_zone0/hwmon0
            hwmon1 -> ../../devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1
            hwmon2 -> ../../devices/w1_bus_master1/28-0000075d6ab2/hwmon/hwmon2
            hwmon3 -> ../../devices/w1_bus_master1/28-00000a1b2c3d/hwmon/hwmon3
            [/sys/devices/platform/leds/leds/ACT]
            brightness = 0
            max_brightness = 255
            trigger = none kbd-scrolllock kbd-numlock timer oneshot heartbeat cpu default-on input panic actpwr [mmc0] mmc1
            [/sys/devices/platform/leds/leds/PWR]
            brightness = 255
            max_brightness = 255
            trigger = none kbd-scrolllock kbd-numlock timer oneshot heartbeat cpu [default-on] input panic actpwr mmc0 mmc1
            [/sys/devices/virtual/leds/default-on]
            brightness = 0
            max_brightness = 255
            trigger = [none] timer oneshot heartbeat cpu default-on mmc0
            [/sys/class/leds]
            ACT -> ../../devices/platform/leds/leds/ACT
            PWR -> ../../devices/platform/leds/leds/PWR
            default-on -> ../../devices/virtual/leds/default-on
            [/sys/class/power_supply]
            [/sys/class/rtc]
            [/sys/class/pwm]
            [/sys/devices/w1_bus_master1]
            w1_master_slave_count = 2
            therm_bulk_read = 0
            [/sys/devices/w1_bus_master1/28-0000075d6ab2]
            temperature = 21937
            w1_slave = 5f 01 4b 46 7f ff 0c 10 5a : crc=5a YES
            |5f 01 4b 46 7f ff 0c 10 5a t=21937
            resolution = 12
            conv_time = 750
            ext_power = 1
            features = 0
            [/sys/devices/w1_bus_master1/28-0000075d6ab2/hwmon/hwmon2]
            name = w1_slave_temp
            temp1_input = 21937
            device -> ../../../28-0000075d6ab2
            [/sys/devices/w1_bus_master1/28-00000a1b2c3d/hwmon/hwmon3]
            name = w1_slave_temp
            temp1_input = 85000
            device -> ../../../28-00000a1b2c3d
            [/sys/devices/w1_bus_master1/28-00000a1b2c3d]
            temperature = 85000
            w1_slave = 50 05 4b 46 7f ff 0c 10 1c : crc=1c YES
            |50 05 4b 46 7f ff 0c 10 1c t=85000
            resolution = 12
            conv_time = 750
            features = 0
            [/sys/bus/w1/devices]
            w1_bus_master1 -> ../../../devices/w1_bus_master1
            28-0000075d6ab2 -> ../../../devices/w1_bus_master1/28-0000075d6ab2
            28-00000a1b2c3d -> ../../../devices/w1_bus_master1/28-00000a1b2c3d
            [/sys/devices/platform/distance/iio:device0]
            name = srf04
            in_distance_raw = 832
            in_distance_scale = 0.001000000
            [/sys/bus/iio/devices]
            iio:device0 -> ../../../devices/platform/distance/iio:device0
            [/sys/devices/platform/soc/3f980000.usb/usb1/1-1/1-1.1/1-1.1:1.0/net/eth0]
            operstate = down
            carrier = 0
            ifindex = 2
            speed = 10
            device -> ../../../1-1.1:1.0
            [/sys/devices/platform/soc/3f980000.usb/usb1/1-1/1-1.1/1-1.1:1.0/net/eth0/statistics]
            rx_bytes = 0
            tx_bytes = 0
            rx_packets = 0
            tx_packets = 0
            rx_errors = 0
            tx_errors = 0
            rx_dropped = 0
            tx_dropped = 0
            [/sys/devices/platform/soc/3f300000.mmcnr/mmc_host/mmc1/mmc1:0001/mmc1:0001:1/net/wlan0]
            operstate = up
            carrier = 1
            ifindex = 3
            device -> ../../../mmc1:0001:1
            [/sys/devices/platform/soc/3f300000.mmcnr/mmc_host/mmc1/mmc1:0001/mmc1:0001:1/net/wlan0/statistics]
            rx_bytes = 15423012
            tx_bytes = 2230911
            rx_packets = 20114
            tx_packets = 13002
            rx_errors = 0
            tx_errors = 0
            rx_dropped = 12
            tx_dropped = 0
            [/sys/devices/virtual/net/lo]
            operstate = unknown
            carrier = 1
            ifindex = 1
            [/sys/class/net]
            eth0 -> ../../devices/platform/soc/3f980000.usb/usb1/1-1/1-1.1/1-1.1:1.0/net/eth0
            lo -> ../../devices/virtual/net/lo
            wlan0 -> ../../devices/platform/soc/3f300000.mmcnr/mmc_host/mmc1/mmc1:0001/mmc1:0001:1/net/wlan0
            [/sys/devices/platform/soc/3f202000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0]
            stat =    14321     5120  1145210    52110     8120     9120   512340   120110        0    61230   172220        0        0        0        0     1210        0
            device -> ../../../mmc0:aaaa
            [/sys/devices/platform/soc/3f202000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0/mmcblk0p2]
            partition = 2
            stat =    14001     5020  1135210    51110     8100     9110   512330   120100        0    61130   171210        0        0        0        0        0        0
            [/sys/devices/platform/soc/3f202000.mmc/mmc_host/mmc0/mmc0:aaaa]
            type = SD
            name = SL32G
            [/sys/class/block]
            mmcblk0 -> ../../devices/platform/soc/3f202000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0
            mmcblk0p2 -> ../../devices/platform/soc/3f202000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0/mmcblk0p2
            """#)
}
