public import MQTTWire
internal import NIOCore

/// A client of an ``MQTTServer`` inside the same program, without a socket; see
/// ``MQTTServer/connectLocal(identifier:cleanStart:sessionExpiry:)``.
///
/// It has a session as others have: what it subscribes to with QoS 1 or 2 waits for it, and counts as delivered when its
/// reader says so.
public final class LocalClient: Sendable {
    public let identifier: String
    /// The session was there before.
    public let isSessionPresent: Bool
    /// QoS 1 and 2 messages of a session are numbered, from 0 on: this is the number of the first one that was not there
    /// yet when the connection began. The one with number n has the packet identifier 1 + n mod 65,535.
    ///
    /// A message that was acknowledged before it came to the store leaves no trace there, and its number is used again by
    /// a later process.
    public let nextNumber: Int64
    /// What arrives, for one reader. Ends with the connection.
    public let messages: LocalMessages
    private let server: MQTTServer
    private let id: ConnectionID

    init(server: MQTTServer, id: ConnectionID, identifier: String, isSessionPresent: Bool, nextNumber: Int64) {
        self.server = server
        self.id = id
        self.identifier = identifier
        self.isSessionPresent = isSessionPresent
        self.nextNumber = nextNumber
        messages = LocalMessages(server: server, id: id)
    }

    deinit { server.onEventLoop { [id] in $0.disconnectLocal(id) } }

    /// - Parameter identifier: comes with every message that matches (5.0 §3.8.2.1.2).
    /// - Returns: what became of each, in order.
    /// - Throws: ``ServerError/Code/refused`` when the connection has ended.
    @discardableResult
    public func subscribe(_ subscriptions: [Subscription], identifier: UInt32? = nil) async throws -> [ReasonCode] {
        try await server.request(on: id) { packet in
            .subscribe(
                Subscribe(
                    packetIdentifier: packet, subscriptions: subscriptions,
                    properties: identifier.map { [.subscriptionIdentifier($0)] } ?? []))
        }
    }

    /// - Returns: what became of each, in order.
    /// - Throws: ``ServerError/Code/refused`` when the connection has ended.
    @discardableResult
    public func unsubscribe(_ filters: [TopicFilter]) async throws -> [ReasonCode] {
        try await server.request(on: id) { .unsubscribe(Unsubscribe(packetIdentifier: $0, filters: filters)) }
    }

    /// Publishes, and with QoS 1 or 2 comes back when the server has taken the message over, on disk where sessions are.
    ///
    /// - Returns: what the server says of it; without an answer, under QoS 0, success.
    /// - Throws: ``ServerError/Code/refused`` when the connection has ended, or PUBLISH cannot carry the properties.
    @discardableResult
    public func publish(_ message: ServerMessage) async throws -> ReasonCode {
        try await server.publish(message, on: id)
    }

    /// Its session goes on for as long as it was asked for.
    public func disconnect() async { await server.disconnectLocal(id) }
}

/// A message for a ``LocalClient``.
public struct LocalMessage: Sendable {
    public let message: ServerMessage
    /// It may have been given to a reader before.
    public let isDuplicate: Bool
    /// Of the subscriptions that matched, as far as they have one.
    public let subscriptionIdentifiers: [UInt32]
    /// Under QoS 1 and 2. A message that comes again has the one it had, also from a later process; see
    /// ``LocalClient/nextNumber``.
    public let packetIdentifier: PacketIdentifier?
    private let server: MQTTServer
    private let id: ConnectionID

    init(_ publish: Publish, topic: TopicName, server: MQTTServer, id: ConnectionID) {
        var properties = publish.properties
        subscriptionIdentifiers = properties.subscriptionIdentifiers
        if !subscriptionIdentifiers.isEmpty { properties.subscriptionIdentifiers = [] }
        message = ServerMessage(
            topic: topic, payload: publish.payload, qos: publish.qos, retain: publish.retain, properties: properties)
        isDuplicate = publish.duplicate
        packetIdentifier = publish.packetIdentifier
        self.server = server
        self.id = id
    }

    /// Under QoS 1 and 2: the reader is done with it, and the server may forget it. Without that, the message comes again
    /// to the session's next connection, and no more than ``ServerLimits/maximumInFlight`` come now.
    public func acknowledge() {
        guard let packetIdentifier else { return }
        let isLast = message.qos == .atLeastOnce
        server.onEventLoop { [id] server in
            let acknowledgement = Acknowledgement(packetIdentifier: packetIdentifier)
            server.broker.receive(isLast ? .puback(acknowledgement) : .pubrec(acknowledgement), from: id, at: .now())
            server.drain(at: .now())
        }
    }
}

/// The messages of a ``LocalClient``, in order.
public struct LocalMessages: AsyncSequence, Sendable {
    public typealias Element = LocalMessage
    public typealias Failure = Never

    fileprivate let server: MQTTServer
    fileprivate let id: ConnectionID

    init(server: MQTTServer, id: ConnectionID) {
        self.server = server
        self.id = id
    }

    public func makeAsyncIterator() -> Iterator { Iterator(server: server, id: id) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let server: MQTTServer
        fileprivate let id: ConnectionID

        public mutating func next() async -> LocalMessage? {
            guard let publish = await server.nextMessage(on: id), let topic = publish.topic else { return nil }
            return LocalMessage(publish, topic: topic, server: server, id: id)
        }
    }
}
