import Synchronization
import Units

/// A few threads for work that blocks, such as reading a 1-Wire probe for 750 ms.
///
/// Threads are started when there is work for them, and end after half a minute without. Work that does not return
/// within its time is given up: its caller gets ``BlockingPoolError/timedOut(after:)`` at once, its thread counts as
/// stuck until it returns after all, and another thread takes its place. So one hanging device stops nobody else until
/// there are as many stuck threads as the pool allows.
///
///     let pool = BlockingPool()
///     let text = try await pool.run(timeout: .seconds(5)) { try readSlowly("/sys/bus/w1/…") }
public final class BlockingPool: Sendable {
    /// What the pool is doing, and what it did since it was made.
    public struct Status: Sendable, Hashable {
        /// Work under way, stuck work not counted.
        public var working = 0
        /// Threads whose caller has given up: it ran out of time, or was cancelled.
        public var stuck = 0
        /// Work that waits for a thread.
        public var queued = 0
        /// All threads: working, stuck and idle.
        public var threads = 0

        public var timedOut: UInt64 = 0
        public var refused: UInt64 = 0
    }

    private let core: Core

    /// - Parameters:
    ///   - width: how many pieces of work may run at once.
    ///   - stuckLimit: how many stuck threads are replaced; there are never more than `width + stuckLimit` threads.
    ///   - queueLimit: how much work may wait for a thread.
    public init(width: Int = 4, stuckLimit: Int = 16, queueLimit: Int = 256) {
        precondition(width > 0 && stuckLimit >= 0 && queueLimit >= 0)
        core = Core(width: width, stuckLimit: stuckLimit, queueLimit: queueLimit)
    }

    deinit { core.close() }

    public var status: Status { core.status }

    /// Runs `work` on one of the pool's threads.
    ///
    /// When the task is cancelled, this returns at once; work that has begun goes on unseen.
    /// - Parameter timeout: how long the work may take, counted from its beginning.
    /// - Throws: what `work` throws, ``BlockingPoolError``, or `CancellationError`.
    public func run<T: Sendable>(
        timeout: Duration, _ work: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try Task.checkCancellation()
        let outcome = Outcome<T>()
        return try await withTaskCancellationHandler {
            let id = core.submit(
                Job(
                    run: {
                        let result = Result { try work() }
                        return { outcome.settle(result) }
                    },
                    giveUp: { outcome.settle(.failure($0)) }))
            let timer = Task { [core] in try await core.watch(id, timeout: timeout) }
            defer {
                timer.cancel()
                core.leave(id)
            }
            return try await outcome.value()
        } onCancel: {
            outcome.settle(.failure(CancellationError()))
        }
    }
}

/// Why a pool did not bring work to its end.
public enum BlockingPoolError: Error, Sendable, Hashable, CustomStringConvertible {
    /// It did not return in time.
    case timedOut(after: Duration)
    /// It was not begun: all threads are stuck, or too much work is waiting already.
    case refused(stuck: Int, queued: Int)

    public var description: String {
        switch self {
        case .timedOut(let time): "did not return within \(time.compact)"
        case .refused(let stuck, let queued):
            "was not begun: no thread is free (\(stuck) stuck in other work, \(queued) pieces of work waiting)"
        }
    }
}

/// A piece of work without its type.
private struct Job: Sendable {
    var id: UInt64 = 0
    /// Does the work; what it returns tells the caller.
    var run: @Sendable () -> @Sendable () -> Void
    var giveUp: @Sendable (any Error) -> Void
}

/// What the pool and its threads share; the threads keep it alive, not the pool.
private final class Core: Sendable {
    private struct State {
        var nextID: UInt64 = 0
        var queue: [Job] = []
        /// When what is under way began.
        var working: [UInt64: (began: ContinuousClock.Instant, job: Job)] = [:]
        /// What was given up and has not returned.
        var stuck: Set<UInt64> = []
        /// Threads that wait for work, those just started among them.
        var idle = 0
        var isClosed = false
        var timedOut: UInt64 = 0
        var refused: UInt64 = 0

        var threads: Int { idle + working.count + stuck.count }
    }

    private static let idleSeconds = 30

    private let state = Mutex(State())
    /// At least as many signals as there is work in the queue.
    private let workWaits = Semaphore()
    private let width: Int
    private let stuckLimit: Int
    private let queueLimit: Int

