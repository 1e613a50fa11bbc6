import MQTTWire
import Testing

/// Bytes that the specifications forbid, the rule that they break, and its answer.
struct MalformedPacket: Sendable, CustomTestStringConvertible {
    let title: String
    let version: ProtocolVersion
    let hex: String
    let rule: ProtocolRule
    let statement: String?
    let answer: ReasonCode

    var testDescription: String { "\(title), \(version)" }

    init(
        _ title: String, _ version: ProtocolVersion, _ hex: String, _ rule: ProtocolRule, _ statement: String?,
        _ answer: ReasonCode = .malformedPacket
    ) {
        self.title = title
        self.version = version
        self.hex = hex
        self.rule = rule
        self.statement = statement
        self.answer = answer
    }
}

extension MalformedPacket {
    static let all: [MalformedPacket] =
        fixedHeader + publish + properties + connect + acknowledgements + subscriptions + endings + version3_1

    static let fixedHeader: [MalformedPacket] = [
        Self("packet type 0", .v3_1_1, "00 00", .unknownPacketType, nil),
        Self("packet type 0", .v5, "00 00", .unknownPacketType, nil),
        Self("AUTH under 3.1.1", .v3_1_1, "F0 00", .unknownPacketType, nil),
        Self("CONNECT with flag bits 0001", .v3_1_1, "11 00", .reservedFlags, "MQTT-2.2.2-2"),
        Self("CONNECT with flag bits 0001", .v5, "11 00", .reservedFlags, "MQTT-2.1.3-1"),
        Self("CONNACK with flag bits 0001", .v3_1_1, "21 00", .reservedFlags, "MQTT-2.2.2-2"),
        Self("CONNACK with flag bits 0001", .v5, "21 00", .reservedFlags, "MQTT-2.1.3-1"),
        Self("PUBACK with flag bits 0001", .v3_1_1, "41 00", .reservedFlags, "MQTT-2.2.2-2"),
        Self("PUBACK with flag bits 0001", .v5, "41 00", .reservedFlags, "MQTT-2.1.3-1"),
        Self("PUBREC with flag bits 0001", .v3_1_1, "51 00", .reservedFlags, "MQTT-2.2.2-2"),
        Self("PUBREC with flag bits 0001", .v5, "51 00", .reservedFlags, "MQTT-2.1.3-1"),
        Self("PUBREL with flag bits 0011", .v3_1_1, "63 00", .reservedFlags, "MQTT-3.6.1-1"),
        Self("PUBREL with flag bits 0011", .v5, "63 00", .reservedFlags, "MQTT-3.6.1-1"),
        Self("PUBREL with flag bits 0000", .v3_1_1, "60 00", .reservedFlags, "MQTT-3.6.1-1"),
        Self("PUBREL with flag bits 0000", .v5, "60 00", .reservedFlags, "MQTT-3.6.1-1"),
        Self("PUBREL with flag bits 0110", .v3_1_1, "66 00", .reservedFlags, "MQTT-3.6.1-1"),
        Self("PUBREL with flag bits 0110", .v5, "66 00", .reservedFlags, "MQTT-3.6.1-1"),
        Self("PUBREL with flag bits 1010", .v3_1_1, "6A 00", .reservedFlags, "MQTT-3.6.1-1"),
        Self("PUBREL with flag bits 1010", .v5, "6A 00", .reservedFlags, "MQTT-3.6.1-1"),
        Self("PUBCOMP with flag bits 0001", .v3_1_1, "71 00", .reservedFlags, "MQTT-2.2.2-2"),
        Self("PUBCOMP with flag bits 0001", .v5, "71 00", .reservedFlags, "MQTT-2.1.3-1"),
        Self("SUBSCRIBE with flag bits 0011", .v3_1_1, "83 00", .reservedFlags, "MQTT-3.8.1-1"),
        Self("SUBSCRIBE with flag bits 0011", .v5, "83 00", .reservedFlags, "MQTT-3.8.1-1"),
        Self("SUBSCRIBE with flag bits 0000", .v3_1_1, "80 00", .reservedFlags, "MQTT-3.8.1-1"),
        Self("SUBSCRIBE with flag bits 0000", .v5, "80 00", .reservedFlags, "MQTT-3.8.1-1"),
        Self("SUBSCRIBE with flag bits 0110", .v3_1_1, "86 00", .reservedFlags, "MQTT-3.8.1-1"),
        Self("SUBSCRIBE with flag bits 0110", .v5, "86 00", .reservedFlags, "MQTT-3.8.1-1"),
        Self("SUBSCRIBE with flag bits 1010", .v3_1_1, "8A 00", .reservedFlags, "MQTT-3.8.1-1"),
        Self("SUBSCRIBE with flag bits 1010", .v5, "8A 00", .reservedFlags, "MQTT-3.8.1-1"),
        Self("SUBACK with flag bits 0001", .v3_1_1, "91 00", .reservedFlags, "MQTT-2.2.2-2"),
        Self("SUBACK with flag bits 0001", .v5, "91 00", .reservedFlags, "MQTT-2.1.3-1"),
        Self("UNSUBSCRIBE with flag bits 0011", .v3_1_1, "A3 00", .reservedFlags, "MQTT-3.10.1-1"),
        Self("UNSUBSCRIBE with flag bits 0011", .v5, "A3 00", .reservedFlags, "MQTT-3.10.1-1"),
        Self("UNSUBACK with flag bits 0001", .v3_1_1, "B1 00", .reservedFlags, "MQTT-2.2.2-2"),
        Self("UNSUBACK with flag bits 0001", .v5, "B1 00", .reservedFlags, "MQTT-2.1.3-1"),
        Self("PINGREQ with flag bits 0001", .v3_1_1, "C1 00", .reservedFlags, "MQTT-2.2.2-2"),
        Self("PINGREQ with flag bits 0001", .v5, "C1 00", .reservedFlags, "MQTT-2.1.3-1"),
        Self("PINGRESP with flag bits 0001", .v3_1_1, "D1 00", .reservedFlags, "MQTT-2.2.2-2"),
        Self("PINGRESP with flag bits 0001", .v5, "D1 00", .reservedFlags, "MQTT-2.1.3-1"),
        Self("DISCONNECT with flag bits 0001", .v3_1_1, "E1 00", .reservedFlags, "MQTT-3.14.1-1"),
        Self("DISCONNECT with flag bits 0001", .v5, "E1 00", .reservedFlags, "MQTT-3.14.1-1"),
        Self("AUTH with flag bits 0001", .v5, "F1 00", .reservedFlags, "MQTT-3.15.1-1"),
        Self("remaining length of five bytes", .v3_1_1, "C0 80 80 80 80", .variableByteIntegerTooLong, nil),
        Self("remaining length of five bytes", .v5, "30 FF FF FF FF", .variableByteIntegerTooLong, nil),
        Self(
            "remaining length in two bytes where one is enough", .v5,
            "C0 80 00", .variableByteIntegerNotMinimal, "MQTT-1.5.5-1"),
        Self(
            "remaining length in four bytes where one is enough", .v5,
            "40 82 80 80 00 00 01", .variableByteIntegerNotMinimal, "MQTT-1.5.5-1"),
    ]

