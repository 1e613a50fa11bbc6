internal import MQTTWire
internal import NIOCore
internal import OpenSSLTransport
internal import WebSocketTransport

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A client's connection: the end of its channel's pipeline, and what the driver knows of it.
///
/// It lives on the server's event loop and hands everything to the server at once, so nothing is queued or copied in
/// between. Thousands may be idle: what only the beginning needs is let go of afterwards.
final class ClientConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    enum Phase {
        /// CONNECT has not come: TLS and WebSocket may not be done either.
        case greeting
        /// Somebody decides whether the client may come in. What it sends meanwhile is kept.
        case admitting
        /// Enhanced authentication: it is the client's turn.
        case authenticating
        /// The broker knows it.
        case up
        /// What there is to say is being written; nothing is read any more.
        case closing
    }

    /// Why nothing is read from the client for now.
    struct Pauses: OptionSet {
        let rawValue: UInt8
        static let admission = Pauses(rawValue: 1)
        /// Answers pile up that it does not read.
        static let answers = Pauses(rawValue: 2)
        /// The store has not caught up.
        static let store = Pauses(rawValue: 4)
        /// A reader inside this program has not caught up that must get everything.
        static let reader = Pauses(rawValue: 8)
    }

    /// Which of the configured rules let it in.
    enum Admission {
        case anonymous
        case password
        /// A certificate, or the program's word.
        case other
    }

    private let server: MQTTServer
    let id: ConnectionID
    let door: Door
    let channel: any Channel
    var phase = Phase.greeting
    var version = ProtocolVersion.v5
    /// The first byte is to tell what is spoken.
    var isTransportOpen: Bool
    var isWebSocket = false
    var decoder: PacketDecoder
    /// The beginning of a packet whose end is still to come, or what came before the client was let in.
    var input = ByteBuffer()
    var output = Output()
    var pauses: Pauses = []
    var isDirty = false
    /// Messages were written, and the broker does not know yet that the socket has taken them.
    var owesMessages = false
    /// Bytes of an unfinished packet that have come since it last counted as a sign of life.
    var progress = 0
    /// It is among those that wait for the store.
    var isHolding = false
    /// The last bytes are on their way, and then the connection is closed.
    var isLeaving = false
    /// It has sent DISCONNECT.
    var hasSaidGoodbye = false
    var wantsProblemInformation = true
    var admission = Admission.other
    /// When the present phase has lasted too long.
    var deadline: NIODeadline?
    /// For clients that know topic aliases.
    var shortening: Shortening?
    /// Nil: everything is allowed.
    var policy: LivePolicy?
    /// For logs.
    var clientIdentifier = ""
    /// Why it ended, for logs, if that is known before it does.
    var ending: String?
    var certificate: ShownCertificate?
    /// Who it wants to be, until that is decided.
    var candidate: Candidate?
    var authentication: Authentication?

    init(
        server: MQTTServer, id: ConnectionID, door: Door, channel: any Channel, speech: Listener.Speech,
        decoder: PacketDecoder
    ) {
        self.server = server
        self.id = id
        self.door = door
        self.channel = channel
        self.decoder = decoder
        isTransportOpen = speech == .both
        isWebSocket = speech == .webSocket
    }

    func setPause(_ pause: Pauses, _ on: Bool) {
        let before = pauses.isEmpty
        if on { pauses.insert(pause) } else { pauses.remove(pause) }
        guard before != pauses.isEmpty else { return }
        try? channel.syncOptions?.setOption(.autoRead, value: pauses.isEmpty)
    }

    // MARK: The channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if isTransportOpen, !bytes.isEmpty {
            isTransportOpen = false
            // A request begins with G, and no packet of MQTT does as a client's first.
            if bytes.readableBytesView.first == UInt8(ascii: "G") { return becomeWebSocket(bytes, context) }
        }
        server.assumeIsolated { [id] in $0.received(bytes, on: id) }
    }

    private func becomeWebSocket(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        isWebSocket = true
        let pipeline = context.pipeline.syncOperations
        let handler = WebSocketHandler(server: server.configuration.webSocket)
        do {
            try pipeline.addHandler(handler, position: .before(self))
            try handler.channelRead(context: pipeline.context(handler: handler), data: NIOAny(bytes))
        } catch {
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {}

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        server.assumeIsolated { [id] in $0.writabilityChanged(to: isWritable, on: id) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSHandshakeCompleted {
            certificate = event.peerCertificate.map(ShownCertificate.init)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if ending == nil {
            ending = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
        }
        // TLS and WebSocket close by themselves, with a word to the peer.
        if error is TLSError || error is WebSocketError { return }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.assumeIsolated { [id] in $0.closed(id) }
    }
}

/// What a client's certificate says, until it is let in.
final class ShownCertificate {
    let it: TLSPeerCertificate

    init(_ it: TLSPeerCertificate) { self.it = it }
}

/// Aliases for the topics that a client is sent.
final class Shortening {
    var aliases: OutgoingAliases
    /// Bytes of the largest packet that the client takes.
    let maximumPacketSize: Int

    init(aliases: UInt16, maximumPacketSize: Int) {
        self.aliases = OutgoingAliases(maximum: Int(aliases))
        self.maximumPacketSize = maximumPacketSize
    }

    /// PUBLISH, with an alias in the place of the topic or beside it.
    func packet(_ delivery: Delivery, version: ProtocolVersion) -> Packet {
        var publish = delivery.publish
        var room = Int.max
        if maximumPacketSize < .max { room = maximumPacketSize - delivery.encodedSize(version: version) }
        aliases.apply(to: &publish, room: room)
        return .publish(publish)
    }
}

/// A client between its CONNECT and the answer.
final class Candidate {
    var connect: Connect
    var information: ClientInformation
    let isIdentifierAssigned: Bool
    /// More for CONNACK.
    var properties: Properties = []

    init(_ connect: Connect, _ information: ClientInformation, isIdentifierAssigned: Bool) {
        self.connect = connect
        self.information = information
        self.isIdentifierAssigned = isIdentifierAssigned
    }
}

/// Enhanced authentication on one connection (5.0 §4.12).
final class Authentication {
    /// CONNECT's, and so that of every later exchange ([MQTT-4.12.0-5]).
    let method: String
    /// Nil between two exchanges.
    var conductor: (any ServerAuthenticator)?
    /// It is the conductor's turn.
    var isBusy = false

    init(method: String) { self.method = method }
}
