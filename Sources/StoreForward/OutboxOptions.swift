/// How an ``Outbox`` keeps what it is given.
public struct OutboxOptions: Sendable, Hashable {
    public enum Durability: String, Sendable, Hashable, CaseIterable {
        /// Every commit is synchronized: what was accepted survives a power cut.
        case strict
        /// The operating system writes when it likes: what was accepted survives the death of the agent, but a power
        /// cut may take the last seconds. Much less wear on flash; the file is whole either way.
        case relaxed
    }

    /// In which order messages of one priority go out when there is a backlog.
    public enum BacklogOrder: String, Sendable, Hashable, CaseIterable {
        /// As they were accepted: a reader sees each topic's messages in order.
        case first
        /// What is accepted after the connection was made goes ahead of what waited for it: a reader sees what is, at
        /// once, and what was, a little later. Each of the two is in order. At QoS 2 a message waits all the same for an
        /// older one with its packet identifier, so no more than 49,151 messages are overtaken.
        case last
    }

    public var durability: Durability
    public var backlogOrder = BacklogOrder.first
    /// A commit comes at the latest so long after the first message that waits for it; 0: at once.
    public var commitInterval: Duration
    /// A commit comes at the latest when so many messages wait for it; 1 and up.
    public var commitCount: Int
    /// Bytes that the queue may use in its file, from 65,536; nil: no limit. See ``Outbox`` for what lies around it.
    public var maximumSize: Int?
    /// Messages, from 1; nil: no limit.
    public var maximumRows: Int?
    /// How long a message may wait, above 0; nil: for ever.
    public var maximumAge: Duration?
    /// Bytes of topics and payloads that wait in memory while the disk fails, from 4,096.
    public var memoryLimit: Int

    public init(
        durability: Durability = .strict, commitInterval: Duration = .milliseconds(50), commitCount: Int = 256,
        maximumSize: Int? = 64 * 1024 * 1024, maximumRows: Int? = nil, maximumAge: Duration? = nil,
        memoryLimit: Int = 1024 * 1024
    ) {
        self.durability = durability
        self.commitInterval = commitInterval
        self.commitCount = commitCount
        self.maximumSize = maximumSize
        self.maximumRows = maximumRows
        self.maximumAge = maximumAge
        self.memoryLimit = memoryLimit
    }

    func validate() throws(OutboxError) {
        func check(_ condition: Bool, _ name: String, _ reason: String) throws(OutboxError) {
            if !condition { throw .invalidSetting(name: name, reason: reason) }
        }
        try check(commitInterval >= .zero, "commitInterval", "is negative; 0 is the least")
        try check(commitCount >= 1, "commitCount", "is \(commitCount); 1 is the least")
        try check(maximumSize ?? .max >= 65_536, "maximumSize", "is below 64 KiB, which is the least")
        try check(maximumRows ?? .max >= 1, "maximumRows", "is below 1; leave it out for no limit")
        try check(maximumAge ?? .seconds(1) > .zero, "maximumAge", "is not above 0; leave it out for no limit")
        try check(memoryLimit >= 4096, "memoryLimit", "is below 4096 bytes, which is the least")
    }
}
