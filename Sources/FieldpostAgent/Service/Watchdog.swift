/// Whether the service manager is to be given a sign of life: a value without threads or clock.
///
/// The agent lives when every part of it does: its event loop, the queue's thread, the pool that reads sensors, and, if
/// there is a broker inside, that one's event loop and its store's thread. Three times in each interval of the service
/// manager's every part is asked for an answer that costs nothing; one that owes its answer for half an interval hangs,
/// and as long as one hangs there is no sign of life. The service manager gives up one interval after the last.
///
/// **A slow disk is no dead one.** A thread that sits in `fsync` for tens of seconds, as SD cards can make it, comes back.
/// A part that does within one whole interval is never given up for, whenever it went: the last sign of life was at most
/// a third before the half interval ended, and a whole one follows. One that does not come back is given up for after
/// 13/6 of an interval at the latest. So `WatchdogSec=` in a unit must be longer than the longest time that the board's
/// disk may take for one transaction: two minutes are generous.
///
/// **Who is not asked.** A single sensor that hangs keeps one thread of the pool; that is reported otherwise, and another
/// thread takes its place. Only when no thread is left for reading, the sensors hang as a whole.
///
/// **Time in which this process did not run** (it was stopped, or the machine was busy with something else) counts
/// against nobody.
///
///     watch → tick → answered … → tick → … → pause → watch → …
///
/// Times are durations since any one instant of a clock that is never set and stands still while the machine is
/// suspended (CLOCK_MONOTONIC, which is the service manager's too).
struct Watchdog: Sendable {
    /// What to do now.
    struct Tick: Sendable, Hashable {
        /// Whether there is a sign of life.
        var isAlive = true
        /// Those that are to be asked.
        var asks: [Int] = []
        /// Those that are found to hang now, and since when they owe an answer.
        var hanging: [Silence] = []
    }

    struct Silence: Sendable, Hashable {
        var name: String
        var time: Duration
    }

    let interval: Duration
    /// How often to call ``tick(at:)``.
    var period: Duration { interval / 3 }
    /// Who owes an answer for longer hangs.
    var patience: Duration { interval / 2 }

    private struct Part {
        var id: Int
        var name: String
        /// A question is under way.
        var isAsked = false
        /// Since when it owes an answer.
        var since: Duration?
        var hangs = false
    }

    private var parts: [Part] = []
    private var lastID = 0
    private var lastTick: Duration?

    init(interval: Duration) { self.interval = interval }

    /// Those that hang.
    var hanging: [String] { parts.filter(\.hangs).map(\.name) }

    /// Watches these, and nobody else.
    ///
    /// - Returns: what they are called in questions and answers.
    mutating func watch(_ names: [String]) -> [Int] {
        parts = names.map { name in
            lastID += 1
            return Part(id: lastID, name: name)
        }
        return parts.map(\.id)
    }

    /// From now on there is nobody to be asked: one agent ends, and another begins, within the time that any part has.
    mutating func pause(_ name: String, at now: Duration) {
        lastID += 1
        parts = [Part(id: lastID, name: name, isAsked: true, since: now)]
    }

    mutating func tick(at now: Duration) -> Tick {
        if let lastTick, now - lastTick > period * 2 {
            let lost = now - lastTick - period
            for index in parts.indices { parts[index].since? += lost }
        }
        lastTick = now
        var tick = Tick()
        for index in parts.indices {
            if !parts[index].isAsked {
                parts[index].isAsked = true
                tick.asks.append(parts[index].id)
            }
            let since = parts[index].since ?? now
            parts[index].since = since
            if now - since > patience {
                tick.isAlive = false
                if !parts[index].hangs { tick.hanging.append(Silence(name: parts[index].name, time: now - since)) }
                parts[index].hangs = true
            }
        }
        return tick
    }

    /// - Parameter isAlive: false if the answer was that it cannot; it is asked again, and owes an answer as before.
    /// - Returns: whose answer it was, if it was held to hang, and how long it owed it.
    mutating func answered(_ id: Int, isAlive: Bool, at now: Duration) -> Silence? {
        guard let index = parts.firstIndex(where: { $0.id == id }) else { return nil }
        parts[index].isAsked = false
        guard isAlive else { return nil }
        let part = parts[index]
        parts[index].since = nil
        parts[index].hangs = false
        return part.hangs ? Silence(name: part.name, time: now - (part.since ?? now)) : nil
    }
}
