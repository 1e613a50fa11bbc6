internal import NIOCore
internal import Synchronization

/// The messages that arrive at a client, for one reader. Up to 512 wait; beyond that the client stops reading from
/// its socket until the reader has caught up, so that a slow reader slows its server instead of filling the memory.
/// The first of them wait for a reader who is still to come; as long as there is none, what arrives beyond is dropped
/// and counted.
///
/// Asking for the next message says that the last one is done with, and has it acknowledged, unless
/// ``ClientConfiguration/acknowledgement`` says otherwise.
public struct ReceivedMessages: AsyncSequence, Sendable {
    typealias Producer = NIOAsyncSequenceProducer<
        ReceivedMessage, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, Delegate
    >

    struct Delegate: NIOAsyncSequenceProducerDelegate {
        let moreWanted: @Sendable () -> Void
        func produceMore() { moreWanted() }
        func didTerminate() { moreWanted() }
    }

    private let sequence: Producer
    private let bell: ReaderBell

    static func make(_ bell: ReaderBell) -> (source: Producer.Source, messages: ReceivedMessages) {
        let new = Producer.makeSequence(
            elementType: ReceivedMessage.self,
            backPressureStrategy: .init(lowWatermark: 128, highWatermark: 512),
            finishOnDeinit: true,
            delegate: Delegate(moreWanted: { bell.onEventLoop { $0.resumeReading() } }))
        return (new.source, ReceivedMessages(sequence: new.sequence, bell: bell))
    }

    /// Only one iterator may be made.
    public func makeAsyncIterator() -> Iterator {
        bell.onEventLoop { $0.readerDidArrive() }
        return Iterator(base: sequence.makeAsyncIterator(), bell: bell)
    }

    public struct Iterator: AsyncIteratorProtocol {
        let base: Producer.AsyncIterator
        let bell: ReaderBell
        private var receipt: Receipt?

        init(base: Producer.AsyncIterator, bell: ReaderBell) {
            self.base = base
            self.bell = bell
        }

        @concurrent public mutating func next() async -> ReceivedMessage? {
            if let receipt { bell.processed(receipt) }
            let message = await base.next()
            receipt = message?.receipt
            return message
        }
    }
}

/// The way from the reader of the messages, who may be anywhere, to the client. It does not keep the client alive, which
/// owns the sequence, and leads nowhere once the client has ended: its event loop may be gone by then.
final class ReaderBell: Sendable {
    private struct State: Sendable {
        weak var client: MQTTClient?
        /// Processed, and not told to the client yet.
        var receipts: [Receipt] = []
    }

    private let state = Mutex(State())
    /// Whether reading on acknowledges.
    let acknowledges: Bool

    init(acknowledges: Bool) { self.acknowledges = acknowledges }

    var client: MQTTClient? {
        get { state.withLock { $0.client } }
        set { state.withLock { $0.client = newValue } }
    }

    func onEventLoop(_ body: @escaping @Sendable (isolated MQTTClient) -> Void) { client?.onEventLoop(body) }

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
