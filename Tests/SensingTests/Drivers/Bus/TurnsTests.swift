import TestSupport
import Testing

@testable import Sensing

@Suite struct TurnsTests {
    @Test("Who waits too long is told who has the turn, and does not spoil the order") func patience() async throws {
        let turns = Turns()
        let gate = try Gate()
        let holding = Shared(false)
        async let first: Void = OwnThreads.run {
            try? turns.take("bus", for: "slow", atMost: .seconds(30)) { () throws(SensorError) in
                holding.change { $0 = true }
                gate.pass()
            }
        }
        try await SensingTests.eventually({ holding.current }, "the first has the turn")
        let error = await OwnThreads.run { () -> SensorError? in
            do throws(SensorError) {
                try turns.take("bus", for: "hasty", atMost: .milliseconds(20)) { () throws(SensorError) in }
                return nil
            } catch {
                return error
            }
        }
        #expect(error?.description.hasPrefix("bus was in use by sensor \"slow\" for 20ms") ?? false)
        #expect(error?.kind == .busy)
        // Another line is free meanwhile.
        #expect(try turns.take("other", for: "s", atMost: .milliseconds(20)) { () throws(SensorError) in 1 } == 1)
        gate.open()
        await first
        #expect(try turns.take("bus", for: "s", atMost: .seconds(30)) { () throws(SensorError) in 2 } == 2)
    }

    @Test("A failure gives the turn back") func failure() {
        let turns = Turns()
        for _ in 0..<2 {
            #expect(throws: SensorError(.missing, "x", "is not there")) {
                try turns.take("bus", for: "s", atMost: .milliseconds(20)) { () throws(SensorError) in
                    throw SensorError(.missing, "x", "is not there")
                }
            }
        }
    }

    @Test("Many who wait all get their turn, never two at a time") func crowd() async throws {
        let turns = Turns()
        let state = Shared((inside: 0, most: 0, done: 0))
        await withTaskGroup { group in
            for _ in 0..<16 {
                group.addTask {
                    await OwnThreads.run {
                        for _ in 0..<50 {
                            try? turns.take("bus", for: "s", atMost: .seconds(60)) { () throws(SensorError) in
                                state.change {
                                    $0.inside += 1
                                    $0.most = max($0.most, $0.inside)
                                }
                                state.change {
                                    $0.inside -= 1
                                    $0.done += 1
                                }
                            }
                        }
                    }
                }
            }
        }
        #expect(state.current.most == 1)
        #expect(state.current.done == 800)
    }
}

/// Work that blocks has no place on the threads that all tasks share.
enum OwnThreads {
    static func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            _ = WorkerThread.start { continuation.resume(returning: body()) }
        }
    }
}
