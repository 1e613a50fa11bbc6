import MQTTWire

/// The numbers of all normative statements of both specifications, as the appendix B of each lists them.
enum Statements {
    /// MQTT 3.1.1, OASIS Standard of 29 October 2014.
    static let v3_1_1: [String] =
        all("1.5.3", 3) + all("2.2.2", 2) + all("2.3.1", 7)
        // CONNECT and CONNACK
        + all("3.1.0", 2) + all("3.1.2", 24) + all("3.1.3", 11) + all("3.1.4", 5) + all("3.2.0", 1) + all("3.2.2", 6)
        // PUBLISH and PUBREL
        + all("3.3.1", 12) + all("3.3.2", 3) + all("3.3.4", 1) + all("3.3.5", 2) + all("3.6.1", 1)
        // SUBSCRIBE, of which one number is written otherwise than the rest, and SUBACK
        + all("3.8.1", 1) + all("3.8.3", 3) + ["MQTT-3-8.3-4"] + all("3.8.4", 6) + all("3.9.3", 2)
        // UNSUBSCRIBE, PINGREQ, DISCONNECT
        + all("3.10.1", 1) + all("3.10.3", 2) + all("3.10.4", 6) + all("3.12.4", 1) + all("3.14.1", 1)
        + all("3.14.4", 3)
        // Behaviour
        + all("4.1.0", 2) + all("4.3.1", 1) + all("4.3.2", 2) + all("4.3.3", 2) + all("4.4.0", 1) + all("4.5.0", 2)
        + all("4.6.0", 6) + all("4.7.1", 3) + all("4.7.2", 1) + all("4.7.3", 4) + all("4.8.0", 2)
        // WebSocket and conformance
        + all("6.0.0", 4) + all("7.0.0", 2) + all("7.1.1", 1) + all("7.1.2", 1)

    /// MQTT 5.0, OASIS Standard of 7 March 2019.
    static let v5: [String] =
        all("1.5.4", 3) + all("1.5.5", 1) + all("1.5.7", 1) + all("2.1.3", 1) + all("2.2.1", 2...6) + all("2.2.2", 1)
        // CONNECT and CONNACK
        + all("3.1.0", 2) + all("3.1.2", 30) + all("3.1.3", 12) + all("3.1.4", 6) + all("3.2.0", 2) + all("3.2.2", 22)
        // PUBLISH and its answers
        + all("3.3.1", 13) + all("3.3.2", 20) + all("3.3.4", 10) + all("3.4.2", 3) + all("3.5.2", 3) + all("3.6.1", 1)
        + all("3.6.2", 3) + all("3.7.2", 3)
        // SUBSCRIBE and SUBACK
        + all("3.8.1", 1) + all("3.8.3", 5) + all("3.8.4", 8) + all("3.9.2", 2) + all("3.9.3", 2)
        // UNSUBSCRIBE and UNSUBACK
        + all("3.10.1", 1) + all("3.10.3", 2) + all("3.10.4", 6) + all("3.11.2", 2) + all("3.11.3", 2)
        // PINGREQ, DISCONNECT, AUTH
        + all("3.12.4", 1) + all("3.14.0", 1) + all("3.14.1", 1) + all("3.14.2", 4) + all("3.14.4", 3)
        + all("3.15.1", 1) + all("3.15.2", 3)
        // Behaviour; the appendix writes 4.2-1 as 4.2.0-1
        + all("4.1.0", 2) + ["MQTT-4.2-1"] + all("4.3.1", 1) + all("4.3.2", 5) + all("4.3.3", 13) + all("4.4.0", 2)
        + all("4.5.0", 2) + all("4.6.0", 6) + all("4.7.0", 1) + all("4.7.1", 2) + all("4.7.2", 1) + all("4.7.3", 4)
        + all("4.8.2", 6) + all("4.9.0", 3) + all("4.12.0", 7) + all("4.12.1", 2) + all("4.13.1", 1)
        + all("4.13.2", 1)
        // WebSocket
        + all("6.0.0", 4)

    static func of(_ version: ProtocolVersion) -> [String] { version == .v5 ? v5 : v3_1_1 }

    private static func all(_ section: String, _ count: Int) -> [String] { all(section, 1...count) }

    private static func all(_ section: String, _ numbers: ClosedRange<Int>) -> [String] {
        numbers.map { "MQTT-\(section)-\($0)" }
    }
}
