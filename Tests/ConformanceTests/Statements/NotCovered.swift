import MQTTWire

/// A statement that no test here is about, and why.
struct NotCovered {
    let version: ProtocolVersion
    let statement: String
    let reason: String

    static let all =
        old("MQTT-2.3.1-2", "binds the client: it picks unused packet identifiers")
        + old("MQTT-2.3.1-3", "binds the client: it repeats a packet under its identifier")
        + old("MQTT-3.1.2-23", "binds the client: it keeps the connection alive")
        + old("MQTT-3.14.4-1", "binds the client: it closes behind its DISCONNECT")
        + old("MQTT-3.14.4-2", "binds the client: it sends nothing behind its DISCONNECT")
        + old("MQTT-4.5.0-2", "binds the client: it acknowledges what it receives")
        + old("MQTT-4.8.0-2", "cannot be provoked from outside: a transient error inside the broker")
        + old("MQTT-6.0.0-3", "binds the client: it offers the subprotocol mqtt")
        + old(
            "MQTT-7.0.0-1",
            "for brokers that connect to other brokers: connections outwards are the agent's, with its client")
        + old("MQTT-7.1.2-1", "binds the client: its transport")

        + new("MQTT-3.1.2-20", "binds the client: it sends PINGREQ")
        + new("MQTT-3.1.2-21", "binds the client: it follows Server Keep Alive")
        + new("MQTT-3.2.2-4", "binds the client: it closes when the broker knows a session and it does not")
        + new("MQTT-3.2.2-5", "binds the client: it forgets a session that the broker does not know")
        + new("MQTT-3.2.2-21", "binds the client: it follows Server Keep Alive")
        + new("MQTT-3.3.2-10", "binds the client: it accepts topic aliases up to its maximum")
        + new("MQTT-3.3.4-8", "binds the client: its other packets do not wait for PUBLISH")
        + new("MQTT-4.5.0-2", "binds the client: it acknowledges what it receives")
        + new("MQTT-4.6.0-1", "binds the client: the order in which it repeats PUBLISH")
        + new("MQTT-4.6.0-2", "binds the client: the order of its PUBACK")
        + new("MQTT-4.6.0-3", "binds the client: the order of its PUBREC")
        + new("MQTT-4.6.0-4", "binds the client: the order of its PUBREL")
        + new("MQTT-6.0.0-3", "binds the client: it offers the subprotocol mqtt")

    private static func old(_ statement: String, _ reason: String) -> [NotCovered] {
        [NotCovered(version: .v3_1_1, statement: statement, reason: reason)]
    }

    private static func new(_ statement: String, _ reason: String) -> [NotCovered] {
        [NotCovered(version: .v5, statement: statement, reason: reason)]
    }
}
