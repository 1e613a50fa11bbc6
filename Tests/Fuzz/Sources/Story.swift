import MQTTWire
import NIOCore

@testable import MQTTServer

/// A broker without a network whose clients do what an input says: raw bytes, packets of a kind, silence and cuts,
/// while time passes, batches reach the disk, and the process dies and comes back.
///
/// What must hold is checked as it goes; whatever does not ends the process.
struct Story {
    private static let slots = 4

    private struct Client {
        var id: ConnectionID
        var decoder: PacketDecoder
        var bytes = ByteBuffer()
        /// Nil before CONNECT.
        var connect: Connect?
        var isOpen = true
        var isAnswered = false

        mutating func nextPacket() throws -> Packet? { try decoder.decode(from: &bytes) }
    }

    private var input: Input
    private var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private var broker: Broker
    private var disk = Disk()
    private var clients: [Client] = []
    private let configuration: ServerConfiguration

    init(_ input: Input) {
        self.input = input
        var configuration = ServerConfiguration()
        // So small that a story reaches them.
        configuration.limits.maximumPacketSize = 2_000
        configuration.limits.receiveMaximum = 3
        configuration.limits.maximumInFlight = 2
        configuration.limits.topicAliasMaximum = 2
        configuration.limits.queuedMessages = 4
        configuration.limits.queuedBytes = 2_000
        configuration.limits.totalQueuedBytes = 4_000
        configuration.limits.retainedMessages = 3
        configuration.limits.retainedBytes = 2_000
        configuration.limits.subscriptions = 4
        configuration.limits.totalSubscriptions = 8
        configuration.limits.topicLevels = 5
        configuration.limits.maximumSessions = 5
        configuration.limits.eviction = self.input.flag() ? .oldest : .newest
        configuration.limits.queuesQoS0 = self.input.flag()
        self.configuration = configuration
        broker = Broker(configuration, storesChanges: true, at: now)
        for slot in 0..<Self.slots { clients.append(newClient(slot, generation: 1)) }
    }

    mutating func play() {
        while !input.isEmpty { step() }
        commit()
    }

    private func newClient(_ slot: Int, generation: UInt32) -> Client {
        Client(
            id: ConnectionID(slot: slot, generation: generation),
            decoder: PacketDecoder(maximumPacketSize: configuration.limits.maximumPacketSize))
    }

    private mutating func step() {
        let slot = input.below(Self.slots)
        switch input.below(16) {
        case 0: feed(slot, input.bytes(input.below(64)))
        case 1...2: send(slot, .connect(connect()))
        case 3...5: if let publish = publish() { send(slot, .publish(publish)) }
        case 6...7: if let subscribe = subscribe() { send(slot, .subscribe(subscribe)) }
        case 8:
            if let filter = filter() {
                send(slot, .unsubscribe(Unsubscribe(packetIdentifier: identifier(), filters: [filter])))
            }
        case 9...11: acknowledge(slot)
        case 12: reopen(slot)
        case 13: pass(.milliseconds(Int64(input.pick([1, 50, 1_000, 2_000, 60_000, 100_000_000]))))
        case 14: commit()
        default:
            if input.below(4) == 0 {
                die()
            } else if input.flag() {
                broker.flushed(clients[slot].id, at: now)
                drain()
            } else {
                send(
                    slot,
                    input.pick([
                        .pingreq, .disconnect(Disconnect()), .disconnect(Disconnect(reasonCode: .disconnectWithWill)),
                    ]))
            }
        }
    }

    // MARK: The clients

    private mutating func connect() -> Connect {
        let version = input.pick(ProtocolVersion.allCases)
        var connect = Connect(
            version: version, clientIdentifier: input.pick(["a", "b", "c", "d", "e", "f"]), cleanStart: input.flag(),
            keepAlive: input.pick([0, 1, 60]))
        if input.flag(), let topic = try? TopicName(input.pick(Self.topics)) {
            connect.will = Will(topic: topic, payload: payload(), qos: qos(), retain: input.flag())
            if version == .v5 { connect.will?.properties = [.willDelayInterval(input.pick([0, 1, 60]))] }
        }
        if version == .v5 {
            connect.properties = [.sessionExpiryInterval(input.pick([0, 1, 60, .max]))]
            if input.flag() { connect.properties.all.append(.receiveMaximum(input.pick([1, 2, 65_535]))) }
            if input.flag() { connect.properties.all.append(.maximumPacketSize(input.pick([1, 12, 40, 300]))) }
        }
        return connect
    }

