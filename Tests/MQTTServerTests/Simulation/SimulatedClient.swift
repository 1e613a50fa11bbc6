import MQTT
import MQTTWire
import NIOCore

/// A client: its session as the library has it, and a store that is asked and answers at once. The process may die between
/// any two steps; what the store has then is what the next one begins with.
struct SimulatedClient: Sendable {
    struct Traits: Sendable, Hashable {
        var version = ProtocolVersion.v5
        /// Seconds; 0: its sessions end with their connections.
        var expiry: UInt32 = .max
        var maximumInFlight = 3
        var receiveMaximum: UInt16?
        var subscriptions: [Subscription] = []
        var hasWill = false

        var isStored: Bool { expiry > 0 }
    }

    struct Entry: Sendable {
        let number: Int
        let id: MessageID
        let message: Message
        var isReleased = false
        var isGiven = false
        var isSent = false
        var isDone = false
    }

    enum Phase: Sendable { case idle, connecting, up }

    /// For those who watch.
    enum Happening: Sendable {
        case connected(isPresent: Bool)
        case refused(ReasonCode)
        case subscribed
        case sent(number: Int)
        /// The server has taken the message over.
        case acknowledged(number: Int, ReasonCode)
        case got(Publish)
        case processed(Publish)
        case released(PacketIdentifier)
        case disconnected(ReasonCode)
    }

    let name: String
    let traits: Traits

    // What outlives the process.
    private(set) var entries: [Entry] = []
    private(set) var hasSession = false
    private var isSubscribed = false
    private var seen: Set<PacketIdentifier> = []

    // The process.
    private var session: Session
    private var firstOwn = 0
    private var connections = 0
    private var resumesEarlierProcess = false
    private(set) var inbox: [(receipt: Receipt?, publish: Publish)] = []

    // The connection.
    private(set) var phase = Phase.idle
    private(set) var cleanStart = true
    var out: [Packet] = []
    var happenings: [Happening] = []

    private static let start = ContinuousClock.now

    init(_ name: String, _ traits: Traits) {
        self.name = name
        self.traits = traits
        session = Self.newSession(traits)
    }

    private static func newSession(_ traits: Traits) -> Session {
        var session = Session(version: traits.version, maximumInFlight: traits.maximumInFlight)
        session.holdsSteps = true
        return session
    }

    /// Everything that it has to say is said, and everything that it was told is processed.
    var isAtRest: Bool { phase == .up && inbox.isEmpty && entries.allSatisfy(\.isDone) && out.isEmpty }

    // MARK: The application

    mutating func append(_ message: Message, number: Int) {
        entries.append(Entry(number: number, id: MessageID(rawValue: Int64(entries.count + 1)), message: message))
    }

    /// It is done with the first message that waits.
    mutating func process() {
        guard !inbox.isEmpty else { return }
        let (receipt, publish) = inbox.removeFirst()
        happenings.append(.processed(publish))
        guard let receipt else { return }
        for step in session.processed(receipt) {
            switch step {
            case .send(let packet): send(packet)
            case .note(let identifier):
                seen.insert(identifier)
                for packet in session.noted(ExchangeSteps(seen: [identifier]), isCurrent: phase == .up) { send(packet) }
            }
        }
    }

    mutating func die() {
        session = Self.newSession(traits)
        if hasSession { session.restore(MQTT.StoredSession(name: 1, incoming: seen)) }
        for index in entries.indices { entries[index].isGiven = false }
        firstOwn = entries.count
        connections = 0
        resumesEarlierProcess = false
        inbox = []
        out = []
        phase = .idle
    }

    // MARK: The connection

    mutating func connect(cleanly: Bool, will: Will?) {
        phase = .connecting
        cleanStart = !traits.isStored || traits.version == .v5 && (cleanly || !hasSession)
        var properties: Properties = []
        if traits.version == .v5 {
            if traits.isStored { properties.sessionExpiryInterval = traits.expiry }
            properties.receiveMaximum = traits.receiveMaximum
        }
        out.append(
            .connect(
                Connect(
                    version: traits.version, clientIdentifier: name, cleanStart: cleanStart, keepAlive: 0, will: will,
                    properties: properties)))
    }

    mutating func disconnect() {
        guard phase == .up else { return }
        out.append(.disconnect(Disconnect()))
        connectionLost()
    }

    mutating func connectionLost() {
        if phase == .up {
            for identifier in session.connectionLost() {
                seen.insert(identifier)
                _ = session.noted(ExchangeSteps(seen: [identifier]), isCurrent: false)
            }
        }
        phase = .idle
    }

