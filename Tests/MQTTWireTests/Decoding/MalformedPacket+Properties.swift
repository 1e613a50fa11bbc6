import MQTTWire

extension MalformedPacket {
    /// Properties that are unknown, misplaced, repeated or out of range.
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
}