    private static let topics = ["a", "a/b", "a/b/c", "b", "/", "$x/a", "a/b/c/d/e/f", "long/longer/longest"]
    private static let filters =
        topics + ["#", "+", "a/+", "a/#", "+/b/#", "$share/g/a", "$share/g/#", "$share/h/+/b", "$x/+"]

    private mutating func filter() -> TopicFilter? { try? TopicFilter(input.pick(Self.filters)) }

    private mutating func publish() -> Publish? {
        let qos = qos()
        guard let topic = try? TopicName(input.pick(Self.topics)) else { return nil }
        var publish = Publish(
            topic: topic, payload: payload(), qos: qos, retain: input.flag(),
            duplicate: qos > .atMostOnce && input.flag(), packetIdentifier: qos == .atMostOnce ? nil : identifier())
        switch input.below(8) {
        case 0: publish.properties = [.messageExpiryInterval(input.pick([0, 1, 60]))]
        case 1: publish.properties = [.topicAlias(input.pick([1, 2, 3]))]
        case 2: (publish.properties, publish.topic) = ([.topicAlias(input.pick([1, 2, 3]))], nil)
        case 3: publish.properties = [.userProperty(name: "n", value: "v"), .payloadFormatIndicator(true)]
        default: break
        }
        return publish
    }

    private mutating func subscribe() -> Subscribe? {
        var subscriptions: [Subscription] = []
        for _ in 0...input.below(2) {
            guard let filter = filter() else { return nil }
            let options = input.byte()
            subscriptions.append(
                Subscription(
                    filter: filter, qos: qos(), noLocal: !filter.isShared && options & 1 != 0,
                    retainAsPublished: options & 2 != 0,
                    retainHandling: Subscription.RetainHandling(rawValue: options >> 2 & 3) ?? .onSubscribe))
        }
        return Subscribe(
            packetIdentifier: identifier(), subscriptions: subscriptions,
            properties: input.flag() ? [.subscriptionIdentifier(input.pick([1, 200]))] : [])
    }

    private mutating func acknowledge(_ slot: Int) {
        let acknowledgement = Acknowledgement(
            packetIdentifier: identifier(), reasonCode: input.below(8) == 0 ? .unspecifiedError : .success)
        let release = Acknowledgement(packetIdentifier: acknowledgement.packetIdentifier)
        send(
            slot,
            input.pick([
                .puback(acknowledgement), .pubrec(acknowledgement), .pubrel(release), .pubcomp(release),
            ]))
    }

    private mutating func identifier() -> PacketIdentifier {
        PacketIdentifier(rawValue: UInt16(1 + input.below(5))) ?? .first
    }

    private mutating func qos() -> QoS { QoS(rawValue: UInt8(input.below(3))) ?? .atMostOnce }

    private mutating func payload() -> ByteBuffer { ByteBuffer(repeating: 0x61, count: input.pick([0, 1, 20, 900])) }

    // MARK: The network

    /// Nothing is sent that the version cannot say.
    private mutating func send(_ slot: Int, _ packet: Packet) {
        var version = clients[slot].connect?.version ?? .v5
        if case .connect(let connect) = packet { version = connect.version }
        var buffer = ByteBuffer()
        guard (try? packet.encode(into: &buffer, version: version)) != nil else { return }
        feed(slot, Array(buffer.readableBytesView))
    }

    private mutating func feed(_ slot: Int, _ bytes: [UInt8]) {
        guard clients[slot].isOpen else { return reopen(slot) }
        clients[slot].bytes.writeBytes(bytes)
        do {
            while clients[slot].isOpen, let packet = try clients[slot].nextPacket() { receive(packet, slot) }
        } catch {
            // As the driver does.
            if clients[slot].connect != nil {
                broker.refuse(.malformedPacket, nil, on: clients[slot].id, at: now)
                drain()
            }
            clients[slot].isOpen = false
        }
    }

