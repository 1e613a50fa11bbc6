internal import Sensing
internal import Units

// How values are kept over a restart. Whatever is read back may be anything.

extension JSON {
    init(_ time: Timestamp) { self = .integer(time.milliseconds) }

    var time: Timestamp? { number.flatMap { Int64(exactly: $0) }.map(Timestamp.init(milliseconds:)) }
    var finite: Double? { number.flatMap { $0.isFinite ? $0 : nil } }
    var count: Int? { number.flatMap { Int(exactly: $0) }.flatMap { $0 >= 0 ? $0 : nil } }

    /// Members without a value are left out; nil if none is left.
    static func members(_ members: KeyValuePairs<String, JSON?>) -> JSON? {
        let present = members.compactMap { name, value in value.map { Member(name, $0) } }
        return present.isEmpty ? nil : .object(present)
    }
}

extension Reading.Value {
    /// Nil for a text that is too long to be kept.
    var stored: JSON? {
        switch self {
        case .number(let number): .number(number)
        case .boolean(let boolean): .boolean(boolean)
        case .text(let text): text.utf8.count <= 1024 ? .string(text) : nil
        }
    }

    init?(_ stored: JSON?) {
        switch stored {
        case .boolean(let boolean)?: self = .boolean(boolean)
        case .string(let text)?: self = .text(text)
        case let other?:
            guard let number = other.finite else { return nil }
            self = .number(number)
        case nil: return nil
        }
    }
}

extension Quality {
    /// Nil for what is good.
    var stored: JSON? {
        let name = if case .undated = self { Self.undatedName } else { name }
        return reason.map { [.string(name), .string($0)] }
    }

    private static let undatedName = "undated"

    init(_ stored: JSON?) {
        let reason = stored?[1]?.string ?? ""
        switch stored?[0]?.string {
        case Quality.stale("").name: self = .stale(reason)
        case Quality.undatedName: self = .undated(reason)
        case Quality.outOfRange("").name: self = .outOfRange(reason)
        default: self = .good
        }
    }

    func isSameKind(as other: Quality) -> Bool {
        switch (self, other) {
        case (.good, .good), (.stale, .stale), (.undated, .undated), (.outOfRange, .outOfRange): true
        default: false
        }
    }
}

extension Reading {
    var stored: JSON? {
        guard let value = value.stored else { return nil }
        return .members([
            "value": value, "unit": unit.map(JSON.string), "time": JSON(time), "quality": quality.stored,
        ])
    }

    init?(_ stored: JSON?, sensor: String, channel: String?) {
        guard let stored, let value = Value(stored["value"]), let time = stored["time"]?.time else { return nil }
        self.init(
            sensor: sensor, channel: channel, value: value, unit: stored["unit"]?.string, time: time,
            quality: Quality(stored["quality"]))
    }
}
