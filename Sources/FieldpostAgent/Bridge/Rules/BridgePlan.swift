internal import MQTT
internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import Units

/// All rules of a bridge as a value: which message becomes which on the other side.
struct BridgePlan: Sendable {
    /// What becomes of a message; nothing at all if no rule covers it.
    struct Outcome<Carried> {
        var messages: [Carried] = []
        /// By so many rules it cannot be carried.
        var dropped = 0
        /// It was here before, or has come over too many gateways.
        var isLoop = false
    }

    private struct Leg: Sendable {
        var rule: BridgeRule
        var map: TopicMap
    }

    private let outward: [Leg]
    private let inward: [Leg]
    /// The agent's own name on a message's path.
    private let device: String
    /// What only the agent itself says of itself.
    private let statusTopic: TopicName
    /// False: the far broker speaks 3.1.1 only, which has none.
    private let writesProperties: Bool

    init(_ rules: [BridgeRule], device: String, statusTopic: TopicName, version: ProtocolVersion?) {
        outward = rules.filter(\.goesOut).compactMap { rule in rule.outward.map { Leg(rule: rule, map: $0) } }
        inward = rules.filter(\.comesIn).compactMap { rule in rule.inward.map { Leg(rule: rule, map: $0) } }
        self.device = device
        self.statusTopic = statusTopic
        writesProperties = version != .v3_1_1
    }

    // MARK: Subscriptions

    /// At the broker inside.
    ///
    /// What a session has had already does not come again when a process goes on with it.
    var localSubscriptions: [Subscription] { Self.subscriptions(outward, retained: .onNewSubscribe) }

    /// At the far broker.
    ///
    /// - Parameter keepsRetained: whether the broker inside still has the retained messages of an earlier process.
    func remoteSubscriptions(keepsRetained: Bool) -> [Subscription] {
        Self.subscriptions(inward, retained: keepsRetained ? .onNewSubscribe : .onSubscribe)
    }

    private static func subscriptions(
        _ legs: [Leg], retained: Subscription.RetainHandling
    ) -> [Subscription] {
        var all: [Subscription] = []
        for leg in legs {
            for filter in leg.map.filters {
                let handling = leg.rule.retain ? retained : .never
                if let index = all.firstIndex(where: { $0.filter == filter }) {
                    all[index].qos = max(all[index].qos, leg.rule.qos)
                    if handling != .never { all[index].retainHandling = handling }
                } else {
                    all.append(
                        Subscription(
                            filter: filter, qos: leg.rule.qos, noLocal: true, retainAsPublished: true,
                            retainHandling: handling))
                }
            }
        }
        return all
    }

    /// Whether messages of ours can come back from a broker that does not spare us them.
    var canEcho: Bool {
        inward.contains { coming in
            outward.contains { going in
                going.map.reversed.filters.contains { filter in coming.map.filters.contains(where: filter.overlaps) }
            }
        }
    }

    /// What is subscribed to at the far broker.
    var remoteFilters: [TopicFilter] { inward.flatMap(\.map.filters) }

    // MARK: Messages

    /// - Parameter now: when it was accepted, unless that stands in it.
    func outgoing(_ message: ServerMessage, at now: Timestamp) -> Outcome<Message> {
        carry(message.topic, message.properties, outward) { rule, topic, properties in
            guard topic != statusTopic else { return nil }
            var properties = properties
            var payload = message.payload
            let retain = message.retain && rule.retain
            // An empty one removes what is retained.
            if rule.stamp != .none, !(payload.readableBytes == 0 && retain) {
                let time = AcceptanceTime(properties) ?? AcceptanceTime(now)
                switch rule.stamp {
                case .payload: payload = time.wrap(payload, &properties)
                case .property where writesProperties: time.write(to: &properties)
                case .property, .none: break
                }
            }
            if let response = properties.responseTopic {
                // The answer will come in.
                properties.responseTopic = Self.reach(response, by: inward) ?? response
            }
            let stated = properties.messageExpiryInterval.map { Duration.seconds(Int64($0)) }
            properties.messageExpiryInterval = nil
            if !writesProperties { properties = [] }
            return Message(
                topic: topic, payload: payload, qos: min(message.qos, rule.qos), retain: retain,
                priority: rule.priority, expiry: [stated, rule.expiry].compactMap { $0 }.min(), properties: properties)
        }
    }

    func incoming(_ message: ReceivedMessage) -> Outcome<ServerMessage> {
        carry(message.topic, message.properties, inward) { rule, topic, properties in
            var properties = properties
            properties.topicAlias = nil
            properties.subscriptionIdentifiers = []
            if let response = properties.responseTopic {
                // The answer will go out.
                properties.responseTopic = Self.reach(response, by: outward) ?? response
            }
            if let expiry = rule.expiry {
                let limit = UInt32(clamping: max(1, expiry.components.seconds))
                properties.messageExpiryInterval = min(properties.messageExpiryInterval ?? .max, limit)
            }
            return ServerMessage(
                topic: topic, payload: message.payload, qos: min(message.qos, rule.qos),
                retain: message.retain && rule.retain, properties: properties)
        }
    }

    /// By each rule that covers it, but only once to each topic.
    ///
    /// - Parameter make: nil: that is not to be.
    private func carry<Carried>(
        _ topic: TopicName, _ properties: Properties, _ legs: [Leg],
        make: (BridgeRule, TopicName, Properties) -> Carried?
    ) -> Outcome<Carried> {
        var outcome = Outcome<Carried>()
        guard legs.contains(where: { $0.map.covers(topic) }) else { return outcome }
        guard let path = GatewayPath(properties).continued(by: device) else {
            outcome.isLoop = true
            return outcome
        }
        var properties = properties
        path.write(to: &properties)
        var targets: Set<TopicName> = []
        for leg in legs {
            do {
                guard let target = try leg.map.map(topic), targets.insert(target).inserted else { continue }
                if let carried = make(leg.rule, target, properties) {
                    outcome.messages.append(carried)
                } else {
                    outcome.dropped += 1
                }
            } catch {
                outcome.dropped += 1
            }
        }
        return outcome
    }

    /// What a topic is called at the other side, so that messages to it come by these rules.
    private static func reach(_ topic: TopicName, by legs: [Leg]) -> TopicName? {
        for leg in legs {
            if let source = try? leg.map.reversed.map(topic) { return source }
        }
        return nil
    }
}
