internal import NIOCore

extension Property {
    public var identifier: PropertyIdentifier {
        switch self {
        case .payloadFormatIndicator: .payloadFormatIndicator
        case .messageExpiryInterval: .messageExpiryInterval
        case .contentType: .contentType
        case .responseTopic: .responseTopic
        case .correlationData: .correlationData
        case .subscriptionIdentifier: .subscriptionIdentifier
        case .sessionExpiryInterval: .sessionExpiryInterval
        case .assignedClientIdentifier: .assignedClientIdentifier
        case .serverKeepAlive: .serverKeepAlive
        case .authenticationMethod: .authenticationMethod
        case .authenticationData: .authenticationData
        case .requestProblemInformation: .requestProblemInformation
        case .willDelayInterval: .willDelayInterval
        case .requestResponseInformation: .requestResponseInformation
        case .responseInformation: .responseInformation
        case .serverReference: .serverReference
        case .reasonString: .reasonString
        case .receiveMaximum: .receiveMaximum
        case .topicAliasMaximum: .topicAliasMaximum
        case .topicAlias: .topicAlias
        case .maximumQoS: .maximumQoS
        case .retainAvailable: .retainAvailable
        case .userProperty: .userProperty
        case .maximumPacketSize: .maximumPacketSize
        case .wildcardSubscriptionAvailable: .wildcardSubscriptionAvailable
        case .subscriptionIdentifiersAvailable: .subscriptionIdentifiersAvailable
        case .sharedSubscriptionAvailable: .sharedSubscriptionAvailable
        }
    }

    /// The rule that the value breaks, if any (the ranges stated with each property in 5.0 chapter 3).
    var brokenRule: ProtocolRule? {
        switch self {
        case .subscriptionIdentifier(let value):
            value == 0 || value > VariableByteInteger.maximum ? .propertyValueOutOfRange : nil
        case .receiveMaximum(0), .maximumPacketSize(0), .maximumQoS(.exactlyOnce): .propertyValueOutOfRange
        case .topicAlias(0): .topicAliasZero
        default: nil
        }
    }
}

extension Property {
    /// The bytes that the property takes, its identifier included.
    var encodedSize: Int {
        switch self {
        case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation, .retainAvailable,
            .wildcardSubscriptionAvailable, .subscriptionIdentifiersAvailable, .sharedSubscriptionAvailable,
            .maximumQoS:
            2
        case .serverKeepAlive, .receiveMaximum, .topicAliasMaximum, .topicAlias:
            3
        case .messageExpiryInterval, .sessionExpiryInterval, .willDelayInterval, .maximumPacketSize:
            5
        case .subscriptionIdentifier(let value):
            1 + VariableByteInteger.size(Int(value))
        case .responseTopic(let topic):
            3 + topic.string.utf8.count
        case .contentType(let string), .assignedClientIdentifier(let string), .authenticationMethod(let string),
            .responseInformation(let string), .serverReference(let string), .reasonString(let string):
            3 + string.utf8.count
        case .correlationData(let bytes), .authenticationData(let bytes):
            3 + bytes.readableBytes
        case .userProperty(let name, let value):
            5 + name.utf8.count + value.utf8.count
        }
    }
}

extension PacketSizer {
    /// Throws when the value is out of range, or a string or binary field in it has no form on the wire.
    func check(_ property: Property) throws(EncodingError) {
        if let rule = property.brokenRule { throw failure(rule, found: Int(property.identifier.rawValue)) }
        switch property {
        case .contentType(let string), .assignedClientIdentifier(let string), .authenticationMethod(let string),
            .responseInformation(let string), .serverReference(let string), .reasonString(let string):
            _ = try size(of: string)
        case .correlationData(let bytes), .authenticationData(let bytes):
            _ = try size(of: bytes)
        case .userProperty(let name, let value):
            _ = try size(of: name)
            _ = try size(of: value)
        default:
            break
        }
    }
}

