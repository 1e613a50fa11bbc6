import MQTTWire
import TestSupport

/// A message as a client's library gave it to its program.
struct Heard: Hashable, Sendable, CustomStringConvertible {
    var topic: String
    var payload: Payload
    var qos: QoS
    var retain = false
    var properties: [Field] = []

    var description: String {
        "\(topic) QoS \(qos.rawValue)\(retain ? " retained" : "") \(payload) "
            + properties.map(\.line).joined(separator: " ")
    }

    init(_ topic: String, _ payload: Payload, _ qos: QoS, retain: Bool = false, properties: [Field] = []) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
    }
}

/// What has come to one client.
actor Inbox {
    private let variant: Variant
    private(set) var messages: [Heard] = []
    /// The connection has ended without being told to; what was said of it.
    private(set) var ending: [Field]?

    init(_ variant: Variant) { self.variant = variant }

    func append(_ message: Heard) { messages.append(message) }
    func end(_ fields: [Field]) { ending = fields }
    func clear() { messages = [] }

    /// Waits for messages, and gives all that match: more than `count` if more have come.
    nonisolated func wait(
        for count: Int, timeout: Duration = .seconds(20), where matches: @Sendable (Heard) -> Bool = { _ in true }
    ) async throws -> [Heard] {
        do {
            var seen = -1
            try await eventually(within: timeout, "\(count) messages") {
                let messages = await self.messages
                guard messages.count != seen else { return false }
                seen = messages.count
                return seen >= count && messages.count(where: matches) >= count
            }
        } catch {
            throw Missing(variant: variant, wanted: count, heard: await messages.filter(matches), ending: await ending)
        }
        return await messages.filter(matches)
    }

    /// Waits for the end of the connection.
    nonisolated func waitForEnd() async throws -> [Field] {
        try await eventually("the connection's end") { await self.ending != nil }
        return await ending ?? []
    }
}

/// Too few messages have come.
struct Missing: Error, CustomStringConvertible {
    let variant: Variant
    let wanted: Int
    let heard: [Heard]
    let ending: [Field]?

    var description: String {
        "\(variant.testDescription): \(heard.count) messages instead of \(wanted)\(ending.map { ", and the connection has ended \($0)" } ?? ""):\n"
            + heard.suffix(20).map(\.description).joined(separator: "\n")
    }
}
