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
        fixedHeader + publish + properties + connect + acknowledgements + subscriptions + endings

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

    static let properties: [MalformedPacket] = [
        Self("topic alias 0", .v5, "30 06 00 00 03 23 00 00", .topicAliasZero, "MQTT-3.3.2-8", .topicAliasInvalid),
        Self(
            "response topic with a wildcard", .v5,
            "30 08 00 01 61 04 08 00 01 23", .wildcardInResponseTopic, "MQTT-3.3.2-14", .topicNameInvalid),
        Self(
            "payload format indicator 2", .v5,
            "30 06 00 01 61 02 01 02", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "subscription identifier 0", .v5,
            "30 06 00 01 61 02 0B 00", .propertyValueOutOfRange, nil, .protocolError),
        Self("unknown property 0x04", .v5, "30 06 00 01 61 02 04 00", .unknownProperty, nil),
        Self("unknown property 0x2B", .v5, "30 06 00 01 61 02 2B 00", .unknownProperty, nil),
        Self("unknown property 0x00", .v5, "30 06 00 01 61 02 00 00", .unknownProperty, nil),
        Self("unknown property 257", .v5, "30 07 00 01 61 03 81 02 00", .unknownProperty, nil),
        Self("session expiry in PUBLISH", .v5, "30 09 00 01 61 05 11 00 00 00 01", .propertyNotAllowed, nil),
        Self("topic alias in SUBSCRIBE", .v5, "82 0A 00 01 03 23 00 01 00 01 61 00", .propertyNotAllowed, nil),
        Self(
            "will delay in CONNECT itself", .v5,
            "10 13 00 04 4D 51 54 54 05 02 00 3C 05 18 00 00 00 01 00 01 63", .propertyNotAllowed, nil),
        Self(
            "session expiry in the will", .v5,
            "10 19 00 04 4D 51 54 54 05 06 00 3C 00 00 01 63 05 11 00 00 00 01 00 01 77 00 00", .propertyNotAllowed, nil
        ),
        Self(
            "topic alias in the will", .v5,
            "10 17 00 04 4D 51 54 54 05 06 00 3C 00 00 01 63 03 23 00 01 00 01 77 00 00", .propertyNotAllowed, nil),
        Self("reason string in UNSUBSCRIBE", .v5, "A2 0A 00 01 04 1F 00 01 61 00 01 61", .propertyNotAllowed, nil),
        Self(
            "payload format twice in PUBLISH", .v5,
            "30 08 00 01 61 04 01 00 01 00", .propertyRepeated, nil, .protocolError),
        Self(
            "message expiry twice in PUBLISH", .v5,
            "30 0E 00 01 61 0A 02 00 00 00 01 02 00 00 00 01", .propertyRepeated, nil, .protocolError),
        Self(
            "content type twice in PUBLISH", .v5,
            "30 0A 00 01 61 06 03 00 00 03 00 00", .propertyRepeated, nil, .protocolError),
        Self(
            "response topic twice in PUBLISH", .v5,
            "30 0C 00 01 61 08 08 00 01 61 08 00 01 61", .propertyRepeated, nil, .protocolError),
        Self(
            "correlation data twice in PUBLISH", .v5,
            "30 0A 00 01 61 06 09 00 00 09 00 00", .propertyRepeated, nil, .protocolError),
        Self(
            "topic alias twice in PUBLISH", .v5,
            "30 0A 00 01 61 06 23 00 01 23 00 01", .propertyRepeated, nil, .protocolError),
        Self(
            "session expiry twice in CONNECT", .v5,
            "10 18 00 04 4D 51 54 54 05 02 00 3C 0A 11 00 00 00 01 11 00 00 00 01 00 01 63", .propertyRepeated, nil,
            .protocolError),
        Self(
            "authentication method twice in CONNECT", .v5,
            "10 16 00 04 4D 51 54 54 05 02 00 3C 08 15 00 01 6D 15 00 01 6D 00 01 63", .propertyRepeated, nil,
            .protocolError),
        Self(
            "request problem information twice in CONNECT", .v5,
            "10 12 00 04 4D 51 54 54 05 02 00 3C 04 17 01 17 01 00 01 63", .propertyRepeated, nil, .protocolError),
        Self(
            "request response information twice in CONNECT", .v5,
            "10 12 00 04 4D 51 54 54 05 02 00 3C 04 19 01 19 01 00 01 63", .propertyRepeated, nil, .protocolError),
        Self(
            "receive maximum twice in CONNECT", .v5,
            "10 14 00 04 4D 51 54 54 05 02 00 3C 06 21 00 01 21 00 01 00 01 63", .propertyRepeated, nil, .protocolError),
        Self(
            "topic alias maximum twice in CONNECT", .v5,
            "10 14 00 04 4D 51 54 54 05 02 00 3C 06 22 00 01 22 00 01 00 01 63", .propertyRepeated, nil, .protocolError),
        Self(
            "maximum packet size twice in CONNECT", .v5,
            "10 18 00 04 4D 51 54 54 05 02 00 3C 0A 27 00 00 00 01 27 00 00 00 01 00 01 63", .propertyRepeated, nil,
            .protocolError),
        Self(
            "assigned client identifier twice in CONNACK", .v5,
            "20 0B 00 00 08 12 00 01 61 12 00 01 61", .propertyRepeated, nil, .protocolError),
        Self(
            "server keep alive twice in CONNACK", .v5,
            "20 09 00 00 06 13 00 01 13 00 01", .propertyRepeated, nil, .protocolError),
        Self(
            "response information twice in CONNACK", .v5,
            "20 09 00 00 06 1A 00 00 1A 00 00", .propertyRepeated, nil, .protocolError),
        Self(
            "server reference twice in CONNACK", .v5,
            "20 09 00 00 06 1C 00 00 1C 00 00", .propertyRepeated, nil, .protocolError),
        Self(
            "reason string twice in CONNACK", .v5,
            "20 09 00 00 06 1F 00 00 1F 00 00", .propertyRepeated, nil, .protocolError),
        Self("maximum QoS twice in CONNACK", .v5, "20 07 00 00 04 24 00 24 00", .propertyRepeated, nil, .protocolError),
        Self(
            "retain available twice in CONNACK", .v5,
            "20 07 00 00 04 25 01 25 01", .propertyRepeated, nil, .protocolError),
        Self(
            "wildcard subscription available twice in CONNACK", .v5,
            "20 07 00 00 04 28 01 28 01", .propertyRepeated, nil, .protocolError),
        Self(
            "subscription identifiers available twice in CONNACK", .v5,
            "20 07 00 00 04 29 01 29 01", .propertyRepeated, nil, .protocolError),
        Self(
            "shared subscription available twice in CONNACK", .v5,
            "20 07 00 00 04 2A 01 2A 01", .propertyRepeated, nil, .protocolError),
        Self(
            "subscription identifier twice in SUBSCRIBE", .v5,
            "82 0B 00 01 04 0B 01 0B 02 00 01 61 00", .propertyRepeated, nil, .protocolError),
        Self(
            "will delay twice", .v5,
            "10 1E 00 04 4D 51 54 54 05 06 00 3C 00 00 01 63 0A 18 00 00 00 01 18 00 00 00 01 00 01 77 00 00",
            .propertyRepeated, nil, .protocolError),
        Self(
            "request problem information 2", .v5,
            "10 10 00 04 4D 51 54 54 05 02 00 3C 02 17 02 00 01 63", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "request response information 2", .v5,
            "10 10 00 04 4D 51 54 54 05 02 00 3C 02 19 02 00 01 63", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "receive maximum 0", .v5,
            "10 11 00 04 4D 51 54 54 05 02 00 3C 03 21 00 00 00 01 63", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "maximum packet size 0", .v5,
            "10 13 00 04 4D 51 54 54 05 02 00 3C 05 27 00 00 00 00 00 01 63", .propertyValueOutOfRange, nil,
            .protocolError),
        Self("maximum QoS 2", .v5, "20 05 00 00 02 24 02", .propertyValueOutOfRange, nil, .protocolError),
        Self("maximum QoS 3", .v5, "20 05 00 00 02 24 03", .propertyValueOutOfRange, nil, .protocolError),
        Self("retain available 2", .v5, "20 05 00 00 02 25 02", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "wildcard subscription available 2", .v5,
            "20 05 00 00 02 28 02", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "subscription identifiers available 2", .v5,
            "20 05 00 00 02 29 02", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "shared subscription available FF", .v5,
            "20 05 00 00 02 2A FF", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "receive maximum 0 in CONNACK", .v5,
            "20 06 00 00 03 21 00 00", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "maximum packet size 0 in CONNACK", .v5,
            "20 08 00 00 05 27 00 00 00 00", .propertyValueOutOfRange, nil, .protocolError),
        Self(
            "authentication data without method in CONNECT", .v5,
            "10 12 00 04 4D 51 54 54 05 02 00 3C 04 16 00 01 64 00 01 63", .authenticationDataWithoutMethod, nil,
            .protocolError),
        Self(
            "authentication data without method in CONNACK", .v5,
            "20 07 00 00 04 16 00 01 64", .authenticationDataWithoutMethod, nil, .protocolError),
        Self(
            "authentication data without method in AUTH", .v5,
            "F0 06 18 04 16 00 01 64", .authenticationDataWithoutMethod, nil, .protocolError),
        Self("DISCONNECT with receive maximum", .v5, "E0 05 00 03 21 00 01", .propertyNotAllowed, nil),
    ]

    static let connect: [MalformedPacket] = [
        Self("CONNECT of no bytes", .v3_1_1, "10 00", .truncated, nil),
        Self("CONNECT of no bytes", .v5, "10 00", .truncated, nil),
        Self(
            "CONNECT with protocol name MQIsdp", .v3_1_1,
            "10 0F 00 06 4D 51 49 73 64 70 03 02 00 3C 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name MQIsdp", .v5,
            "10 10 00 06 4D 51 49 73 64 70 03 02 00 3C 00 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name mqtt", .v3_1_1,
            "10 0D 00 04 6D 71 74 74 04 02 00 3C 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name mqtt", .v5,
            "10 0E 00 04 6D 71 74 74 04 02 00 3C 00 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name MQTX", .v3_1_1,
            "10 0D 00 04 4D 51 54 58 04 02 00 3C 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name MQTX", .v5,
            "10 0E 00 04 4D 51 54 58 04 02 00 3C 00 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name an empty name", .v3_1_1,
            "10 09 00 00 04 02 00 3C 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1", .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name an empty name", .v5,
            "10 0A 00 00 04 02 00 3C 00 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1", .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name HTTP", .v3_1_1,
            "10 0D 00 04 48 54 54 50 05 02 00 3C 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name HTTP", .v5,
            "10 0E 00 04 48 54 54 50 05 02 00 3C 00 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0x00", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 00 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0x00", .v5,
            "10 0D 00 04 4D 51 54 54 00 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0x03", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 03 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0x03", .v5,
            "10 0D 00 04 4D 51 54 54 03 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0x06", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 06 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0x06", .v5,
            "10 0D 00 04 4D 51 54 54 06 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0x84", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 84 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0x84", .v5,
            "10 0D 00 04 4D 51 54 54 84 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0xFF", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 FF 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0xFF", .v5,
            "10 0D 00 04 4D 51 54 54 FF 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with the reserved flag", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 04 03 00 3C 00 01 63", .connectFlagsReserved, "MQTT-3.1.2-3"),
        Self(
            "CONNECT with the reserved flag", .v5,
            "10 0E 00 04 4D 51 54 54 05 03 00 3C 00 00 01 63", .connectFlagsReserved, "MQTT-3.1.2-3"),
        Self(
            "CONNECT with will QoS 1 and no will", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 04 0A 00 3C 00 01 63", .willQoSWithoutWill, "MQTT-3.1.2-13"),
        Self(
            "CONNECT with will QoS 1 and no will", .v5,
            "10 0E 00 04 4D 51 54 54 05 0A 00 3C 00 00 01 63", .willQoSWithoutWill, "MQTT-3.1.2-11"),
        Self(
            "CONNECT with will QoS 2 and no will", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 04 12 00 3C 00 01 63", .willQoSWithoutWill, "MQTT-3.1.2-13"),
        Self(
            "CONNECT with will QoS 2 and no will", .v5,
            "10 0E 00 04 4D 51 54 54 05 12 00 3C 00 00 01 63", .willQoSWithoutWill, "MQTT-3.1.2-11"),
        Self(
            "CONNECT with will QoS 3 and no will", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 04 1A 00 3C 00 01 63", .willQoSWithoutWill, "MQTT-3.1.2-13"),
        Self(
            "CONNECT with will QoS 3 and no will", .v5,
            "10 0E 00 04 4D 51 54 54 05 1A 00 3C 00 00 01 63", .willQoSWithoutWill, "MQTT-3.1.2-11"),
        Self(
            "CONNECT with will retain and no will", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 04 22 00 3C 00 01 63", .willRetainWithoutWill, "MQTT-3.1.2-15"),
        Self(
            "CONNECT with will retain and no will", .v5,
            "10 0E 00 04 4D 51 54 54 05 22 00 3C 00 00 01 63", .willRetainWithoutWill, "MQTT-3.1.2-13"),
        Self(
            "CONNECT with will QoS 3", .v3_1_1,
            "10 12 00 04 4D 51 54 54 04 1E 00 3C 00 01 63 00 01 77 00 00", .invalidQoS, "MQTT-3.1.2-14"),
        Self(
            "CONNECT with will QoS 3", .v5,
            "10 14 00 04 4D 51 54 54 05 1E 00 3C 00 00 01 63 00 00 01 77 00 00", .invalidQoS, "MQTT-3.1.2-12"),
        Self(
            "CONNECT with a password and no user name", .v3_1_1,
            "10 10 00 04 4D 51 54 54 04 42 00 3C 00 01 63 00 01 70", .passwordWithoutUsername, "MQTT-3.1.2-22"),
        Self(
            "CONNECT without client identifier for a lasting session", .v3_1_1,
            "10 0C 00 04 4D 51 54 54 04 00 00 3C 00 00", .clientIdentifierEmpty, "MQTT-3.1.3-7",
            .clientIdentifierNotValid),
        Self("CONNECT that ends before its keep-alive", .v3_1_1, "10 09 00 04 4D 51 54 54 04 02 00", .truncated, nil),
        Self("CONNECT that ends before its keep-alive", .v5, "10 09 00 04 4D 51 54 54 05 02 00", .truncated, nil),
        Self(
            "CONNECT without client identifier field", .v3_1_1,
            "10 0A 00 04 4D 51 54 54 04 02 00 3C", .truncated, nil),
        Self("CONNECT without client identifier field", .v5, "10 0B 00 04 4D 51 54 54 05 02 00 3C 00", .truncated, nil),
        Self(
            "CONNECT without the will topic that its flags announce", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 04 06 00 3C 00 01 63", .truncated, nil),
        Self(
            "CONNECT without the will topic that its flags announce", .v5,
            "10 0F 00 04 4D 51 54 54 05 06 00 3C 00 00 01 63 00", .truncated, nil),
        Self(
            "CONNECT without the will message that its flags announce", .v3_1_1,
            "10 10 00 04 4D 51 54 54 04 06 00 3C 00 01 63 00 01 77", .truncated, nil),
        Self(
            "CONNECT without the will message that its flags announce", .v5,
            "10 12 00 04 4D 51 54 54 05 06 00 3C 00 00 01 63 00 00 01 77", .truncated, nil),
        Self(
            "CONNECT without the user name that its flags announce", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 04 82 00 3C 00 01 63", .truncated, nil),
        Self(
            "CONNECT without the user name that its flags announce", .v5,
            "10 0E 00 04 4D 51 54 54 05 82 00 3C 00 00 01 63", .truncated, nil),
        Self(
            "CONNECT without the password that its flags announce", .v3_1_1,
            "10 10 00 04 4D 51 54 54 04 C2 00 3C 00 01 63 00 01 75", .truncated, nil),
        Self(
            "CONNECT without the password that its flags announce", .v5,
            "10 11 00 04 4D 51 54 54 05 C2 00 3C 00 00 01 63 00 01 75", .truncated, nil),
        Self(
            "CONNECT with a password that its flags do not announce", .v3_1_1,
            "10 13 00 04 4D 51 54 54 04 82 00 3C 00 01 63 00 01 75 00 01 70", .trailingBytes, nil),
        Self(
            "CONNECT with a password that its flags do not announce", .v5,
            "10 14 00 04 4D 51 54 54 05 82 00 3C 00 00 01 63 00 01 75 00 01 70", .trailingBytes, nil),
        Self(
            "CONNECT with a byte too many", .v3_1_1,
            "10 0E 00 04 4D 51 54 54 04 02 00 3C 00 01 63 00", .trailingBytes, nil),
        Self(
            "CONNECT with a byte too many", .v5,
            "10 0F 00 04 4D 51 54 54 05 02 00 3C 00 00 01 63 00", .trailingBytes, nil),
        Self(
            "CONNECT with an ill-formed client identifier", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 04 02 00 3C 00 01 FF", .malformedUTF8, "MQTT-1.5.3-1"),
        Self(
            "CONNECT with an ill-formed client identifier", .v5,
            "10 0E 00 04 4D 51 54 54 05 02 00 3C 00 00 01 FF", .malformedUTF8, "MQTT-1.5.4-1"),
        Self(
            "CONNECT with U+0000 in the user name", .v3_1_1,
            "10 10 00 04 4D 51 54 54 04 82 00 3C 00 01 63 00 01 00", .nullCharacter, "MQTT-1.5.3-2"),
        Self(
            "CONNECT with U+0000 in the user name", .v5,
            "10 11 00 04 4D 51 54 54 05 82 00 3C 00 00 01 63 00 01 00", .nullCharacter, "MQTT-1.5.4-2"),
        Self(
            "CONNECT with a wildcard in the will topic", .v3_1_1,
            "10 12 00 04 4D 51 54 54 04 06 00 3C 00 01 63 00 01 23 00 00", .wildcardInTopicName, "MQTT-4.7.1-1",
            .topicNameInvalid),
        Self(
            "CONNECT with a wildcard in the will topic", .v5,
            "10 14 00 04 4D 51 54 54 05 06 00 3C 00 00 01 63 00 00 01 23 00 00", .wildcardInTopicName, "MQTT-4.7.0-1",
            .topicNameInvalid),
        Self(
            "CONNECT with an empty will topic", .v3_1_1,
            "10 11 00 04 4D 51 54 54 04 06 00 3C 00 01 63 00 00 00 00", .topicEmpty, "MQTT-4.7.3-1", .topicNameInvalid),
        Self(
            "CONNECT with an empty will topic", .v5,
            "10 13 00 04 4D 51 54 54 05 06 00 3C 00 00 01 63 00 00 00 00 00", .topicEmpty, "MQTT-4.7.3-1",
            .topicNameInvalid),
        Self("CONNACK with reserved flags", .v3_1_1, "20 02 02 00", .connackFlagsReserved, nil),
        Self("CONNACK with reserved flags", .v5, "20 03 80 00 00", .connackFlagsReserved, "MQTT-3.2.2-1"),
        Self(
            "CONNACK with session present and a refusal", .v3_1_1,
            "20 02 01 05", .sessionPresentWithError, "MQTT-3.2.2-4", .protocolError),
        Self(
            "CONNACK with session present and a refusal", .v5,
            "20 03 01 87 00", .sessionPresentWithError, "MQTT-3.2.2-6", .protocolError),
        Self("CONNACK with an unknown code", .v3_1_1, "20 02 00 06", .reasonCodeNotAllowed, nil, .protocolError),
        Self(
            "CONNACK with an unknown code", .v5,
            "20 03 00 01 00", .reasonCodeNotAllowed, "MQTT-3.2.2-8", .protocolError),
        Self("CONNACK of one byte", .v3_1_1, "20 01 00", .truncated, nil),
        Self("CONNACK of one byte", .v5, "20 01 00", .truncated, nil),
        Self("CONNACK without property length", .v5, "20 02 00 00", .truncated, nil),
        Self("CONNACK with a byte too many", .v3_1_1, "20 03 00 00 00", .trailingBytes, nil),
        Self("CONNACK with a byte too many", .v5, "20 04 00 00 00 00", .trailingBytes, nil),
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
            "82 05 00 01 00 00 00", .topicEmpty, "MQTT-4.7.3-1", .topicNameInvalid),
        Self(
            "SUBSCRIBE with an empty filter", .v5,
            "82 06 00 01 00 00 00 00", .topicEmpty, "MQTT-4.7.3-1", .topicNameInvalid),
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
