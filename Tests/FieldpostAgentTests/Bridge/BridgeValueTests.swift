import MQTTWire
import TestSupport
import Testing

@testable import FieldpostAgent

@Suite struct BridgeValueTests {
    /// - Parameter waiting: numbers of messages that the session has.
    /// - Returns: those of them, and of the 10 messages after them, that are taken for new.
    private func new(
        _ waiting: ClosedRange<Int64>?, next: Int64, last: Int64, pending: Int? = nil
    ) -> (all: [Int64], last: Int64) {
        var numbers = SessionNumbers(next: next, pending: pending ?? waiting?.count ?? 0, last: last)
        let all = (waiting.map(Array.init) ?? []) + Array(next..<(next + 10))
        let new = all.filter { numbers.isNew(PacketIdentifier(rawValue: UInt16(1 + $0 % 65_535)) ?? .first) }
        return (new, numbers.last)
    }

    @Test(arguments: [0, 65_530, 65_535, 1_000_000] as [Int64])
    func `What came to the queue before is known by its number`(start: Int64) {
        let waiting = start + 5...start + 20
        #expect(new(waiting, next: start + 21, last: start + 12).all == Array(start + 13...start + 30))
        #expect(new(waiting, next: start + 21, last: start + 4).all == Array(start + 5...start + 30))
        #expect(new(waiting, next: start + 21, last: -1).all == Array(start + 5...start + 30))
        #expect(new(nil, next: start + 21, last: start + 12).all == Array(start + 21...start + 30))
        #expect(new(waiting, next: start + 21, last: start + 12).last == start + 30)
    }

    @Test(arguments: [30, 40_000, 65_540, 1_000_000] as [Int64])
    func `Numbers that are used again are new, and what waited before them is not`(later: Int64) {
        #expect(new(5...20, next: 21, last: later).all == Array(21...30))
        #expect(SessionNumbers(next: 21, pending: 16, last: later).last == 20)
        // A new session.
        #expect(new(nil, next: 0, last: later).all == Array(0...9))
        #expect(SessionNumbers(next: 0, pending: 0, last: later).last == -1)
    }

    @Test func `So many waiting that their numbers are not certain are all new`() {
        #expect(new(5...20, next: 21, last: 12, pending: 40_000).all == Array(5...30))
    }

    @Test(.timeLimit(.minutes(3))) func `What is gathered is bounded, and comes out in order and complete`() async {
        let gatherer = Gatherer<Int>(maximumCount: 16, maximumBytes: 100)
        let all = await withTaskGroup(of: [Int].self) { tasks in
            tasks.addTask {
                for number in 0..<5_000 { _ = await gatherer.bring(number, bytes: number % 30) }
                return []
            }
            tasks.addTask {
                var all: [Int] = []
                while all.count < 5_000, let batch = await gatherer.take() {
                    #expect(batch.count <= 16)
                    #expect(batch.dropLast().reduce(0) { $0 + $1 % 30 } < 100)
                    all += batch
                }
                return all
            }
            return await tasks.reduce(into: []) { $0 += $1 }
        }
        #expect(all == Array(0..<5_000))
    }

    @Test(.timeLimit(.minutes(3))) func `Who waits at it can be called off, and what is left can be taken`() async {
        let gatherer = Gatherer<Int>(maximumCount: 1)
        let taking = Task { await gatherer.take() }
        await Task.yield()
        taking.cancel()
        #expect(await taking.value == nil)
        #expect(await gatherer.bring(1, bytes: 1))
        let bringing = Task { await gatherer.bring(2, bytes: 1) }
        await Task.yield()
        bringing.cancel()
        #expect(await bringing.value == false)
        gatherer.putBack([0])
        let rest = Task {
            // Cancelled before it begins, or while it takes.
            [await gatherer.take(), await gatherer.take()]
        }
        rest.cancel()
        #expect(await rest.value == [[0, 1], nil])
    }
}