    private mutating func send(_ packet: Packet) {
        if phase == .up { out.append(packet) }
    }

    mutating func read(_ packet: Packet) throws(ProtocolViolation) {
        switch packet {
        case .connack(let connack): accepted(connack)
        case .suback(let suback):
            try session.received(suback: suback)
            isSubscribed = true
            happenings.append(.subscribed)
        case .publish(let publish): try arrived(publish)
        case .puback(let puback):
            if let completion = try session.received(puback: puback) { complete(completion) }
        case .pubrec(let pubrec):
            switch try session.received(pubrec: pubrec) {
            case .send(let pubrel): send(.pubrel(pubrel))
            case .note(let id):
                let place = Int(id.rawValue) - 1
                entries[place].isReleased = true
                happenings.append(.acknowledged(number: entries[place].number, .success))
                for packet in session.noted(ExchangeSteps(released: [id]), isCurrent: true) { send(packet) }
            case .completed(let completion): complete(completion)
            }
        case .pubcomp(let pubcomp):
            if let completion = try session.received(pubcomp: pubcomp) { complete(completion) }
        case .pubrel(let pubrel):
            let identifier = pubrel.packetIdentifier
            happenings.append(.released(identifier))
            switch session.received(pubrel: pubrel) {
            case .send(let pubcomp): send(.pubcomp(pubcomp))
            case .note:
                seen.remove(identifier)
                for packet in session.noted(ExchangeSteps(finished: [identifier]), isCurrent: true) { send(packet) }
            }
        case .disconnect(let disconnect): happenings.append(.disconnected(disconnect.reasonCode))
        case .pingresp, .unsuback: break
        case .auth, .connect, .pingreq, .subscribe, .unsubscribe:
            throw ProtocolViolation("\(packet) from a server")
        }
        pump()
    }

    private mutating func accepted(_ connack: ConnAck) {
        guard connack.reasonCode == .success else {
            happenings.append(.refused(connack.reasonCode))
            phase = .idle
            return
        }
        connections += 1
        let isPresent = connack.sessionPresent
        _ = session.connected(
            sessionPresent: isPresent,
            limits: traits.version == .v5 ? MQTT.ServerLimits(connack.properties) : MQTT.ServerLimits())
        phase = .up
        resumesEarlierProcess = isPresent && (resumesEarlierProcess || connections == 1)
        happenings.append(.connected(isPresent: isPresent))
        hasSession = traits.isStored
        if !isPresent {
            seen = []
            isSubscribed = false
            for index in entries.indices { entries[index].isReleased = false }
        }
        if !isSubscribed, !traits.subscriptions.isEmpty, let subscribe = session.subscribe(traits.subscriptions) {
            send(.subscribe(subscribe))
        }
    }

    private mutating func arrived(_ publish: Publish) throws(ProtocolViolation) {
        switch try session.received(publish: publish) {
        case .deliver(let publish, let receipt):
            happenings.append(.got(publish))
            inbox.append((receipt, publish))
        case .repeated(let answer): if let answer { send(answer) }
        }
    }

    private mutating func complete(_ completion: Session.Completion) {
        guard case .stored(let id) = completion.origin else { return }
        let place = Int(id.rawValue) - 1
        if !entries[place].isReleased {
            happenings.append(.acknowledged(number: entries[place].number, completion.reasonCode))
        }
        entries[place].isDone = true
    }

    /// Sends what may be sent.
    mutating func pump() {
        guard phase == .up else { return }
        while let next = session.nextResend(at: Self.start) {
            switch next {
            case .release(let pubrel): send(.pubrel(pubrel))
            case .publish(_, _, .send(let publish)): send(.publish(publish))
            case .publish: break
            }
        }
        for place in entries.indices where !entries[place].isGiven && !entries[place].isDone {
            let entry = entries[place]
            let decision = session.publish(
                entry.message, from: .stored(entry.id), mayHaveBeenSent: place < firstOwn && resumesEarlierProcess,
                isReleased: entry.isReleased, at: Self.start)
            switch decision {
            case .send(let publish): send(.publish(publish))
            case .release(let pubrel): send(.pubrel(pubrel))
            case .sendAndForget(let publish):
                send(.publish(publish))
                entries[place].isDone = true
            case .full, .tooLarge, .unencodable: return
            }
            entries[place].isGiven = true
            entries[place].isSent = true
            happenings.append(.sent(number: entry.number))
        }
    }
}
