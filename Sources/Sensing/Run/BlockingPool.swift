import Synchronization
import Units

/// A few threads for work that blocks, such as reading a 1-Wire probe for 750 ms.
///
/// Threads are started when there is work for them, and end after half a minute without. Work that does not return
/// within its time is given up: its caller gets ``BlockingPoolError/timedOut(after:)`` at once, its thread counts as
/// stuck until it returns after all, and another thread takes its place. So one hanging device stops nobody else until
/// there are as many stuck threads as the pool allows.
///
/// Work that is merely slow is replaced in the same way, as soon as other work has to wait; and work whose caller knows
/// it to be slow never takes the last threads, so that what is quick is not held up by any number of slow devices.
///
///     let pool = BlockingPool()
///     let text = try await pool.run(timeout: .seconds(5)) { try readSlowly("/sys/bus/w1/…") }
public final class BlockingPool: Sendable {
    /// What the pool is doing, and what it did since it was made.
    public struct Status: Sendable, Hashable {
        /// Work under way, slow or not; stuck work not counted.
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

    /// Work that is not done after this time is slow.
    public static let patience = Duration.milliseconds(100)

    private let core: Core

    /// - Parameters:
    ///   - width: how many pieces of quick work may run at once.
    ///   - stuckLimit: how many threads with stuck or slow work are replaced; there are never more than
    ///     `width + stuckLimit` threads.
    ///   - queueLimit: how much work may wait for a thread.
    ///   - patience: after which time work is slow.
    public init(
        width: Int = 4, stuckLimit: Int = 16, queueLimit: Int = 256, patience: Duration = BlockingPool.patience
    ) {
        precondition(width > 0 && stuckLimit >= 0 && queueLimit >= 0)
        core = Core(width: width, stuckLimit: stuckLimit, queueLimit: queueLimit, patience: patience)
    }

    deinit { core.close() }

    public var status: Status { core.status }

