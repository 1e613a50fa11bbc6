internal import DequeModule
public import MQTTWire
internal import Units

/// The client's side of an MQTT session (5.0 §4.1, §4.3, §4.4, §4.9) as a value: what happened goes in, what is to be
/// done comes out. It holds what must outlive a connection, packet identifiers, messages under way and the
/// identifiers of incoming QoS 2 messages, and knows no socket, clock or task.
///
/// A connection begins with ``connected(sessionPresent:limits:version:)``, after which ``nextResend(at:)`` is drained before
/// anything new is published, and ends with ``connectionLost()``. Messages are offered to
/// ``publish(_:from:mayHaveBeenSent:isReleased:at:)`` while ``room`` is positive.
public struct Session: Sendable {
    /// Where an outgoing message came from, so that its completion finds the way back.
    public enum Origin: Sendable, Hashable {
        /// From the ``SessionStore``.
        case stored(MessageID)
        /// From a caller that did not want it stored; the number is the caller's.
        case direct(UInt64)
    }

    /// The last word about an outgoing QoS 1 or 2 message.
    public struct Completion: Sendable, Hashable {
        public var origin: Origin
        /// An error code when the server refused the message (5.0 only).
        public var reasonCode: ReasonCode
    }

    struct Outgoing: Sendable {
        enum Stage: Sendable {
            /// PUBLISH is to be, or was, sent: PUBACK or PUBREC will answer.
            case publish
            /// The server has PUBLISH: PUBREL is to be, or was, sent, and PUBCOMP will answer.
            case release
        }

        let origin: Origin
        var message: Message
        /// When it expires.
        let deadline: ContinuousClock.Instant?
        /// Rises with each message, so that a resumed session repeats them in the order of old ([MQTT-4.6.0-1]).
        let order: UInt64
        var stage: Stage = .publish
        /// A server that has lost the session may have it already.
        var isDoubtful = false
        /// Sent on this connection, so it counts against the window.
        var isOutstanding = false
    }

    /// The version of the present connection, or of the last one.
    public private(set) var version: ProtocolVersion
    /// The client's own bound on unacknowledged messages; the server's receive maximum may be lower.
    public let maximumInFlight: Int

    private(set) var outgoing: [PacketIdentifier: Outgoing] = [:]
    var incoming = IncomingMessages()
    var requests: [PacketIdentifier: Request] = [:]
    var lastIdentifier = Identifiers.upperFirst
    private var nextOrder: UInt64 = 0

    // Of this connection only.
    private var limits = ServerLimits()
    private var resend: Deque<PacketIdentifier> = []
    private var outstanding = 0

    var incomingAliases: IncomingAliases
    private var outgoingAliases = OutgoingAliases()

    enum Request { case subscribe(count: Int), unsubscribe(count: Int) }

    /// Packet identifiers of stored messages follow from the messages' own, so that a later process repeats them under
    /// the same ones without having been told. The upper quarter is for all else.
    enum Identifiers {
        static let storedCount: Int64 = 49_151
        static let upperFirst = PacketIdentifier(rawValue: 49_152) ?? .first
        /// A few fewer than there are, so that looking for a free one comes to an end.
        static let upperCount = 16_000

        static func of(_ id: MessageID) -> PacketIdentifier {
            PacketIdentifier(rawValue: UInt16(1 + max(id.sequence, 0) % storedCount)) ?? .first
        }
    }

    /// Whether PUBREL, PUBREC and PUBCOMP have to wait for ``noted(_:isCurrent:)``: the store outlives the process and
    /// must know first.
    public var holdsSteps: Bool {
        get { incoming.holdsSteps }
        set { incoming.holdsSteps = newValue }
    }
    private var directInFlight = 0
    /// QoS 2 messages that a server of 3.1.1 has taken as QoS 1.
    public private(set) var answeredAtQoS1 = 0
    /// Whether QoS 2 messages wait for the server's first answer.
    public var awaitsPubRec: Bool {
        outgoing.values.contains { $0.isOutstanding && $0.stage == .publish && $0.message.qos == .exactlyOnce }
    }

    /// Begins with another identifier for messages past the store, so that a process does not begin with the one in which
    /// the last may have left a QoS 2 exchange open.
    ///
    /// - Parameter random: any number.
    public mutating func beginIdentifiers(at random: UInt16) {
        lastIdentifier = PacketIdentifier(rawValue: 49_152 + random % UInt16(Identifiers.upperCount)) ?? .first
    }