    static let publish: [MalformedPacket] = [
        Self("PUBLISH with QoS 3", .v3_1_1, "36 05 00 01 61 00 01", .invalidQoS, "MQTT-3.3.1-4"),
        Self("PUBLISH with QoS 3", .v5, "36 06 00 01 61 00 01 00", .invalidQoS, "MQTT-3.3.1-4"),
        Self("PUBLISH with QoS 3 and DUP", .v3_1_1, "3E 05 00 01 61 00 01", .invalidQoS, "MQTT-3.3.1-4"),
        Self("PUBLISH with QoS 3 and DUP", .v5, "3E 06 00 01 61 00 01 00", .invalidQoS, "MQTT-3.3.1-4"),
        Self("PUBLISH with DUP and QoS 0", .v3_1_1, "38 03 00 01 61", .duplicateFlagWithQoS0, "MQTT-3.3.1-2"),
        Self("PUBLISH with DUP and QoS 0", .v5, "38 04 00 01 61 00", .duplicateFlagWithQoS0, "MQTT-3.3.1-2"),
        Self("PUBLISH of no bytes", .v3_1_1, "30 00", .truncated, nil),
        Self("PUBLISH of no bytes", .v5, "30 00", .truncated, nil),
        Self("PUBLISH whose topic runs past the end", .v3_1_1, "30 03 00 02 61", .truncated, nil),
        Self("PUBLISH whose topic runs past the end", .v5, "30 03 00 02 61", .truncated, nil),
        Self("PUBLISH with half a packet identifier", .v3_1_1, "32 04 00 01 61 00", .truncated, nil),
        Self("PUBLISH with half a packet identifier", .v5, "32 04 00 01 61 00", .truncated, nil),
        Self("PUBLISH without property length", .v5, "30 03 00 01 61", .truncated, nil),
        Self("PUBLISH whose properties run past the end", .v5, "30 06 00 01 61 03 01 00", .truncated, nil),
        Self(
            "PUBLISH whose last property runs past the properties", .v5,
            "30 0A 00 01 61 03 02 00 00 00 05 78", .truncated, nil),
        Self(
            "PUBLISH with packet identifier 0", .v3_1_1,
            "32 05 00 01 61 00 00", .packetIdentifierZero, "MQTT-2.3.1-1", .protocolError),
        Self(
            "PUBLISH with packet identifier 0", .v5,
            "34 06 00 01 61 00 00 00", .packetIdentifierZero, "MQTT-2.2.1-3", .protocolError),
        Self("PUBLISH to +", .v3_1_1, "30 03 00 01 2B", .wildcardInTopicName, "MQTT-3.3.2-2", .topicNameInvalid),
        Self("PUBLISH to +", .v5, "30 04 00 01 2B 00", .wildcardInTopicName, "MQTT-3.3.2-2", .topicNameInvalid),
        Self("PUBLISH to #", .v3_1_1, "30 03 00 01 23", .wildcardInTopicName, "MQTT-3.3.2-2", .topicNameInvalid),
        Self("PUBLISH to #", .v5, "30 04 00 01 23 00", .wildcardInTopicName, "MQTT-3.3.2-2", .topicNameInvalid),
        Self(
            "PUBLISH to a/+", .v3_1_1,
            "30 05 00 03 61 2F 2B", .wildcardInTopicName, "MQTT-3.3.2-2", .topicNameInvalid),
        Self("PUBLISH to a/+", .v5, "30 06 00 03 61 2F 2B 00", .wildcardInTopicName, "MQTT-3.3.2-2", .topicNameInvalid),
        Self("PUBLISH to an empty topic", .v3_1_1, "30 02 00 00", .topicEmpty, "MQTT-4.7.3-1", .topicNameInvalid),
        Self(
            "PUBLISH with neither topic nor alias", .v5,
            "30 03 00 00 00", .topicMissing, "MQTT-3.3.2-1", .protocolError),
        Self("topic with overlong /", .v3_1_1, "30 04 00 02 C0 AF", .malformedUTF8, "MQTT-1.5.3-1"),
        Self("topic with overlong /", .v5, "30 05 00 02 C0 AF 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self("topic with surrogate U+D800", .v3_1_1, "30 05 00 03 ED A0 80", .malformedUTF8, "MQTT-1.5.3-1"),
        Self("topic with surrogate U+D800", .v5, "30 06 00 03 ED A0 80 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self("topic with surrogate U+DFFF", .v3_1_1, "30 05 00 03 ED BF BF", .malformedUTF8, "MQTT-1.5.3-1"),
        Self("topic with surrogate U+DFFF", .v5, "30 06 00 03 ED BF BF 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self("topic with above U+10FFFF", .v3_1_1, "30 06 00 04 F4 90 80 80", .malformedUTF8, "MQTT-1.5.3-1"),
        Self("topic with above U+10FFFF", .v5, "30 07 00 04 F4 90 80 80 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self("topic with lone continuation byte", .v3_1_1, "30 03 00 01 80", .malformedUTF8, "MQTT-1.5.3-1"),
        Self("topic with lone continuation byte", .v5, "30 04 00 01 80 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self("topic with cut sequence", .v3_1_1, "30 05 00 03 61 E2 82", .malformedUTF8, "MQTT-1.5.3-1"),
        Self("topic with cut sequence", .v5, "30 06 00 03 61 E2 82 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self("topic with FF", .v3_1_1, "30 03 00 01 FF", .malformedUTF8, "MQTT-1.5.3-1"),
        Self("topic with FF", .v5, "30 04 00 01 FF 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self("topic with overlong U+0000", .v3_1_1, "30 04 00 02 C0 80", .malformedUTF8, "MQTT-1.5.3-1"),
        Self("topic with overlong U+0000", .v5, "30 05 00 02 C0 80 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self("topic with U+0000", .v3_1_1, "30 05 00 03 61 00 62", .nullCharacter, "MQTT-1.5.3-2"),
        Self("topic with U+0000", .v5, "30 06 00 03 61 00 62 00", .nullCharacter, "MQTT-1.5.4-2"),
        Self(
            "user property with an ill-formed name", .v5,
            "30 0A 00 01 61 06 26 00 01 FF 00 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self(
            "user property with U+0000 in its value", .v5,
            "30 0A 00 01 61 06 26 00 00 00 01 00", .nullCharacter, "MQTT-1.5.4-2"),
        Self("empty response topic", .v5, "30 07 00 01 61 03 08 00 00", .topicEmpty, "MQTT-4.7.3-1", .topicNameInvalid),
        Self(
            "subscription identifier of five bytes", .v5,
            "30 0A 00 01 61 06 0B 80 80 80 80 01", .variableByteIntegerTooLong, nil),
        Self(
            "subscription identifier not minimal", .v5,
            "30 07 00 01 61 03 0B 81 00", .variableByteIntegerNotMinimal, "MQTT-1.5.5-1"),
        Self(
            "property identifier not minimal", .v5,
            "30 07 00 01 61 03 81 00 01", .variableByteIntegerNotMinimal, "MQTT-1.5.5-1"),
        Self(
            "property length not minimal", .v5,
            "30 05 00 01 61 80 00", .variableByteIntegerNotMinimal, "MQTT-1.5.5-1"),
    ]

    static let acknowledgements: [MalformedPacket] = [
        Self("PUBACK of one byte", .v3_1_1, "40 01 00", .truncated, nil),
        Self("PUBACK of one byte", .v5, "40 01 00", .truncated, nil),
        Self(
            "PUBACK with packet identifier 0", .v3_1_1,
            "40 02 00 00", .packetIdentifierZero, "MQTT-2.3.1-1", .protocolError),
        Self(
            "PUBACK with packet identifier 0", .v5,
            "40 02 00 00", .packetIdentifierZero, "MQTT-2.2.1-3", .protocolError),
        Self("PUBACK with a byte too many", .v3_1_1, "40 03 00 01 00", .trailingBytes, nil),
        Self("PUBACK with a byte too many", .v5, "40 05 00 01 00 00 00", .trailingBytes, nil),
        Self(
            "PUBACK with a foreign reason code", .v5,
            "40 03 00 01 8F", .reasonCodeNotAllowed, "MQTT-3.4.2-1", .protocolError),
        Self("PUBACK whose properties run past the end", .v5, "40 04 00 01 00 05", .truncated, nil),
        Self("PUBREC of one byte", .v3_1_1, "50 01 00", .truncated, nil),
        Self("PUBREC of one byte", .v5, "50 01 00", .truncated, nil),
        Self(
            "PUBREC with packet identifier 0", .v3_1_1,
            "50 02 00 00", .packetIdentifierZero, "MQTT-2.3.1-1", .protocolError),
        Self(
            "PUBREC with packet identifier 0", .v5,
            "50 02 00 00", .packetIdentifierZero, "MQTT-2.2.1-3", .protocolError),
        Self("PUBREC with a byte too many", .v3_1_1, "50 03 00 01 00", .trailingBytes, nil),
        Self("PUBREC with a byte too many", .v5, "50 05 00 01 00 00 00", .trailingBytes, nil),
        Self(
            "PUBREC with a foreign reason code", .v5,
            "50 03 00 01 8F", .reasonCodeNotAllowed, "MQTT-3.5.2-1", .protocolError),
        Self("PUBREC whose properties run past the end", .v5, "50 04 00 01 00 05", .truncated, nil),
        Self("PUBREL of one byte", .v3_1_1, "62 01 00", .truncated, nil),
        Self("PUBREL of one byte", .v5, "62 01 00", .truncated, nil),
        Self(
            "PUBREL with packet identifier 0", .v3_1_1,
            "62 02 00 00", .packetIdentifierZero, "MQTT-2.3.1-1", .protocolError),
        Self(
            "PUBREL with packet identifier 0", .v5,
            "62 02 00 00", .packetIdentifierZero, "MQTT-2.2.1-3", .protocolError),
        Self("PUBREL with a byte too many", .v3_1_1, "62 03 00 01 00", .trailingBytes, nil),
        Self("PUBREL with a byte too many", .v5, "62 05 00 01 00 00 00", .trailingBytes, nil),
        Self(
            "PUBREL with a foreign reason code", .v5,
            "62 03 00 01 8F", .reasonCodeNotAllowed, "MQTT-3.6.2-1", .protocolError),
        Self("PUBREL whose properties run past the end", .v5, "62 04 00 01 00 05", .truncated, nil),
        Self("PUBCOMP of one byte", .v3_1_1, "70 01 00", .truncated, nil),
        Self("PUBCOMP of one byte", .v5, "70 01 00", .truncated, nil),
        Self(
            "PUBCOMP with packet identifier 0", .v3_1_1,
            "70 02 00 00", .packetIdentifierZero, "MQTT-2.3.1-1", .protocolError),
        Self(
            "PUBCOMP with packet identifier 0", .v5,
            "70 02 00 00", .packetIdentifierZero, "MQTT-2.2.1-3", .protocolError),
        Self("PUBCOMP with a byte too many", .v3_1_1, "70 03 00 01 00", .trailingBytes, nil),
        Self("PUBCOMP with a byte too many", .v5, "70 05 00 01 00 00 00", .trailingBytes, nil),
        Self(
            "PUBCOMP with a foreign reason code", .v5,
            "70 03 00 01 8F", .reasonCodeNotAllowed, "MQTT-3.7.2-1", .protocolError),
        Self("PUBCOMP whose properties run past the end", .v5, "70 04 00 01 00 05", .truncated, nil),
    ]

    static let subscriptions: [MalformedPacket] = [
        Self("SUBSCRIBE without a filter", .v3_1_1, "82 02 00 01", .noTopicFilters, "MQTT-3.8.3-3", .protocolError),
        Self("SUBSCRIBE without a filter", .v5, "82 03 00 01 00", .noTopicFilters, "MQTT-3.8.3-2", .protocolError),
        Self(
            "SUBSCRIBE with packet identifier 0", .v3_1_1,
            "82 06 00 00 00 01 61 00", .packetIdentifierZero, "MQTT-2.3.1-1", .protocolError),
        Self(
            "SUBSCRIBE with packet identifier 0", .v5,
            "82 07 00 00 00 00 01 61 00", .packetIdentifierZero, "MQTT-2.2.1-3", .protocolError),
        Self("SUBSCRIBE without options", .v3_1_1, "82 05 00 01 00 01 61", .truncated, nil),
        Self("SUBSCRIBE without options", .v5, "82 06 00 01 00 00 01 61", .truncated, nil),
        Self("SUBSCRIBE with QoS 3", .v3_1_1, "82 06 00 01 00 01 61 03", .invalidQoS, "MQTT-3-8.3-4", .protocolError),
        Self("SUBSCRIBE with QoS 3", .v5, "82 07 00 01 00 00 01 61 03", .invalidQoS, nil, .protocolError),
        Self(
            "SUBSCRIBE with reserved option bits", .v3_1_1,
            "82 06 00 01 00 01 61 04", .subscriptionOptionsReserved, "MQTT-3-8.3-4"),
        Self(
            "SUBSCRIBE with reserved option bits", .v5,
            "82 07 00 01 00 00 01 61 40", .subscriptionOptionsReserved, "MQTT-3.8.3-5"),
        Self(
            "SUBSCRIBE with the highest option bit", .v3_1_1,
            "82 06 00 01 00 01 61 80", .subscriptionOptionsReserved, "MQTT-3-8.3-4"),
        Self(
            "SUBSCRIBE with the highest option bit", .v5,
            "82 07 00 01 00 00 01 61 80", .subscriptionOptionsReserved, "MQTT-3.8.3-5"),
        Self(
            "SUBSCRIBE with retain handling 3", .v5,
            "82 07 00 01 00 00 01 61 30", .invalidRetainHandling, nil, .protocolError),
        Self(
            "SUBSCRIBE with No Local on a share", .v5,
            "82 10 00 01 00 00 0A 24 73 68 61 72 65 2F 67 2F 61 04", .noLocalOnSharedSubscription, "MQTT-3.8.3-4",
            .protocolError),
        Self(
            "SUBSCRIBE with an empty filter", .v3_1_1,
            "82 05 00 01 00 00 00", .topicEmpty, "MQTT-4.7.3-1", .topicFilterInvalid),
        Self(
            "SUBSCRIBE with an empty filter", .v5,
            "82 06 00 01 00 00 00 00", .topicEmpty, "MQTT-4.7.3-1", .topicFilterInvalid),
        Self(
            "SUBSCRIBE to a#", .v3_1_1,
            "82 07 00 01 00 02 61 23 00", .misplacedWildcard, "MQTT-4.7.1-2, MQTT-4.7.1-3", .topicFilterInvalid),
        Self(
            "SUBSCRIBE to a#", .v5,
            "82 08 00 01 00 00 02 61 23 00", .misplacedWildcard, "MQTT-4.7.1-1, MQTT-4.7.1-2", .topicFilterInvalid),
        Self(
            "SUBSCRIBE to #/a", .v3_1_1,
            "82 08 00 01 00 03 23 2F 61 00", .misplacedWildcard, "MQTT-4.7.1-2, MQTT-4.7.1-3", .topicFilterInvalid),
        Self(
            "SUBSCRIBE to #/a", .v5,
            "82 09 00 01 00 00 03 23 2F 61 00", .misplacedWildcard, "MQTT-4.7.1-1, MQTT-4.7.1-2", .topicFilterInvalid),
        Self(
            "SUBSCRIBE to $share/g", .v5,
            "82 0E 00 01 00 00 08 24 73 68 61 72 65 2F 67 00", .malformedShare, "MQTT-4.8.2-1, MQTT-4.8.2-2",
            .topicFilterInvalid),
        Self("SUBSCRIBE to an ill-formed filter", .v3_1_1, "82 06 00 01 00 01 FF 00", .malformedUTF8, "MQTT-1.5.3-1"),
        Self("SUBSCRIBE to an ill-formed filter", .v5, "82 07 00 01 00 00 01 FF 00", .malformedUTF8, "MQTT-1.5.4-1"),
        Self("SUBSCRIBE with half a second filter", .v3_1_1, "82 07 00 01 00 01 61 00 00", .truncated, nil),
        Self("SUBSCRIBE with half a second filter", .v5, "82 08 00 01 00 00 01 61 00 00", .truncated, nil),
        Self("SUBACK without a code", .v3_1_1, "90 02 00 01", .noReasonCodes, "MQTT-3.8.4-5"),
        Self("SUBACK without a code", .v5, "90 03 00 01 00", .noReasonCodes, "MQTT-3.8.4-6"),
        Self("SUBACK with code 3", .v3_1_1, "90 03 00 01 03", .reasonCodeNotAllowed, "MQTT-3.9.3-2", .protocolError),
        Self("SUBACK with code 3", .v5, "90 04 00 01 00 03", .reasonCodeNotAllowed, "MQTT-3.9.3-2", .protocolError),
        Self(
            "SUBACK with a failure code of 5.0", .v3_1_1,
            "90 03 00 01 87", .reasonCodeNotAllowed, "MQTT-3.9.3-2", .protocolError),
        Self(
            "SUBACK with packet identifier 0", .v3_1_1,
            "90 03 00 00 00", .packetIdentifierZero, "MQTT-2.3.1-1", .protocolError),
        Self(
            "SUBACK with packet identifier 0", .v5,
            "90 04 00 00 00 00", .packetIdentifierZero, "MQTT-2.2.1-3", .protocolError),
        Self("UNSUBSCRIBE without a filter", .v3_1_1, "A2 02 00 01", .noTopicFilters, "MQTT-3.10.3-2", .protocolError),
        Self("UNSUBSCRIBE without a filter", .v5, "A2 03 00 01 00", .noTopicFilters, "MQTT-3.10.3-2", .protocolError),
        Self(
            "UNSUBSCRIBE with packet identifier 0", .v3_1_1,
            "A2 05 00 00 00 01 61", .packetIdentifierZero, "MQTT-2.3.1-1", .protocolError),
        Self(
            "UNSUBSCRIBE with packet identifier 0", .v5,
            "A2 06 00 00 00 00 01 61", .packetIdentifierZero, "MQTT-2.2.1-3", .protocolError),
        Self("UNSUBSCRIBE with U+0000", .v3_1_1, "A2 05 00 01 00 01 00", .nullCharacter, "MQTT-1.5.3-2"),
        Self("UNSUBSCRIBE with U+0000", .v5, "A2 06 00 01 00 00 01 00", .nullCharacter, "MQTT-1.5.4-2"),
        Self("UNSUBSCRIBE with half a filter", .v3_1_1, "A2 05 00 01 00 02 61", .truncated, nil),
        Self("UNSUBSCRIBE with half a filter", .v5, "A2 06 00 01 00 00 02 61", .truncated, nil),
        Self("UNSUBACK of one byte", .v3_1_1, "B0 01 00", .truncated, nil),
        Self("UNSUBACK of one byte", .v5, "B0 01 00", .truncated, nil),
        Self("UNSUBACK with a code", .v3_1_1, "B0 03 00 01 00", .trailingBytes, nil),
        Self("UNSUBACK without a code", .v5, "B0 03 00 01 00", .noReasonCodes, "MQTT-3.11.3-1"),
        Self("UNSUBACK with code 1", .v5, "B0 04 00 01 00 01", .reasonCodeNotAllowed, "MQTT-3.11.3-2", .protocolError),
    ]

    static let endings: [MalformedPacket] = [
        Self("AUTH without method", .v5, "F0 01 18", .authenticationMethodMissing, nil, .protocolError),
        Self(
            "AUTH without method but with a reason", .v5,
            "F0 06 00 04 1F 00 01 61", .authenticationMethodMissing, nil, .protocolError),
        Self("PINGREQ with a byte", .v3_1_1, "C0 01 00", .trailingBytes, nil),
        Self("PINGREQ with a byte", .v5, "C0 01 00", .trailingBytes, nil),
        Self("PINGRESP with a byte", .v3_1_1, "D0 01 00", .trailingBytes, nil),
        Self("PINGRESP with a byte", .v5, "D0 01 00", .trailingBytes, nil),
        Self("DISCONNECT with a reason code", .v3_1_1, "E0 01 00", .trailingBytes, nil),
        Self(
            "DISCONNECT with a foreign reason code", .v5,
            "E0 01 01", .reasonCodeNotAllowed, "MQTT-3.14.2-1", .protocolError),
        Self("DISCONNECT with a byte too many", .v5, "E0 03 00 00 00", .trailingBytes, nil),
        Self(
            "AUTH with a foreign reason code", .v5,
            "F0 01 01", .reasonCodeNotAllowed, "MQTT-3.15.2-1", .protocolError),
        Self("AUTH with a byte too many", .v5, "F0 07 18 04 15 00 01 6D 00", .trailingBytes, nil),
    ]
}
