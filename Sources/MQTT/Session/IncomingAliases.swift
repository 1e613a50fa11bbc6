internal import MQTTWire

/// The aliases that a server gives its topics on one connection.
struct IncomingAliases: Sendable {
    /// As CONNECT has offered.
    let maximum: UInt16
    private var topics: [UInt16: TopicName] = [:]

    init(maximum: UInt16) { self.maximum = maximum }

    /// Puts the topic back into a message that came with an alias.
    mutating func resolve(_ publish: inout Publish) throws(ProtocolViolation) {
        guard let alias = publish.properties.topicAlias else {
            if publish.topic != nil { return }
            throw ProtocolViolation("PUBLISH without a topic", reasonCode: .protocolError)
        }
        guard alias > 0, alias <= maximum else {
            throw ProtocolViolation(
                "topic alias \(alias); \(maximum) were offered (MQTT-3.3.2-9)", reasonCode: .topicAliasInvalid)
        }
        if let topic = publish.topic {
            topics[alias] = topic
        } else if let topic = topics[alias] {
            publish.topic = topic
        } else {
            throw ProtocolViolation("topic alias \(alias) was not given a topic", reasonCode: .protocolError)
        }
        publish.properties.topicAlias = nil
    }
}