    private mutating func receive(_ packet: Packet, _ slot: Int) {
        if case .connect(let connect) = packet, clients[slot].connect == nil {
            guard !connect.clientIdentifier.isEmpty else { return clients[slot].isOpen = false }
            clients[slot].connect = connect
            let information = ClientInformation(
                identifier: connect.clientIdentifier, version: connect.version, listener: "fuzz", address: "fuzz",
                keepAlive: connect.keepAlive)
            broker.connect(
                connect,
                AcceptedClient(
                    information: information, maximumPacketSize: configuration.limits.maximumPacketSize,
                    topicAliasMaximum: configuration.limits.topicAliasMaximum),
                on: clients[slot].id, at: now)
        } else {
            broker.receive(packet, from: clients[slot].id, at: now)
        }
        drain()
    }

    private mutating func reopen(_ slot: Int) {
        broker.closed(clients[slot].id, at: now)
        drain()
        clients[slot] = newClient(slot, generation: clients[slot].id.generation + 1)
    }

    private mutating func pass(_ time: TimeAmount) {
        now = now + time
        if let deadline = broker.nextDeadline, deadline <= now { broker.advance(to: now) }
        drain()
    }

    private mutating func drain() {
        let effects = broker.effects
        broker.effects = []
        for effect in effects {
            switch effect {
            case .send(let id, let packet, let after): check(packet, to: id, after: after)
            case .deliver(let id, let delivery, let after): check(.publish(delivery.publish), to: id, after: after)
            case .close(let id): if clients[id.slot].id == id { clients[id.slot].isOpen = false }
            case .event: break
            }
        }
        let limits = configuration.limits
        require(broker.retained.count <= limits.retainedMessages, "more is retained than allowed")
        require(broker.subscriptions.count <= limits.totalSubscriptions, "more is subscribed to than allowed")
        require(broker.statistics.queuedMessages >= 0 && broker.statistics.queuedBytes >= 0, "queues are miscounted")
        require(broker.sessionByClient.count <= limits.maximumSessions, "more sessions than allowed")
    }

    /// What goes to a client must be something that it can take.
    private mutating func check(_ packet: Packet, to id: ConnectionID, after: Int) {
        require(after <= broker.journal.batch, "waits for a batch that does not exist")
        guard clients[id.slot].id == id else { return }
        guard clients[id.slot].isOpen, let connect = clients[id.slot].connect else {
            fatalError("\(packet.type) to a connection that is closed, or has not said CONNECT")
        }
        var buffer = ByteBuffer()
        do { try packet.encode(into: &buffer, version: connect.version) } catch {
            fatalError("cannot be encoded: \(error)")
        }
        if case .connack = packet {
            require(!clients[id.slot].isAnswered, "a second CONNACK")
            clients[id.slot].isAnswered = true
        } else {
            require(clients[id.slot].isAnswered, "\(packet.type) before CONNACK")
        }
        // What answers the client is for the driver to shorten or to drop.
        if case .publish = packet, let limit = connect.properties.maximumPacketSize {
            require(buffer.readableBytes <= Int(limit), "\(packet.type) is larger than the client takes")
        }
        var decoder = PacketDecoder(version: connect.version, maximumPacketSize: 1 << 28)
        require((try? decoder.decode(from: &buffer)) != nil, "\(packet.type) cannot be decoded")
    }

    // MARK: The disk

    private mutating func commit() {
        let batch = broker.journal.takeBatch()
        disk.apply(batch.changes)
        disk.check(against: broker)
    }

    /// The process dies with what was not committed, and another one goes on.
    private mutating func die() {
        broker = Broker(configuration, storesChanges: true, restoring: disk.state, at: now)
        disk.check(against: broker)
        for slot in 0..<Self.slots { clients[slot] = newClient(slot, generation: clients[slot].id.generation + 1) }
    }
}

/// Ends the process, with words also where preconditions have none.
func require(_ condition: Bool, _ complaint: @autoclosure () -> String) {
    if !condition { fatalError(complaint()) }
}
