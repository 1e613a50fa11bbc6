public import Settings
internal import Units

/// A sensor whose value follows from others'.
///
///     [[sensor]]
///     name = "fill"
///     expression = "100 * (0.92 - distance) / 0.92"
///     unit = "%"
///     max_age = "5m"
///
/// It is worked out whenever one of its inputs (of a sensor with several channels: the one that is meant) has a new value, has the time of the newest of them, and no value before
/// each has had one since the start. Where an input fails, it fails, and where an input's value is not good, its is not good either. It
/// may have any filter, and other sensors may be derived from it.
///
/// - `expression`: see ``Expression``.
/// - `unit`: default none.
/// - `max_age`: an input whose value is older counts as failed, and so does one that has said nothing for so long since
///   the start; at least 1 s; default: never.
public struct DerivedSensor: Sendable, Hashable {
    public var expression: Expression
    public var unit: String?
    public var maximumAge: Duration?

    public init(_ expression: Expression, unit: String? = nil, maximumAge: Duration? = nil) {
        self.expression = expression
        self.unit = unit
        self.maximumAge = maximumAge
    }

    /// Reads `expression`, `unit` and `max_age` of a `[[sensor]]` table without a driver. Nil after a problem.
    public init?(_ settings: SettingsReader) {
        settings.require("expression")
        let expression = settings.parsed("expression", Expression.init(parsing:))
        unit = settings.string("unit")
        maximumAge = settings.duration("max_age", in: .seconds(1) ... .seconds(366 * 86400))
        guard let expression else { return nil }
        self.expression = expression
    }
}

/// A sensor as the pipeline knows it.
public struct PipelineSensor: Sendable, Hashable {
    public var name: String
    public var filters: FilterSettings
    /// Nil for one with a driver.
    public var derived: DerivedSensor?
    /// Whether its values are how fast something changes.
    public var isRate: Bool { filters.rate != nil }

    public init(name: String, filters: FilterSettings = FilterSettings(), derived: DerivedSensor? = nil) {
        self.name = name
        self.filters = filters
        self.derived = derived
    }
}
