internal import Dispatching
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The configurations that the demonstration's agent and dispatcher run with: what anybody could have written.
enum DemoConfiguration {
    /// The cable is dead for the broker after one and a half times this.
    static let keepAlive = "2s"
    static let device = "demo"
    static let position = Position(latitude: 31.7036, longitude: 119.9372)
    static let bins = ["bin-1", "bin-2", "bin-3"]

    static func alarm(of bin: String) -> String { "\(bin)-full" }

    /// - Parameter folder: where the bins' distances stand; see ``DemoPark``.
    static func agent(port: Int, folder: String) -> String {
        var sensors = bins + ["load", "memory"]
        var text = """
            [device]
            id = "\(device)"
            position = \(Self.text(position))

            [broker]
            servers = ["mqtt://127.0.0.1:\(port)"]
            keep_alive = "\(keepAlive)"
            response_timeout = "1s"
            connect_timeout = "1s"
            reconnect = { base = "250ms", cap = "1s" }

            [commands]
            allow = ["acknowledge"]

            [log]
            level = "error"

            """
        for bin in bins {
            text += """

                [[sensor]]
                name = "\(bin)-distance"
                driver = "file"
                path = '\(DemoPark.path(of: bin, in: folder))'
                unit = "m"
                every = "500ms"

                [[sensor]]
                name = "\(bin)"
                expression = "round(100 * (\(DemoPark.depth) - '\(bin)-distance') / \(DemoPark.depth), 1)"
                unit = "%"
                report = { change = 2, silence = "15s" }

                [[alarm]]
                name = "\(alarm(of: bin))"
                sensor = "\(bin)"
                raise_above = 85
                clear_below = 20
                for = "1s"
                clear_for = "1s"
                severity = "warning"

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
            sensors.append("processor")
            text += """

                [[sensor]]
                name = "processor"
                driver = "thermal"
                zone = "thermal_zone0"
                every = "2s"

                """
        }
        return text + """

            [uplink]
            qos = 2
            sequence = true
            sensors = [\(sensors.map { "\"\($0)\"" }.joined(separator: ", "))]

            """
    }

    static func dispatch(port: Int, folder: String) -> String {
        """
        [broker]
        servers = ["mqtt://127.0.0.1:\(port)"]

        [dispatch]
        path = '\(folder)/dispatch.db'
        answer_within = "3s"

        [log]
        level = "error"

        """
    }

    private static func text(_ position: Position) -> String {
        "{ latitude = \(position.latitude), longitude = \(position.longitude) }"
    }
}