    /// - Parameters:
    ///   - maximumInFlight: 1 to 32,768; values beyond are brought inside.
    ///   - topicAliasMaximum: how many topic aliases the server may use; to be announced in CONNECT under 5.0.
    public init(version: ProtocolVersion, maximumInFlight: Int = 20, topicAliasMaximum: UInt16 = 0) {
        self.version = version
        // Half the identifiers stay free, so that looking for one is short and subscribing always possible.
        self.maximumInFlight = min(max(maximumInFlight, 1), 32_768)
        incomingAliases = IncomingAliases(maximum: topicAliasMaximum)
    }

    /// Messages that were published and not completed yet.
    public var inFlight: Int { outgoing.count }

    private var window: Int { suspicion.isOn ? 1 : min(maximumInFlight, limits.receiveMaximum) }
    var suspicion = Suspicion()

    /// Bytes of the largest packet that the server takes on this connection; nil: only the protocol's own limit.
    var maximumPacketSize: Int? { limits.maximumPacketSize }

    /// How many QoS 1 or 2 messages may be published now. Nothing new goes before what must be repeated.
    public var room: Int { resend.isEmpty ? max(0, window - outstanding) : 0 }

    // MARK: The connection

    /// What became of the messages that were under way when the last connection ended.
    public struct Resumption: Sendable, Hashable {
        /// Messages that will be repeated with DUP in the resumed session, exactly as the server expects.
        public var repeated = 0
        /// Messages that are sent anew because the server has lost the session: those it had already received arrive
        /// a second time. Each is counted once, however often that happens.
        public var possibleDuplicates = 0

        public init(repeated: Int = 0, possibleDuplicates: Int = 0) {
            self.repeated = repeated
            self.possibleDuplicates = possibleDuplicates
        }
    }

    /// A CONNACK accepted us.
    ///
    /// - Parameter version: that of this connection; nil: as before.
    public mutating func connected(
        sessionPresent: Bool, limits: ServerLimits, version: ProtocolVersion? = nil
    ) -> Resumption {
        self.version = version ?? self.version
        self.limits = limits
        outstanding = 0
        requests.removeAll()
        incoming.connected(sessionPresent: sessionPresent)
        incomingAliases = IncomingAliases(maximum: incomingAliases.maximum)
        outgoingAliases = OutgoingAliases(maximum: limits.topicAliasMaximum)
        let order = outgoing.sorted { $0.value.order < $1.value.order }.map(\.key)
        resend = Deque(order)
        if sessionPresent { return Resumption(repeated: order.count) }
        repeatsAreDuplicates = false
        var doubtful = 0
        for identifier in order {
            outgoing[identifier]?.stage = .publish
            // One that was lost with two sessions is still one message.
            if outgoing[identifier]?.isDoubtful == false { doubtful += 1 }
            outgoing[identifier]?.isDoubtful = true
        }
        return Resumption(possibleDuplicates: doubtful)
    }

    /// DUP means "this server may have it already" ([MQTT-3.3.1-1]); a server that lost the session has not.
    private var repeatsAreDuplicates = true

    /// What a new connection does with a message that was under way.
    public enum Repetition: Sendable, Hashable {
        /// Send PUBREL again.
        case release(Acknowledgement)
        /// Carry the decision out, as for a new message; it is never ``Decision/full``.
        case publish(Message, Origin, Decision)
    }

    /// The next message that this connection must repeat, or nil when there is none or the window is full.
    ///
    /// - Parameter now: against which expiry is counted.
    public mutating func nextResend(at now: ContinuousClock.Instant) -> Repetition? {
        while outstanding < window, let identifier = resend.popFirst() {
            // Completed meanwhile: the server acknowledged it without waiting for the repetition.
            guard let entry = outgoing[identifier] else { continue }
            guard entry.stage == .publish else {
                nowOutstanding(identifier)
                return .release(Acknowledgement(packetIdentifier: identifier))
            }
            // To a server that lost the session it is a new message, which its limits concern as well.
            let message = repeatsAreDuplicates ? entry.message : withinLimits(entry.message)
            outgoing[identifier]?.message = message
            var decision = decide(
                message, identifier, duplicate: repeatsAreDuplicates,
                remaining: entry.deadline.map { now.duration(to: $0) })
            if case .send(let publish) = decision {
                decision = .send(shortened(publish))
                nowOutstanding(identifier)
            } else {
                outgoing[identifier] = nil
                if case .direct = entry.origin { directInFlight -= 1 }
            }
            return .publish(message, entry.origin, decision)
        }
        return nil
    }

    private mutating func nowOutstanding(_ identifier: PacketIdentifier) {
        outgoing[identifier]?.isOutstanding = true
        outstanding += 1
    }

