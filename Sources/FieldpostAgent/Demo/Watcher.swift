internal import MQTT
internal import MQTTWire
internal import NIOCore

/// Somebody at the broker who sees what arrives: a client of its own, on the broker's side of the cable.
actor Watcher {
    /// The numbers of the readings, as they came.
    private(set) var numbers: [Int] = []
    /// The latest value of each topic, as people read it.
    private var latest: [String: String] = [:]
    /// What has been heard of the board, each with the state that it tells.
    private(set) var statuses: [String] = []
    private var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    private let heard: @Sendable (_ status: String) -> Void

    init(heard: @escaping @Sendable (_ status: String) -> Void) { self.heard = heard }

    func watch(_ client: MQTTClient) async throws {
        try await client.subscribe([Subscription(filter: TopicFilter("fieldpost/#"), qos: .exactlyOnce)])
        for await message in client.messages { take(message) }
    }

    private func take(_ message: ReceivedMessage) {
        let payload = String(buffer: message.payload)
        if message.topic.string.hasSuffix("/status") {
            statuses.append(payload)
            heard(payload)
        } else if let number = Self.member("seq", of: payload).flatMap({ Int($0) }) {
            numbers.append(number)
            let value = Self.member("value", of: payload) ?? "?"
            let unit = Self.member("unit", of: payload).map { " \($0)" } ?? ""
            let sensor = message.topic.string.split(separator: "/").last.map(String.init) ?? ""
            latest[sensor] = value + unit
        }
    }

    /// The values that came since the last call.
    func takeLatest() -> [String: String] {
        defer { latest = [:] }
        return latest
    }

    /// A member of one of our own flat payloads, without quotation marks.
    static func member(_ name: String, of payload: String) -> String? {
        guard let rest = payload.behind("\"\(name)\":") else { return nil }
        if rest.first == "\"" { return String(rest.dropFirst().prefix { $0 != "\"" }) }
        return String(rest.prefix { $0 != "," && $0 != "}" })
    }

    /// What a summary says of the numbers 1 to `last`.
    func account(of last: Int) -> Account {
        var account = Account()
        var seen: Set<Int> = []
        var highest = 0
        for number in numbers where number <= last {
            if !seen.insert(number).inserted {
                account.repeated += 1
            } else if number < highest {
                account.outOfOrder += 1
            }
            highest = max(highest, number)
        }
        account.arrived = seen.count
        account.missing = last - seen.count
        return account
    }

    struct Account: Sendable, Hashable {
        var arrived = 0
        var missing = 0
        var outOfOrder = 0
        var repeated = 0
    }
}

extension String {
    /// What follows the first `text`.
    fileprivate func behind(_ text: String) -> Substring? {
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(text) { return rest.dropFirst(text.count) }
            rest = rest.dropFirst()
        }
        return nil
    }
}
