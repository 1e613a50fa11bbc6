public import Settings

/// A sensor that seems to be there: what a configuration would have to say to read it.
public struct SensorCandidate: Sendable, Hashable {
    /// Fit for topics; unique among those of one discovery.
    public var name: String
    /// Which of the ``DriverRegistry/builtIn`` drivers reads it.
    public var driver: String
    /// The driver's options, in the order in which they should be written.
    public var options: [Option]
    /// What it is, for somebody who has to choose: "thermal zone cpu-thermal".
    public var summary: String
    /// What it is for: to be set. Its state is worth a sensor only to somebody who wants that.
    public var isOutput = false
    /// Whether it tells of changes by itself, and need not be read every so often.
    public var speaksForItself = false

    public struct Option: Sendable, Hashable {
        public var key: String
        public var value: Value.Kind

        public init(_ key: String, _ value: Value.Kind) {
            self.key = key
            self.value = value
        }
    }

    /// - Parameter name: any text; what topics and shells do not like becomes "-".
    public init(name: String, driver: String, options: [Option], summary: String) {
        self.name = Self.level(name)
        self.driver = driver
        self.options = options
        self.summary = summary
    }

    private static func level(_ text: String) -> String {
        let bytes = text.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
                byte
            default: UInt8(ascii: "-")
            }
        }
        let words = bytes.split { $0 == UInt8(ascii: "-") }
        let name = String(decoding: Array(words.joined(separator: [UInt8(ascii: "-")])).prefix(64), as: UTF8.self)
        return name.isEmpty ? "sensor" : name
    }

    /// The driver, as a configuration with these options makes it.
    func configured(_ registry: DriverRegistry, root: String, timeout: Duration) -> ConfiguredSensor? {
        let place = SourcePosition(line: 1, column: 1)
        let entries = ([Option("driver", .string(driver))] + options).map {
            Table.Entry(key: $0.key, keyPosition: place, value: Value($0.value, at: place))
        }
        let settings = SettingsReader(Table(entries), keyPath: name, position: place, problems: Problems())
        let driver = registry.driver(settings, context: DriverContext(sensor: name, root: root))
        settings.finish()
        guard let driver, settings.problems.errors.isEmpty else { return nil }
        return ConfiguredSensor(name: name, every: .seconds(10), timeout: timeout, driver: driver)
    }
}
