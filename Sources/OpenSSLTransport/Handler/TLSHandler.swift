public import NIOCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// TLS between what is before it in the pipeline, ciphertext, and what is behind it, plaintext.
///
/// ```swift
/// let context = try TLSClientContext(configuration)
/// ClientBootstrap(group: eventLoop).channelInitializer { channel in
///     channel.eventLoop.makeCompletedFuture {
///         try channel.pipeline.syncOperations.addHandlers([
///             TLSHandler(client: context, host: "broker.example", port: 8883), …,
///         ])
///     }
/// }
/// ```
///
/// The handshake begins when the channel becomes active, or at once if it is. Its end is the user event
/// ``TLSHandshakeCompleted``. What is written before is kept, up to 64 kB, and sent then. Whatever goes wrong is fired as
/// one ``TLSError``, and then the channel is closed.
///
/// Closing the channel says goodbye to the peer with close_notify. When the peer says it, the channel is closed, or,
/// where it allows remote half closure, `ChannelEvent.inputClosed` is fired. A channel that becomes inactive without it
/// fires ``TLSError/Code/truncated`` before.
public final class TLSHandler: ChannelDuplexHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    private enum State {
        /// The channel is not active yet.
        case idle
        case handshaking
        case open
        /// The peer said goodbye; we may still write.
        case inputClosed
        /// We said goodbye, failed, or the channel is gone.
        case ended
    }

    private struct Write {
        var bytes: ByteBuffer
        var promise: EventLoopPromise<Void>?
    }

    private let connection: TLSConnection
    private let handshakeTimeout: Duration
    private var state = State.idle
    private var timer: Scheduled<Void>?
    /// What was written before the end of the handshake.
    private var waiting: [Write] = []
    private var waitingBytes = 0
    private var isFlushWaiting = false
    private static let waitingLimit = 65_536
    /// Somebody wants plaintext, and got none since.
    private var isReadWanted = false
    /// What was fired already explains the channel's end.
    private var isExplained = false
    private var isOutputClosed = false

    /// A client's side.
    ///
    /// - Parameters:
    ///   - host: the server's DNS name or IP address; its certificate must be for it.
    ///   - port: tells servers on one host apart, for the sake of sessions that are kept.
    /// - Throws: ``TLSError/Code/invalidSetting`` if that is no host.
    public init(client context: TLSClientContext, host: String, port: Int) throws(TLSError) {
        connection = try TLSConnection(.client(context, HostName(host), port: port))
        handshakeTimeout = context.configuration.handshakeTimeout
    }

    /// A server's side.
    public init(server context: TLSServerContext) throws(TLSError) {
        connection = try TLSConnection(.server(context))
        handshakeTimeout = context.configuration.handshakeTimeout
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
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A server that does not understand our first bytes leaves them unread, which makes its close a reset.
        if state == .handshaking, let error = error as? IOError, [ECONNRESET, EPIPE].contains(error.errnoCode) {
            return fail(connection.cutHandshake, context)
        }
        isExplained = true
        context.fireErrorCaught(error)
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            // TCP's FIN where half closure is allowed: after close_notify it says nothing new.
            if state == .inputClosed || state == .ended { return }
            lost(context)
            context.close(promise: nil)
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard state == .idle else { return }
        state = .handshaking
        let limit = handshakeTimeout
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) { [weak self] in
            guard let self, self.state == .handshaking else { return }
            let peer = self.connection.peer.role
            let what = self.connection.isPeerSilent ? "the \(peer) said nothing" : "the \(peer) did not finish"
            self.fail(
                TLSError(.handshakeTimeout, "the TLS handshake was not done after \(limit): \(what)"), context)
        }
        proceed(context)
        // The handshake wants to read, whatever others want.
        context.read()
    }

    /// The channel gives nothing more.
    private func lost(_ context: ChannelHandlerContext) {
        let error: TLSError
        switch state {
        case .handshaking: error = connection.cutHandshake
        case .open:
            error = TLSError(
                .truncated,
                "the \(connection.peer.role) closed the connection without saying so in TLS (close_notify): the last of what it sent may be missing"
            )
        case .idle, .inputClosed, .ended:
            end(ChannelError.ioOnClosedChannel)
            return
        }
        let isExplained = isExplained
        end(error)
        if !isExplained { context.fireErrorCaught(error) }
    }

    // MARK: Inbound

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .handshaking, .open: break
        case .idle, .inputClosed, .ended: return
        }
        do throws(TLSError) {
            try connection.receive(unwrapInboundIn(data))
        } catch {
            return fail(error, context)
        }
        proceed(context)
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if state == .handshaking || (state == .open && isReadWanted) { context.read() }
    }

    public func read(context: ChannelHandlerContext) {
        isReadWanted = true
        context.read()
    }

    /// Goes as far as what was received allows.
    private func proceed(_ context: ChannelHandlerContext) {
        do throws(TLSError) {
            if state == .handshaking {
                let isDone = try connection.handshake()
                send(context)
                // A write may find that the channel is gone.
                guard isDone, state == .handshaking else { return }
                opened(context)
                // Whoever heard of it may have closed the channel.
                guard state == .open else { return }
            }
            var plaintext = ByteBuffer()
            let result: Result<TLSConnection.ReadResult, TLSError>
            do throws(TLSError) {
                result = .success(try connection.read(into: &plaintext))
            } catch {
                result = .failure(error)
            }
            if plaintext.readableBytes > 0 {
                isReadWanted = false
                context.fireChannelRead(wrapInboundOut(plaintext))
            }
            guard state == .open else { return }
            send(context)
            guard state == .open else { return }
            if case .closed = try result.get() { peerClosed(context) }
        } catch {
            fail(error, context)
        }
    }

    private func opened(_ context: ChannelHandlerContext) {
        state = .open
        timer?.cancel()
        timer = nil
        let writes = waiting
        waiting = []
        waitingBytes = 0
        for write in writes { self.write(write, context) }
        if isFlushWaiting { context.flush() }
        isFlushWaiting = false
        // Now, so that what is written because of it comes behind what was written before.
        if state == .open { context.fireUserInboundEventTriggered(connection.result) }
    }

    private func peerClosed(_ context: ChannelHandlerContext) {
        let mayBeHalf = (try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)) ?? false
        guard mayBeHalf, !isOutputClosed else { return close(context: context, mode: .all, promise: nil) }
        state = .inputClosed
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }

    // MARK: Outbound

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let write = Write(bytes: unwrapOutboundIn(data), promise: promise)
        switch state {
        case .idle, .handshaking:
            // An empty one takes memory too.
            waitingBytes += max(1, write.bytes.readableBytes)
            guard waitingBytes <= Self.waitingLimit else {
                let error = TLSError(
                    .tooMuchBeforeHandshake,
                    "more than \(Self.waitingLimit) bytes were written before the end of the TLS handshake")
                promise?.fail(error)
                return fail(error, context)
            }
            waiting.append(write)
        case .open, .inputClosed: self.write(write, context)
        case .ended: promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    /// Encrypts at once, so that the channel counts it and says when it has had enough.
    private func write(_ write: Write, _ context: ChannelHandlerContext) {
        guard state == .open || state == .inputClosed, !isOutputClosed else {
            write.promise?.fail(ChannelError.outputClosed)
            return
        }
        do throws(TLSError) {
            try connection.write(write.bytes)
        } catch {
            write.promise?.fail(error)
            return fail(error, context)
        }
        context.write(wrapOutboundOut(connection.takeOutput() ?? ByteBuffer()), promise: write.promise)
    }

    public func flush(context: ChannelHandlerContext) {
        switch state {
        case .idle, .handshaking: isFlushWaiting = true
        case .open, .inputClosed, .ended: context.flush()
        }
    }

    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // Half a connection needs a whole one first.
        let isEarly = state == .idle || state == .handshaking
        let mode = mode == .output && isEarly ? .all : mode
        if mode != .input, state == .open || state == .inputClosed, !isOutputClosed {
            connection.close()
            isOutputClosed = true
            send(context)
        }
        if mode == .all { end(ChannelError.ioOnClosedChannel) }
        context.close(mode: mode, promise: promise)
    }

    private func send(_ context: ChannelHandlerContext) {
        guard let output = connection.takeOutput() else { return }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }

    // MARK: The end

    private func fail(_ error: TLSError, _ context: ChannelHandlerContext) {
        guard state != .ended else { return }
        end(error)
        // OpenSSL's alert, which tells the peer why.
        send(context)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    /// Lets go of what waits.
    private func end(_ error: any Error) {
        state = .ended
        timer?.cancel()
        timer = nil
        let writes = waiting
        waiting = []
        for write in writes { write.promise?.fail(error) }
    }
}

/// It stays with its channel's event loop.
@available(*, unavailable)
extension TLSHandler: Sendable {}
