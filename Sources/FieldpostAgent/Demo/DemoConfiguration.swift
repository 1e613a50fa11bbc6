#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The configuration that the demonstration's agent runs with: what anybody could have written.
enum DemoConfiguration {
    /// The cable is dead for the broker after one and a half times this.
    static let keepAlive = "2s"

    static func text(port: Int) -> String {
        var text = """
            [device]
            id = "demo"

            [broker]
            servers = ["mqtt://127.0.0.1:\(port)"]
            keep_alive = "\(keepAlive)"
            response_timeout = "1s"
            connect_timeout = "1s"
            reconnect = { base = "250ms", cap = "1s" }

            [uplink]
            qos = 2
            sequence = true

            [log]
            level = "error"

            """
        for (number, fillTime) in [(1, "20s"), (2, "30s"), (3, "45s")] {
            text += """

                [[sensor]]
                name = "bin-\(number)"
                driver = "simulated"
                kind = "bin"
                fill_time = "\(fillTime)"
                decimals = 1
                every = "1s"

                """
        }
        text += """

            [[sensor]]
            name = "load"
            driver = "file"
            path = "/proc/loadavg"
            pattern = "^[0-9.]+"
            every = "2s"

            [[sensor]]
            name = "memory"
            driver = "file"
            path = "/proc/meminfo"
            pattern = "^MemAvailable: +([0-9]+) kB"
            scale = 0.001024
            unit = "MB"
            every = "2s"

            """
        if access("/sys/class/thermal/thermal_zone0/temp", R_OK) == 0 {
            text += """

                [[sensor]]
                name = "processor"
                driver = "thermal"
                zone = "thermal_zone0"
                every = "2s"

                """
        }
        return text
    }
}
