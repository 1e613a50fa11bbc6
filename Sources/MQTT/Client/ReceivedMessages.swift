internal import NIOCore

/// The messages that arrive at a client, for one reader. Up to 512 wait; beyond that the client stops reading from
/// its socket until the reader has caught up, so that a slow reader slows its server instead of filling the memory.
/// The first of them wait for a reader who is still to come; as long as there is none, what arrives beyond is dropped
/// and counted.
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
    private let readerArrived: @Sendable () -> Void

    static func make(
        moreWanted: @escaping @Sendable () -> Void, readerArrived: @escaping @Sendable () -> Void
    ) -> (source: Producer.Source, messages: ReceivedMessages) {
        let new = Producer.makeSequence(
            elementType: ReceivedMessage.self,
            backPressureStrategy: .init(lowWatermark: 128, highWatermark: 512),
            finishOnDeinit: true,
            delegate: Delegate(moreWanted: moreWanted))
        return (new.source, ReceivedMessages(sequence: new.sequence, readerArrived: readerArrived))
    }

    /// Only one iterator may be made.
    public func makeAsyncIterator() -> Iterator {
        readerArrived()
        return Iterator(base: sequence.makeAsyncIterator())
    }

    public struct Iterator: AsyncIteratorProtocol {
        let base: Producer.AsyncIterator

        @concurrent public mutating func next() async -> ReceivedMessage? { await base.next() }
    }
}
