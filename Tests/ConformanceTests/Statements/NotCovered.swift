import MQTTWire

/// A statement that no test here is about.
struct NotCovered {
    let version: ProtocolVersion
    let statement: String
    let reason: String

    static let all: [NotCovered] = []
}
