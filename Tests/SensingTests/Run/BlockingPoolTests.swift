import Sensing
import Testing

@Suite(.timeLimit(.minutes(5))) struct BlockingPoolTests {
    struct Broken: Error, Equatable {}

    @Test("Values and errors of the work come back") func results() async throws {
        let pool = BlockingPool()
        #expect(try await pool.run(timeout: .seconds(30)) { 42 } == 42)
        await #expect(throws: Broken()) { try await pool.run(timeout: .seconds(30)) { throw Broken() } }
    }

    @Test("Threads are used again, and there are never more at work than the pool is wide") func width() async throws {
        let pool = BlockingPool(width: 3)
        let running = Shared((now: 0, most: 0))
        try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<200 {
                group.addTask {
                    try await pool.run(timeout: .seconds(30)) {
                        running.change {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                        defer { running.change { $0.now -= 1 } }
                        return index
                    }
                }
            }
            var sum = 0
            for try await index in group { sum += index }
            #expect(sum == 199 * 200 / 2)
        }
        #expect((1...3).contains(running.current.most))
        #expect((1...3).contains(pool.status.threads))
        #expect(pool.status.stuck == 0)
        #expect(pool.status.refused == 0)
    }

    @Test("One after the other needs but one thread") func oneThread() async throws {
        let pool = BlockingPool(width: 4)
        for _ in 0..<100 { try await pool.run(timeout: .seconds(30)) {} }
        #expect(pool.status.threads == 1)
    }

    @Test("Stuck work is given up in time, replaced, and welcome when it returns after all") func stuck() async throws {
        let pool = BlockingPool(width: 1, stuckLimit: 2)
        let gate = try Gate()
        for stuck in 1...2 {
            await #expect(throws: BlockingPoolError.timedOut(after: .milliseconds(20))) {
                try await pool.run(timeout: .milliseconds(20)) { gate.pass() }
            }
            #expect(pool.status.stuck == stuck)
            #expect(try await pool.run(timeout: .seconds(30)) { "works" } == "works")
        }
        #expect(pool.status.timedOut == 2)

        // The third takes the last thread: from now on work is refused at once.
        await #expect(throws: BlockingPoolError.timedOut(after: .milliseconds(20))) {
            try await pool.run(timeout: .milliseconds(20)) { gate.pass() }
        }
        #expect(pool.status.threads == 3)
        await #expect(throws: BlockingPoolError.refused(stuck: 3, queued: 0)) {
            try await pool.run(timeout: .seconds(30)) {}
        }
        #expect(pool.status.refused == 1)

        gate.open()
        try await eventually({ pool.status.stuck == 2 }, "the thread came back")
        #expect(try await pool.run(timeout: .seconds(30)) { "works" } == "works")
        gate.open()
        gate.open()
        try await eventually({ pool.status.stuck == 0 }, "all threads came back")
    }

    @Test("What waits for the last thread is refused when that gets stuck") func queueBehindStuck() async throws {
        let pool = BlockingPool(width: 1, stuckLimit: 0)
        let gate = try Gate()
        let hanging = Task { try await pool.run(timeout: .milliseconds(200)) { gate.pass() } }
        try await eventually({ pool.status.working == 1 }, "work began")
        await #expect(throws: BlockingPoolError.refused(stuck: 1, queued: 0)) {
            try await pool.run(timeout: .seconds(30)) {}
        }
        await #expect(throws: BlockingPoolError.timedOut(after: .milliseconds(200))) { try await hanging.value }
        gate.open()
    }

    @Test("The queue is bounded") func queueLimit() async throws {
        let pool = BlockingPool(width: 1, queueLimit: 1)
        let gate = try Gate()
        async let first: Void = pool.run(timeout: .seconds(30)) { gate.pass() }
        try await eventually({ pool.status.working == 1 }, "work began")
        async let second: Void = pool.run(timeout: .seconds(30)) { gate.pass() }
        try await eventually({ pool.status.queued == 1 }, "work waits")
        await #expect(throws: BlockingPoolError.refused(stuck: 0, queued: 1)) {
            try await pool.run(timeout: .seconds(30)) {}
        }
        gate.open()
        gate.open()
        _ = try await (first, second)
    }

    @Test("The time of work that waits for a thread begins with the work") func waitingCosts() async throws {
        let pool = BlockingPool(width: 1)
        let gate = try Gate()
        async let first: Void = pool.run(timeout: .seconds(30)) { gate.pass() }
        try await eventually({ pool.status.working == 1 }, "work began")
        async let second = pool.run(timeout: .milliseconds(50)) { 2 }
        try await eventually({ pool.status.queued == 1 }, "work waits")
        try await Task.sleep(for: .milliseconds(120))
        gate.open()
        #expect(try await second == 2)
        try await first
    }

    @Test("Cancellation returns at once, from work and from waiting") func cancellation() async throws {
        let pool = BlockingPool(width: 1)
        let gate = try Gate()
        let working = Task { try await pool.run(timeout: .seconds(300)) { gate.pass() } }
        try await eventually({ pool.status.working == 1 }, "work began")
        let waiting = Task { try await pool.run(timeout: .seconds(300)) { gate.pass() } }
        try await eventually({ pool.status.queued == 1 }, "work waits")
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(pool.status.queued == 0)
        working.cancel()
        await #expect(throws: CancellationError.self) { try await working.value }
        #expect(pool.status.stuck == 1)
        gate.open()
        try await eventually({ pool.status.stuck == 0 }, "the thread came back")
    }

    @Test("A pool that nobody has any more leaves no thread behind") func end() async throws {
        let threads = Shared<Set<String>>([])
        do {
            let pool = BlockingPool(width: 2)
            try await pool.run(timeout: .seconds(30)) { _ = threads.change { $0.insert(ownThread()) } }
        }
        let own = try #require(threads.current.first)
        try await eventually({ !exists("/proc/self/task/\(own)") }, "the thread ended")
    }
}
