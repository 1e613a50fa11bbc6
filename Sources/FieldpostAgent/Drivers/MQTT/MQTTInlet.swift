internal import CLinux
internal import DequeModule
internal import MQTTWire
internal import NIOCore
internal import Sensing
internal import Synchronization
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Where messages wait until the sensor that they are for takes them.
///
/// Bounded: when it is full the oldest make room, and are counted. Its descriptor is readable while there is something to
/// take, so that the sensor can be woken as every other one is.
final class MQTTInlet: Sendable {
    struct Message: Sendable {
        var topic: TopicName
        var payload: ByteBuffer
        var time: Timestamp
        /// The broker had it before it was asked.
        var isRetained: Bool
    }

    /// What a sensor finds when it looks.
    struct Content: Sendable {
        var messages: [Message] = []
        /// How many had to make room since the last look.
        var dropped: UInt64 = 0
        /// Why nothing comes; nil while the broker is there.
        var trouble: SensorError?
    }

    static let limit = 1_000
    static let byteLimit = 1_000_000

    private struct State {
        var waiting: Deque<Message> = []
        var bytes = 0
        var dropped: UInt64 = 0
        var trouble: SensorError? = SensorError(
            .unavailable, "the broker", "is not connected yet", mend: "an agent that runs connects to it")
        var isSealed = false
        /// Told when what was taken has been dealt with once it is sealed.
        var drained: [AsyncStream<Void>.Continuation] = []
    }

    private let state = Mutex(State())
    /// An eventfd; -1 if the system had none.
    let descriptor: Int32

    init() { descriptor = clinux_make_event() }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// - Returns: false when it is sealed: then the broker is to keep the message.
    func put(_ message: Message) -> Bool {
        state.withLock { state in
            guard !state.isSealed else { return false }
            state.waiting.append(message)
            state.bytes += message.payload.readableBytes
            while state.waiting.count > Self.limit || state.bytes > Self.byteLimit,
                let oldest = state.waiting.popFirst()
            {
                state.bytes -= oldest.payload.readableBytes
                state.dropped += 1
            }
            ring()
            return true
        }
    }

    /// There is an agent that runs.
    func open() {
        state.withLock { state in
            state.isSealed = false
            state.trouble = nil
        }
    }

    /// Nothing is taken in any more.
    func seal() {
        state.withLock { state in
            state.isSealed = true
            ring()
        }
    }

    /// After ``seal()``: until the sensor has taken what waits, and comes again, since it does that when what it has
    /// taken before is dealt with.
    ///
    /// - Returns: how many messages wait still, when the time is over.
    func drain(within time: Duration) async -> Int {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        state.withLock { state in
            state.drained.append(continuation)
            ring()
        }
        let timer = Task {
            try await Task.sleep(for: time)
            continuation.finish()
        }
        defer { timer.cancel() }
        for await _ in stream {}
        return state.withLock { $0.waiting.count }
    }

    /// The broker is there, or is not.
    func set(_ trouble: SensorError?) {
        state.withLock { state in
            guard state.trouble != trouble else { return }
            state.trouble = trouble
            ring()
        }
    }

    /// Up to so many messages, the oldest first; once it is sealed all of them. The trouble is told once they are taken.
    func take(_ count: Int) -> Content {
        state.withLock { state in
            var content = Content(dropped: state.dropped)
            state.dropped = 0
            if state.isSealed, state.waiting.isEmpty {
                for continuation in state.drained { continuation.finish() }
                state.drained = []
            }
            let count = state.isSealed ? Self.limit : count
            while content.messages.count < count, let message = state.waiting.popFirst() {
                state.bytes -= message.payload.readableBytes
                content.messages.append(message)
            }
            var number: UInt64 = 0
            _ = read(descriptor, &number, 8)
            if !state.waiting.isEmpty || !state.drained.isEmpty { ring() }
            if state.waiting.isEmpty {
                content.trouble = state.trouble
            }
            return content
        }
    }

    var trouble: SensorError? { state.withLock { $0.trouble } }

    private func ring() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }
}