extension ByteBuffer {
    mutating func write(_ property: Property) {
        writeInteger(property.identifier.rawValue)
        switch property {
        case .payloadFormatIndicator(let flag), .requestProblemInformation(let flag),
            .requestResponseInformation(let flag), .retainAvailable(let flag),
            .wildcardSubscriptionAvailable(let flag), .subscriptionIdentifiersAvailable(let flag),
            .sharedSubscriptionAvailable(let flag):
            writeInteger(flag ? 1 as UInt8 : 0)
        case .maximumQoS(let qos):
            writeInteger(qos.rawValue)
        case .serverKeepAlive(let value), .receiveMaximum(let value), .topicAliasMaximum(let value),
            .topicAlias(let value):
            writeInteger(value)
        case .messageExpiryInterval(let value), .sessionExpiryInterval(let value), .willDelayInterval(let value),
            .maximumPacketSize(let value):
            writeInteger(value)
        case .subscriptionIdentifier(let value):
            writeVariableByteInteger(Int(value))
        case .responseTopic(let topic):
            writePrefixed(topic.string)
        case .contentType(let string), .assignedClientIdentifier(let string), .authenticationMethod(let string),
            .responseInformation(let string), .serverReference(let string), .reasonString(let string):
            writePrefixed(string)
        case .correlationData(let bytes), .authenticationData(let bytes):
            writePrefixed(bytes)
        case .userProperty(let name, let value):
            writePrefixed(name)
            writePrefixed(value)
        }
    }
}

extension PacketReader {
    mutating func readProperty(_ identifier: PropertyIdentifier) throws(DecodingError) -> Property {
        switch identifier {
        case .payloadFormatIndicator: .payloadFormatIndicator(try readFlag(of: identifier))
        case .messageExpiryInterval: .messageExpiryInterval(try readUInt32())
        case .contentType: .contentType(try readString())
        case .responseTopic: .responseTopic(try readResponseTopic())
        case .correlationData: .correlationData(try readBinary())
        case .subscriptionIdentifier: .subscriptionIdentifier(UInt32(try readVariableByteInteger()))
        case .sessionExpiryInterval: .sessionExpiryInterval(try readUInt32())
        case .assignedClientIdentifier: .assignedClientIdentifier(try readString())
        case .serverKeepAlive: .serverKeepAlive(try readUInt16())
        case .authenticationMethod: .authenticationMethod(try readString())
        case .authenticationData: .authenticationData(try readBinary())
        case .requestProblemInformation: .requestProblemInformation(try readFlag(of: identifier))
        case .willDelayInterval: .willDelayInterval(try readUInt32())
        case .requestResponseInformation: .requestResponseInformation(try readFlag(of: identifier))
        case .responseInformation: .responseInformation(try readString())
        case .serverReference: .serverReference(try readString())
        case .reasonString: .reasonString(try readString())
        case .receiveMaximum: .receiveMaximum(try readUInt16())
        case .topicAliasMaximum: .topicAliasMaximum(try readUInt16())
        case .topicAlias: .topicAlias(try readUInt16())
        case .maximumQoS: .maximumQoS(try readMaximumQoS())
        case .retainAvailable: .retainAvailable(try readFlag(of: identifier))
        case .userProperty: .userProperty(name: try readString(), value: try readString())
        case .maximumPacketSize: .maximumPacketSize(try readUInt32())
        case .wildcardSubscriptionAvailable: .wildcardSubscriptionAvailable(try readFlag(of: identifier))
        case .subscriptionIdentifiersAvailable: .subscriptionIdentifiersAvailable(try readFlag(of: identifier))
        case .sharedSubscriptionAvailable: .sharedSubscriptionAvailable(try readFlag(of: identifier))
        }
    }

    private mutating func readFlag(of property: PropertyIdentifier) throws(DecodingError) -> Bool {
        switch try readByte() {
        case 0: return false
        case 1: return true
        default: throw failure(.propertyValueOutOfRange, found: Int(property.rawValue))
        }
    }

    private mutating func readMaximumQoS() throws(DecodingError) -> QoS {
        guard let qos = QoS(rawValue: try readByte()) else {
            throw failure(.propertyValueOutOfRange, found: Int(PropertyIdentifier.maximumQoS.rawValue))
        }
        return qos
    }

    private mutating func readResponseTopic() throws(DecodingError) -> TopicName {
        let string = try readString()
        do {
            return try TopicName(string)
        } catch {
            throw failure(error == .wildcardInName ? .wildcardInResponseTopic : ProtocolRule(error))
        }
    }
}
