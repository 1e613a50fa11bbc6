internal import MQTTWire
internal import NIOCore

/// The retained messages, one for each topic (5.0 §3.3.1.3), as a tree of topic levels in one array, so that filters
/// with wildcards need not be compared with every topic.
struct RetainedMessages: Sendable {
    struct Entry: Sendable {
        let message: RoutedMessage
        /// Its number in the store; 0: it is not stored.
        let stored: Int64
        /// A value of `$SYS` that the server keeps up to date itself.
        var isStatus = false
    }

    private struct Node: Sendable {
        var parent: Int
        var level: TopicLevel
        var children: [TopicLevel: Int] = [:]
        var entry: Entry?

        var isEmpty: Bool { children.isEmpty && entry == nil }
    }

    private var nodes = [Node(parent: -1, level: TopicLevel(bytes: []))]
    private var free: [Int] = []
    private(set) var count = 0
    private(set) var bytes = 0
    /// Those of them that are the server's own values.
    private(set) var statusCount = 0
    private var statusBytes = 0
    /// When the first of them expires, or sooner; nil: none does.
    private(set) var nextExpiry: NIODeadline?

    /// What limits concern: all but the server's own values.
    var limited: (count: Int, bytes: Int) { (count - statusCount, bytes - statusBytes) }

    subscript(topic: TopicName) -> Entry? {
        guard count > 0 else { return nil }
        var node = 0
        for level in topic.string.topicLevels {
            guard let child = nodes[node].children[level] else { return nil }
            node = child
        }
        return nodes[node].entry
    }

    /// - Returns: what was there before.
    @discardableResult
    mutating func set(_ entry: Entry, for topic: TopicName) -> Entry? {
        var node = 0
        for level in topic.string.topicLevels {
            if let child = nodes[node].children[level] {
                node = child
            } else {
                let child = add(Node(parent: node, level: level))
                nodes[node].children[level] = child
                node = child
            }
        }
        let old = nodes[node].entry
        nodes[node].entry = entry
        if let deadline = entry.message.deadline { nextExpiry = min(nextExpiry ?? deadline, deadline) }
        count(entry, 1)
        if let old { count(old, -1) }
        return old
    }

    private mutating func count(_ entry: Entry, _ sign: Int) {
        count += sign
        bytes += sign * entry.message.size
        guard entry.isStatus else { return }
        statusCount += sign
        statusBytes += sign * entry.message.size
    }

    @discardableResult
    mutating func remove(_ topic: TopicName) -> Entry? {
        guard count > 0 else { return nil }
        var node = 0
        for level in topic.string.topicLevels {
            guard let child = nodes[node].children[level] else { return nil }
            node = child
        }
        guard let old = nodes[node].entry else { return nil }
        nodes[node].entry = nil
        count(old, -1)
        while node > 0, nodes[node].isEmpty {
            let parent = nodes[node].parent
            nodes[parent].children[nodes[node].level] = nil
            free.append(node)
            node = parent
        }
        if count == 0 {
            nodes.removeSubrange(1...)
            free = []
        }
        return old
    }

    /// Finds out anew when the first expires.
    mutating func mindExpiry() { nextExpiry = nodes.lazy.compactMap { $0.entry?.message.deadline }.min() }

    /// Those that a subscription with this filter gets.
    func matching(_ filter: TopicFilter) -> [Entry] {
        var found: [Entry] = []
        guard count > 0 else { return found }
        let levels = filter.matchedPart.topicLevels
        var open: [(node: Int, depth: Int)] = [(0, 0)]
        while let (node, depth) = open.popLast() {
            guard depth < levels.count else {
                if let entry = nodes[node].entry { found.append(entry) }
                continue
            }
            switch levels[depth] {
            case .anyRest:
                // `a/#` takes in `a` itself.
                collect(below: node, withNode: depth > 0, into: &found)
            case .anyLevel:
                for (level, child) in nodes[node].children where depth > 0 || !level.isReserved {
                    open.append((child, depth + 1))
                }
            case let level:
                if let child = nodes[node].children[level] { open.append((child, depth + 1)) }
            }
        }
        return found
    }

    var all: [Entry] { nodes.compactMap(\.entry) }

    private func collect(below top: Int, withNode: Bool, into found: inout [Entry]) {
        if withNode, let entry = nodes[top].entry { found.append(entry) }
        var open: [Int] = []
        for (level, child) in nodes[top].children where top > 0 || !level.isReserved { open.append(child) }
        while let node = open.popLast() {
            if let entry = nodes[node].entry { found.append(entry) }
            open += nodes[node].children.values
        }
    }

    private mutating func add(_ node: Node) -> Int {
        if let index = free.popLast() {
            nodes[index] = node
            return index
        }
        nodes.append(node)
        return nodes.endIndex - 1
    }
}

extension TopicLevel {
    /// The server's own topics ([MQTT-4.7.2-1]).
    fileprivate var isReserved: Bool { bytes.first == UInt8(ascii: "$") }
}
