internal import DequeModule
internal import MQTTWire
internal import NIOCore

/// One attempt to have a connection, and the connection that comes of it.
struct Link {
    /// `closing`: DISCONNECT is on its way to the socket, and nothing may follow it ([MQTT-3.14.4-2]).
    enum Phase { case opening, awaitingConnAck, up, closing, ended }

    enum End: Sendable {
        case failed(ConnectFailure)
        case ended(DisconnectReason, after: Duration)
        /// Left at once, under 3.1.1: the server offered a session that is not ours.
        case stranger
        /// The server has been told to delete its session, under 3.1.1.
        case cleared
    }

    /// `clearing`: only to have the server delete a session that is not ours, which under 3.1.1 takes a connection.
    enum Purpose: Sendable { case using, clearing }

    /// Rises with each attempt, so that a late word from an old channel is not taken for the new one's.
    let id: Int
    let version: ProtocolVersion
    let purpose: Purpose
    var phase = Phase.opening
    var channel: (any Channel)?
    var endpoint: Endpoint?
    /// Those between TCP and CONNACK that are not done yet, the next one first.
    var handshakes: [ConnectFailure.Stage] = []
    var parameters = ConnectParameters()
    /// Who waits for what the program has to say for CONNECT, and what it waits for.
    var preparationWaiter: Waiter<Void>?
    var preparation: Task<Void, Never>?
    var cleanStart = true
    /// A session that the server offers is not ours.
    var wantsNewSession = false
    /// Other servers that this one named with its refusal or goodbye.
    var serverReference: String?
    /// We only wait until nothing is under way any more, to go back to the preferred endpoint.
    var isReturning = false
    var returnTimer: Scheduled<Void>?
    /// The next message of a backlog may go then.
    var paceTimer: Scheduled<Void>?
    /// What the connection has come to, once DISCONNECT was sent.
    var farewell: End?
    /// Nothing is published before the store knows of the connection, and whether it is a new session.
    var mayPublish = false
    var isWritable = true
    var takesSubscriptionIdentifiers = true
    var responseInformation: String?
    var authenticator: (any Authenticator)?
    var reauthentication: Waiter<Void>?
    var outbound = ByteBuffer()
    /// QoS 0 messages of the store that the socket has not taken yet, in the order of sending.
    var unwritten: Deque<StoredMessage> = []
    /// How many of them are still in `outbound`.
    var unflushed = 0
    /// Given to the channel, and not taken by the socket yet, as far as that is followed.
    var bytesUnwritten = 0
    /// PINGREQ has not left yet.
    var isPinging = false
    var keepAlive: KeepAlive?
    var upSince = ContinuousClock.now
    /// When a message was last acknowledged, or the first one put under way.
    var lastProgress = ContinuousClock.now
    var timers: [Scheduled<Void>] = []
    var waiter: CheckedContinuation<End, Never>?

    init(id: Int, version: ProtocolVersion, purpose: Purpose = .using) {
        self.id = id
        self.version = version
        self.purpose = purpose
    }

    var isUp: Bool { phase == .up }

    mutating func cancelTimers() {
        timers.forEach { $0.cancel() }
        timers.removeAll()
    }

    mutating func cancelReturn() {
        returnTimer?.cancel()
        returnTimer = nil
    }
}
