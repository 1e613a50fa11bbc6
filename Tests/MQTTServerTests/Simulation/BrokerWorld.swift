import MQTTWire
import NIOCore

import struct MQTT.Message
import struct MQTT.ProtocolViolation

@testable import MQTTServer

/// A connection between a client and the broker: order is kept each way, and what is under way when it is cut may be lost.
struct SimulatedLink: Sendable {
    let client: Int
    let id: ConnectionID
    /// The broker's process that it leads to.
    let process: Int
    var toServer: [Packet] = []
    var toClient: [Packet] = []
    /// What waits at the server for the disk.
    var held: [(after: Int, packet: Packet)] = []
    /// The broker has had its CONNECT.
    var isGreeted = false
    /// The broker is done with it; what is held still goes out.
    var isLetGo = false
    /// Nobody reads it at the server any more.
    var isClosed = false
    /// What is written now arrives nowhere.
    var isCut = false
    /// The socket takes nothing.
    var isStalled = false

    // For the checks only.
    /// Exchanges that the broker has begun on this connection.
    var outstanding: [PacketIdentifier: Int] = [:]
    var saidGoodbye = false
    /// Of its client's, before the one that it goes on with.
    var sessionsEnded = 0
}

/// Clients, the broker, its store, and the network between them, as a value that a ``BrokerSchedule`` drives. Nothing in it
/// is random.
struct BrokerWorld {
    /// A message that somebody publishes, told by its number, which is its payload's first byte.
    struct Published {
        /// -1: the server.
        var publisher: Int
        var topic: Int
        var qos: QoS
        // For the checks only.
        var firstSent: Int?
        /// Its publisher has sent it anew in another session.
        var mayDouble = false
    }

    let setup: BrokerSetup
    let story: Story?
    var coverage: BrokerCoverage

    final class Story {
        var events: [String] = []
    }

    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var clock = 0
    var broker: Broker
    /// Rises with each process of the broker.
    var process = 1
    var store = ModelStore()
    var writing: (number: Int, changes: [Change])?
    var committed = 0

    var clients: [SimulatedClient]
    var links: [SimulatedLink] = []
    var messages: [Published] = []
    var wills = 0

    // For the checks only.
    var views: [ClientView]
    var begun: Set<SentKey> = []
    var sent: Set<SentKey> = []
    /// When a message was retained.
    var retainedAt: [Int: Int] = [:]
    var willLinks: [Int: Int] = [:]
    var groupObligations: Set<Int> = []

    static let maximumMessages = 60
    static let firstWill = 100
    static let topics = ["t/0", "t/1", "u/1"].compactMap { try? TopicName($0) }
    private static let small = (0..<128).map { ByteBuffer(bytes: [UInt8($0)]) }
    /// As much as a socket takes at once.
    private static let large = (0..<maximumMessages).map {
        ByteBuffer(bytes: [UInt8($0)] + [UInt8](repeating: 0, count: BrokerConnection.fullBudget))
    }

    init(_ setup: BrokerSetup, coverage: BrokerCoverage = BrokerCoverage(), story: Story? = nil) {
        self.setup = setup
        self.story = story
        self.coverage = coverage
        clients = setup.clients.indices.map { SimulatedClient("c\($0)", setup.clients[$0]) }
        views = setup.clients.map { _ in ClientView() }
        broker = Self.newBroker(setup, nil, at: now)
    }

    static func newBroker(_ setup: BrokerSetup, _ state: StoredState?, at now: NIODeadline) -> Broker {
        var configuration = ServerConfiguration()
        configuration.limits.maximumInFlight = setup.maximumInFlight
        configuration.limits.receiveMaximum = setup.receiveMaximum
        configuration.limits.queuedMessages = setup.queuedMessages
        configuration.limits.eviction = setup.dropsOldest ? .oldest : .newest
        configuration.limits.queuesQoS0 = setup.queuesQoS0
        configuration.limits.topicAliasMaximum = 2
        var broker = Broker(configuration, storesChanges: true, restoring: state, at: now)
        broker.wantsEvents = true
        return broker
    }

    func note(_ text: @autoclosure () -> String) {
        if let story { story.events.append(text()) }
    }

    static func number(of payload: ByteBuffer) -> Int {
        Int(payload.getInteger(at: payload.readerIndex, as: UInt8.self) ?? 255)
    }

    // MARK: Running

    /// The wild time, then a calm one in which everything must come to an end.
    mutating func run(_ schedule: BrokerSchedule) throws(BrokerFailure) {
        coverage.schedules += 1
        if setup.beginsConnected { try calmDown() }
        for step in schedule.steps {
            clock += 1
            try carryOut(step.step, Int(step.argument))
            try checkCounters()
        }
        note("the network stays up")
        try calmDown()
        try judge()
    }

    static func failure(of schedule: BrokerSchedule) -> BrokerFailure? {
        var world = BrokerWorld(schedule.setup)
        do throws(BrokerFailure) {
            try world.run(schedule)
            return nil
        } catch {
            return error
        }
    }

