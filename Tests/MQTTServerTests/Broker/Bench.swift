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
    /// What waits for the disk.
    private var held: [(after: Int, id: ConnectionID, packet: Packet)] = []
    private(set) var committed = 0
    /// What is on disk.
    private(set) var store = ModelStore()
    private(set) var stored: [Change] = []
    var commitsAtOnce = true
    /// The socket takes everything at once.
    var flushesAtOnce = true

    init(
        storesChanges: Bool = false, restoring: StoredState? = nil,
        _ configure: (inout ServerConfiguration) -> Void = { _ in }
    ) {
        var configuration = ServerConfiguration()
        configure(&configuration)
        broker = Broker(configuration, storesChanges: storesChanges, restoring: restoring, at: now)
        broker.wantsEvents = true
    }

    func id(_ slot: Int) -> ConnectionID { ConnectionID(slot: slot, generation: generations[slot] ?? 0) }

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
    }

    mutating func cut(_ slot: Int) {
        let id = id(slot)
        broker.closed(id, at: now)
        held.removeAll { $0.id == id }
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

    @discardableResult
    mutating func perform<Result>(_ body: (inout Broker, NIODeadline) -> Result) -> Result {
        defer { drain() }
        return body(&broker, now)
    }

    /// The present batch reaches the disk.
    mutating func commit() {
        let batch = broker.journal.takeBatch()
        stored += batch.changes
        store.apply(batch.changes)
        committed = batch.number
        let ready = held.filter { $0.after <= committed }
        held.removeAll { [committed] in $0.after <= committed }
        for item in ready { deliver(item.packet, item.id) }
    }

    /// The process dies, and another begins with what is on disk.
    mutating func restart() {
        held = []
        for slot in sent.keys {
            sent[slot] = []
            closed.insert(slot)
        }
        committed = 0
        broker = Broker(broker.configuration, storesChanges: true, restoring: store.state, at: now)
        broker.wantsEvents = true
        drain()
    }

    private mutating func deliver(_ packet: Packet, _ id: ConnectionID) {
        guard id == self.id(id.slot) else { return }
        sent[id.slot, default: []].append(packet)
    }

    private mutating func drain() {
        var flushed: Set<ConnectionID> = []
        repeat {
            let effects = broker.effects
            broker.effects = []
            for effect in effects {
                switch effect {
                case .send(let id, let packet, let after):
                    if flushesAtOnce { flushed.insert(id) }
                    release(packet, to: id, after: after)
                case .deliver(let id, let delivery, let after):
                    if flushesAtOnce { flushed.insert(id) }
                    release(.publish(delivery.publish), to: id, after: after)
                case .close(let id, _): closed.insert(id.slot)
                case .event(let event): events.append(event)
                }
            }
            for id in flushed { broker.flushed(id, at: now) }
            flushed = []
        } while !broker.effects.isEmpty
        if commitsAtOnce, broker.storesChanges, !broker.journal.isEmpty { commit() }
    }

    private mutating func release(_ packet: Packet, to id: ConnectionID, after: Int) {
        let last = held.last { $0.id == id }?.after ?? 0
        if max(after, last) <= committed {
            deliver(packet, id)
        } else {
            held.append((max(after, last), id, packet))
        }
    }

    // MARK: What clients see

    /// What was sent to a client since the last time.
    mutating func take(_ slot: Int) -> [Packet] {
        defer { sent[slot] = [] }
        return sent[slot] ?? []
    }

    mutating func publishes(_ slot: Int) -> [Publish] {
        take(slot).compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
    }

    mutating func texts(_ slot: Int) -> [String] { publishes(slot).map { String(buffer: $0.payload) } }

    mutating func takeEvents() -> [ServerEvent] {
        defer { events = [] }
        return events
    }

    /// As ``publishes(_:)``, of a client that answers as it should until nothing comes any more.
    mutating func consume(_ slot: Int) -> [Publish] {
        var all: [Publish] = []
        while true {
            let packets = take(slot)
            if packets.isEmpty { return all }
            for packet in packets {
                switch packet {
                case .publish(let publish):
                    all.append(publish)
                    guard let identifier = publish.packetIdentifier else { continue }
                    let answer = Acknowledgement(packetIdentifier: identifier)
                    receive(slot, publish.qos == .exactlyOnce ? .pubrec(answer) : .puback(answer))
                case .pubrel(let pubrel):
                    receive(slot, .pubcomp(Acknowledgement(packetIdentifier: pubrel.packetIdentifier)))
                default: continue
                }
            }
        }
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

    mutating func unsubscribe(_ slot: Int, _ filter: String) throws {
        receive(slot, .unsubscribe(Unsubscribe(packetIdentifier: .first, filters: [try TopicFilter(filter)])))
    }

    mutating func publish(
        _ slot: Int, _ topic: String, _ text: String = "x", qos: QoS = .atMostOnce, retain: Bool = false,
        id: UInt16 = 1, duplicate: Bool = false, properties: Properties = []
    ) throws {
        receive(
            slot,
            .publish(
                Publish(
                    topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: qos, retain: retain,
                    duplicate: duplicate,
                    packetIdentifier: qos > .atMostOnce ? PacketIdentifier(rawValue: id) : nil, properties: properties))
        )
    }

    mutating func disconnect(_ slot: Int, _ reason: ReasonCode = .normalDisconnection, expiry: UInt32? = nil) {
        var properties: Properties = []
        properties.sessionExpiryInterval = expiry
        receive(slot, .disconnect(Disconnect(reasonCode: reason, properties: properties)))
    }
}

extension [Packet] {
    var connack: ConnAck? { lazy.compactMap { if case .connack(let connack) = $0 { connack } else { nil } }.first }
    var suback: SubAck? { lazy.compactMap { if case .suback(let suback) = $0 { suback } else { nil } }.first }
    var unsuback: UnsubAck? { lazy.compactMap { if case .unsuback(let unsuback) = $0 { unsuback } else { nil } }.first }
    var disconnect: Disconnect? {
        lazy.compactMap { if case .disconnect(let disconnect) = $0 { disconnect } else { nil } }.first
    }
    /// Of the first PUBACK or PUBREC.
    var verdict: ReasonCode? {
        lazy.compactMap {
            switch $0 {
            case .puback(let answer), .pubrec(let answer): answer.reasonCode
            default: nil
            }
        }.first
    }
}

extension Will {
    static func test(
        _ topic: String, _ text: String = "gone", qos: QoS = .atMostOnce, retain: Bool = false, delay: UInt32? = nil
    ) throws -> Will {
        var properties: Properties = []
        properties.willDelayInterval = delay
        return Will(
            topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: qos, retain: retain,
            properties: properties)
    }
}

/// Forbids what begins with a prefix.
struct Forbidding: ClientPolicy {
    var publishing: String?
    var receiving: String?

    func mayPublish(to topic: TopicName) -> Bool { publishing.map { !topic.string.hasPrefix($0) } ?? true }
    func mayReceive(_ topic: TopicName) -> Bool { receiving.map { !topic.string.hasPrefix($0) } ?? true }
    func mayEverReceive(_ filter: TopicFilter) -> Bool { receiving.map { !filter.string.hasPrefix($0) } ?? true }
}
