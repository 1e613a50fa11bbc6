internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Pipeline
internal import StoreForward
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Keeps reports back, on disk, while the board does not know what time it is (T2): they are told with their right times
/// when it does. Where a link has stood for as long as the owner wants to wait, and the clock is still not set, they are
/// told with the time since the board's start, which nobody takes for a true one and profiles mark.
actor ClockGate {
    /// Around it; in tests a simulated one.
    struct World: Sendable {
        var moment: @Sendable () -> ClockJudge.Moment
        /// Whether there is reason to believe the wall clock when it says so.
        var isKnown: @Sendable (Timestamp) -> Bool
        var boot: String
        var isConnected: @Sendable () async -> Bool
        /// Comes back when the links' queues have them.
        var deliver: @Sendable ([Report]) async -> Void
        /// Counts what was lost while it waited.
        var count: @Sendable (OutboxStatus.Losses) async -> Void = { _ in }
        /// Puts right what is kept elsewhere.
        var clockWasSet: @Sendable (ClockJudge) async -> Void = { _ in }
        var pause: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    }

    private enum Stage { case holding, emptying, open }

    /// The clock is asked so often while reports wait for it.
    static let interval = Duration.seconds(1)
    private static let batch = 256

    private let world: World
    private let path: String
    private let options: OutboxOptions
    private let patience: Duration
    private let logger: Logger
    private var judge: ClockJudge
    private var stage = Stage.open
    private var opening: Task<Outbox, any Error>?
    /// How many reports have ever been on their way into the queue, and how many are not there yet.
    private var (appended, appending) = (0, 0)
    private var waited = Duration.zero
    private var allowance = LogAllowance()

    /// - Parameters:
    ///   - path: of the reports that wait.
    ///   - patience: how long a link may stand while they do; zero: the clock is believed as soon as it is plausible.
    init(path: String, options: OutboxOptions, patience: Duration, world: World, logger: Logger) {
        self.path = path
        self.options = options
        self.patience = patience
        self.world = world
        self.logger = logger
        let moment = world.moment()
        judge = ClockJudge(moment, isKnown: Self.isKnown(moment.wall, world, patience))
    }

    private static func isKnown(_ wall: Timestamp, _ world: World, _ patience: Duration) -> Bool {
        patience == .zero ? wall.isPlausible : world.isKnown(wall)
    }

    /// Before the first report.
    func begin() {
        if !judge.isSet, patience > .zero {
            stage = .holding
            logger.notice("the clock is not set: what is read waits for it, on disk", metadata: ["file": "\(path)"])
        } else if access(path, F_OK) == 0 {
            // An earlier run has not come to it.
            stage = .emptying
        }
    }

    /// Until nothing waits for the clock any more, or cancelled.
    func run() async {
        while stage == .holding {
            guard (try? await world.pause(Self.interval)) != nil else { return }
            await observe()
            if judge.isSet {
                logger.notice("the clock is set", metadata: ["time": "\(world.moment().wall.iso8601)"])
            } else if await world.isConnected() {
                waited += Self.interval
                guard waited >= patience else { continue }
                logger.warning(
                    "the clock is still not set: what is read is told with the time since the board's start",
                    metadata: ["waited": "\(patience.compact)"])
            } else {
                continue
            }
            stage = .emptying
        }
        if stage == .emptying { await empty() }
    }

    private func observe() async {
        let (moment, wasSet) = (world.moment(), judge.isSet)
        judge.observe(moment, isKnown: Self.isKnown(moment.wall, world, patience))
        if !wasSet, judge.isSet { await world.clockWasSet(judge) }
    }

    /// Takes reports on their way to the links; comes back when they are on disk, here or there.
    func accept(_ reports: [Report]) async {
        if stage == .open, judge.isTrivial { return await world.deliver(reports) }
        await observe()
        let judge = judge
        guard stage == .open else {
            return await hold(reports.map { HeldReport(boot: world.boot, report: $0.timed(judge.mark)) })
        }
        await world.deliver(reports.map { $0.timed(judge.corrected) })
    }

    private func hold(_ reports: [HeldReport]) async {
        appended += 1
        appending += 1
        defer { appending -= 1 }
        do {
            let outbox = try await open()
            let topic = try TopicName("held")
            let messages = reports.map { Message(topic: topic, payload: ByteBuffer(string: $0.text)) }
            _ = try await outbox.append(messages)
        } catch {
            if let omitted = allowance.admit(at: .now) {
                logger.error(
                    "readings cannot wait for the clock: they are told with the time since the board's start",
                    metadata: ["reason": "\(error)", "left-out": "\(omitted)"])
            }
            await world.deliver(reports.map(\.report))
        }
    }

    private func open() async throws -> Outbox {
        let (path, options, logger) = (path, options, logger)
        // Without a time nothing expires: a clock that leaps by days says nothing of how long something has waited.
        let task =
            opening
            ?? Task {
                try await Outbox.open(path: path, options: options, logger: logger) { Timestamp(milliseconds: 0) }
            }
        opening = task
        do {
            return try await task.value
        } catch {
            opening = nil
            throw error
        }
    }

    /// Hands everything on in the order in which it came. What is handed on and not deleted yet when the board dies is
    /// handed on again.
    private func empty() async {
        var (count, unreadable) = (0, 0)
        do {
            let outbox = try await open()
            while !Task.isCancelled {
                let known = appended
                let stored = try await outbox.next(maximumCount: Self.batch, maximumBytes: 1 << 20)
                if stored.isEmpty {
                    // Something may be on its way into the queue, or have come there meanwhile.
                    if appending == 0, appended == known { break }
                    try await outbox.flush()
                    await Task.yield()
                    continue
                }
                let held = stored.compactMap { HeldReport($0.message.payload) }
                count += held.count
                unreadable += stored.count - held.count
                await world.deliver(held.map { judged($0) })
                try await outbox.acknowledge(stored.map(\.id))
            }
            guard !Task.isCancelled else { return }
            stage = .open
            let status = try await outbox.status()
            var losses = status.losses
            losses.damaged += Int64(unreadable)
            let lost = losses.byCause.reduce(0) { $0 + $1.count }
            if lost > 0 { await world.count(losses) }
            await close()
            // The file that is named so may be a newer Fieldpost's, which leaves it to that one.
            if status.newer == nil { remove() }
            logger.notice(
                "readings that waited for the clock are told", metadata: ["count": "\(count)", "lost": "\(lost)"])
        } catch {
            stage = .open
            logger.error(
                "readings that wait for the clock cannot be read", metadata: ["file": "\(path)", "reason": "\(error)"])
            await close()
        }
    }

    private func judged(_ held: HeldReport) -> Report {
        let judge = judge
        // Of an earlier life of the board nobody knows when that was.
        return held.boot == world.boot && !held.boot.isEmpty ? held.report.timed(judge.wall) : held.report
    }

    private func remove() {
        for suffix in ["", "-wal", "-shm", ".lock"] { unlink(path + suffix) }
    }

    /// Lets go of the file; what waits in it waits for the next start. What a disk that fails has never taken would be
    /// forgotten, and is told as it is.
    func close() async {
        let closing = opening
        opening = nil
        guard let outbox = try? await closing?.value else { return }
        try? await outbox.flush()
        // Where some is on disk that has to go first, there is no time for it.
        if let status = try? await outbox.status(), status.unsaved > 0, status.unsaved == status.queued {
            while let stored = try? await outbox.next(maximumCount: Self.batch, maximumBytes: 1 << 20), !stored.isEmpty
            {
                await world.deliver(stored.compactMap { HeldReport($0.message.payload) }.map { judged($0) })
                try? await outbox.acknowledge(stored.map(\.id))
            }
        }
        await outbox.close()
    }
}
