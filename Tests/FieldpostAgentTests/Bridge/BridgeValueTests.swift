import MQTTWire
import TestSupport
import Testing

@testable import FieldpostAgent

@Suite struct BridgeValueTests {
    @Test func `A session's numbers go round`() throws {
        func includes(_ last: Int64, _ identifier: UInt16) throws -> Bool {
            SessionNumber(last).includes(try #require(PacketIdentifier(rawValue: identifier)))
        }
        #expect(try !includes(0, 1))
        #expect(try !includes(0, 65_535))
        #expect(try includes(1, 1))
        #expect(try !includes(1, 2))
        #expect(try includes(1, 65_535))
        #expect(try includes(500, 1))
        #expect(try !includes(65_535, 1))
        #expect(try includes(65_535, 65_535))
        #expect(try !includes(65_535, 1_000))
    }

    @Test(.timeLimit(.minutes(1))) func `What is gathered is bounded, and comes out in order and complete`() async {
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

    @Test(.timeLimit(.minutes(1))) func `Who waits at it can be called off, and what is left can be taken`() async {
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
