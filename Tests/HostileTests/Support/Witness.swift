import Glibc
import MQTTWire
import NIOCore
import Synchronization

/// A well-behaved publisher and a well-behaved subscriber, who exchange a message at QoS 1 every 20 ms while others
/// attack.
final class Witness: Sendable {
    /// What they saw.
    struct Testimony: Sendable {
        var exchanged = 0
        var slowest = Duration.zero
        /// Bytes.
        var peakMemory = 0
        /// Why they had to stop early.
        var complaint: String?
    }

    private static let interval = Duration.milliseconds(20)
    private static let topic = "witness/clock"
    private let isDone = Atomic(false)
    private let progress = Atomic(0)

    /// How many messages have arrived so far.
    var exchanged: Int { progress.load(ordering: .relaxed) }

    /// Ends the exchange; what is under way is waited for.
    func dismiss() { isDone.store(true, ordering: .releasing) }

    /// Exchanges messages until dismissed.
    ///
    /// - Parameter patience: how long a message may take.
    func run(_ broker: BrokerProcess, patience: Duration) -> Testimony {
        var testimony = Testimony()
        do {
            try exchange(broker, patience, &testimony)
        } catch {
            testimony.complaint = "\(error), after \(testimony.exchanged) messages"
        }
        return testimony
    }

    private func exchange(_ broker: BrokerProcess, _ patience: Duration, _ testimony: inout Testimony) throws {
        let subscriber = try RawConnection(port: broker.port, version: .v3_1_1)
        try subscriber.open(Connect(version: .v3_1_1, clientIdentifier: "witness-subscriber"))
        try subscriber.send(
            .subscribe(
                Subscribe(packetIdentifier: .first, subscriptions: [Subscription(filter: try TopicFilter(Self.topic))]))
        )
        guard case .suback(let answer) = try subscriber.receive(), answer.reasonCodes == [.grantedQoS1] else {
            throw Unexpected("the witness got no subscription")
        }
        let publisher = try RawConnection(port: broker.port, version: .v3_1_1)
        try publisher.open(Connect(version: .v3_1_1, clientIdentifier: "witness-publisher"))

        let topic = try TopicName(Self.topic)
        /// When each message was sent that has not arrived yet, oldest first.
        var sent: [ContinuousClock.Instant] = []
        var unacknowledged = 0
        var next = ContinuousClock.now
        while !isDone.load(ordering: .acquiring) || !sent.isEmpty || unacknowledged > 0 {
            testimony.peakMemory = max(testimony.peakMemory, broker.anonymousMemory)
            if .now >= next, unacknowledged < 16, !isDone.load(ordering: .acquiring) {
                let number = testimony.exchanged + sent.count
                let identifier = PacketIdentifier(rawValue: UInt16(number % 1000 + 1))
                let publish = Publish(
                    topic: topic, payload: ByteBuffer(string: "\(number)"), qos: .atLeastOnce,
                    packetIdentifier: identifier)
                try publisher.send(.publish(publish), within: patience)
                sent.append(.now)
                unacknowledged += 1
                next = max(next + Self.interval, .now)
            }
            while let packet = try publisher.receiveNow() {
                guard case .puback = packet else { throw Unexpected("the publisher got \(packet)") }
                unacknowledged -= 1
            }
            while let packet = try subscriber.receiveNow() {
                guard case .publish(let publish) = packet, let identifier = publish.packetIdentifier else {
                    throw Unexpected("the subscriber got \(packet)")
                }
                let text = String(buffer: publish.payload)
                guard text == "\(testimony.exchanged)", !sent.isEmpty else {
                    throw Unexpected("message \(testimony.exchanged) was due, \(text.prefix(40)) came")
                }
                try subscriber.send(.puback(Acknowledgement(packetIdentifier: identifier)), within: patience)
                testimony.slowest = max(testimony.slowest, .now - sent.removeFirst())
                testimony.exchanged += 1
                progress.store(testimony.exchanged, ordering: .relaxed)
            }
            if let oldest = sent.first, .now - oldest > patience {
                throw Unexpected("message \(testimony.exchanged) has not arrived within \(patience)")
            }
            if unacknowledged > 0, sent.isEmpty, .now - next > patience {
                throw Unexpected("\(unacknowledged) messages were not acknowledged within \(patience)")
            }
            RawConnection.wait(for: [publisher, subscriber], atMost: .milliseconds(5))
        }
        try publisher.send(.disconnect(Disconnect()))
        try subscriber.send(.disconnect(Disconnect()))
    }
}