    /// The connection is gone; the session waits for the next one.
    ///
    /// - Returns: incoming messages that the store is to note as seen, as if ``processed(_:_:)`` had said so.
    @discardableResult
    public mutating func connectionLost() -> [PacketIdentifier] {
        requests.removeAll()
        resend.removeAll()
        let seen = incoming.connectionLost()
        for identifier in outgoing.keys { outgoing[identifier]?.isOutstanding = false }
        outstanding = 0
        limits = ServerLimits()
        repeatsAreDuplicates = true
        return seen
    }

    // MARK: Publishing

    /// What to do with a message that was offered.
    public enum Decision: Sendable, Hashable {
        /// Send it; its completion comes with an acknowledgement.
        case send(Publish)
        /// Send it; it is complete once written (QoS 0).
        case sendAndForget(Publish)
        /// The server takes no packet of this size on this connection.
        case tooLarge(bytes: Int, limit: Int)
        /// It cannot be said in this version of the protocol.
        case unencodable(EncodingError)
        /// The server has it already: send this PUBREL.
        case release(Acknowledgement)
        /// The window is full: offer it again when ``room`` is positive.
        case full
    }

    /// Takes a message under way. The QoS is lowered to what the server supports, and RETAIN left out where the server
    /// does not offer it (5.0 §3.2.2.3.4, §3.2.2.3.5).
    ///
    /// - Parameters:
    ///   - mayHaveBeenSent: by an earlier process in this session: it is sent with DUP.
    ///   - isReleased: the server has it (QoS 2), as an earlier process knew.
    ///   - now: when the message's expiry begins to count here.
    public mutating func publish(
        _ offered: Message, from origin: Origin, mayHaveBeenSent: Bool = false, isReleased: Bool = false,
        at now: ContinuousClock.Instant
    ) -> Decision {
        guard resend.isEmpty, let identifier = identifier(for: origin) else { return .full }
        let message = withinLimits(offered)
        if message.qos > .atMostOnce, room <= 0 { return .full }
        var decision = decide(message, identifier, duplicate: mayHaveBeenSent, remaining: message.expiry)
        if isReleased { decision = .release(Acknowledgement(packetIdentifier: identifier)) }
        switch decision {
        case .sendAndForget(let publish): return .sendAndForget(shortened(publish))
        case .send(let publish): decision = .send(shortened(publish))
        case .release: break
        case .tooLarge, .unencodable, .full: return decision
        }
        outgoing[identifier] = Outgoing(
            origin: origin, message: message, deadline: message.expiry.map { now + $0 }, order: nextOrder,
            stage: isReleased ? .release : .publish, isOutstanding: true)
        nextOrder += 1
        outstanding += 1
        if case .direct = origin {
            directInFlight += 1
            lastIdentifier = identifier
        }
        return decision
    }

    /// Nil when it has to wait until another message or request has given its identifier back.
    private func identifier(for origin: Origin) -> PacketIdentifier? {
        switch origin {
        case .stored(let id):
            let identifier = Identifiers.of(id)
            return outgoing[identifier] == nil ? identifier : nil
        case .direct: return freeIdentifier()
        }
    }

    private func withinLimits(_ offered: Message) -> Message {
        var message = offered
        message.qos = min(message.qos, limits.maximumQoS)
        message.retain = message.retain && limits.retainAvailable
        if version == .v3_1_1 {
            message.properties = []
        } else if !message.properties.isEmpty {
            // Those of a message that was received and is passed on; the second is the server's alone ([MQTT-3.3.4-6]).
            message.properties.topicAlias = nil
            message.properties.subscriptionIdentifiers = []
        }
        return message
    }

    /// With a topic alias in the place of the topic, where there is one.
    private mutating func shortened(_ publish: Publish) -> Publish {
        guard version == .v5 else { return publish }
        var publish = publish
        var room = Int.max
        if let limit = limits.maximumPacketSize, let size = try? Packet.publish(publish).encodedSize(version: version) {
            room = limit - size
        }
        outgoingAliases.apply(to: &publish, room: room)
        return publish
    }

