public import Settings
public import Units

/// What a configuration says of dispatch: `[dispatch]`, and a `[[place]]` for each device that does not tell its own.
///
///     [dispatch]
///     path = "dispatch.db"          # where the tasks are kept
///     prefix = "fieldpost"          # of all topics
///     answer_within = "5m"          # then the next one is asked; half of it if serious, a quarter if critical
///     escalate_after = 3            # so many are asked one by one; then the supervisors, then everybody on duty
///     supervisors = ["anna"]        # workers too, and not asked before
///     retry_after = "10m"           # when nobody was there, or would: all are asked anew
///     clear_within = "30m"          # who says that it is done has so long until the device must see it
///     capacity = 4                  # tasks that a worker has at most
///     task_distance = "500m"        # what each of them counts
///     unknown_distance = "5km"      # how far a worker is whose position is not known …
///     max_position_age = "15m"      # … or older than this
///     max_silence = "2h"            # who is not heard of for so long is off duty
///     max_tasks = 1000
///     max_workers = 1000
///
///     [[place]]
///     device = "bin-0427"
///     latitude = 31.7036
///     longitude = 119.9372
public struct DispatchSettings: Sendable, Hashable {
    /// Nil: the program's own place for it.
    public var path: String?
    public var topics = DispatchTopics()
    public var rule = DispatchRule()
    public var answerWithin = Duration.seconds(300)
    public var escalateAfter = 3
    public var supervisors: Set<String> = []
    public var retryAfter = Duration.seconds(600)
    public var clearWithin = Duration.seconds(1800)
    /// How long what became of a task stays to be read, before its retained message is taken away.
    public var farewell = Duration.seconds(3600)
    public var maximumTasks = 1000
    public var maximumWorkers = 1000
    /// By device.
    public var places: [String: Position] = [:]

    public init() {}

    /// Reads a configuration's root; nil if something in it is wrong.
    public init?(_ root: SettingsReader) {
        let errors = root.problems.errors.count
        if let settings = root.table("dispatch") { read(settings) }
        for place in root.tables("place") { read(place: place) }
        guard root.problems.errors.count == errors else { return nil }
    }

    private mutating func read(_ settings: SettingsReader) {
        path = settings.path("path")
        topics = settings.parsed("prefix", DispatchTopics.init(prefix:)) ?? topics
        let times = Duration.seconds(1)...Duration.seconds(365 * 86400)
        answerWithin = settings.duration("answer_within", in: times) ?? answerWithin
        retryAfter = settings.duration("retry_after", in: times) ?? retryAfter
        clearWithin = settings.duration("clear_within", in: times) ?? clearWithin
        escalateAfter = settings.integer("escalate_after", in: 0...1000) ?? escalateAfter
        supervisors = Set(settings.strings("supervisors") ?? [])
        rule.capacity = settings.integer("capacity", in: 1...1000) ?? rule.capacity
        rule.taskDistance = settings.parsed("task_distance", Self.metres) ?? rule.taskDistance
        rule.unknownDistance = settings.parsed("unknown_distance", Self.metres) ?? rule.unknownDistance
        rule.maximumPositionAge = settings.duration("max_position_age", in: times) ?? rule.maximumPositionAge
        rule.maximumSilence = settings.duration("max_silence", in: times) ?? rule.maximumSilence
        maximumTasks = settings.integer("max_tasks", in: 1...100_000) ?? maximumTasks
        maximumWorkers = settings.integer("max_workers", in: 1...100_000) ?? maximumWorkers
    }

    private mutating func read(place: SettingsReader) {
        let device = place.requiredString("device")
        place.require("latitude", mend: "write degrees north, as in 31.7036")
        place.require("longitude", mend: "write degrees east, as in 119.9372")
        let latitude = place.number("latitude", in: -90...90)
        let longitude = place.number("longitude", in: -180...180)
        guard let device, let latitude, let longitude else { return }
        if places.updateValue(Position(latitude: latitude, longitude: longitude), forKey: device) != nil {
            place.problem(at: "device", message: "\"\(device)\" has a place already", mend: "keep one of them")
        }
    }

    /// Reads a distance such as "500m" or "1.5km".
    private static func metres(_ text: String) throws(InvalidText) -> Double {
        let number = text.prefix { $0.isNumber || $0 == "." }
        let unit = text.dropFirst(number.count).drop { $0 == " " }
        guard let value = Double(number), value <= 1e6 else {
            throw InvalidText("\"\(text)\" is no distance", mend: #"write one like "500m" or "1.5km""#)
        }
        switch unit {
        case "m": return value
        case "km": return value * 1000
        case "": throw InvalidText("\"\(text)\" has no unit", mend: "write \"\(number)m\" or \"\(number)km\"")
        default: throw InvalidText("\"\(text)\" has the unknown unit \"\(unit)\"", mend: "known are m and km")
        }
    }
}
