public import NIOCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A WebSocket between what is before it in the pipeline, TCP or TLS, and what is behind it, a stream of bytes
/// (RFC 6455).
///
/// ```swift
/// ClientBootstrap(group: eventLoop).channelInitializer { channel in
///     channel.eventLoop.makeCompletedFuture {
///         try channel.pipeline.syncOperations.addHandlers([
///             TLSHandler(client: context, host: "broker.example", port: 443),
///             WebSocketHandler(
///                 client: WebSocketClientConfiguration(path: "/mqtt"), host: "broker.example", port: 443,
///                 isSecure: true),
///             …,
///         ])
///     }
/// }
/// ```
///
/// The handshake begins when the channel becomes active, or at once if it is. Its end is the user event
/// ``WebSocketHandshakeCompleted``. What is written before is kept, up to 64 kB, and sent then. A write becomes a binary
/// frame; frames that come are passed on as their bytes come, so that neither frames nor messages can be told apart.
/// Whatever goes wrong is fired as one ``WebSocketError``, and then the channel is closed.
///
/// Closing the channel sends a close frame and waits for the peer's, up to the configuration's close timeout; what comes
/// meanwhile is dropped. When the peer says goodbye first, it is answered, ``WebSocketClosed`` is fired, behind it
/// ``WebSocketError/Code/closedByPeer`` if its code is another than 1000, and the channel is closed. There is no closing
/// of one direction only.
public final class WebSocketHandler: ChannelDuplexHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    private enum Handshake {
        case client(ClientHandshake)
        case server(ServerHandshake)
    }

    private enum State {
        /// The channel is not active yet.
        case idle
        case handshaking
        case open
        /// We said goodbye and wait for the peer's.
        case closing
        /// Both said goodbye, something failed, or the channel is gone.
        case ended
    }

    private struct Write {
        var bytes: ByteBuffer
        var promise: EventLoopPromise<Void>?
    }

    private let peer: Role
    /// What both come to, if the server agrees; a client's request names the target.
    private var completed: WebSocketHandshakeCompleted
    private var handshake: Handshake
    private var decoder: FrameDecoder
    private let handshakeTimeout: Duration
    private let closeTimeout: Duration
    private var state = State.idle
    private var timer: Scheduled<Void>?
    /// What was written before the end of the handshake.
    private var waiting: [Write] = []
    private var waitingBytes = 0
    private var isFlushWaiting = false
    private static let waitingLimit = 65_536
    /// Somebody wants bytes, and got none since.
    private var isReadWanted = false
    /// What was fired already explains the channel's end.
    private var isExplained = false
    /// The last ping that is not answered yet; earlier ones need no answer (RFC 6455 §5.5.3).
    private var ping: ByteBuffer?
    /// Who waits for the end of our goodbye.
    private var closing: EventLoopPromise<Void>?

    /// A client's side.
    ///
    /// - Parameters:
    ///   - host: the server's name or IP address, for the `Host` header.
    ///   - isSecure: whether TLS is underneath (`wss://`).
    /// - Throws: ``WebSocketError/Code/invalidSetting``.
    public init(
        client configuration: WebSocketClientConfiguration, host: String, port: Int, isSecure: Bool
    ) throws(WebSocketError) {
        peer = .server
        completed = WebSocketHandshakeCompleted(target: configuration.path, subprotocol: configuration.subprotocol)
        handshake = .client(try ClientHandshake(configuration, host: host, port: port, isSecure: isSecure))
        decoder = FrameDecoder(isServer: false, maximumFrameSize: configuration.maximumFrameSize)
        handshakeTimeout = configuration.handshakeTimeout
        closeTimeout = configuration.closeTimeout
    }

    /// A server's side.
    public init(server configuration: WebSocketServerConfiguration) {
        peer = .client
        completed = WebSocketHandshakeCompleted(target: "", subprotocol: "")
        handshake = .server(ServerHandshake(configuration))
        decoder = FrameDecoder(isServer: true, maximumFrameSize: configuration.maximumFrameSize)
        handshakeTimeout = configuration.handshakeTimeout
        closeTimeout = configuration.closeTimeout
    }

    // MARK: The channel's life

    public func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    public func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    public func channelInactive(context: ChannelHandlerContext) {
        lost(context)
        context.fireChannelInactive()
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        end(ChannelError.ioOnClosedChannel)
        closing?.succeed()
        closing = nil
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A server that does not understand our first bytes leaves them unread, which makes its close a reset.
        if state == .handshaking, let error = error as? IOError, [ECONNRESET, EPIPE].contains(error.errnoCode) {
            return fail(cutHandshake, context)
        }
        isExplained = true
        context.fireErrorCaught(error)
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            // TCP's FIN where half closure is allowed: a WebSocket has none.
            lost(context)
            context.close(promise: nil)
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    public func channelWritabilityChanged(context: ChannelHandlerContext) {
        answerPing(context)
        context.fireChannelWritabilityChanged()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard state == .idle else { return }
        state = .handshaking
        let limit = handshakeTimeout
        schedule(in: limit, context) { handler in
            let what = handler.isPeerSilent ? "the \(handler.peer) said nothing" : "the \(handler.peer) did not finish"
            handler.fail(
                WebSocketError(
                    .handshakeTimeout, "the WebSocket handshake was not done after \(limit): \(what); check the port"),
                context)
        }
        if case .client(let handshake) = handshake {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: handshake.request)), promise: nil)
        }
        // The handshake wants to read, whatever others want.
        if state == .handshaking { context.read() }
    }

    private var isPeerSilent: Bool {
        switch handshake {
        case .client(let handshake): handshake.isServerSilent
        case .server(let handshake): handshake.isClientSilent
        }
    }

    private var cutHandshake: WebSocketError {
        WebSocketError(
            .closedDuringHandshake,
            isPeerSilent
                ? "the \(peer) closed the connection without an answer to the WebSocket handshake: are WebSockets spoken on this port?"
                : "the \(peer) closed the connection in the middle of the WebSocket handshake")
    }

    /// The channel gives nothing more.
    private func lost(_ context: ChannelHandlerContext) {
        let error: WebSocketError
        switch state {
        case .handshaking: error = cutHandshake
        case .open:
            error = WebSocketError(
                .truncated,
                "the \(peer) closed the connection without a close frame: the last of what it sent may be missing")
        case .idle, .closing, .ended:
            end(ChannelError.ioOnClosedChannel)
            return
        }
        let isExplained = isExplained
        end(error)
        if !isExplained { context.fireErrorCaught(error) }
    }

    // MARK: Inbound

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        do throws(WebSocketError) {
            if state == .handshaking {
                guard try shakeHands(&bytes, context) else { return }
                opened(context)
            }
            guard state == .open || state == .closing else { return }
            decoder.receive(bytes)
            try proceed(context)
        } catch {
            fail(error, context)
        }
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        switch state {
        case .handshaking, .closing: context.read()
        case .open: if isReadWanted { context.read() }
        case .idle, .ended: break
        }
    }

    public func read(context: ChannelHandlerContext) {
        isReadWanted = true
        context.read()
    }

    /// Whether the handshake is done.
    private func shakeHands(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) throws(WebSocketError) -> Bool
    {
        switch handshake {
        case .client(var client):
            defer { handshake = .client(client) }
            return try client.receive(&bytes)
        case .server(var server):
            defer { handshake = .server(server) }
            guard let request = try server.receive(&bytes) else { return false }
            completed = WebSocketHandshakeCompleted(target: request.target, subprotocol: request.subprotocol)
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request.response)), promise: nil)
            // A write may find that the channel is gone.
            return state == .handshaking
        }
    }

    private func opened(_ context: ChannelHandlerContext) {
        state = .open
        timer?.cancel()
        let writes = waiting
        waiting = []
        waitingBytes = 0
        for write in writes { self.write(write, context) }
        if isFlushWaiting { context.flush() }
        isFlushWaiting = false
        // Now, so that what is written because of it comes behind what was written before.
        if state == .open { context.fireUserInboundEventTriggered(completed) }
    }

    /// Goes as far as what was received allows.
    private func proceed(_ context: ChannelHandlerContext) throws(WebSocketError) {
        while state == .open || state == .closing, let event = try nextEvent(context) {
            switch (event, state) {
            case (.data(let bytes), .open):
                isReadWanted = false
                context.fireChannelRead(wrapInboundOut(bytes))
            case (.ping(let payload), .open): ping = payload
            case (.close(let code, let reason), .open): return peerClosed(code, reason, context)
            case (.close, _): return finish(context)
            case (.data, _), (.ping, _), (.pong, _): break
            }
        }
        answerPing(context)
    }

    private func nextEvent(_ context: ChannelHandlerContext) throws(WebSocketError) -> FrameDecoder.Event? {
        do throws(FrameError) {
            return try decoder.next()
        } catch {
            // Once we said goodbye it does not matter any more.
            guard state == .open else { return .close(nil, reason: "") }
            send(.close, Self.closePayload(error.closeCode), context)
            throw WebSocketError(error, from: peer)
        }
    }

    /// A peer that sends pings and does not read makes no answers pile up.
    private func answerPing(_ context: ChannelHandlerContext) {
        guard state == .open, context.channel.isWritable, let payload = ping else { return }
        ping = nil
        send(.pong, payload, context)
    }

    private func peerClosed(_ code: WebSocketCloseCode?, _ reason: String, _ context: ChannelHandlerContext) {
        send(.close, Self.closePayload(code), context)
        // A write may find that the channel is gone.
        guard state == .open else { return }
        end(ChannelError.ioOnClosedChannel)
        context.fireUserInboundEventTriggered(WebSocketClosed(code: code, reason: reason))
        if let code, code != .normal {
            let words = reason.isEmpty ? "" : ": \(quotation(reason))"
            context.fireErrorCaught(
                WebSocketError(.closedByPeer, "the \(peer) closed the WebSocket with \(code)\(words)"))
        }
        context.close(promise: nil)
    }

    // MARK: Outbound

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let write = Write(bytes: unwrapOutboundIn(data), promise: promise)
        switch state {
        case .idle, .handshaking:
            // An empty one takes memory too.
            waitingBytes += max(1, write.bytes.readableBytes)
            guard waitingBytes <= Self.waitingLimit else {
                let error = WebSocketError(
                    .tooMuchBeforeHandshake,
                    "more than \(Self.waitingLimit) bytes were written before the end of the WebSocket handshake")
                promise?.fail(error)
                return fail(error, context)
            }
            waiting.append(write)
        case .open: self.write(write, context)
        case .closing: promise?.fail(ChannelError.outputClosed)
        case .ended: promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    private func write(_ write: Write, _ context: ChannelHandlerContext) {
        guard state == .open else {
            write.promise?.fail(ChannelError.outputClosed)
            return
        }
        let isEmpty = write.bytes.readableBytes == 0
        context.write(wrapOutboundOut(isEmpty ? write.bytes : frame(.binary, write.bytes)), promise: write.promise)
    }

    public func flush(context: ChannelHandlerContext) {
        switch state {
        case .idle, .handshaking: isFlushWaiting = true
        case .open, .closing, .ended: context.flush()
        }
    }

    private func frame(_ opcode: Opcode, _ payload: ByteBuffer) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeFrame(opcode, payload, mask: peer == .server ? .random() : nil)
        return bytes
    }

    private func send(_ opcode: Opcode, _ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(frame(opcode, payload)), promise: nil)
    }

    private static func closePayload(_ code: WebSocketCloseCode?) -> ByteBuffer {
        code.map { ByteBuffer(integer: $0.rawValue) } ?? ByteBuffer()
    }

    // MARK: The end

    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all else {
            promise?.fail(ChannelError.operationUnsupported)
            return
        }
        switch state {
        case .idle, .handshaking, .ended:
            end(ChannelError.ioOnClosedChannel)
            context.close(promise: promise)
        case .open:
            state = .closing
            let closing = context.eventLoop.makePromise(of: Void.self)
            closing.futureResult.cascade(to: promise)
            self.closing = closing
            schedule(in: closeTimeout, context) { $0.finish(context) }
            send(.close, Self.closePayload(.normal), context)
            // The peer's goodbye is wanted, whatever others want.
            if state == .closing { context.read() }
        case .closing: closing?.futureResult.cascade(to: promise)
        }
    }

    /// Nothing more is to be waited for.
    private func finish(_ context: ChannelHandlerContext) {
        guard state == .closing else { return }
        end(ChannelError.ioOnClosedChannel)
        let promise = closing
        closing = nil
        context.close(promise: promise)
    }

    private func fail(_ error: WebSocketError, _ context: ChannelHandlerContext) {
        guard state != .ended else { return }
        let refusal = state == .handshaking && peer == .client ? ServerHandshake.refusal(error) : nil
        end(error)
        if let refusal { context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: refusal)), promise: nil) }
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    /// Lets go of what waits.
    private func end(_ error: any Error) {
        state = .ended
        timer?.cancel()
        timer = nil
        ping = nil
        let writes = waiting
        waiting = []
        for write in writes { write.promise?.fail(error) }
    }

    /// In place of the timer before.
    private func schedule(
        in delay: Duration, _ context: ChannelHandlerContext, _ body: @escaping (WebSocketHandler) -> Void
    ) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) { [weak self] in
            guard let self else { return }
            body(self)
        }
    }
}

/// It stays with its channel's event loop.
@available(*, unavailable)
extension WebSocketHandler: Sendable {}