    private func decide(
        _ message: Message, _ identifier: PacketIdentifier, duplicate: Bool, remaining: Duration?
    ) -> Decision {
        var publish = Publish(
            topic: message.topic, payload: message.payload, qos: message.qos, retain: message.retain,
            duplicate: duplicate && message.qos > .atMostOnce,
            packetIdentifier: message.qos > .atMostOnce ? identifier : nil, properties: message.properties)
        if version == .v5, let remaining {
            // Rounded up, and never 0, which servers (Mosquitto 2) take for "never": a repetition may come too late.
            let longest = Duration.seconds(UInt32.max)
            let seconds = (min(max(remaining, .zero), longest).milliseconds + 999) / 1000
            publish.properties.messageExpiryInterval = UInt32(clamping: max(seconds, 1))
        }
        do throws(EncodingError) {
            let size = try Packet.publish(publish).encodedSize(version: version)
            if let limit = limits.maximumPacketSize, size > limit { return .tooLarge(bytes: size, limit: limit) }
        } catch {
            return .unencodable(error)
        }
        return message.qos == .atMostOnce ? .sendAndForget(publish) : .send(publish)
    }

    public mutating func received(puback: Acknowledgement) throws(ProtocolViolation) -> Completion? {
        guard let entry = outgoing[puback.packetIdentifier] else { return nil }
        guard entry.message.qos == .atLeastOnce else {
            // RabbitMQ's way of saying, under 3.1.1, that it has no QoS 2. It has the message, once or more.
            if version == .v3_1_1, entry.stage == .publish {
                answeredAtQoS1 += 1
                return complete(puback.packetIdentifier, .success)
            }
            throw ProtocolViolation("PUBACK for the QoS 2 message \(puback.packetIdentifier)")
        }
        return complete(puback.packetIdentifier, puback.reasonCode)
    }

    /// The answer to PUBREC.
    public enum AfterPubRec: Sendable, Hashable {
        case send(Acknowledgement)
        /// Have the store note that the server has the message, and call ``noted(_:isCurrent:)`` when it has.
        case note(MessageID)
        case completed(Completion)
    }

    public mutating func received(pubrec: Acknowledgement) throws(ProtocolViolation) -> AfterPubRec {
        let identifier = pubrec.packetIdentifier
        guard let entry = outgoing[identifier] else {
            // The other side holds an exchange that we do not know: PUBREL lets it end ([MQTT-4.3.3], §3.6.2.1).
            return .send(
                Acknowledgement(
                    packetIdentifier: identifier,
                    reasonCode: version == .v5 ? .packetIdentifierNotFound : .success))
        }
        guard entry.message.qos == .exactlyOnce else {
            throw ProtocolViolation("PUBREC for the QoS 1 message \(identifier)")
        }
        if pubrec.reasonCode.isError {
            return .completed(
                complete(identifier, pubrec.reasonCode)
                    ?? Completion(origin: entry.origin, reasonCode: pubrec.reasonCode))
        }
        if holdsSteps, entry.stage == .publish, case .stored(let id) = entry.origin { return .note(id) }
        outgoing[identifier]?.stage = .release
        return .send(Acknowledgement(packetIdentifier: identifier))
    }

    /// The store knows that the server has the message, which was said on this very connection.
    ///
    /// - Returns: the PUBREL to send; nil when the exchange is over.
    mutating func released(_ id: MessageID) -> Acknowledgement? {
        let identifier = Identifiers.of(id)
        guard outgoing[identifier]?.origin == .stored(id) else { return nil }
        outgoing[identifier]?.stage = .release
        return Acknowledgement(packetIdentifier: identifier)
    }

    public mutating func received(pubcomp: Acknowledgement) throws(ProtocolViolation) -> Completion? {
        guard let entry = outgoing[pubcomp.packetIdentifier] else { return nil }
        guard entry.stage == .release else {
            throw ProtocolViolation("PUBCOMP for message \(pubcomp.packetIdentifier), which was not released")
        }
        // Whatever the code says, the exchange is over and the server has no further use for the message.
        return complete(pubcomp.packetIdentifier, .success)
    }

    mutating func complete(_ identifier: PacketIdentifier, _ reasonCode: ReasonCode) -> Completion? {
        guard let entry = outgoing.removeValue(forKey: identifier) else { return nil }
        if entry.isOutstanding { outstanding -= 1 }
        suspicion.completed()
        if case .direct = entry.origin { directInFlight -= 1 }
        return Completion(origin: entry.origin, reasonCode: reasonCode)
    }

    /// One of the upper quarter.
    func freeIdentifier() -> PacketIdentifier? {
        guard directInFlight + requests.count < Identifiers.upperCount else { return nil }
        var candidate = lastIdentifier
        repeat {
            candidate = candidate.next
            if candidate < Identifiers.upperFirst { candidate = Identifiers.upperFirst }
        } while outgoing[candidate] != nil || requests[candidate] != nil
        return candidate
    }
}
