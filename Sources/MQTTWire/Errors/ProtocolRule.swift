/// A rule of the specifications that a packet can break, whether it was received or is about to be sent.
public enum ProtocolRule: Sendable, Hashable, CaseIterable {
    // The fixed header
    /// A packet type that the version does not have.
    case unknownPacketType
    case reservedFlags
    /// More than four bytes of a variable byte integer, or a value above 268,435,455.
    case variableByteIntegerTooLong
    /// 5.0 only; 3.1.1 has no such rule.
    case variableByteIntegerNotMinimal
    case packetTooLarge
    /// A server received something else before CONNECT.
    case connectExpected

    // The form of any packet
    /// A field runs past the end of the packet, or is missing.
    case truncated
    /// Bytes are left behind the last field.
    case trailingBytes
    case malformedUTF8
    /// U+0000 in a string.
    case nullCharacter
    /// More than 65,535 bytes in a string or in binary data.
    case stringTooLong
    /// The version has no such packet, field, option or value.
    case notInVersion

    // Identifiers and delivery
    case packetIdentifierZero
    case packetIdentifierMissing
    case packetIdentifierWithQoS0
    case invalidQoS
    case duplicateFlagWithQoS0

    // Topics
    case topicEmpty
    /// PUBLISH with neither a topic name nor a topic alias.
    case topicMissing
    case wildcardInTopicName
    case wildcardInResponseTopic
    case misplacedWildcard
    case malformedShare

    // Subscriptions
    /// SUBSCRIBE or UNSUBSCRIBE without a topic filter.
    case noTopicFilters
    case subscriptionOptionsReserved
    case invalidRetainHandling
    case noLocalOnSharedSubscription
    /// SUBACK, or UNSUBACK of 5.0, without a reason code.
    case noReasonCodes

    // Reason codes and properties
    case reasonCodeNotAllowed
    case unknownProperty
    case propertyNotAllowed
    case propertyRepeated
    case propertyValueOutOfRange
    case topicAliasZero
    case authenticationDataWithoutMethod
    /// AUTH that does not name its method.
    case authenticationMethodMissing

    // CONNECT and CONNACK
    case invalidProtocolName
    /// A protocol level other than 4 and 5. A server may answer with CONNACK: return code 1 to levels below 5,
    /// reason code 0x84 to those above.
    case unsupportedProtocolVersion
    case connectFlagsReserved
    case willQoSWithoutWill
    case willRetainWithoutWill
    /// 3.1.1 only.
    case passwordWithoutUsername
    /// 3.1.1 only: an empty client identifier that asks for a lasting session.
    case clientIdentifierEmpty
    /// A CONNECT that is to be encoded for another version than its own.
    case versionMismatch
    case connackFlagsReserved
    case sessionPresentWithError
}

extension ProtocolRule {
    /// What went wrong, as a clause that follows the name of the packet.
    var explanation: String {
        switch self {
        case .unknownPacketType: "the packet type does not exist in this protocol version"
        case .reservedFlags: "the flags of the fixed header do not have the values reserved for this packet"
        case .variableByteIntegerTooLong: "a variable byte integer takes more than four bytes"
        case .variableByteIntegerNotMinimal: "a variable byte integer takes more bytes than its value needs"
        case .packetTooLarge: "the packet is larger than the limit"
        case .connectExpected: "the first packet of a client has to be CONNECT"
        case .truncated: "a field runs past the end of the packet"
        case .trailingBytes: "bytes are left behind the last field"
        case .malformedUTF8: "a string is not well-formed UTF-8"
        case .nullCharacter: "a string contains U+0000"
        case .stringTooLong: "a string or binary field takes more than 65,535 bytes"
        case .notInVersion: "the protocol version cannot express this; use MQTT 5.0 or leave it out"
        case .packetIdentifierZero: "the packet identifier is 0"
        case .packetIdentifierMissing: "QoS 1 and 2 need a packet identifier"
        case .packetIdentifierWithQoS0: "QoS 0 goes without a packet identifier"
        case .invalidQoS: "the QoS is none of those allowed here"
        case .duplicateFlagWithQoS0: "DUP is set although the QoS is 0"
        case .topicEmpty: "a topic is empty"
        case .topicMissing: "there is neither a topic name nor a topic alias"
        case .wildcardInTopicName: "a topic name contains a wildcard, + or #"
        case .wildcardInResponseTopic: "the response topic contains a wildcard, + or #"
        case .misplacedWildcard: "+ does not fill its level, or # does not fill the last level"
        case .malformedShare: "a shared subscription is not of the form $share/{group}/{filter}"
        case .noTopicFilters: "there is no topic filter"
        case .subscriptionOptionsReserved: "reserved bits of the subscription options are set"
        case .invalidRetainHandling: "the retain handling is 3"
        case .noLocalOnSharedSubscription: "No Local is set on a shared subscription"
        case .noReasonCodes: "there is no reason code"
        case .reasonCodeNotAllowed: "the reason code does not belong to this packet"
        case .unknownProperty: "a property identifier is unknown"
        case .propertyNotAllowed: "a property does not belong to this packet"
        case .propertyRepeated: "a property stands more than once"
        case .propertyValueOutOfRange: "the value of a property is out of range"
        case .topicAliasZero: "the topic alias is 0"
        case .authenticationDataWithoutMethod: "authentication data goes with an authentication method only"
        case .authenticationMethodMissing: "the authentication method is missing"
        case .invalidProtocolName: "the protocol name is not MQTT"
        case .unsupportedProtocolVersion: "the protocol level is neither 4 (MQTT 3.1.1) nor 5 (MQTT 5.0)"
        case .connectFlagsReserved: "the reserved connect flag is set"
        case .willQoSWithoutWill: "a will QoS is given without a will"
        case .willRetainWithoutWill: "will retain is set without a will"
        case .passwordWithoutUsername: "a password goes only together with a user name before MQTT 5.0"
        case .clientIdentifierEmpty: "an empty client identifier needs a clean session of 3.1.1 or later"
        case .versionMismatch: "the packet states another protocol version than the connection has"
        case .connackFlagsReserved: "reserved connect acknowledge flags are set"
        case .sessionPresentWithError: "session present is set although the connection is refused"
        }
    }

    /// The reason code with which 5.0 answers (§4.13).
    func answer(in packet: PacketType?) -> ReasonCode {
        switch self {
        case .packetTooLarge: .packetTooLarge
        case .topicEmpty where packet == .subscribe || packet == .unsubscribe: .topicFilterInvalid
        case .topicEmpty, .wildcardInTopicName, .wildcardInResponseTopic: .topicNameInvalid
        case .misplacedWildcard, .malformedShare: .topicFilterInvalid
        case .topicAliasZero: .topicAliasInvalid
        case .invalidProtocolName, .unsupportedProtocolVersion: .unsupportedProtocolVersion
        case .clientIdentifierEmpty: .clientIdentifierNotValid
        case .invalidQoS where packet == .subscribe: .protocolError
        case .connectExpected, .packetIdentifierZero, .packetIdentifierMissing, .packetIdentifierWithQoS0,
            .topicMissing, .noTopicFilters, .invalidRetainHandling, .noLocalOnSharedSubscription,
            .reasonCodeNotAllowed, .propertyRepeated, .propertyValueOutOfRange, .authenticationDataWithoutMethod,
            .authenticationMethodMissing, .sessionPresentWithError:
            .protocolError
        default: .malformedPacket
        }
    }
}
