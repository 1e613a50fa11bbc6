internal import MQTTWire
internal import NIOCore

/// How the topics of one rule, in one direction, are called on the other side: a prefix goes and another one comes.
struct TopicMap: Sendable, Hashable {
    /// What is subscribed to.
    let filters: [TopicFilter]
    private let prefix: String
    private let target: String
    private let targetFilters: [TopicFilter]

    /// - Parameters:
    ///   - topics: filters without a prefix.
    ///   - prefix: before them where messages come from.
    ///   - target: before them where messages go to.
    /// - Throws: for a filter that cannot be, on either side.
    init(_ topics: [String], from prefix: String, to target: String) throws(TopicError) {
        var filters: [TopicFilter] = []
        var targetFilters: [TopicFilter] = []
        for topic in topics {
            filters.append(try TopicFilter(prefix + topic))
            targetFilters.append(try TopicFilter(target + topic))
        }
        self.init(filters, prefix, target, targetFilters)
    }

    private init(_ filters: [TopicFilter], _ prefix: String, _ target: String, _ targetFilters: [TopicFilter]) {
        self.filters = filters
        self.prefix = prefix
        self.target = target
        self.targetFilters = targetFilters
    }

    /// The other direction.
    var reversed: TopicMap { TopicMap(targetFilters, target, prefix, filters) }

    func covers(_ topic: TopicName) -> Bool { rest(of: topic) != nil }

    /// - Returns: nil if the rule does not cover the topic.
    /// - Throws: when it gets too long on the other side, or nothing is left of it.
    func map(_ topic: TopicName) throws(TopicError) -> TopicName? {
        guard let rest = rest(of: topic) else { return nil }
        return try TopicName(target + rest)
    }

    /// What stands behind the prefix. `a/#` also takes in `a`, which does not have the prefix `a/`.
    private func rest(of topic: TopicName) -> String? {
        guard topic.string.utf8.starts(with: prefix.utf8), filters.contains(where: { $0.matches(topic) }) else {
            return nil
        }
        return String(Substring(topic.string.utf8.dropFirst(prefix.utf8.count)))
    }
}

extension TopicFilter {
    /// Whether some topic belongs to both.
    func overlaps(_ other: TopicFilter) -> Bool {
        var mine = string.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[...]
        var theirs = other.string.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[...]
        // Wildcards at the first level pass by what begins with $ (5.0 §4.7.2).
        for (left, right) in [(mine, theirs), (theirs, mine)] {
            if left.first?.first == UInt8(ascii: "$"), right.first?.isWildcard == true { return false }
        }
        while true {
            guard let left = mine.popFirst() else {
                return theirs.isEmpty || theirs.first?.elementsEqual("#".utf8) == true
            }
            if left.elementsEqual("#".utf8) { return true }
            guard let right = theirs.popFirst() else { return false }
            if right.elementsEqual("#".utf8) { return true }
            guard left.isWildcard || right.isWildcard || left.elementsEqual(right) else { return false }
        }
    }
}

extension Substring.UTF8View {
    fileprivate var isWildcard: Bool { elementsEqual("+".utf8) || elementsEqual("#".utf8) }
}