    static func story(of schedule: BrokerSchedule) -> String {
        let story = Story()
        var world = BrokerWorld(schedule.setup, story: story)
        do throws(BrokerFailure) { try world.run(schedule) } catch { story.events.append("✘ \(error.rule.rawValue)") }
        return story.events.joined(separator: "\n  · ")
    }

    private mutating func carryOut(_ step: BrokerStep, _ argument: Int) throws(BrokerFailure) {
        let client = argument % clients.count
        switch step {
        case .publish: try publish(client, argument >> 2)
        case .serverPublishes: try serverPublishes(argument)
        case .process: try act(client) { $0.process() }
        case .serverReads: try serverReads(argument)
        case .clientReads: try clientReads(client)
        case .commitBegins: commitBegins()
        case .commitEnds: try commitEnds()
        case .connect: try connect(client, argument >> 2)
        case .disconnect: try disconnect(client)
        case .cut: cut(client, argument >> 2)
        case .serverNotices: try serverNotices(argument)
        case .clientNotices: try clientNotices(client)
        case .clientDies: clientDies(client)
        case .brokerDies: try brokerDies(argument)
        case .timePasses: try timePasses(argument)
        case .stall: if let link = current(client) { links[link].isStalled = true }
        case .flush: try flush()
        case .deleteSession: try deleteSession(client, argument >> 2)
        case .advance: try advance()
        }
    }

    private mutating func calmDown() throws(BrokerFailure) {
        for _ in 0..<400 {
            try advance()
            if isAtRest { return }
        }
        throw BrokerFailure(
            .neverCompletes,
            "\(broker.statistics.queuedMessages) queued, \(clients.map { $0.entries.count { !$0.isDone } }) to be published"
        )
    }

    /// Everything gets on by one step or more.
    private mutating func advance() throws(BrokerFailure) {
        try commitEnds()
        commitBegins()
        try commitEnds()
        for client in clients.indices {
            if clients[client].phase == .idle { try connect(client, 0) }
            try clientNotices(client)
        }
        for link in links.indices {
            while !links[link].isClosed, !links[link].toServer.isEmpty { try serverReads(from: link) }
            try serverNotices(onLink: link)
        }
        try flush()
        for client in clients.indices {
            while let link = current(client), !links[link].toClient.isEmpty { try clientReads(client) }
            while !clients[client].inbox.isEmpty { try act(client) { $0.process() } }
        }
    }

    private var isAtRest: Bool {
        guard clients.allSatisfy(\.isAtRest), broker.journal.isEmpty, writing == nil,
            broker.statistics.queuedMessages == 0, broker.statistics.connectedClients == clients.count
        else { return false }
        return clients.indices.allSatisfy { client in
            guard let link = current(client) else { return false }
            return links[link].toServer.isEmpty && links[link].toClient.isEmpty && links[link].held.isEmpty
                && !links[link].isCut && !links[link].isClosed
        }
    }

    // MARK: What happens

    private mutating func publish(_ client: Int, _ argument: Int) throws(BrokerFailure) {
        guard messages.count < Self.maximumMessages else { return }
        let number = messages.count
        let qos: QoS = [.exactlyOnce, .atLeastOnce, .exactlyOnce, .atMostOnce][argument & 3]
        let topic = argument >> 2 & 1
        let isLarge = argument >> 3 & 7 == 7
        let isRetained = argument >> 3 & 7 == 6
        var properties: Properties = []
        if argument >> 3 & 7 == 5, setup.clients[client].version == .v5 { properties.messageExpiryInterval = 4 }
        messages.append(Published(publisher: client, topic: topic, qos: qos))
        note(
            "c\(client) publishes #\(number) to \(Self.topics[topic]), QoS \(qos.rawValue)\(isRetained ? ", retained" : "")"
        )
        let message = Message(
            topic: Self.topics[topic], payload: isLarge ? Self.large[number] : Self.small[number], qos: qos,
            retain: isRetained, properties: properties)
        try act(client) {
            $0.append(message, number: number)
            $0.pump()
        }
    }

    private mutating func serverPublishes(_ argument: Int) throws(BrokerFailure) {
        guard messages.count < Self.maximumMessages else { return }
        let number = messages.count
        let topic = argument >> 2 & 1
        let qos: QoS = argument >> 3 & 1 == 0 ? .exactlyOnce : .atLeastOnce
        messages.append(Published(publisher: -1, topic: topic, qos: qos))
        note("the server publishes #\(number)")
        broker.publish(
            ServerMessage(
                topic: Self.topics[topic], payload: Self.small[number], qos: qos, retain: argument >> 4 & 3 == 0),
            at: now)
        try drain()
    }

    private mutating func timePasses(_ argument: Int) throws(BrokerFailure) {
        let end = now + .seconds(Int64(1 + argument % 12))
        note("\(1 + argument % 12) s pass")
        while let next = broker.nextDeadline, next <= end {
            now = max(now, next)
            broker.advance(to: now)
            try drain()
        }
        now = end
    }

