public import Settings
public import Units

/// `driver = "system"`: the board itself: how busy, full and warm it is, and whether its supply holds.
///
///     [[sensor]]
///     name = "board"
///     driver = "system"
///     channel = ["processor", "memory_used", "temperature", "under_voltage"]
///     every = "1m"
///
/// Options:
/// - `channel`: one or several of those below. Default: all that this board has.
///
/// Channels: `load`, `load_5`, `load_15`: processes that run or wait to, mean of one, five and fifteen minutes;
/// `processor` in % of all cores, mean since the read before (so the first read gives none); `memory_available` in MB,
/// `memory_used`, `swap_used` in %; `uptime` in s; `temperature` of the processor in °C.
///
/// Of a Raspberry Pi also, true or false: `under_voltage`, `frequency_capped`, `throttled`, `temperature_limited` now, and
/// the same ending in `_occurred`, which remember: since the start, but where the kernel's `rpi_volt` is at work it asks
/// the firmware every two seconds and lets it forget. Under kernels that do not show the firmware's word
/// (`get_throttled`; those that do warn once in their log that it is deprecated) there is `under_voltage` alone, from
/// the alarm of `rpi_volt`.
///
/// Failure modes: a channel that is asked for and that this board has not.
/// proc_loadavg(5), proc_meminfo(5), proc_stat(5), proc_uptime(5); Documentation/driver-api/thermal/sysfs-api.rst;
/// drivers/hwmon/raspberrypi-hwmon.c.
public struct SystemDriver: SensorDriver {
    public static let name = "system"

    private static let channels =
        [
            "load", "load_5", "load_15", "processor", "memory_available", "memory_used", "swap_used", "uptime",
            "temperature",
        ]
        + Throttling.channels.map(\.key)

    private let context: DriverContext
    private let choice: ChannelChoice
    /// Busy and idle time of all processors at the last read.
    private var lastTimes: ProcessorTimes?

    public init?(_ settings: SettingsReader, context: DriverContext) {
        self.context = context
        choice = ChannelChoice(settings, among: Self.channels)
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        var report = ChannelReport(choice, of: "this board")
        addLoad(to: &report)
        addProcessor(to: &report)
        addMemory(to: &report)
        if let uptime = words(of: "/proc/uptime").first {
            report.add("uptime") { () throws(SensorError) in
                Measurement(.number(try KernelFile.number(uptime, from: "/proc/uptime")), unit: "s")
            }
        }
        if let path = temperaturePath() {
            report.add("temperature") { () throws(SensorError) in
                Measurement(.number(try KernelFile.celsius(path)), unit: "°C")
            }
        }
        for (name, isSo) in Throttling.read(in: context) {
            report.add(name) { () throws(SensorError) in Measurement(.boolean(try isSo.get())) }
        }
        return try report.measured()
    }

    /// What this board's first read gives, or fails to.
    static func firstChannels(in context: DriverContext) -> Set<String> {
        var channels: Set<String> = []
        if (try? KernelFile.text(context.path("/proc/loadavg"))) != nil { channels.insert("load") }
        if (try? KernelFile.text(context.path("/proc/meminfo"))) != nil { channels.insert("memory_available") }
        return channels.union(Throttling.read(in: context).map(\.channel))
    }

    /// None of a file that this system has not.
    private func words(of path: String) -> [String] {
        ((try? KernelFile.text(context.path(path))) ?? "").split { $0 == " " || $0 == "\n" }.map(String.init)
    }

    private func addLoad(to report: inout ChannelReport) {
        for (name, word) in zip(["load", "load_5", "load_15"], words(of: "/proc/loadavg")) {
            report.add(name) { () throws(SensorError) in
                Measurement(.number(try KernelFile.number(word, from: "/proc/loadavg")))
            }
        }
    }

    private mutating func addProcessor(to report: inout ChannelReport) {
        guard let text = try? KernelFile.text(context.path("/proc/stat")), let times = ProcessorTimes(text) else {
            return
        }
        let share = lastTimes.flatMap { times.busyShare(since: $0) }
        lastTimes = times
        report.add("processor") { () throws(SensorError) in share.map { Measurement(.number($0), unit: "%") } }
    }

    private func addMemory(to report: inout ChannelReport) {
        guard let text = try? KernelFile.text(context.path("/proc/meminfo")) else { return }
        let memory = MemoryInformation(text)
        if let total = memory["MemTotal"], let available = memory["MemAvailable"],
            let used = (total - available).percentage(of: total)
        {
            report.add("memory_available") { () throws(SensorError) in
                Measurement(.number((available / 1_000_000).roundedToTwelveDigits), unit: "MB")
            }
            report.add("memory_used") { () throws(SensorError) in
                Measurement(.number(used), unit: "%")
            }
        }
        if let total = memory["SwapTotal"], let free = memory["SwapFree"],
            let used = (total - free).percentage(of: total)
        {
            report.add("swap_used") { () throws(SensorError) in
                Measurement(.number(used), unit: "%")
            }
        }
    }

    /// The processor's thermal zone, or its monitoring chip.
    private func temperaturePath() -> String? {
        let types = ["cpu-thermal", "cpu_thermal", "x86_pkg_temp", "soc-thermal", "soc_thermal", "cpu0-thermal"]
        let chips = ["coretemp", "k10temp", "zenpower"]
        return Self.first(of: types, context.matches("/sys/class/thermal/thermal_zone*/type")).map { "\($0)/temp" }
            ?? Self.first(of: chips, context.matches("/sys/class/hwmon/hwmon*/name")).map { "\($0)/temp1_input" }
    }

    /// The folder of the file that says the foremost of some words.
    private static func first(of words: [String], _ paths: [String]) -> String? {
        let said = paths.map { (path: $0, word: try? KernelFile.text($0)) }
        for word in words {
            guard let found = said.first(where: { $0.word == word }), let slash = found.path.lastIndex(of: "/") else {
                continue
            }
            return String(found.path[..<slash])
        }
        return nil
    }
}
