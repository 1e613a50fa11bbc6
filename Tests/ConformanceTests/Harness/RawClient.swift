import MQTTWire
import NIOCore
import NIOPosix

/// A client that does what a test tells it and nothing else: it acknowledges nothing, sends no pings, and sends any
/// bytes. The connection ends with the test that opened it.
final class RawClient: Sendable {
    let version: ProtocolVersion
    let identifier: String
    private let channel: any Channel
    private let inbox: NIOLoopBound<Inbox>

    private init(version: ProtocolVersion, identifier: String, channel: any Channel, inbox: NIOLoopBound<Inbox>) {
        self.version = version
        self.identifier = identifier
        self.channel = channel
        self.inbox = inbox
    }

    /// Opens a TCP connection and sends nothing.
    ///
    /// - Parameter port: nil for the broker that all tests share.
    static func open(_ version: ProtocolVersion, identifier: String = unique(), port: Int? = nil) async throws
        -> RawClient
    {
        let address = try await BrokerUnderTest.address(port: port)
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(patience)
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let inbox = Inbox(version: version)
                    try channel.pipeline.syncOperations.addHandler(inbox)
                    return RawClient(
                        version: version, identifier: identifier, channel: channel,
                        inbox: NIOLoopBound(inbox, eventLoop: channel.eventLoop))
                }
            }
        await OpenClients.current?.add(client)
        return client
    }

    /// Opens a connection, sends CONNECT and waits for a CONNACK of whatever kind.
    static func connecting(_ connect: Connect, port: Int? = nil) async throws -> (RawClient, ConnAck) {
        let client = try await open(connect.version, identifier: connect.clientIdentifier, port: port)
        try await client.send(.connect(connect))
        return (client, try await client.connack())
    }

    /// Opens a connection that the broker accepts.
    static func connect(
        _ version: ProtocolVersion, _ identifier: String = unique(), cleanStart: Bool = true, keepAlive: UInt16 = 60,
        will: Will? = nil, username: String? = nil, password: String? = nil, properties: Properties = [],
        port: Int? = nil
    ) async throws -> RawClient {
        let (client, connack) = try await connecting(
            Connect(
                version: version, clientIdentifier: identifier, cleanStart: cleanStart, keepAlive: keepAlive,
                username: username, password: password.map { ByteBuffer(string: $0) }, will: will,
                properties: properties),
            port: port)
        guard connack.reasonCode == .success else { throw Surprise("the broker refused a CONNECT: \(connack)") }
        return client
    }

    /// Opens a connection to a session that outlives it, for five minutes under 5.0.
    static func connectLasting(
        _ version: ProtocolVersion, _ identifier: String, cleanStart: Bool = false, properties: Properties = [],
        port: Int? = nil
    ) async throws -> (RawClient, ConnAck) {
        var properties = properties
        if version == .v5, properties.sessionExpiryInterval == nil { properties.sessionExpiryInterval = 300 }
        let (client, connack) = try await connecting(
            Connect(version: version, clientIdentifier: identifier, cleanStart: cleanStart, properties: properties),
            port: port)
        guard connack.reasonCode == .success else { throw Surprise("the broker refused a CONNECT: \(connack)") }
        return (client, connack)
    }
}

// MARK: - Sending

extension RawClient {
    /// Sends packets in one piece.
    func send(_ packets: Packet...) async throws {
        var buffer = ByteBuffer()
        for packet in packets { try packet.encode(into: &buffer, version: version) }
        try await channel.writeAndFlush(buffer)
    }

    /// Sends these bytes.
    func send(bytes: [UInt8]) async throws {
        // A broker may close while it is still being written to.
        try? await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// Ends the connection without a DISCONNECT, as a failing network would.
    func drop() async throws {
        try? await channel.close()
        _ = try await ended()
    }

    /// Ends the connection with a DISCONNECT, and waits until the broker has seen it.
    func disconnect(_ reasonCode: ReasonCode = .normalDisconnection, properties: Properties = []) async throws {
        try await send(.disconnect(Disconnect(reasonCode: reasonCode, properties: properties)))
        _ = try await ended()
    }

    func closeNow() { channel.close(promise: nil) }
}

// MARK: - Receiving

extension RawClient {
    /// Takes the first packet that fits; those before it stay.
    func take(_ what: String, where fits: @escaping @Sendable (Packet) -> Bool) async throws -> Packet {
        let (inbox, eventLoop) = (inbox, channel.eventLoop)
        return try await eventLoop.flatSubmit { inbox.value.take(what, on: eventLoop, fits) }.get()
    }

    /// Takes the next packet.
    func next() async throws -> Packet { try await take("a packet") { _ in true } }

    /// Waits until the broker has closed the connection.
    func ended() async throws -> Ended {
        let (inbox, eventLoop) = (inbox, channel.eventLoop)
        return try await eventLoop.flatSubmit { inbox.value.whenEnded(on: eventLoop) }.get()
    }

    /// Everything that has arrived and was not taken.
    func unread() async throws -> [Packet] {
        let inbox = inbox
        return try await channel.eventLoop.submit { inbox.value.takeAll() }.get()
    }

    /// Sends PINGREQ and takes everything that arrives before PINGRESP: what the broker had for this client until it
    /// saw the ping.
    func fence() async throws -> [Packet] {
        try await send(.pingreq)
        var packets: [Packet] = []
        while true {
            let packet = try await next()
            if packet == .pingresp { return packets }
            packets.append(packet)
        }
    }

    /// Everything but PUBLISH stays; throws if the broker has anything else than nothing to say before PINGRESP.
    func expectSilence() async throws {
        let packets = try await fence()
        guard packets.isEmpty else { throw Surprise("silence awaited, got \(packets)") }
    }
}