    private mutating func deleteSession(_ client: Int, _ argument: Int) throws(BrokerFailure) {
        guard argument & 3 == 0 else { return }
        note("an administrator deletes c\(client)'s session")
        views[client].mayBeDeleted = true
        _ = broker.deleteSession(of: clients[client].name, at: now)
        views[client].mayBeDeleted = false
        try drain()
    }

    // MARK: The store

    mutating func commitBegins() {
        let isAwaited = links.contains { $0.held.contains { $0.after >= broker.journal.batch } }
        guard writing == nil, isAwaited || !broker.journal.isEmpty else { return }
        writing = broker.journal.takeBatch()
    }

    mutating func commitEnds() throws(BrokerFailure) {
        guard let (number, changes) = writing else { return }
        writing = nil
        note("batch \(number) of \(changes.count) is on disk")
        store.apply(changes)
        if let fault = store.faults.first { throw BrokerFailure(.store, fault) }
        committed = number
        for link in links.indices where !links[link].held.isEmpty { try release(link) }
        try flush()
    }

    private mutating func release(_ link: Int) throws(BrokerFailure) {
        while let first = links[link].held.first, first.after <= committed {
            links[link].held.removeFirst()
            try transmit(first.packet, on: link)
        }
        if links[link].isLetGo, links[link].held.isEmpty { links[link].isClosed = true }
    }

    // MARK: What the broker wants

    mutating func drain() throws(BrokerFailure) {
        while !broker.effects.isEmpty {
            let effects = broker.effects
            broker.effects = []
            for effect in effects {
                switch effect {
                case .send(let id, let packet, let after): try send(packet, on: id.slot, after: after)
                case .deliver(let id, let delivery, let after):
                    try send(.publish(delivery.publish), on: id.slot, after: after)
                case .close(let id, _):
                    links[id.slot].isLetGo = true
                    links[id.slot].isClosed = links[id.slot].held.isEmpty
                case .event(let event): try told(event)
                }
            }
            for link in links.indices { flushed(link) }
        }
    }

    private mutating func send(_ packet: Packet, on link: Int, after batch: Int) throws(BrokerFailure) {
        try emitted(packet, on: link)
        if batch <= committed, links[link].held.isEmpty {
            try transmit(packet, on: link)
        } else {
            coverage.reached(.held)
            links[link].held.append((batch, packet))
        }
    }

    private mutating func flush() throws(BrokerFailure) {
        for link in links.indices {
            links[link].isStalled = false
            flushed(link)
        }
        try drain()
    }

    private mutating func flushed(_ link: Int) {
        guard links[link].isGreeted, !links[link].isClosed, !links[link].isStalled, links[link].held.isEmpty,
            links[link].process == process
        else { return }
        broker.flushed(links[link].id, at: now)
    }

    private mutating func transmit(_ packet: Packet, on link: Int) throws(BrokerFailure) {
        try left(packet, on: link)
        note("  server → c\(links[link].client): \(Self.words(packet))")
        if !links[link].isCut { links[link].toClient.append(packet) }
    }

    /// Does something with a client, then sends what it has to say and looks at what happened.
    mutating func act(
        _ client: Int, _ body: (inout SimulatedClient) throws(ProtocolViolation) -> Void
    ) throws(BrokerFailure) {
        // Before it was disconnected, or after it has begun to connect.
        let before = current(client)
        do throws(ProtocolViolation) { try body(&clients[client]) } catch {
            throw BrokerFailure(.violation, "\(clients[client].name): \(error)")
        }
        let link = before ?? current(client)
        let packets = clients[client].out
        clients[client].out = []
        for packet in packets {
            note("  c\(client) → server: \(Self.words(packet))")
            if let link, !links[link].isCut, !links[link].isClosed { links[link].toServer.append(packet) }
        }
        let happenings = clients[client].happenings
        clients[client].happenings = []
        for happening in happenings { try watch(happening, of: client) }
    }

    static func words(_ packet: Packet) -> String {
        switch packet {
        case .publish(let publish):
            "PUBLISH #\(number(of: publish.payload)), QoS \(publish.qos.rawValue)"
                + (publish.packetIdentifier.map { ", id \($0)" } ?? "") + (publish.duplicate ? ", DUP" : "")
                + (publish.retain ? ", RETAIN" : "")
        case .puback(let answer): "PUBACK \(answer.packetIdentifier), \(answer.reasonCode)"
        case .pubrec(let answer): "PUBREC \(answer.packetIdentifier), \(answer.reasonCode)"
        case .pubrel(let answer): "PUBREL \(answer.packetIdentifier), \(answer.reasonCode)"
        case .pubcomp(let answer): "PUBCOMP \(answer.packetIdentifier), \(answer.reasonCode)"
        case .connect(let connect): "CONNECT\(connect.cleanStart ? ", clean" : "")"
        case .connack(let connack): "CONNACK \(connack.reasonCode), \(connack.sessionPresent ? "present" : "new")"
        case .disconnect(let disconnect): "DISCONNECT, \(disconnect.reasonCode)"
        default: "\(packet.type)"
        }
    }
}
