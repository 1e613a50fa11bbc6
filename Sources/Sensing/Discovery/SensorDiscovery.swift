/// Finds what a board has that the drivers can read.
///
///     for sensor in await SensorDiscovery().run() {
///         print(sensor.candidate.name, sensor.readings, sensor.candidate.summary)
///     }
///
/// Each kind of hardware has its own finder, which looks and does not measure; every candidate is then read once, by the
/// driver and with the options that a configuration would name. So what is shown is what an agent would get.
public struct SensorDiscovery: Sendable {
    private let finders: [any SensorFinder]
    private let registry: DriverRegistry
    private let root: String
    private let timeout: Duration
    /// More than a board has; a bound all the same.
    private static let limit = 256

    /// - Parameters:
    ///   - finders: in whose order the sensors come.
    ///   - registry: the drivers that read them.
    ///   - root: the folder that holds `sys` and `proc`.
    ///   - timeout: what is silent for longer is found, but without a reading.
    public init(
        finders: [any SensorFinder] = SensorDiscovery.builtIn, registry: DriverRegistry = .builtIn, root: String = "/",
        timeout: Duration = .seconds(2)
    ) {
        self.finders = finders
        self.registry = registry
        self.root = root
        self.timeout = timeout
    }

    /// What the drivers of this library can read.
    public static var builtIn: [any SensorFinder] {
        [
            ThermalFinder(), HwmonFinder(), IIOFinder(), W1Finder(), PowerSupplyFinder(), RTCFinder(), DiskFinder(),
            NetFinder(), SystemFinder(), LEDFinder(), PWMFinder(),
        ]
    }

    /// Looks around, and reads each sensor once, all at the same time.
    public func run() async -> [FoundSensor] {
        var names: Set<String> = []
        var found: [(candidate: SensorCandidate, sensor: ConfiguredSensor)] = []
        let context = DriverContext(sensor: "", root: root)
        let pool = BlockingPool()
        for finder in finders {
            // A file that blocks costs its finder's sensors, not the others'.
            let candidates = (try? await pool.run(timeout: timeout) { finder.find(in: context) }) ?? []
            for var candidate in candidates {
                guard found.count < Self.limit else { break }
                candidate.name = Self.unique(candidate.name, among: &names)
                if let sensor = candidate.configured(registry, root: root, timeout: timeout) {
                    found.append((candidate, sensor))
                }
            }
        }
        let results = await SensorRunner(found.map(\.sensor)).readOnce()
        return zip(found, results).map {
            FoundSensor(candidate: $0.candidate, readings: $1.readings, error: $1.error)
        }
    }

    private static func unique(_ name: String, among names: inout Set<String>) -> String {
        var number = 1
        var unique = name
        while !names.insert(unique).inserted {
            number += 1
            unique = "\(name)-\(number)"
        }
        return unique
    }
}

/// A sensor of this board, and what it says at present.
public struct FoundSensor: Sendable, Hashable {
    public var candidate: SensorCandidate
    /// A reading for each channel that has one.
    public var readings: [Reading]
    /// Why there is none, or not for all channels.
    public var error: SensorError?

    public init(candidate: SensorCandidate, readings: [Reading] = [], error: SensorError? = nil) {
        self.candidate = candidate
        self.readings = readings
        self.error = error
    }
}

/// Knows one kind of sensors, and where the kernel shows them.
///
/// What cannot be looked at is not there: a finder does not fail.
public protocol SensorFinder: Sendable {
    /// What there is, in an order that does not change from start to start where the hardware does not.
    ///
    /// - Parameter context: where to look.
    func find(in context: DriverContext) -> [SensorCandidate]
}
