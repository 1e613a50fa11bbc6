internal import DequeModule
internal import Synchronization

/// The messages that arrive at a client. Up to 512 wait; beyond that the client stops reading from its socket until the
/// reader has caught up, so that a slow reader slows its server instead of filling the memory. Only while somebody waits
/// for the server's answer, perhaps the reader itself, it reads on, and drops and counts what comes beyond 8192. The first
/// of them wait for a reader who is still to come; as long as there is none, what arrives beyond is dropped and counted.
///
/// Asking for the next message says that the last one is done with, and has it acknowledged, unless
/// ``ClientConfiguration/acknowledgement`` says otherwise. Whoever leaves off may come again and finds what has come
/// meanwhile; the message that was left off over is done with when somebody reads on, and not before. Several readers
/// share the messages, each of which goes to one of them.
public struct ReceivedMessages: AsyncSequence, Sendable {
    let inbox: Inbox

    public func makeAsyncIterator() -> Iterator { Iterator(reader: Reader(inbox)) }

    /// Somebody who reads, until its iterator is gone.
    final class Reader: Sendable {
        let inbox: Inbox
        /// Of the message that it has, until it asks for the next one.
        let receipt = Mutex<Receipt?>(nil)

        init(_ inbox: Inbox) {
            self.inbox = inbox
            inbox.onEventLoop { $0.readerDidArrive() }
        }

        deinit {
            if let receipt = receipt.withLock({ $0 }) { inbox.left(receipt) }
            inbox.onEventLoop { $0.readerDidLeave() }
        }
    }

    public struct Iterator: AsyncIteratorProtocol {
        private let reader: Reader

        init(reader: Reader) { self.reader = reader }

        /// - Returns: nil when the client has stopped, or the task is cancelled.
        public mutating func next() async -> ReceivedMessage? {
            if let receipt = reader.receipt.withLock({ $0.take() }) { reader.inbox.processed(receipt) }
            let message = await reader.inbox.next()
            if let receipt = message?.receipt { reader.receipt.withLock { $0 = receipt } }
            return message
        }
    }
}

/// What lies between the client on its event loop and the readers of its messages, who may be anywhere.
///
/// It does not keep the client alive, which owns it, and leads nowhere once the client has ended: its event loop may be
/// gone by then.
final class Inbox: Sendable {
    /// So many wait before the client reads no more, and so few before it reads again.
    static let highWatermark = 512
    private static let lowWatermark = 128
    /// No more wait, though the client reads on for somebody who waits for an answer.
    static let limit = 8192

    private struct State: Sendable {
        weak var client: MQTTClient?
        var messages: Deque<ReceivedMessage> = []
        var readers: Deque<(number: UInt64, continuation: CheckedContinuation<ReceivedMessage?, Never>)> = []
        var lastReader: UInt64 = 0
        /// The client is to be told when there is room again.
        var isFull = false
        var isFinished = false
        /// Processed, and not told to the client yet.
        var receipts: [Receipt] = []
        /// Of messages over which readers have left off.
        var left: [Receipt] = []
    }

    private let state = Mutex(State())
    /// Whether reading on acknowledges.
    private let acknowledges: Bool

    init(acknowledges: Bool) { self.acknowledges = acknowledges }

    var client: MQTTClient? {
        get { state.withLock { $0.client } }
        set { state.withLock { $0.client = newValue } }
    }

    func onEventLoop(_ body: @escaping @Sendable (isolated MQTTClient) -> Void) { client?.onEventLoop(body) }

    // MARK: The client's side

    var count: Int { state.withLock { $0.messages.count } }

    /// - Returns: whether there is room for more.
    func append(_ messages: [ReceivedMessage]) -> Bool {
        var woken: [(CheckedContinuation<ReceivedMessage?, Never>, ReceivedMessage)] = []
        let hasRoom = state.withLock { state in
            for message in messages {
                if state.messages.isEmpty, let reader = state.readers.popFirst() {
                    woken.append((reader.continuation, message))
                } else {
                    state.messages.append(message)
                }
            }
            state.isFull = state.isFull || state.messages.count >= Self.highWatermark
            return !state.isFull
        }
        for (reader, message) in woken { reader.resume(returning: message) }
        return hasRoom
    }

    /// What waits can still be read, and then comes the end.
    func finish() {
        let readers = state.withLock { state in
            state.isFinished = true
            state.client = nil
            defer { state.readers.removeAll() }
            return state.readers
        }
        for reader in readers { reader.continuation.resume(returning: nil) }
    }

    // MARK: The readers' side

    private enum Answer { case message(ReceivedMessage, MQTTClient?), end, nothing }

    private func take(_ state: inout State) -> Answer {
        guard let message = state.messages.popFirst() else { return state.isFinished ? .end : .nothing }
        guard state.isFull, state.messages.count <= Self.lowWatermark else { return .message(message, nil) }
        state.isFull = false
        return .message(message, state.client)
    }

    func next() async -> ReceivedMessage? {
        if Task.isCancelled { return nil }
        let (answer, left) = state.withLock { state in
            defer { if !state.left.isEmpty { state.left = [] } }
            return (take(&state), state.left)
        }
        for receipt in left { processed(receipt) }
        switch answer {
        case .message(let message, let client):
            client?.onEventLoop { $0.resumeReading() }
            return message
        case .end: return nil
        case .nothing: return await wait()
        }
    }

    private func wait() async -> ReceivedMessage? {
        let number = state.withLock { state in
            state.lastReader += 1
            return state.lastReader
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state in
                    let answer = Task.isCancelled ? .end : take(&state)
                    if case .nothing = answer { state.readers.append((number, continuation)) }
                    return answer
                }
                switch answer {
                case .message(let message, let client):
                    client?.onEventLoop { $0.resumeReading() }
                    continuation.resume(returning: message)
                case .end: continuation.resume(returning: nil)
                case .nothing: break
                }
            }
        } onCancel: {
            let reader = state.withLock { state in
                state.readers.firstIndex { $0.number == number }.map { state.readers.remove(at: $0) }
            }
            reader?.continuation.resume(returning: nil)
        }
    }

    /// A reader has left off over a message. If nobody reads on, the server keeps it: who left may have failed.
    func left(_ receipt: Receipt) {
        guard acknowledges else { return }
        let isReadOn = state.withLock { state in
            if state.readers.isEmpty { state.left.append(receipt) }
            return !state.readers.isEmpty
        }
        if isReadOn { processed(receipt) }
    }

    /// A reader may be quicker than the event loop, which is told once for all that has gathered.
    func processed(_ receipt: Receipt) {
        guard acknowledges else { return }
        let client = state.withLock { state in
            state.receipts.append(receipt)
            return state.receipts.count == 1 ? state.client : nil
        }
        client?.onEventLoop { client in
            let receipts = self.state.withLock { state in
                defer { state.receipts.removeAll(keepingCapacity: true) }
                return state.receipts
            }
            client.processed(receipts)
        }
    }
}
