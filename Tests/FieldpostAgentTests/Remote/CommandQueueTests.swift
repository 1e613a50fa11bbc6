import Synchronization
import TestSupport
import Testing

@testable import FieldpostAgent

@Suite struct CommandQueueTests {
    @Test func `What is for one thing is done in order, one after another`() async throws {
        let queue = CommandQueue()
        let (order, atWork) = (Record(), Record())
        for number in 0..<50 {
            let isTaken = queue.add(to: number.isMultiple(of: 5) ? nil : "gate") {
                guard !number.isMultiple(of: 5) else { return await Task.yield() }
                atWork.add(number)
                await Task.yield()
                #expect(atWork.all.last == number)
                order.add(number)
            }
            #expect(isTaken)
        }
        await queue.settle(within: .seconds(30))
        #expect(order.all == (0..<50).filter { !$0.isMultiple(of: 5) })
    }

    @Test func `A flood is refused, and there is room again behind it`() async throws {
        let queue = CommandQueue()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let first = Task { for await _ in gate {} }
        for _ in 0..<CommandQueue.limit { #expect(queue.add(to: "gate") { await first.value }) }
        #expect(!queue.add(to: "gate") {})
        #expect(!queue.add(to: nil) {})
        open.finish()
        await queue.settle(within: .seconds(30))
        #expect(queue.add(to: "gate") {})
    }

    @Test func `Once it is closed nothing begins, and nobody waits for ever`() async {
        let queue = CommandQueue()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let first = Task { for await _ in gate {} }
        #expect(queue.add(to: nil) { await first.value })
        queue.close()
        #expect(!queue.add(to: nil) {})
        let start = ContinuousClock.now
        await queue.settle(within: .milliseconds(50))
        #expect(start.duration(to: .now) >= .milliseconds(50))
        open.finish()
    }
}

/// Numbers in the order in which they come.
final class Record: Sendable {
    private let numbers = Mutex<[Int]>([])
    var all: [Int] { numbers.withLock { $0 } }
    func add(_ number: Int) { numbers.withLock { $0.append(number) } }
}
