public import Settings
import Units

/// A sensor as the configuration wants it.
public struct ConfiguredSensor: Sendable {
    public var name: String
    /// The time from one read to the next.
    public var every: Duration
    /// How long a read may take before it counts as stuck.
    public var timeout: Duration
    public var driver: any SensorDriver

    public init(
        name: String, every: Duration, timeout: Duration = .seconds(5), driver: any SensorDriver
    ) {
        self.name = name
        self.every = every
        self.timeout = timeout
        self.driver = driver
    }

    /// Reads a sensor's table: `name`, `driver`, `every` (10 ms to 30 days; default 10s), `timeout` (10 ms to 5
    /// minutes; default 5s), and the driver's options. Nil after a problem. Finishing `settings` is left to the caller,
    /// who may have options of its own there.
    public init?(_ settings: SettingsReader, registry: DriverRegistry = .builtIn, root: String = "/") {
        let name = settings.requiredString("name")
        if name == "" { settings.problem(at: "name", message: "is empty") }
        every = settings.duration("every", in: .milliseconds(10) ... .seconds(30 * 86400)) ?? .seconds(10)
        timeout = settings.duration("timeout", in: .milliseconds(10) ... .seconds(300)) ?? .seconds(5)
        let driver = registry.driver(settings, context: DriverContext(sensor: name ?? "", root: root))
        guard let name, let driver else { return nil }
        self.name = name
        self.driver = driver
    }
}
