internal import MQTTWire

/// The lines of one section of an ACL file, ready to be asked.
struct AccessRuleSet: Sendable {
    /// Topics without wildcards: a look-up, however many there are.
    private var topics: [TopicName: Access] = [:]
    private var denied: [TopicFilter] = []
    private var granted: [(filter: TopicFilter, access: Access)] = []

    /// A filter behind `$share` is none that a topic could match: the caller keeps it out.
    mutating func add(_ filter: TopicFilter, _ access: Access) {
        if let name = filter.onlyName {
            topics[name, default: []].formUnion(access)
        } else if access.contains(.denied) {
            denied.append(filter)
        } else {
            granted.append((filter, access))
        }
    }

    /// What the section says of a topic: what it denies comes before what it grants. Nil if it says nothing.
    func verdict(_ name: TopicName, _ access: Access) -> Bool? {
        let exact = topics.isEmpty ? [] : topics[name, default: []]
        if exact.contains(.denied) { return false }
        for filter in denied where filter.matches(name) { return false }
        if exact.contains(access) { return true }
        for rule in granted where rule.access.contains(access) && rule.filter.matches(name) { return true }
        return nil
    }

    /// Whether it denies all that a filter matches. It may do so although this says no: the lines are looked at one
    /// by one.
    func denies(allOf filter: TopicFilter) -> Bool { denied.contains { $0.covers(filter) } }

    /// Whether it lets a message be read that a filter matches, and no section of `others` denies it. It may not
    /// although this says yes, see ``denies(allOf:)``.
    func grantsReading(someOf filter: TopicFilter, others: [AccessRuleSet] = []) -> Bool {
        let sections = others + [self]
        if sections.contains(where: { $0.denies(allOf: filter) }) { return false }
        let isTopicGranted = topics.contains { name, access in
            access.contains(.read) && filter.matches(name)
                && !sections.contains { $0.verdict(name, .read) == false }
        }
        return isTopicGranted
            || granted.contains { rule in
                rule.access.contains(.read) && rule.filter.overlaps(filter)
                    && !sections.contains { $0.denies(allOf: rule.filter) }
            }
    }
}
