import MQTTWire

extension MalformedPacket {
    /// CONNECT and CONNACK.
    static let connect: [MalformedPacket] = [
        Self("CONNECT of no bytes", .v3_1_1, "10 00", .truncated, nil),
        Self("CONNECT of no bytes", .v5, "10 00", .truncated, nil),
        Self(
            "CONNECT with protocol name MQIsdp", .v3_1_1,
            "10 0F 00 06 4D 51 49 73 64 70 04 02 00 3C 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol name MQIsdp", .v5,
            "10 10 00 06 4D 51 49 73 64 70 05 02 00 3C 00 00 01 63", .invalidProtocolName, "MQTT-3.1.2-1",
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
            "CONNECT with protocol level 0x85", .v3_1_1,
            "10 0D 00 04 4D 51 54 54 85 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
            .unsupportedProtocolVersion),
        Self(
            "CONNECT with protocol level 0x85", .v5,
            "10 0D 00 04 4D 51 54 54 85 02 00 3C 00 01 63", .unsupportedProtocolVersion, "MQTT-3.1.2-2",
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
}
