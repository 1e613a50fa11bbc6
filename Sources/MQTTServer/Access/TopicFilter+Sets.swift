internal import MQTTWire

/// Filters as sets of topic names. Of a shared subscription the filter behind the group counts.
extension TopicFilter {
    /// The only name that it matches; nil if it has wildcards.
    var onlyName: TopicName? { hasWildcards ? nil : try? TopicName(String(Substring(behindShare))) }

    fileprivate var behindShare: Substring.UTF8View {
        var rest = string[...].utf8
        if isShared {
            for _ in 0..<2 { rest = rest.drop { $0 != TopicLevels.separator }.dropFirst() }
        }
        return rest
    }

    /// Whether a topic may exist that both match.
    func overlaps(_ other: TopicFilter) -> Bool {
        var ours = TopicLevels(self), theirs = TopicLevels(other)
        // No wildcard in the first level stands for `$…` (5.0 §4.7.2).
        guard ours.areReserved == theirs.areReserved else { return false }
        while true {
            switch (ours.next(), theirs.next()) {
            case (.anyRest, _), (_, .anyRest), (nil, nil): return true
            case (nil, _), (_, nil): return false
            case (.name(let left), .name(let right)) where !left.elementsEqual(right): return false
            default: break
            }
        }
    }

    /// Whether it surely matches whatever the other one does; false for `+/#` and `#`, which are the same.
    func covers(_ other: TopicFilter) -> Bool {
        var ours = TopicLevels(self), theirs = TopicLevels(other)
        guard ours.areReserved == theirs.areReserved else { return false }
        while true {
            switch (ours.next(), theirs.next()) {
            case (.anyRest, _), (nil, nil): return true
            case (nil, _), (_, nil), (_, .anyRest): return false
            case (.name(let left), .name(let right)) where left.elementsEqual(right): break
            case (.name, _): return false
            case (.anyLevel, _): break
            }
        }
    }
}

/// The levels of a filter, one after the other.
private struct TopicLevels {
    enum Level {
        case name(Substring.UTF8View)
        case anyLevel
        case anyRest
    }

    /// Nil behind the last one.
    private var rest: Substring.UTF8View?

    init(_ filter: TopicFilter) {
        rest = filter.behindShare
    }

    var areReserved: Bool { rest?.first == UInt8(ascii: "$") }

    mutating func next() -> Level? {
        guard let rest else { return nil }
        let end = rest.firstIndex(of: Self.separator)
        self.rest = end.map { rest[rest.index(after: $0)...] }
        let level = rest[..<(end ?? rest.endIndex)]
        if level.elementsEqual("+".utf8) { return .anyLevel }
        if level.elementsEqual("#".utf8) { return .anyRest }
        return .name(level)
    }

    static let separator = UInt8(ascii: "/")
}
