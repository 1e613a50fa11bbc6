internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Units

/// Somebody at the broker who sees what arrives: a client of its own, on the broker's side of the cable.
actor Watcher {
    /// The numbers of the readings that came; all up to the first gap are only counted.
    private var through = 0
    private var beyond: Set<Int> = []
    private var highest = 0
    private var outOfOrder = 0
    private var repeated = 0
    /// The latest value of each topic, as people read it.
    private var latest: [String: String] = [:]
    /// The latest that was heard of the board, and how many statuses there were.
    private(set) var status = ""
    private(set) var statusCount = 0
    /// The broker has taken the subscription: nothing from now on is missed.
    private(set) var isWatching = false
    private let heard: @Sendable (_ status: String) -> Void

    init(heard: @escaping @Sendable (_ status: String) -> Void) { self.heard = heard }

    func watch(_ client: MQTTClient) async throws {
        try await client.subscribe([Subscription(filter: TopicFilter("fieldpost/#"), qos: .exactlyOnce)])
        isWatching = true
        for await message in client.messages { take(message) }
    }

    private func take(_ message: ReceivedMessage) {
        let payload = String(buffer: message.payload)
        if message.topic.string.hasSuffix("/status") {
            status = payload
            statusCount += 1
            heard(payload)
        } else if let number = Self.member("seq", of: payload).flatMap({ Int($0) }) {
            count(number)
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
        guard let name = payload.range(of: "\"\(name)\":") else { return nil }
        let rest = payload[name.upperBound...]
        if rest.first == "\"" { return String(rest.dropFirst().prefix { $0 != "\"" }) }
        return String(rest.prefix { $0 != "," && $0 != "}" })
    }

    private func count(_ number: Int) {
        guard number > through, beyond.insert(number).inserted else {
            repeated += 1
            return
        }
        if number < highest { outOfOrder += 1 }
        highest = max(highest, number)
        while beyond.remove(through + 1) != nil { through += 1 }
    }

    /// What a summary says of the numbers 1 to `last`.
    func account(of last: Int) -> Account {
        let arrived = min(through, last) + beyond.count { $0 <= last }
        return Account(arrived: arrived, missing: last - arrived, outOfOrder: outOfOrder, repeated: repeated)
    }

    struct Account: Sendable, Hashable {
        var arrived = 0
        var missing = 0
        var outOfOrder = 0
        var repeated = 0
    }
}
