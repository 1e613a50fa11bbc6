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
        let pool = BlockingPool(width: 3, patience: .seconds(300))
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
        let pool = BlockingPool(width: 1, queueLimit: 1, patience: .seconds(300))
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
        let pool = BlockingPool(width: 1, patience: .seconds(300))
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
        let pool = BlockingPool(width: 1, patience: .seconds(300))
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

    @Test("Slow work is replaced when other work waits") func slow() async throws {
        let pool = BlockingPool(width: 2, stuckLimit: 3, patience: .milliseconds(20))
        let gate = try Gate()
        let slow = (1...4).map { _ in Task { try await pool.run(timeout: .seconds(30)) { gate.pass() } } }
        try await eventually({ pool.status.working == 4 }, "all of it began")
        for number in 1...100 { #expect(try await pool.run(timeout: .seconds(30)) { number } == number) }
        #expect(pool.status.threads == 5)
        #expect(pool.status.stuck == 0)
        for _ in slow { gate.open() }
        for task in slow { try await task.value }
        #expect(try await pool.run(timeout: .seconds(30)) { "works" } == "works")
        #expect(pool.status.refused == 0)
    }

    @Test(
        "Work that is known to be slow leaves threads to the quick, and is all done in its turn", arguments: [0, 1, 3])
    func knownSlow(stuckLimit: Int) async throws {
        let pool = BlockingPool(width: 1, stuckLimit: stuckLimit, patience: .milliseconds(20))
        let gate = try Gate()
        let slow = (1...20).map { _ in
            Task { try await pool.run(timeout: .seconds(30), isSlow: true) { gate.pass() } }
        }
        let room = max(stuckLimit, 1)
        try await eventually({ pool.status.working == room && pool.status.queued == 20 - room }, "as much as may")
        if stuckLimit > 0 {
            for number in 1...50 { #expect(try await pool.run(timeout: .seconds(30)) { number } == number) }
        }
        #expect(pool.status.working == room)
        for _ in slow { gate.open() }
        for task in slow { try await task.value }
        #expect(pool.status.refused == 0)
        #expect(pool.status.queued == 0)
    }

    @Test("Slow work goes on when what took its place got stuck") func slowBehindStuck() async throws {
        let pool = BlockingPool(width: 1, stuckLimit: 2, patience: .milliseconds(20))
        let gate = try Gate()
        let stuck = (1...2).map { _ in
            Task { try await pool.run(timeout: .milliseconds(50), isSlow: true) { gate.pass() } }
        }
        let waiting = (1...3).map { number in
            Task { try await pool.run(timeout: .seconds(30), isSlow: true) { number } }
        }
        for task in stuck { await #expect(throws: BlockingPoolError.self) { try await task.value } }
        for (index, task) in waiting.enumerated() { #expect(try await task.value == index + 1) }
        for _ in stuck { gate.open() }
        try await eventually({ pool.status.stuck == 0 }, "all threads came back")
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
