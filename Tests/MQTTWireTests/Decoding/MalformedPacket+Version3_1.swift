import MQTTWire

extension MalformedPacket {
    /// What is malformed under 3.1 too, although it allows more.
    static let version3_1: [MalformedPacket] = [
        connect3_1("without client identifier", "02 00 3C 00 00", .clientIdentifierEmpty, .clientIdentifierNotValid),
        connect3_1("with the reserved flag", "03 00 3C 00 01 63", .connectFlagsReserved),
        connect3_1("with a password without user name", "42 00 3C 00 01 63 00 01 70", .passwordWithoutUsername),
        connect3_1("with half a user name", "82 00 3C 00 01 63 00 02 75", .truncated),
        connect3_1("with half a user name's length", "82 00 3C 00 01 63 00", .truncated),
        connect3_1("with half a password", "C2 00 3C 00 01 63 00 01 75 00 01", .truncated),
        connect3_1("with a user name that no flag announces", "02 00 3C 00 01 63 00 01 75", .trailingBytes),
        connect3_1("with a will of QoS 3", "1E 00 3C 00 01 63 00 01 77 00 00", .invalidQoS),
        connect3_1("without its will", "06 00 3C 00 01 63", .truncated),
        Self(
            "CONNECT of 3.1 under another name", .v3_1, "10 0D 00 04 4D 51 54 54 03 02 00 3C 00 01 63",
            .unsupportedProtocolVersion, nil, .unsupportedProtocolVersion),
        Self("CONNECT with DUP", .v3_1, "18 00", .reservedFlags, nil),
        Self(
            "CONNACK with a return code of nobody's", .v3_1, "20 02 00 06", .reasonCodeNotAllowed, nil, .protocolError),
        Self("PUBLISH with DUP and QoS 0", .v3_1, "38 03 00 01 61", .duplicateFlagWithQoS0, nil),
        Self("PUBACK with DUP", .v3_1, "48 00", .reservedFlags, nil),
        Self("PUBREL with QoS 0 and DUP", .v3_1, "68 00", .reservedFlags, nil),
        Self("PUBREL with DUP and RETAIN", .v3_1, "6B 00", .reservedFlags, nil),
        Self("SUBSCRIBE with QoS 0", .v3_1, "80 00", .reservedFlags, nil),
        Self("SUBSCRIBE with QoS 2 and DUP", .v3_1, "8C 00", .reservedFlags, nil),
        Self("SUBSCRIBE of an option of 5.0", .v3_1, "82 06 00 01 00 01 61 04", .subscriptionOptionsReserved, nil),
        Self("SUBACK with a failure", .v3_1, "90 03 00 01 80", .reasonCodeNotAllowed, nil, .protocolError),
        Self("UNSUBSCRIBE with QoS 0 and DUP", .v3_1, "A8 00", .reservedFlags, nil),
        Self("PINGREQ with DUP", .v3_1, "C8 00", .reservedFlags, nil),
        Self("AUTH", .v3_1, "F0 00", .unknownPacketType, nil),
    ]

    /// - Parameter rest: what follows the level, from the flags on.
    private static func connect3_1(
        _ title: String, _ rest: String, _ rule: ProtocolRule, _ answer: ReasonCode = .malformedPacket
    ) -> Self {
        let length = 9 + [UInt8](hex: rest).count
        let hex = "10 \(length < 16 ? "0" : "")\(String(length, radix: 16)) 00 06 4D 51 49 73 64 70 03 \(rest)"
        return Self("CONNECT \(title)", .v3_1, hex, rule, nil, answer)
    }
}
