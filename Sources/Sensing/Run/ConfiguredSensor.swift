public import Settings
import Units

/// A sensor as the configuration wants it.
public struct ConfiguredSensor: Sendable {
    public var name: String
    /// The time from one read to the next; nil: it speaks for itself, and is read at the start only.
    public var every: Duration?
    /// How long a read may take before it counts as stuck.
    public var timeout: Duration
    /// Over how much time the reads of many sensors and many boards are spread, that are due at once. Default: a tenth
    /// of `every`, a second at most.
    public var spread: Duration?
    public var driver: any SensorDriver

    public init(
        name: String, every: Duration?, timeout: Duration = .seconds(5), spread: Duration? = nil,
        driver: any SensorDriver
    ) {
        self.name = name
        self.every = every
        self.timeout = timeout
        self.spread = spread
        self.driver = driver
    }

    /// Reads a sensor's table: `name`, `driver`, `every` (10 ms to 30 days; default 10s, or never for a sensor that
    /// speaks for itself), `spread` (no more than `every`), `timeout` (10 ms to 5 minutes; default 5s), and the driver's
    /// options. Nil after a problem. Finishing `settings` is left to the caller, who may have options of its own there.
    public init?(
        _ settings: SettingsReader, registry: DriverRegistry = .builtIn, root: String = "/",
        log: @escaping @Sendable (_ sensor: String, _ line: String) -> Void = { _, _ in }
    ) {
        let name = settings.requiredString("name")
        if name == "" { settings.problem(at: "name", message: "is empty") }
        every = settings.duration("every", in: .milliseconds(10) ... .seconds(30 * 86400))
        timeout = settings.sensorTimeout
        spread = settings.duration("spread")
        let sensor = name ?? ""
        let context = DriverContext(sensor: sensor, root: root) { line in log(sensor, line) }
        let driver = registry.driver(settings, context: context)
        guard let name, let driver else { return nil }
        self.name = name
        self.driver = driver
        if every == nil, (driver as? any EventDriver)?.listens != true { every = .seconds(10) }
        guard let spread else { return }
        guard let every else {
            settings.problem(
                at: "spread", message: "there is nothing to spread: the sensor speaks for itself",
                mend: "leave it out, or say how often it is read besides: every = \"1m\"")
            return
        }
        if spread > every {
            settings.problem(
                at: "spread", message: "\(spread.compact) is longer than every (\(every.compact))",
                mend: "write a shorter one")
        }
    }

    /// How much later than the wall clock's round times the sensor is read: always the same on a board of this name.
    func phase(on board: String) -> Duration {
        guard let every else { return .zero }
        let spread = min(self.spread ?? min(every / 10, .seconds(1)), every)
        // FNV-1a (draft-eastlake-fnv), and a shuffle: its upper bits alone would be much the same for names that differ
        // in the last letter.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(board)/\(name)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash ^= hash >> 33
        hash &*= 0xff51_afd7_ed55_8ccd
        hash ^= hash >> 33
        return spread * (Double(hash >> 12) / Double(1 << 52))
    }
}
