public import NIOCore

/// A property of MQTT 5.0 (§2.2.2.2), with its value in the specification's data type.
public enum Property: Sendable, Hashable {
    /// True: the payload is UTF-8.
    case payloadFormatIndicator(Bool)
    /// Seconds.
    case messageExpiryInterval(UInt32)
    case contentType(String)
    case responseTopic(TopicName)
    case correlationData(ByteBuffer)
    /// 1 to 268,435,455.
    case subscriptionIdentifier(UInt32)
    /// Seconds; 0xFFFFFFFF: never.
    case sessionExpiryInterval(UInt32)
    case assignedClientIdentifier(String)
    /// Seconds.
    case serverKeepAlive(UInt16)
    case authenticationMethod(String)
    case authenticationData(ByteBuffer)
    case requestProblemInformation(Bool)
    /// Seconds.
    case willDelayInterval(UInt32)
    case requestResponseInformation(Bool)
    case responseInformation(String)
    case serverReference(String)
    case reasonString(String)
    /// 1 to 65,535 messages.
    case receiveMaximum(UInt16)
    case topicAliasMaximum(UInt16)
    /// 1 to 65,535.
    case topicAlias(UInt16)
    /// 0 or 1; absent means 2.
    case maximumQoS(QoS)
    case retainAvailable(Bool)
    case userProperty(name: String, value: String)
    /// Bytes, at least 1.
    case maximumPacketSize(UInt32)
    case wildcardSubscriptionAvailable(Bool)
    case subscriptionIdentifiersAvailable(Bool)
    case sharedSubscriptionAvailable(Bool)
}
