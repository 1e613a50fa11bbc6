extension ProtocolRule {
    /// The numbered statement of the specification that sets the rule, without its brackets; nil where the
    /// specification states it in a sentence without a number.
    func statement(in packet: PacketType?, version: ProtocolVersion) -> String? {
        switch version {
        case .v5: statement5(in: packet)
        case .v3_1_1: statement3(in: packet)
        // Its statements have no numbers.
        case .v3_1: nil
        }
    }

    private func statement5(in packet: PacketType?) -> String? {
        switch self {
        case .reservedFlags:
            switch packet {
            case .pubrel: "MQTT-3.6.1-1"
            case .subscribe: "MQTT-3.8.1-1"
            case .unsubscribe: "MQTT-3.10.1-1"
            case .disconnect: "MQTT-3.14.1-1"
            case .auth: "MQTT-3.15.1-1"
            default: "MQTT-2.1.3-1"
            }
        case .variableByteIntegerNotMinimal: "MQTT-1.5.5-1"
        case .connectExpected: "MQTT-3.1.0-1"
        case .malformedUTF8: "MQTT-1.5.4-1"
        case .nullCharacter: "MQTT-1.5.4-2"
        case .packetIdentifierZero, .packetIdentifierMissing: "MQTT-2.2.1-3"
        case .packetIdentifierWithQoS0: "MQTT-2.2.1-2"
        case .invalidQoS:
            switch packet {
            case .publish: "MQTT-3.3.1-4"
            case .connect: "MQTT-3.1.2-12"
            default: nil
            }
        case .duplicateFlagWithQoS0: "MQTT-3.3.1-2"
        case .topicEmpty: "MQTT-4.7.3-1"
        case .topicMissing: "MQTT-3.3.2-1"
        case .wildcardInTopicName: packet == .publish ? "MQTT-3.3.2-2" : "MQTT-4.7.0-1"
        case .wildcardInResponseTopic: "MQTT-3.3.2-14"
        case .misplacedWildcard: "MQTT-4.7.1-1, MQTT-4.7.1-2"
        case .malformedShare: "MQTT-4.8.2-1, MQTT-4.8.2-2"
        case .noTopicFilters: packet == .subscribe ? "MQTT-3.8.3-2" : "MQTT-3.10.3-2"
        case .subscriptionOptionsReserved: "MQTT-3.8.3-5"
        case .noLocalOnSharedSubscription: "MQTT-3.8.3-4"
        case .noReasonCodes: packet == .suback ? "MQTT-3.8.4-6" : "MQTT-3.11.3-1"
        case .reasonCodeNotAllowed:
            switch packet {
            case .connack: "MQTT-3.2.2-8"
            case .puback: "MQTT-3.4.2-1"
            case .pubrec: "MQTT-3.5.2-1"
            case .pubrel: "MQTT-3.6.2-1"
            case .pubcomp: "MQTT-3.7.2-1"
            case .suback: "MQTT-3.9.3-2"
            case .unsuback: "MQTT-3.11.3-2"
            case .disconnect: "MQTT-3.14.2-1"
            case .auth: "MQTT-3.15.2-1"
            default: nil
            }
        case .topicAliasZero: "MQTT-3.3.2-8"
        case .invalidProtocolName: "MQTT-3.1.2-1"
        case .unsupportedProtocolVersion: "MQTT-3.1.2-2"
        case .connectFlagsReserved: "MQTT-3.1.2-3"
        case .willQoSWithoutWill: "MQTT-3.1.2-11"
        case .willRetainWithoutWill: "MQTT-3.1.2-13"
        case .connackFlagsReserved: "MQTT-3.2.2-1"
        case .sessionPresentWithError: "MQTT-3.2.2-6"
        default: nil
        }
    }

    private func statement3(in packet: PacketType?) -> String? {
        switch self {
        case .reservedFlags:
            switch packet {
            case .pubrel: "MQTT-3.6.1-1"
            case .subscribe: "MQTT-3.8.1-1"
            case .unsubscribe: "MQTT-3.10.1-1"
            case .disconnect: "MQTT-3.14.1-1"
            default: "MQTT-2.2.2-2"
            }
        case .connectExpected: "MQTT-3.1.0-1"
        case .malformedUTF8: "MQTT-1.5.3-1"
        case .nullCharacter: "MQTT-1.5.3-2"
        case .packetIdentifierZero, .packetIdentifierMissing: "MQTT-2.3.1-1"
        case .packetIdentifierWithQoS0: "MQTT-2.3.1-5"
        case .invalidQoS:
            switch packet {
            case .publish: "MQTT-3.3.1-4"
            case .connect: "MQTT-3.1.2-14"
            case .subscribe: "MQTT-3-8.3-4"  // written so in the specification
            default: nil
            }
        case .duplicateFlagWithQoS0: "MQTT-3.3.1-2"
        case .topicEmpty: "MQTT-4.7.3-1"
        case .topicMissing: "MQTT-3.3.2-1"
        case .wildcardInTopicName: packet == .publish ? "MQTT-3.3.2-2" : "MQTT-4.7.1-1"
        case .misplacedWildcard: "MQTT-4.7.1-2, MQTT-4.7.1-3"
        case .noTopicFilters: packet == .subscribe ? "MQTT-3.8.3-3" : "MQTT-3.10.3-2"
        case .subscriptionOptionsReserved: "MQTT-3-8.3-4"
        case .noReasonCodes: "MQTT-3.8.4-5"
        case .reasonCodeNotAllowed: packet == .suback ? "MQTT-3.9.3-2" : nil
        case .invalidProtocolName: "MQTT-3.1.2-1"
        case .unsupportedProtocolVersion: "MQTT-3.1.2-2"
        case .connectFlagsReserved: "MQTT-3.1.2-3"
        case .willQoSWithoutWill: "MQTT-3.1.2-13"
        case .willRetainWithoutWill: "MQTT-3.1.2-15"
        case .passwordWithoutUsername: "MQTT-3.1.2-22"
        case .clientIdentifierEmpty: "MQTT-3.1.3-7"
        case .sessionPresentWithError: "MQTT-3.2.2-4"
        default: nil
        }
    }
}
