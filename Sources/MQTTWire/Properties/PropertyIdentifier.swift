/// The number that names a property on the wire (5.0 §2.2.2.2).
public enum PropertyIdentifier: UInt8, Sendable, Hashable, CaseIterable {
    case payloadFormatIndicator = 0x01
    case messageExpiryInterval = 0x02
    case contentType = 0x03
    case responseTopic = 0x08
    case correlationData = 0x09
    case subscriptionIdentifier = 0x0B
    case sessionExpiryInterval = 0x11
    case assignedClientIdentifier = 0x12
    case serverKeepAlive = 0x13
    case authenticationMethod = 0x15
    case authenticationData = 0x16
    case requestProblemInformation = 0x17
    case willDelayInterval = 0x18
    case requestResponseInformation = 0x19
    case responseInformation = 0x1A
    case serverReference = 0x1C
    case reasonString = 0x1F
    case receiveMaximum = 0x21
    case topicAliasMaximum = 0x22
    case topicAlias = 0x23
    case maximumQoS = 0x24
    case retainAvailable = 0x25
    case userProperty = 0x26
    case maximumPacketSize = 0x27
    case wildcardSubscriptionAvailable = 0x28
    case subscriptionIdentifiersAvailable = 0x29
    case sharedSubscriptionAvailable = 0x2A

    /// User properties everywhere, and the subscription identifiers of a PUBLISH.
    func mayRepeat(in place: PropertyPlace) -> Bool {
        self == .userProperty || self == .subscriptionIdentifier && place == .packet(.publish)
    }
}

/// Where properties stand: behind the variable header of a packet, or in the payload of CONNECT with the will.
enum PropertyPlace: Hashable {
    case packet(PacketType)
    case will

    /// The properties that the specification allows here (5.0 Table 2-4).
    var allowed: PropertySet {
        switch self {
        case .packet(.connect): .connect
        case .packet(.connack): .connack
        case .packet(.publish): .publish
        case .packet(.puback), .packet(.pubrec), .packet(.pubrel), .packet(.pubcomp), .packet(.suback),
            .packet(.unsuback):
            .acknowledgement
        case .packet(.subscribe): .subscribe
        case .packet(.unsubscribe): .unsubscribe
        case .packet(.disconnect): .disconnect
        case .packet(.auth): .auth
        case .packet(.pingreq), .packet(.pingresp): []
        case .will: .will
        }
    }
}

/// A set of property identifiers, in one word.
struct PropertySet: ExpressibleByArrayLiteral {
    private var bits: UInt64 = 0

    init(arrayLiteral elements: PropertyIdentifier...) {
        for element in elements { insert(element) }
    }

    func contains(_ identifier: PropertyIdentifier) -> Bool { bits & 1 << UInt64(identifier.rawValue) != 0 }

    /// - Returns: false when it was there already.
    @discardableResult
    mutating func insert(_ identifier: PropertyIdentifier) -> Bool {
        let before = bits
        bits |= 1 << UInt64(identifier.rawValue)
        return bits != before
    }

    static let connect: PropertySet = [
        .sessionExpiryInterval, .authenticationMethod, .authenticationData, .requestProblemInformation,
        .requestResponseInformation, .receiveMaximum, .topicAliasMaximum, .userProperty, .maximumPacketSize,
    ]
    static let connack: PropertySet = [
        .sessionExpiryInterval, .assignedClientIdentifier, .serverKeepAlive, .authenticationMethod,
        .authenticationData, .responseInformation, .serverReference, .reasonString, .receiveMaximum,
        .topicAliasMaximum, .maximumQoS, .retainAvailable, .userProperty, .maximumPacketSize,
        .wildcardSubscriptionAvailable, .subscriptionIdentifiersAvailable, .sharedSubscriptionAvailable,
    ]
    static let publish: PropertySet = [
        .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData,
        .subscriptionIdentifier, .topicAlias, .userProperty,
    ]
    static let will: PropertySet = [
        .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData,
        .willDelayInterval, .userProperty,
    ]
    static let acknowledgement: PropertySet = [.reasonString, .userProperty]
    static let subscribe: PropertySet = [.subscriptionIdentifier, .userProperty]
    static let unsubscribe: PropertySet = [.userProperty]
    static let disconnect: PropertySet = [.sessionExpiryInterval, .serverReference, .reasonString, .userProperty]
    static let auth: PropertySet = [.authenticationMethod, .authenticationData, .reasonString, .userProperty]
}
