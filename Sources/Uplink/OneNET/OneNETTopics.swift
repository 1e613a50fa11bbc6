internal import MQTTWire

/// The topics of one device, `$sys/{product}/{device}/…`.
struct OneNETTopics: Sendable, Hashable {
    let product: String
    let device: String
    private let prefix: String

    init(product: String, device: String) {
        self.product = product
        self.device = device
        prefix = "$sys/\(product)/\(device)/"
    }

    /// Of whom a topic is; nil for others.
    init?(of topic: String) {
        let levels = topic.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard levels.count == 4, levels[0] == "$sys" else { return nil }
        self.init(product: String(levels[1]), device: String(levels[2]))
    }

    /// What is behind the prefix; nil for the topics of others.
    func suffix(of topic: String) -> String? {
        topic.hasPrefix(prefix) ? String(topic.dropFirst(prefix.count)) : nil
    }

    func topic(_ suffix: String) throws(TopicError) -> TopicName { try TopicName(prefix + suffix) }
    func filter(_ suffix: String) throws(TopicError) -> TopicFilter { try TopicFilter(prefix + suffix) }

    static let propertyPost = "thing/property/post"
    static let eventPost = "thing/event/post"
    static let packPost = "thing/pack/post"
    static let historyPost = "thing/history/post"
    static let dataPost = "dp/post/json"
    /// What the platform answers by id.
    static let posts: Set<String> = [propertyPost, eventPost, packPost, historyPost, dataPost]
}
