internal import MQTT
internal import MQTTServer
internal import MQTTWire
internal import Settings
internal import Units

extension BridgeRule {
    /// The rules of a configuration, and what is wrong with them: each by itself, together, and with the brokers that
    /// they stand between.
    static func read(
        _ root: SettingsReader, device: String, server: BrokerConfiguration?, broker: AgentConfiguration.Broker
    ) -> [BridgeRule] {
        let tables = root.tables("bridge")
        let read = tables.map { ($0, BridgeRule($0, device: device, version: broker.version)) }
        guard !tables.isEmpty else { return [] }
        if server == nil {
            root.problem(
                at: "bridge", message: "there is no broker inside the agent to carry from, or to",
                mend: "write [server], which may be empty")
        }
        if broker.servers.isEmpty, !root.has("broker") {
            root.problem(
                at: "bridge", message: "there is no other broker to carry to, or from",
                mend: #"write [broker], and under it servers = ["mqtt://host:1883"]"#)
        }
        guard let server else { return [] }
        if let own = broker.servers.first(where: { server.server.listeners.contains(where: $0.isServed) }) {
            root.problem(
                at: "bridge",
                message:
                    "goes round in circles: the broker at port \(own.port) of \(own.host) is the one inside the agent",
                mend: "name the far one in servers, under [broker]")
        }
        if server.server.persistence == nil, read.contains(where: { $1.goesOut && $1.qos > .atMostOnce }) {
            root.warning(
                at: "bridge",
                message:
                    "the broker inside keeps nothing on disk: what it has acknowledged can be lost on its way to the queue",
                mend: #"write store = { path = "broker.db" } under [server]"#)
        }
        checkDoubles(read)
        return read.map(\.1)
    }

    /// A broker may give a message to a client once for each of its subscriptions that match.
    private static func checkDoubles(_ rules: [(settings: SettingsReader, rule: BridgeRule)]) {
        let coming = rules.filter { $0.rule.comesIn }
        for (index, later) in coming.enumerated() {
            for earlier in coming[..<index] {
                guard let one = later.rule.inward?.filters, let other = earlier.rule.inward?.filters,
                    let double = one.first(where: { filter in other.contains(where: filter.overlaps) })
                else { continue }
                later.settings.warning(
                    at: "topics",
                    message: "what \(double) brings in comes by \(earlier.settings.keyPath) too, and may come twice",
                    mend: "let only one rule bring it in")
            }
        }
    }

    private init(_ settings: SettingsReader, device: String, version: ProtocolVersion?) {
        self.init(topics: [])
        direction = settings.choice("direction", of: Direction.self) ?? direction
        let fill = { (text: String) throws(InvalidText) in try Self.fill(text, device: device) }
        localPrefix = settings.parsed("local_prefix", fill) ?? localPrefix
        remotePrefix = settings.parsed("remote_prefix", fill) ?? remotePrefix
        qos = settings.qos() ?? qos
        retain = settings.boolean("retain") ?? retain
        priority = settings.priority() ?? priority
        expiry = settings.duration("expiry", in: .seconds(1)...)
        stamp = settings.choice("stamp", of: Stamp.self) ?? stamp
        settings.require("topics", mend: #"write topics = ["sensors/#"]"#)
        let rule = self
        if let topics = settings.parsedAll(
            "topics",
            { text throws(InvalidText) in
                let topic = try fill(text)
                try rule.check(topic)
                return topic
            })
        {
            self.topics = topics
            if topics.isEmpty {
                settings.problem(at: "topics", message: "is empty", mend: #"write topics = ["sensors/#"]"#)
            }
        }
        lookCloser(settings, version)
    }

    /// What can be, and hardly is meant.
    private func lookCloser(_ settings: SettingsReader, _ version: ProtocolVersion?) {
        for (key, prefix) in [("local_prefix", localPrefix), ("remote_prefix", remotePrefix)]
        where !prefix.isEmpty && prefix.last != "/" && topics.contains(where: { !$0.isEmpty && $0.first != "/" }) {
            settings.warning(
                at: key, message: "\"\(prefix)\" and the topic behind it make one level", mend: "write \"\(prefix)/\"")
        }
        if !goesOut {
            for key in ["priority", "stamp"] where settings.has(key) {
                settings.warning(at: key, message: "only counts for what goes out", mend: "leave it out")
            }
        } else if version == .v3_1_1, stamp == .property, settings.has("stamp") {
            settings.warning(
                at: "stamp", message: "version 3.1.1 has no user properties", mend: #"write "payload" or "none""#)
        }
    }

    private static func fill(_ text: String, device: String) throws(InvalidText) -> String {
        var filled = ""
        var rest = text[...]
        while let (before, behind) = rest.split(at: "{") {
            guard let (name, after) = behind.split(at: "}") else { break }
            guard name == "device" else {
                throw InvalidText("\"\(text)\" has the unknown placeholder {\(name)}", mend: "possible here: {device}")
            }
            filled += before + device
            rest = after
        }
        return filled + rest
    }

    private func check(_ topic: String) throws(InvalidText) {
        for (prefix, isTarget, side) in [(localPrefix, comesIn, "here"), (remotePrefix, goesOut, "at the far broker")] {
            if topic.isEmpty, prefix.isEmpty {
                throw InvalidText("is empty, and has no prefix \(side)", mend: "write a topic, or both prefixes")
            }
            let filter: TopicFilter
            do {
                _ = prefix.isEmpty ? nil : try TopicName(prefix)
                filter = try TopicFilter(prefix + topic)
            } catch {
                throw InvalidText("\"\(prefix + topic)\" is no topic \(side): \(error)")
            }
            if filter.isShared { throw InvalidText("\"\(filter)\": a bridge does not share subscriptions") }
            if isTarget, filter.string.utf8.first == UInt8(ascii: "$") {
                throw InvalidText(
                    "\"\(filter)\" is to be written to \(side), and topics with $ are the broker's own",
                    mend: "give them a prefix")
            }
        }
    }

    /// From the broker inside to the far one. Nil only for a rule that was not read without an error.
    var outward: TopicMap? { try? TopicMap(topics, from: localPrefix, to: remotePrefix) }
    /// From the far broker to the one inside.
    var inward: TopicMap? { try? TopicMap(topics, from: remotePrefix, to: localPrefix) }
}

extension Endpoint {
    /// Whether it is where this listener listens, as far as its words tell.
    fileprivate func isServed(by listener: Listener) -> Bool {
        guard case .tcp(let address, port) = listener.address else { return false }
        if host == address { return true }
        return host.isLoopback && (address.isLoopback || ["0.0.0.0", "::", ""].contains(address))
    }
}

extension String {
    fileprivate var isLoopback: Bool { self == "localhost" || self == "::1" || hasPrefix("127.") }
}
