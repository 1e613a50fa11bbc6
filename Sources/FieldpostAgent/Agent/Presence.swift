internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import StoreForward
internal import Units
internal import Uplink

/// What the fleet is told of this board (P1 to P3): the retained status while it is there, the will for when it is not.
///
///     {"state":"online","since":"…","boot":12,"connection":3,"version":"0.1.0","queue":{"messages":0,…}}
///     {"state":"offline","reason":"connection lost","boot":12,"connection":3,"version":"0.1.0"}
///
/// `boot` counts the agent's starts and `connection` its connections since then, so that a reader who has seen a
/// later one knows a stale will when it comes.
struct Presence: Sendable {
    let topic: TopicName
    let boot: Int64
    let position: Position?
    private let willDelay: Duration
    /// By name, why a sensor gives nothing.
    var failing: [String: String] = [:]
    /// Messages that this run has sent a second time because the broker had lost the session.
    var possibleDuplicates = 0
    /// When the present connection was made.
    var since = Timestamp.now()
    var connection = 0

    init(_ configuration: AgentConfiguration, boot: Int64) {
        topic = configuration.status.topic
        position = configuration.device.position
        willDelay = configuration.status.willDelay
        self.boot = boot
    }

    /// What the broker is to publish when it loses us. It knows no time: the broker's death notice cannot be dated.
    var will: Will {
        var will = Will(
            topic: topic, payload: payload(of: state("offline", "connection lost")), qos: .atLeastOnce, retain: true)
        if willDelay > .zero { will.properties.willDelayInterval = UInt32(clamping: willDelay.components.seconds) }
        return will
    }

    /// - Parameter overruns: by sensor, how many reads were left out because something took too long; the most first.
    func online(
        _ queue: OutboxStatus?, _ bridge: BridgeCounters.Counts?, overruns: [(sensor: String, count: UInt64)] = []
    ) -> Message {
        var members = state("online")
        members.insert(contentsOf: Self.since(since), at: 1)
        if let position {
            members.append(
                JSON.Member(
                    "position", ["latitude": .number(position.latitude), "longitude": .number(position.longitude)]))
        }
        if let queue { members.append(JSON.Member("queue", queue.json)) }
        if let bridge { members.append(JSON.Member("bridge", bridge.json)) }
        if possibleDuplicates > 0 {
            members.append(JSON.Member("possible_duplicates", .integer(Int64(possibleDuplicates))))
        }
        if !failing.isEmpty {
            members.append(
                JSON.Member(
                    "failing",
                    .object(failing.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .string($0.value)) })))
        }
        if !overruns.isEmpty {
            // The slowest tell enough; a status has to fit into a message.
            let slowest = overruns.prefix(16).map { JSON.Member($0.sensor, .integer(Int64(clamping: $0.count))) }
            members.append(JSON.Member("overruns", .object(slowest)))
        }
        return message(members)
    }

    func offline(_ reason: StopReason, at time: Timestamp) -> Message {
        var members = state("offline", reason.rawValue)
        members.insert(contentsOf: Self.since(time), at: 2)
        return message(members)
    }

    /// Marked where the clock was not set (T2).
    private static func since(_ time: Timestamp) -> [JSON.Member] {
        let members = [JSON.Member("since", .string(time.iso8601))]
        return time.isPlausible ? members : members + [JSON.Member("clock", "unsynced")]
    }

    private func state(_ state: String, _ reason: String? = nil) -> [JSON.Member] {
        var members = [JSON.Member("state", .string(state))]
        if let reason { members.append(JSON.Member("reason", .string(reason))) }
        members.append(JSON.Member("boot", .integer(boot)))
        members.append(JSON.Member("connection", .integer(Int64(connection))))
        members.append(JSON.Member("version", .string(FieldpostVersion.string)))
        return members
    }

    private func message(_ members: [JSON.Member]) -> Message {
        Message(topic: topic, payload: payload(of: members), qos: .atLeastOnce, retain: true, priority: .urgent)
    }

    private func payload(of members: [JSON.Member]) -> ByteBuffer { ByteBuffer(string: JSON.object(members).text) }
}
