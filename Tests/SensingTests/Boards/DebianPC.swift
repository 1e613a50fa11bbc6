extension Board {
    /// A laptop under Debian 13 (Linux 6.12).
    static let debianPC = Board(
        name: "Debian PC",
        listing: #"""
            [/boot/efi]
            [/proc]
            loadavg = 0.42 0.37 0.31 2/1201 41234
            meminfo = MemTotal:       16228480 kB
            |MemFree:         2148844 kB
            |MemAvailable:    8114240 kB
            |SwapTotal:        999420 kB
            |SwapFree:         999420 kB
            stat = cpu  812180 1120 221022 9203311 11410 0 8350 0 0 0
            uptime = 95735.47 722388.90
            [/proc/net]
            wireless = Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
            | face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
            |wlp2s0: 0000   70.  -38.  -256        0      0      0      0   1210        0
            [/proc/self]
            mountinfo = 29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw,errors=remount-ro
            |40 29 259:1 / /boot/efi rw,relatime shared:20 - vfat /dev/nvme0n1p1 rw
            |41 29 254:1 /var/lib/docker /srv/docker rw,relatime shared:20 - ext4 /dev/mapper/vg-root rw
            [/sys/devices/virtual/thermal/thermal_zone0]
            type = acpitz
            temp = 46000
            [/sys/devices/virtual/thermal/thermal_zone0/hwmon2]
            name = acpitz
            temp1_input = 46000
            device -> ../../thermal_zone0
            [/sys/devices/virtual/thermal/thermal_zone1]
            type = INT3400 Thermal
            temp = 20000
            [/sys/devices/virtual/thermal/thermal_zone2]
            type = x86_pkg_temp
            temp = 47000
            [/sys/devices/virtual/thermal/thermal_zone3]
            type = iwlwifi_1
            temp = 41000
            [/sys/devices/virtual/thermal/thermal_zone3/hwmon6]
            name = iwlwifi_1
            temp1_input = 41000
            device -> ../../thermal_zone3
            [/sys/class/thermal]
            thermal_zone0 -> ../../devices/virtual/thermal/thermal_zone0
            thermal_zone1 -> ../../devices/virtual/thermal/thermal_zone1
            thermal_zone2 -> ../../devices/virtual/thermal/thermal_zone2
            thermal_zone3 -> ../../devices/virtual/thermal/thermal_zone3
            [/sys/devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/hwmon1]
            name = nvme
            temp1_input = 36850
            temp1_label = Composite
            temp2_input = 36850
            temp2_label = Sensor 1
            device -> ../../nvme0
            [/sys/devices/LNXSYSTM:00/LNXSYBUS:00/PNP0C0A:00/power_supply/BAT0]
            type = Battery
            status = Discharging
            present = 1
            capacity = 83
            capacity_level = Normal
            cycle_count = 214
            voltage_now = 11872000
            voltage_min_design = 11400000
            power_now = 6421000
            energy_now = 38210000
            energy_full = 46040000
            energy_full_design = 57020000
            technology = Li-poly
            model_name = 5B10W13930
            manufacturer = LGC
            [/sys/devices/LNXSYSTM:00/LNXSYBUS:00/PNP0C0A:00/power_supply/BAT0/hwmon3]
            name = BAT0
            in0_input = 11872
            power1_input = 6421000
            device -> ../../BAT0
            [/sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0003:00/power_supply/AC]
            type = Mains
            online = 0
            [/sys/class/power_supply]
            AC -> ../../devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0003:00/power_supply/AC
            BAT0 -> ../../devices/LNXSYSTM:00/LNXSYBUS:00/PNP0C0A:00/power_supply/BAT0
            [/sys/devices/platform/coretemp.0/hwmon/hwmon5]
            name = coretemp
            temp1_input = 47000
            temp1_label = Package id 0
            temp1_max = 100000
            temp2_input = 45000
            temp2_label = Core 0
            temp3_input = 44000
            temp3_label = Core 1
            device -> ../../../coretemp.0
            [/sys/class/hwmon]
            hwmon1 -> ../../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/hwmon1
            hwmon2 -> ../../devices/virtual/thermal/thermal_zone0/hwmon2
            hwmon3 -> ../../devices/LNXSYSTM:00/LNXSYBUS:00/PNP0C0A:00/power_supply/BAT0/hwmon3
            hwmon5 -> ../../devices/platform/coretemp.0/hwmon/hwmon5
            hwmon6 -> ../../devices/virtual/thermal/thermal_zone3/hwmon6
            [/sys/devices/platform/i8042/serio0/input/input3/input3::capslock]
            brightness = 0
            max_brightness = 1
            trigger = none [kbd-capslock]
            [/sys/devices/platform/thinkpad_acpi/leds/tpacpi::power]
            brightness = 1
            max_brightness = 1
            trigger = [none] timer
            [/sys/class/leds]
            input3::capslock -> ../../devices/platform/i8042/serio0/input/input3/input3::capslock
            tpacpi::power -> ../../devices/platform/thinkpad_acpi/leds/tpacpi::power
            [/sys/devices/pnp0/00:04/rtc/rtc0]
            name = rtc_cmos 00:04
            since_epoch = 1767268800
            hctosys = 1
            [/sys/class/rtc]
            rtc0 -> ../../devices/pnp0/00:04/rtc/rtc0
            [/sys/devices/pci0000:00/0000:00:1f.6/net/enp0s31f6]
            operstate = down
            carrier = 0
            ifindex = 2
            speed = -1
            device -> ../../../0000:00:1f.6
            [/sys/devices/pci0000:00/0000:00:1f.6/net/enp0s31f6/statistics]
            rx_bytes = 0
            tx_bytes = 0
            rx_packets = 0
            tx_packets = 0
            rx_errors = 0
            tx_errors = 0
            rx_dropped = 0
            tx_dropped = 0
            [/sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/wlp2s0]
            operstate = up
            carrier = 1
            ifindex = 3
            device -> ../../../0000:02:00.0
            [/sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/wlp2s0/statistics]
            rx_bytes = 98765432101
            tx_bytes = 1234567890
            rx_packets = 80123456
            tx_packets = 40123456
            rx_errors = 0
            tx_errors = 0
            rx_dropped = 0
            tx_dropped = 0
            [/sys/class/net]
            enp0s31f6 -> ../../devices/pci0000:00/0000:00:1f.6/net/enp0s31f6
            wlp2s0 -> ../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/wlp2s0
            [/sys/devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1]
            stat = 501234 12345 41234567 123456 234567 78901 23456789 234567 0 300000 360000 0 0 0 0 1000 2000
            device -> ../../nvme0
            [/sys/devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1/nvme0n1p1]
            partition = 1
            stat = 1234 0 4567 12 2 0 2 1 0 10 13 0 0 0 0 0 0
            [/sys/devices/virtual/block/dm-0]
            stat = 501 0 412 12 23 0 234 23 0 30 36 0 0 0 0 0 0
            [/sys/class/block]
            nvme0n1 -> ../../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1
            nvme0n1p1 -> ../../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1/nvme0n1p1
            dm-0 -> ../../devices/virtual/block/dm-0
            """#)
}