    init(width: Int, stuckLimit: Int, queueLimit: Int) {
        self.width = width
        self.stuckLimit = stuckLimit
        self.queueLimit = queueLimit
    }

    var status: BlockingPool.Status {
        state.withLock {
            BlockingPool.Status(
                working: $0.working.count, stuck: $0.stuck.count, queued: $0.queue.count, threads: $0.threads,
                timedOut: $0.timedOut, refused: $0.refused)
        }
    }

    // MARK: The callers' side

    func submit(_ job: Job) -> UInt64 {
        var job = job
        let id: UInt64 = state.withLock {
            $0.nextID += 1
            job.id = $0.nextID
            $0.queue.append(job)
            return job.id
        }
        workWaits.signal()
        settleQueue()
        return id
    }

    /// Gives the work up when its time is over.
    func watch(_ id: UInt64, timeout: Duration) async throws {
        while let rest = remaining(id, of: timeout) { try await Task.sleep(for: rest) }
    }

    /// How long to wait until the work's time may be over. Nil if there is nothing more to wait for.
    private func remaining(_ id: UInt64, of timeout: Duration) -> Duration? {
        let late: Job?
        let rest: Duration?
        (late, rest) = state.withLock { state in
            guard let (began, job) = state.working[id] else {
                return (nil, state.queue.contains { $0.id == id } ? timeout : nil)
            }
            let rest = timeout - began.duration(to: .now)
            if rest > .zero { return (nil, rest) }
            state.working[id] = nil
            state.stuck.insert(id)
            state.timedOut += 1
            return (job, nil)
        }
        if let late {
            late.giveUp(BlockingPoolError.timedOut(after: timeout))
            settleQueue()
        }
        return rest
    }

    /// The caller waits no longer.
    func leave(_ id: UInt64) {
        state.withLock { state in
            state.queue.removeAll { $0.id == id }
            if state.working.removeValue(forKey: id) != nil { state.stuck.insert(id) }
        }
        settleQueue()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        // Every thread that ends passes it on.
        workWaits.signal()
    }

    /// Starts the threads that the queue needs, and refuses what no thread will take.
    private func settleQueue() {
        while true {
            let startsThread = state.withLock {
                let able = $0.idle + $0.working.count
                guard $0.queue.count > $0.idle, able < width, $0.threads < width + stuckLimit else { return false }
                $0.idle += 1
                return true
            }
            guard startsThread else { break }
            if !WorkerThread.start({ [self] in work() }) {
                state.withLock { $0.idle -= 1 }
                break
            }
        }
        let (refused, error) = state.withLock { state in
            let able = state.idle + state.working.count
            let allowed = able == 0 ? 0 : queueLimit + state.idle
            let refused = Array(state.queue.dropFirst(allowed))
            let error = BlockingPoolError.refused(stuck: state.stuck.count, queued: state.queue.count - refused.count)
            state.queue.removeLast(refused.count)
            state.refused += UInt64(refused.count)
            return (refused, error)
        }
        for job in refused { job.giveUp(error) }
    }

    // MARK: The threads' side

    private func work() {
        while let job = next() {
            let tell = job.run()
            state.withLock { state in
                if state.working.removeValue(forKey: job.id) == nil { state.stuck.remove(job.id) }
                state.idle += 1
            }
            tell()
        }
    }

    /// Waits for work. Nil if this thread is to end; it is uncounted then.
    private func next() -> Job? {
        while true {
            let signalled = workWaits.wait(atMost: Self.idleSeconds)
            let (job, ends): (Job?, Bool) = state.withLock { state in
                // Who was stuck has been replaced meanwhile.
                let isSurplus = state.idle + state.working.count > width
                if !isSurplus, !state.queue.isEmpty {
                    let job = state.queue.removeFirst()
                    state.idle -= 1
                    state.working[job.id] = (.now, job)
                    return (job, false)
                }
                let ends = isSurplus || state.isClosed || !signalled
                if ends { state.idle -= 1 }
                return (nil, ends)
            }
            if ends {
                // The signal may have been meant for a thread that stays.
                if signalled { workWaits.signal() }
                return nil
            }
            if let job { return job }
        }
    }
}
