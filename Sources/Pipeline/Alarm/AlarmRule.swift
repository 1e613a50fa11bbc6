internal import Sensing
public import Settings
internal import Units

/// When an alarm is raised, and when it is clear again: one `[[alarm]]` of a configuration.
///
///     [[alarm]]
///     name = "full"
///     sensor = "fill"
///     channel = "left"        # of a sensor with several values; without: raised while any of them fulfils it
///     raise_above = 85        # raised above this …
///     clear_below = 20        # … clear below that; without: no longer above 85
///     for = "1m"              # so long it must hold before it is raised
///     clear_for = "30s"       # so long it must be over before it is clear
///     severity = "serious"    # info, warning (if not said), serious or critical
///     latch = true            # stays raised until it is acknowledged, also when it is over
///     repeat = "1h"           # is reported again while nobody acknowledges it
///     message = "Please empty the bin"
///
/// In place of `raise_above`, or beside it: `raise_below` and `clear_above`. For what is no measure: `equals`, which a
/// boolean, a text or a number is compared with. `on_failure = true`, alone or beside these, raises it when the sensor
/// has no value.
///
/// A value that is not plausible neither raises nor clears. One that is stale is none, and so fulfils `on_failure`; one that
/// a broker had retained before it was asked neither raises nor clears, by a threshold or otherwise.
///
/// An alarm whose sensor, channel or condition was changed is another one: it begins anew, and is cleared if it was raised.
public struct AlarmRule: Sendable, Hashable {
    public var name: String
    public var sensor: String
    /// Nil: any of the sensor's values, each by itself.
    public var channel: String?
    public var condition: AlarmCondition
    /// How long the condition must hold before the alarm is raised; 0 s and up.
    public var raiseDelay: Duration
    /// How long the condition must be over before the alarm is clear; 0 s and up.
    public var clearDelay: Duration
    public var severity: AlarmSeverity
    /// Whether it stays raised until it is acknowledged, also when its condition is over.
    public var isLatched: Bool
    /// How often it is reported again while it is raised and not acknowledged; 1 s and up, nil: never.
    public var repeatInterval: Duration?
    /// What its owner wants to be told by it.
    public var message: String?

    public init(
        name: String, sensor: String, channel: String? = nil, condition: AlarmCondition, raiseDelay: Duration = .zero,
        clearDelay: Duration = .zero, severity: AlarmSeverity = .warning, isLatched: Bool = false,
        repeatInterval: Duration? = nil, message: String? = nil
    ) {
        self.name = name
        self.sensor = sensor
        self.channel = channel
        self.condition = condition
        self.raiseDelay = raiseDelay
        self.clearDelay = clearDelay
        self.severity = severity
        self.isLatched = isLatched
        self.repeatInterval = repeatInterval
        self.message = message
    }

    /// Reads an `[[alarm]]`; nil if its name, its sensor or its condition is missing or wrong.
    public init?(_ settings: SettingsReader) {
        let name = settings.requiredString("name")
        if name == "" { settings.problem(at: "name", message: "is empty") }
        if let name, let bad = name.unicodeScalars.first(where: Self.isNoPartOfTopics) {
            settings.problem(
                at: "name", message: "\"\(name)\" holds \(bad.value < 0x20 ? "a control character" : "\"\(bad)\"")",
                mend: "it becomes a part of topics: use letters, digits, - and _")
        }
        let sensor = settings.requiredString("sensor")
        let channel = settings.string("channel")
        let condition = AlarmCondition(settings)
        let raiseDelay = settings.duration("for") ?? .zero
        let clearDelay = settings.duration("clear_for") ?? .zero
        let severity = settings.choice("severity", of: AlarmSeverity.self) ?? .warning
        let isLatched = settings.boolean("latch") ?? false
        let repeatInterval = settings.duration("repeat", in: .seconds(1)...)
        let message = settings.string("message")
        guard let name, !name.isEmpty, let sensor, let condition else { return nil }
        self.init(
            name: name, sensor: sensor, channel: channel, condition: condition, raiseDelay: raiseDelay,
            clearDelay: clearDelay, severity: severity, isLatched: isLatched, repeatInterval: repeatInterval,
            message: message)
    }
}

