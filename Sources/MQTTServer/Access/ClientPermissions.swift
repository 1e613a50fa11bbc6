public import MQTTWire

/// What one client may do: an ``AccessControlList`` with the client's names put in.
///
/// To ask costs a look-up, and a comparison for each line with a wildcard that concerns the client; nothing is
/// allocated.
public struct ClientPermissions: Sendable {
    /// All that clients may do where no ACL file says otherwise.
    public static let unrestricted = ClientPermissions(sections: nil)

    /// The user's section and the patterns; nil: everything.
    private let sections: (own: AccessRuleSet, patterns: AccessRuleSet)?

    private init(sections: (own: AccessRuleSet, patterns: AccessRuleSet)?) { self.sections = sections }

    init(own: AccessRuleSet, patterns: AccessRuleSet) { self.init(sections: (own, patterns)) }

    /// Whether the client may publish under a name. As with Mosquitto `$SYS…` is the server's, but for
    /// `$SYS/broker/connection/{name}/state`, where bridges say that they are there; and `$share…` is no topic.
    public func mayPublish(to topic: TopicName) -> Bool {
        if topic.isServersOwn || topic.isShare { return false }
        return allows(topic, .write)
    }

    /// Whether a message may be delivered to the client, be it published now or retained.
    public func mayReceive(_ topic: TopicName) -> Bool { !topic.isShare && allows(topic, .read) }

    /// False only when no message that the filter matches may ever be delivered, so that its subscription can be
    /// refused; Mosquitto grants it, and delivers nothing.
    ///
    /// It looks at the lines that deny one by one: a filter that only several of them together deny is let through.
    public func mayEverReceive(_ filter: TopicFilter) -> Bool {
        guard let sections else { return true }
        if let name = filter.onlyName { return mayReceive(name) }
        // What a user's own section grants, a pattern does not deny.
        return sections.own.grantsReading(someOf: filter)
            || sections.patterns.grantsReading(someOf: filter, others: [sections.own])
    }

    private func allows(_ topic: TopicName, _ access: Access) -> Bool {
        guard let sections else { return true }
        return sections.own.verdict(topic, access) ?? sections.patterns.verdict(topic, access) ?? false
    }
}

extension ClientPermissions: ClientPolicy {}

extension TopicName {
    fileprivate var isShare: Bool { isReserved && string.utf8.starts(with: "$share".utf8) }

    fileprivate var isServersOwn: Bool {
        isReserved && string.utf8.starts(with: "$SYS".utf8) && !isBridgeState
    }
}
