import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

/// A broker without a network: connections are numbers, time is given, and what it sends is read off.
struct Bench {
    var broker: Broker
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private(set) var sent: [Int: [Packet]] = [:]
    private(set) var closed: Set<Int> = []
    private(set) var events: [ServerEvent] = []
    private var generations: [Int: UInt32] = [:]
    /// Batches on disk; nil: they are as soon as they are taken.
    private var held: [(after: Int, slot: Int, packet: Packet)] = []
    private(set) var committed = 0
    private(set) var stored: [Change] = []
    var commitsAtOnce = true

    init(
        storesChanges: Bool = false, restoring: StoredState? = nil,
        _ configure: (inout ServerConfiguration) -> Void = { _ in }
    ) {
        var configuration = ServerConfiguration()
        configure(&configuration)
        broker = Broker(configuration, storesChanges: storesChanges, restoring: restoring, at: now)
        broker.wantsEvents = true
    }

    private func id(_ slot: Int) -> ConnectionID { ConnectionID(slot: slot, generation: generations[slot] ?? 0) }

    mutating func connect(
        _ slot: Int, _ client: String? = nil, version: ProtocolVersion = .v5, clean: Bool = true, keepAlive: UInt16 = 0,
        expiry: UInt32? = nil, will: Will? = nil, properties: Properties = [], policy: (any ClientPolicy)? = nil
    ) {
        generations[slot, default: 0] += 1
        closed.remove(slot)
        sent[slot] = []
        let identifier = client ?? "c\(slot)"
        var properties = properties
        if let expiry { properties.sessionExpiryInterval = expiry }
        let connect = Connect(
            version: version, clientIdentifier: identifier, cleanStart: clean, keepAlive: keepAlive, will: will,
            properties: properties)
        broker.connect(
            connect,
            AcceptedClient(
                information: ClientInformation(
                    identifier: identifier, version: version, listener: "test", address: "test", keepAlive: keepAlive),
                maximumQoS: broker.limits.maximumQoS, maximumPacketSize: broker.limits.maximumPacketSize,
                topicAliasMaximum: broker.limits.topicAliasMaximum, policy: policy),
            on: id(slot), at: now)
        drain()
    }

    mutating func receive(_ slot: Int, _ packet: Packet) {
        broker.receive(packet, from: id(slot), at: now)
        drain()
        broker.flushed(id(slot), at: now)
        drain()
    }

    mutating func cut(_ slot: Int) {
        broker.closed(id(slot), at: now)
        drain()
    }

    mutating func flush(_ slot: Int) {
        broker.flushed(id(slot), at: now)
        drain()
    }

    mutating func pass(_ time: TimeAmount) {
        let end = now + time
        while let next = broker.nextDeadline, next <= end {
            now = max(now, next)
            broker.advance(to: now)
            drain()
        }
        now = end
    }

    mutating func perform(_ body: (inout Broker, NIODeadline) -> Void) {
        body(&broker, now)
        drain()
    }

    /// The present batch reaches the disk.
    mutating func commit() {
        let batch = broker.journal.takeBatch()
        stored += batch.changes
        committed = batch.number
        while let first = held.first, first.after <= committed {
            held.removeFirst()
            sent[first.slot, default: []].append(first.packet)
        }
    }

    private mutating func drain() {
        let effects = broker.effects
        broker.effects = []
        for effect in effects {
            switch effect {
            case .send(let id, let packet, let after):
                release(packet, to: id.slot, after: after)
            case .deliver(let id, let delivery, let after):
                release(.publish(delivery.publish), to: id.slot, after: after)
            case .close(let id): closed.insert(id.slot)
            case .event(let event): events.append(event)
            }
        }
        if commitsAtOnce, broker.storesChanges, !broker.journal.isEmpty { commit() }
    }

    private mutating func release(_ packet: Packet, to slot: Int, after: Int) {
        if after <= committed, !held.contains(where: { $0.slot == slot }) {
            sent[slot, default: []].append(packet)
        } else {
            held.append((max(after, held.last?.after ?? 0), slot, packet))
        }
    }

    /// What was sent to a client since the last time.
    mutating func take(_ slot: Int) -> [Packet] {
        defer { sent[slot] = [] }
        return sent[slot] ?? []
    }

    mutating func publishes(_ slot: Int) -> [Publish] {
        take(slot).compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
    }

    mutating func subscribe(
        _ slot: Int, _ filter: String, qos: QoS = .exactlyOnce, identifier: UInt32? = nil,
        _ change: (inout Subscription) -> Void = { _ in }
    ) throws {
        var subscription = Subscription(filter: try TopicFilter(filter), qos: qos)
        change(&subscription)
        var properties: Properties = []
        if let identifier { properties.append(.subscriptionIdentifier(identifier)) }
        receive(
            slot,
            .subscribe(Subscribe(packetIdentifier: .first, subscriptions: [subscription], properties: properties)))
    }

    mutating func publish(
        _ slot: Int, _ topic: String, _ text: String = "x", qos: QoS = .atMostOnce, retain: Bool = false,
        id: UInt16 = 1,
        properties: Properties = []
    ) throws {
        receive(
            slot,
            .publish(
                Publish(
                    topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: qos, retain: retain,
                    packetIdentifier: qos > .atMostOnce ? PacketIdentifier(rawValue: id) : nil, properties: properties))
        )
    }
}
