public import Settings
public import Units

/// `driver = "net"`: network interfaces: what goes through them, and whether they are connected.
///
///     [[sensor]]
///     name = "modem"
///     driver = "net"
///     interface = "wwan0"
///     channel = ["received", "sent", "state"]
///
/// Options:
/// - `interface`: one or several, by name. Default: all that are devices (no bridges, tunnels, containers).
/// - `channel`: one or several of those below. Default: all that there are.
///
/// Channels: `state` ("up", "down", "dormant", "unknown" …), `carrier` (whether a cable or a station is connected),
/// `speed` in Mbit/s, `signal` in dBm (wireless), and rates: `received`, `sent` in B/s, `received_packets`,
/// `sent_packets` in packets/s, `received_errors`, `sent_errors`, `received_dropped`, `sent_dropped` in packets/s. Of one
/// interface named in the options the channels have these names, of several "eth0.received".
///
/// A rate is the mean since the read before, so the first read gives none, and neither does one after the counters were
/// reset or have wrapped.
///
/// Failure modes: no such interface (the error lists those there are). Documentation/ABI/testing/sysfs-class-net and
/// sysfs-class-net-statistics; /proc/net/wireless.
public struct NetDriver: SensorDriver {
    public static let name = "net"

    private static let rates: KeyValuePairs<String, (counter: String, unit: String)> = [
        "received": ("rx_bytes", "B/s"), "sent": ("tx_bytes", "B/s"),
        "received_packets": ("rx_packets", "packets/s"), "sent_packets": ("tx_packets", "packets/s"),
        "received_errors": ("rx_errors", "packets/s"), "sent_errors": ("tx_errors", "packets/s"),
        "received_dropped": ("rx_dropped", "packets/s"), "sent_dropped": ("tx_dropped", "packets/s"),
    ]
    private static let channels = ["state", "carrier", "speed", "signal"] + rates.map(\.key)

    private let context: DriverContext
    private let interfaces: [String]?
    private let choice: ChannelChoice
    private var meter = RateMeter()
    /// For tests.
    var clock: @Sendable () -> ContinuousClock.Instant = { .now }

    public init?(_ settings: SettingsReader, context: DriverContext) {
        self.context = context
        interfaces = settings.strings("interface")
        if interfaces?.isEmpty == true {
            settings.problem(at: "interface", message: "is empty", mend: "leave it out for all interfaces")
        }
        choice = ChannelChoice(settings, among: Self.channels)
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let place = context.path("/sys/class/net")
        let known = try KernelFolder.names(in: place)
        let chosen = interfaces ?? Self.physical(in: place)
        guard !chosen.isEmpty else {
            throw SensorError(.missing, place, "has no interface that is a device", mend: "name an interface")
        }
        meter.begin(at: clock())
        let wireless = choice.wants("signal") ? WirelessSignals(path: context.path("/proc/net/wireless")) : nil
        var report = ChannelReport(choice, of: chosen.count == 1 ? "\(place)/\(chosen[0])" : place)
        for interface in chosen {
            if interfaces?.count != 1 { report.prefix = "\(interface)." }
            guard known.contains(interface) else {
                report.add(
                    SensorError(
                        .missing, place, "has no interface \"\(interface)\"",
                        mend: "it has \(known.joined(separator: ", "))"))
                continue
            }
            add(interface, in: place, signal: wireless?[interface], to: &report)
        }
        return try report.measured()
    }

    private mutating func add(
        _ interface: String, in place: String, signal: Double?, to report: inout ChannelReport
    ) {
        let folder = "\(place)/\(interface)"
        report.add("state") { () throws(SensorError) in Measurement(.text(try KernelFile.text("\(folder)/operstate"))) }
        report.add("carrier") { () throws(SensorError) in
            // The kernel refuses to answer (EINVAL) for an interface that is switched off.
            let isOff = try KernelFile.text("\(folder)/operstate") == "down"
            let carrier =
                isOff ? (try? KernelFile.number("\(folder)/carrier")) ?? 0 : try KernelFile.number("\(folder)/carrier")
            return Measurement(.boolean(carrier != 0))
        }
        // Nobody knows the speed of a wireless interface (EINVAL), or without a carrier (-1).
        if let speed = try? KernelFile.number("\(folder)/speed"), speed > 0 {
            report.add("speed") { () throws(SensorError) in Measurement(.number(speed), unit: "Mbit/s") }
        }
        if let signal {
            report.add("signal") { () throws(SensorError) in Measurement(.number(signal), unit: "dBm") }
        }
        // An interface that was plugged in again is another one, whatever its counters say.
        let index = (try? KernelFile.text("\(folder)/ifindex")) ?? ""
        for (name, (counter, unit)) in Self.rates {
            report.add(name) { () throws(SensorError) in
                let count = try KernelFile.number("\(folder)/statistics/\(counter)")
                return meter.rate(of: "\(interface).\(index).\(counter)", count).map {
                    Measurement(.number($0), unit: unit)
                }
            }
        }
    }

    /// Those that have a device behind them.
    static func physical(in place: String) -> [String] {
        ((try? KernelFolder.names(in: place)) ?? []).filter {
            !KernelFolder.linkComponents("\(place)/\($0)/device").isEmpty
        }
    }
}
