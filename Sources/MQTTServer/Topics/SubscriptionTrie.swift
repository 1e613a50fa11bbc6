internal import MQTTWire

/// Who has subscribed to what, found without walking through all: a tree with a level of the filters at each step, kept
/// in one array.
struct SubscriptionTrie: Sendable {
    struct Subscriber: Sendable {
        /// The session's place in the broker's table.
        var session: Int
        var qos: QoS
        var noLocal: Bool
        var retainAsPublished: Bool
        var identifier: UInt32?

        init(session: Int, _ stored: StoredSubscription) {
            self.session = session
            qos = stored.subscription.qos
            noLocal = stored.subscription.noLocal
            retainAsPublished = stored.subscription.retainAsPublished
            identifier = stored.identifier
        }
    }

    /// The members of a shared subscription at one filter, who take turns.
    struct Group: Sendable {
        let name: String
        var members: [Subscriber] = []
    }

    /// Where a group is.
    struct GroupPlace: Sendable, Hashable {
        var node: Int
        var name: String
    }

    private struct Node: Sendable {
        var parent: Int
        var level: TopicLevel
        var children: [TopicLevel: Int] = [:]
        var subscribers: [Subscriber] = []
        var groups: [Group] = []

        var isEmpty: Bool { children.isEmpty && subscribers.isEmpty && groups.isEmpty }
    }

    private var nodes = [Node(parent: -1, level: TopicLevel(bytes: []))]
    private var free: [Int] = []
    private(set) var count = 0
    /// How many of `count` are shared.
    private(set) var sharedCount = 0
    /// What it takes in memory, with what sessions keep of their subscriptions, roughly.
    private(set) var bytes = 0

    private static func weight(of node: Node) -> Int { 192 + node.level.bytes.count }
    private static func weight(of filter: TopicFilter) -> Int { 192 + filter.string.utf8.count }

    // MARK: Changing

    /// - Parameter isNew: the session has no subscription with this filter yet.
    mutating func insert(_ stored: StoredSubscription, session: Int, isNew: Bool) {
        let filter = stored.subscription.filter
        var node = 0
        for level in filter.matchedPart.topicLevels {
            if let child = nodes[node].children[level] {
                node = child
            } else {
                let child = add(Node(parent: node, level: level))
                nodes[node].children[level] = child
                node = child
            }
        }
        let subscriber = Subscriber(session: session, stored)
        if isNew {
            count += 1
            bytes += Self.weight(of: filter)
        }
        if let name = filter.shareName {
            if isNew { sharedCount += 1 }
            let place = nodes[node].groups.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
            if place == nil { nodes[node].groups.append(Group(name: name)) }
            nodes[node].groups[place ?? nodes[node].groups.endIndex - 1].members.put(subscriber, isNew: isNew)
        } else {
            nodes[node].subscribers.put(subscriber, isNew: isNew)
        }
    }

    mutating func remove(_ filter: TopicFilter, session: Int) {
        guard let node = find(filter) else { return }
        if let name = filter.shareName {
            guard let place = nodes[node].groups.firstIndex(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
                return
            }
            if nodes[node].groups[place].members.take(session) {
                count -= 1
                bytes -= Self.weight(of: filter)
                sharedCount -= 1
            }
            if nodes[node].groups[place].members.isEmpty { nodes[node].groups.remove(at: place) }
        } else if nodes[node].subscribers.take(session) {
            count -= 1
            bytes -= Self.weight(of: filter)
        }
        prune(node)
    }

    private func find(_ filter: TopicFilter) -> Int? {
        var node = 0
        for level in filter.matchedPart.topicLevels {
            guard let child = nodes[node].children[level] else { return nil }
            node = child
        }
        return node
    }

    private mutating func add(_ node: Node) -> Int {
        bytes += Self.weight(of: node)
        if let index = free.popLast() {
            nodes[index] = node
            return index
        }
        nodes.append(node)
        return nodes.endIndex - 1
    }

    private mutating func prune(_ last: Int) {
        var node = last
        while node > 0, nodes[node].isEmpty {
            let parent = nodes[node].parent
            bytes -= Self.weight(of: nodes[node])
            nodes[parent].children[nodes[node].level] = nil
            free.append(node)
            node = parent
        }
        if count == 0 {
            nodes.removeSubrange(1...)
            free = []
        }
    }

    // MARK: Matching

    struct Match: Sendable {
        var subscribers: [Subscriber] = []
        var groups: [GroupPlace] = []
    }

    func match(_ topic: TopicName) -> Match {
        var match = Match()
        let levels = topic.string.topicLevels
        // How many nodes are looked at is bounded by what exists, however the wildcards branch: a node is reached by one
        // way only.
        var open: [(node: Int, depth: Int)] = [(0, 0)]
        while let (node, depth) = open.popLast() {
            let children = nodes[node].children
            if children.isEmpty, depth < levels.count { continue }
            // Wildcards at the first level pass by what begins with $ ([MQTT-4.7.2-1]).
            let takesWildcards = depth > 0 || !topic.isReserved
            if takesWildcards, let rest = children[.anyRest] { collect(rest, into: &match) }
            if depth == levels.count {
                collect(node, into: &match)
                continue
            }
            if let child = children[levels[depth]] { open.append((child, depth + 1)) }
            if takesWildcards, let child = children[.anyLevel] { open.append((child, depth + 1)) }
        }
        return match
    }

    private func collect(_ node: Int, into match: inout Match) {
        match.subscribers += nodes[node].subscribers
        for group in nodes[node].groups { match.groups.append(GroupPlace(node: node, name: group.name)) }
    }

    func members(of place: GroupPlace) -> [Subscriber] {
        nodes[place.node].groups.first { $0.name.utf8.elementsEqual(place.name.utf8) }?.members ?? []
    }
}

extension [SubscriptionTrie.Subscriber] {
    fileprivate mutating func put(_ subscriber: Element, isNew: Bool) {
        if !isNew, let index = firstIndex(where: { $0.session == subscriber.session }) {
            self[index] = subscriber
        } else {
            append(subscriber)
        }
    }

    fileprivate mutating func take(_ session: Int) -> Bool {
        guard let index = firstIndex(where: { $0.session == session }) else { return false }
        remove(at: index)
        return true
    }
}