extension AlarmCondition {
    fileprivate init?(_ settings: SettingsReader) {
        let upper = Self.threshold(settings, "raise_above", "clear_below") { $0 <= $1 }
        let lower = Self.threshold(settings, "raise_below", "clear_above") { $0 >= $1 }
        let other = settings.scalar("equals").flatMap(Reading.Value.init)
        let includesFailure = settings.boolean("on_failure") ?? false
        if let upper, let lower, lower.clear >= upper.clear {
            let key = settings.has("clear_above") ? "clear_above" : "raise_below"
            settings.problem(
                at: key, message: "no value is both above it and below what clears the upper threshold",
                mend: "let a space between the two in which the alarm is clear")
        }
        let limits = ["raise_above", "raise_below"].first(where: settings.has)
        if let limits, settings.has("equals") {
            settings.problem(at: "equals", message: "stands beside \"\(limits)\"", mend: "make two alarms of it")
        }
        if limits == nil, !settings.has("equals"), !includesFailure {
            settings.problem(
                at: "raise_above", message: "has no condition",
                mend: "write raise_above, raise_below, equals or on_failure = true")
            return nil
        }
        if upper != nil || lower != nil {
            self.init(.outside(upper: upper, lower: lower), includesFailure: includesFailure)
        } else {
            self.init(other.map(Test.equal), includesFailure: includesFailure)
        }
    }

    /// - Parameter isOrdered: whether the alarm can be clear where the second number says, given the first.
    private static func threshold(
        _ settings: SettingsReader, _ raiseKey: String, _ clearKey: String, isOrdered: (Double, Double) -> Bool
    ) -> Threshold? {
        let raise = settings.number(raiseKey)
        let clear = settings.number(clearKey)
        if settings.has(clearKey), !settings.has(raiseKey) {
            settings.problem(at: clearKey, message: "has no \(raiseKey) to end", mend: "write \(raiseKey) too")
        }
        if let raise, let clear, !isOrdered(clear, raise) {
            settings.problem(
                at: clearKey, message: "lies where \(raiseKey) raises the alarm",
                mend: "write a number \(clearKey == "clear_below" ? "up to" : "from") \(JSON.text(of: raise))")
        }
        return raise.map { Threshold(raise: $0, clear: clear) }
    }
}

extension Reading.Value {
    fileprivate init?(_ kind: Value.Kind) {
        switch kind {
        case .boolean(let value): self = .boolean(value)
        case .number(let value): self = .number(value)
        case .string(let value): self = .text(value)
        case .integer, .array, .table, .date: return nil
        }
    }
}

extension AlarmRule {
    private static func isNoPartOfTopics(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "/" || scalar == "+" || scalar == "#" || scalar.properties.generalCategory == .control
    }

    /// Reads the tables under `[[alarm]]`.
    ///
    /// - Parameter sensors: the names of those that there are.
    public static func read(_ root: SettingsReader, sensors: [String]) -> [AlarmRule] {
        var owners: [String: String] = [:]
        return root.tables("alarm").compactMap { settings in
            let rule = AlarmRule(settings)
            if let name = settings.string("name") {
                if let owner = owners[name] {
                    settings.problem(
                        at: "name", message: "\"\(name)\" is the name of \(owner) too", mend: "give each alarm its own")
                }
                owners[name] = owners[name] ?? settings.keyPath
            }
            if let sensor = settings.string("sensor"), !sensors.contains(sensor) {
                settings.problem(
                    at: "sensor", message: "there is no sensor \"\(sensor)\"",
                    mend: sensors.nearest(to: sensor).map { "did you mean \"\($0)\"?" } ?? "name one under [[sensor]]")
            }
            return rule
        }
    }
}