    /// Runs `work` on one of the pool's threads.
    ///
    /// When the task is cancelled, this returns at once; work that has begun goes on unseen.
    /// - Parameters:
    ///   - timeout: how long the work may take, counted from its beginning.
    ///   - isSlow: whether it is known to be: then it waits for others of its kind before it takes one of the last threads.
    /// - Throws: what `work` throws, ``BlockingPoolError``, or `CancellationError`.
    public func run<T: Sendable>(
        timeout: Duration, isSlow: Bool = false, _ work: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try Task.checkCancellation()
        let outcome = Outcome<T>()
        return try await withTaskCancellationHandler {
            let id = core.submit(
                Job(
                    isSlow: isSlow,
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
    /// Known to be before it begins.
    let isSlow: Bool
    /// Does the work; what it returns tells the caller.
    var run: @Sendable () -> @Sendable () -> Void
    var giveUp: @Sendable (any Error) -> Void
}

/// What the pool and its threads share; the threads keep it alive, not the pool.
private final class Core: Sendable {
    private struct State {
        var nextID: UInt64 = 0
        var quickQueue: [Job] = []
        var slowQueue: [Job] = []
        /// When what is under way began.
        var working: [UInt64: (began: ContinuousClock.Instant, job: Job)] = [:]
        /// What is under way and slow.
        var slow: Set<UInt64> = []
        /// What was given up and has not returned.
        var stuck: Set<UInt64> = []
        /// Threads that wait for work, those just started among them.
        var idle = 0
        var isClosed = false
        var timedOut: UInt64 = 0
        var refused: UInt64 = 0

        var threads: Int { idle + working.count + stuck.count }
        var queued: Int { quickQueue.count + slowQueue.count }
        /// Threads that are there for quick work, now or in a moment.
        var able: Int { idle + working.count - slow.count }

        /// How much of the slow work that waits may begin. One piece always may: it is no worse than quick work that
        /// becomes slow.
        func slowRoom(_ limit: Int) -> Int { max(limit - stuck.count, 1) - slow.count }

        /// Whether slow work is to be signalled anew: its signal may have come to nothing when there was no room for it.
        func mayBeginSlow(_ limit: Int) -> Bool { !slowQueue.isEmpty && slowRoom(limit) > 0 }

        /// False if it is not under way any more.
        mutating func end(_ id: UInt64) -> Bool {
            slow.remove(id)
            return working.removeValue(forKey: id) != nil
        }
    }

    private static let idleSeconds = 30

    private let state = Mutex(State())
    /// At least as many signals as there is work in the queues that may begin.
    private let workWaits = Semaphore()
    private let width: Int
    private let stuckLimit: Int
    private let queueLimit: Int
    private let patience: Duration

    init(width: Int, stuckLimit: Int, queueLimit: Int, patience: Duration) {
        self.width = width
        self.stuckLimit = stuckLimit
        self.queueLimit = queueLimit
        self.patience = patience
    }

    var status: BlockingPool.Status {
        state.withLock {
            BlockingPool.Status(
                working: $0.working.count, stuck: $0.stuck.count, queued: $0.queued, threads: $0.threads,
                timedOut: $0.timedOut, refused: $0.refused)
        }
    }

    // MARK: The callers' side

    func submit(_ job: Job) -> UInt64 {
        var job = job
        let id: UInt64 = state.withLock {
            $0.nextID += 1
            job.id = $0.nextID
            if job.isSlow { $0.slowQueue.append(job) } else { $0.quickQueue.append(job) }
            return job.id
        }
        workWaits.signal()
        settleQueue()
        return id
    }

    /// Gives the work up when its time is over; while it waits, it looks whether what is before it has become slow.
    func watch(_ id: UInt64, timeout: Duration) async throws {
        while let rest = remaining(id, of: timeout) { try await Task.sleep(for: rest) }
    }

    /// How long to wait until there may be something to do about the work. Nil if there is nothing more to wait for.
    private func remaining(_ id: UInt64, of timeout: Duration) -> Duration? {
        let late: Job?
        let rest: Duration?
        (late, rest) = state.withLock { state in
            guard let (began, job) = state.working[id] else {
                // It may take as long until those before it have begun, and are slow.
                let place =
                    state.quickQueue.firstIndex { $0.id == id } ?? state.slowQueue.firstIndex { $0.id == id }
                return (nil, place.map { patience * (1 + $0 / width) })
            }
            let rest = timeout - began.duration(to: .now)
            if rest > .zero { return (nil, rest) }
            _ = state.end(id)
            state.stuck.insert(id)
            state.timedOut += 1
            return (job, nil)
        }
        late?.giveUp(BlockingPoolError.timedOut(after: timeout))
        if late != nil || rest != nil { settleQueue() }
        return rest
    }

    /// The caller waits no longer.
    func leave(_ id: UInt64) {
        let hasLeft = state.withLock { state in
            state.quickQueue.removeAll { $0.id == id }
            state.slowQueue.removeAll { $0.id == id }
            guard state.end(id) else { return false }
            state.stuck.insert(id)
            return true
        }
        if hasLeft { settleQueue() }
    }

    func close() {
        state.withLock { $0.isClosed = true }
        // Every thread that ends passes it on.
        workWaits.signal()
    }

    /// Starts the threads that the queues need, and refuses what no thread will take.
    private func settleQueue() {
        while true {
            let startsThread = state.withLock { state in
                guard state.queued > 0 else { return false }
                noticeSlow(&state)
                let ready = state.quickQueue.count + min(state.slowQueue.count, max(state.slowRoom(stuckLimit), 0))
                guard ready > state.idle, state.able < width, state.threads < width + stuckLimit else { return false }
                state.idle += 1
                return true
            }
            guard startsThread else { break }
            if !WorkerThread.start({ [self] in work() }) {
                state.withLock { $0.idle -= 1 }
                break
            }
        }
        let (refused, error, slowWaits) = state.withLock { state in
            let isHopeless = state.idle + state.working.count == 0
            let allowed = isHopeless ? 0 : queueLimit + state.idle
            let quick = state.quickQueue.dropFirst(allowed)
            let slow = state.slowQueue.dropFirst(isHopeless ? 0 : max(allowed - state.quickQueue.count, 0))
            let refused = Array(quick) + slow
            state.quickQueue.removeLast(quick.count)
            state.slowQueue.removeLast(slow.count)
            state.refused += UInt64(refused.count)
            let error = BlockingPoolError.refused(stuck: state.stuck.count, queued: state.queued)
            return (refused, error, state.mayBeginSlow(stuckLimit))
        }
        if slowWaits { workWaits.signal() }
        for job in refused { job.giveUp(error) }
    }

    private func noticeSlow(_ state: inout State) {
        let limit = ContinuousClock.now - patience
        for (id, work) in state.working where work.began <= limit { state.slow.insert(id) }
    }

    // MARK: The threads' side

    private func work() {
        while let job = next() {
            let tell = job.run()
            let slowWaits = state.withLock { state in
                if !state.end(job.id) { state.stuck.remove(job.id) }
                state.idle += 1
                return state.mayBeginSlow(stuckLimit)
            }
            if slowWaits { workWaits.signal() }
            tell()
        }
    }

    /// Waits for work. Nil if this thread is to end; it is uncounted then.
    private func next() -> Job? {
        while true {
            let signalled = workWaits.wait(atMost: Self.idleSeconds)
            let (job, ends): (Job?, Bool) = state.withLock { state in
                // Who was stuck or slow has been replaced meanwhile.
                let isSurplus = state.able > width
                if !isSurplus, let job = take(&state) { return (job, false) }
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

    private func take(_ state: inout State) -> Job? {
        let isQuick = !state.quickQueue.isEmpty
        guard isQuick || state.mayBeginSlow(stuckLimit) else { return nil }
        let job = isQuick ? state.quickQueue.removeFirst() : state.slowQueue.removeFirst()
        state.idle -= 1
        state.working[job.id] = (.now, job)
        if job.isSlow { state.slow.insert(job.id) }
        return job
    }
}
