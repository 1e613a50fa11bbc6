public import Settings
public import Units

/// A kind of sensor: reads its options once, then measures whenever it is asked.
///
/// A driver is a value; what it keeps between reads is its own. Making one does no input or output, so that a
/// configuration can be checked on another machine and a device that is missing at start is an error of the first
/// read, not of the start.
///
///     struct LoadDriver: SensorDriver {
///         static let name = "load"
///         private let path: String
///         private let perCore: Double
///
///         init?(_ settings: SettingsReader, context: DriverContext) {
///             perCore = settings.number("cores", in: 1...1024) ?? 1
///             path = context.path("/proc/loadavg")
///         }
///
///         mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
///             guard let load = try readLoad(path) else {
///                 throw SensorError(.malformed, path, "does not begin with a number")
///             }
///             return [Measurement(.number(load / perCore))]
///         }
///     }
///
///     var registry = DriverRegistry.builtIn
///     registry.register(LoadDriver.self)
public protocol SensorDriver: Sendable {
    /// What a configuration calls the driver: `driver = "…"`.
    static var name: String { get }

    /// Reads the driver's options, which stand in the sensor's table beside `name`, `driver`, `every` and `timeout`.
    ///
    /// Everything wrong with them goes to `settings` as a problem, all at once; nil says that without a mend there is
    /// no driver. The caller uses no driver of a configuration with problems, so after a problem an initializer may as
    /// well go on with a default. It does not finish `settings`; its owner does, which refuses unknown options.
    init?(_ settings: SettingsReader, context: DriverContext)

    /// Measures now.
    ///
    /// Called on a thread that may block, never while another read of the same driver is under way. A read that takes
    /// longer than the sensor's timeout is reported as failed and its values are dropped, but it is not interrupted:
    /// the next one follows when it has returned. Every channel gives at most one measurement.
    ///
    /// See ``EventDriver`` for devices that speak for themselves, and ``OutputDriver`` for those that can be set.
    /// - Parameter now: the time to count with; measurements without a time of their own get it.
    /// - Throws: why there is no value. If some channels have one, ``SensorError/measured`` holds these.
    mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement]

    /// The sensor is no longer needed: it is the last call. What runs is ended, outputs are made safe.
    ///
    /// Without one of its own, an ``OutputDriver`` makes its output safe, and others do nothing.
    mutating func stop(at now: Timestamp)
}

extension SensorDriver {
    public mutating func stop(at now: Timestamp) {}
}

extension OutputDriver {
    public mutating func stop(at now: Timestamp) { try? makeSafe(at: now) }
}
