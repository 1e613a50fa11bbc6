internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Units

/// Somebody at the broker who sees what arrives: a client of its own, on the broker's side of the cable.
actor Watcher {
    private var ledger = ArrivalLedger()
    private var narrator = Narrator()
    /// The latest value of each sensor, as people read it.
    private var latest: [String: String] = [:]
    /// The state that was heard of the board last, and how often the broker said that it was gone.
    private(set) var state: (name: String, reason: String?) = ("", nil)
    private(set) var wills = 0
    /// The readings and alarms that came from the board, and how often it said that it was there.
    private(set) var signsOfLife = 0
    /// The broker has taken the subscription: nothing from now on is missed.
    private(set) var isWatching = false
    private let say: @Sendable (Narrator.Line) -> Void

    init(say: @escaping @Sendable (Narrator.Line) -> Void) { self.say = say }

    func watch(_ client: MQTTClient) async throws {
        try await client.subscribe(
            [Subscription(filter: TopicFilter("fieldpost/#"), qos: .exactlyOnce)], timeout: .seconds(60))
        isWatching = true
        for await message in client.messages { take(message) }
    }

    private func take(_ message: ReceivedMessage) {
        let topic = message.topic.string
        let payload = (try? JSONReader.value(Array(message.payload.readableBytesView)[...])) ?? .null
        if topic.hasSuffix("/status") {
            state = (payload["state"]?.string ?? "?", payload["reason"]?.string)
            if state.reason == "connection lost" { wills += 1 }
            if state.name == "online" { signsOfLife += 1 }
        } else if let number = payload["seq"]?.number.flatMap({ Int(exactly: $0) }) {
            signsOfLife += 1
            ledger.take(number, topic: topic, mayBeRepeated: message.qos != .exactlyOnce)
            // Alarms have no place among the values.
            if let sensor = topic.split(separator: "/").dropFirst(2).first, payload["state"] == nil {
                let unit = payload["unit"]?.string.map { " \($0)" } ?? ""
                latest[String(sensor)] = Self.text(payload["value"]) + unit
            }
        } else if topic.hasPrefix("fieldpost/\(DemoConfiguration.device)/command/"), topic.hasSuffix("/response") {
            ledger.takeAnswer()
        }
        for line in narrator.take(topic, payload, at: .now()) { say(line) }
    }

    private static func text(_ value: JSON?) -> String {
        // Nobody wants to read more digits.
        if let number = value?.number { return JSON.number((number * 100).rounded() / 100).text }
        return value?.text ?? "?"
    }

    /// The values that came since the last call.
    func takeLatest() -> [String: String] {
        defer { latest = [:] }
        return latest
    }

    /// Whether something was heard.
    func knows(_ event: Narrator.Event) -> Bool { narrator.events[event] != nil }

    /// All that was heard, and how often.
    var events: [Narrator.Event: Int] { narrator.events }

    var workers: Set<String> { narrator.workers }

    /// When an alarm was raised last, as its board says, and when that came.
    func times(of alarm: String) -> (raised: Timestamp, heard: Timestamp)? { narrator.alarms[alarm] }

    /// The answers to commands that came by now: they are messages without a number.
    var answers: Int { ledger.answers }

    func account(of last: Int, answers: Int) -> ArrivalLedger.Account { ledger.account(of: last, answers: answers) }
}
