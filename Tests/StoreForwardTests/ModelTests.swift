import MQTT
import MQTTWire
import NIOCore
import SQLite
import TestSupport
import Testing
import Units

@testable import StoreForward

/// Thousands of random operations, and after each of them what must always hold.
@Suite struct ModelTests {
    @Test(arguments: UInt64(0)..<8)
    func `whatever happens, nothing is lost uncounted, out of order or given out too early (D1, D2, D4, D5)`(
        seed: UInt64
    ) async throws {
        var model = try await Model(seed: seed)
        for step in 0..<600 {
            let operation = try await model.step()
            try await model.check("seed \(seed), step \(step), \(operation)")
            if !model.isSound { break }
        }
        #expect(model.crashes > 5 && model.failures > 5 && model.given > 200, "seed \(seed) tests too little")
    }

    @Test func `the model's operations reach every cause of loss`() async throws {
        var total = OutboxStatus.Losses()
        for seed in UInt64(100)..<104 {
            var model = try await Model(seed: seed)
            for _ in 0..<400 {
                let operation = try await model.step()
                try await model.check("seed \(seed), \(operation)")
            }
            let losses = try await model.outbox.status().losses
            total.evictedByRows += losses.evictedByRows
            total.evictedBySize += losses.evictedBySize
            total.expired += losses.expired
            total.droppedUnsaved += losses.droppedUnsaved
            total.purged += losses.purged
        }
        #expect(total.evictedByRows > 0)
        #expect(total.evictedBySize > 0)
        #expect(total.expired > 0)
        #expect(total.droppedUnsaved > 0)
        #expect(total.purged > 0)
    }
}

private struct Model {
    struct Entry {
        var priority: Priority
        var accepted: Timestamp
        var expiry: Duration?
    }

    static let options: OutboxOptions = {
        var options = OutboxOptions.test
        options.maximumRows = 60
        options.maximumSize = 65_536
        options.maximumAge = .seconds(1000)
        options.memoryLimit = 8192
        return options
    }()

    var random: SplitMix64
    var folder: Folder
    let clock = TestClock()
    var outbox: Outbox
    var isFailing = false

    /// Everything that was accepted and is not known to be gone with a crash.
    var world: [Int64: Entry] = [:]
    /// What should still be there.
    var alive: Set<Int64> = []
    /// What is known to be in the file.
    var saved: Set<Int64> = []
    var inFlight: Set<Int64> = []
    var acknowledged: Set<Int64> = []
    var lastGiven: [Priority: Int64] = [:]
    var isOrderKnown = true
    var nextSequence: Int64 = 1
    var losses = OutboxStatus.Losses()
    var previousNow = Timestamp.start
    var hasAppended = false

    var isSound = true
    var crashes = 0
    var failures = 0
    var given = 0

    init(seed: UInt64) async throws {
        random = SplitMix64(seed: seed)
        folder = try Folder()
        outbox = try await Outbox.opened(folder, Self.options, clock: clock)
    }

    mutating func expect(_ condition: Bool, _ comment: String) {
        guard !condition, isSound else { return }
        isSound = false
        Issue.record("\(comment)")
    }

    mutating func step() async throws -> String {
        hasAppended = false
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<35: return try await append()
        case 35..<55: return try await next()
        case 55..<72: return try await acknowledge()
        case 72..<77:
            try await outbox.rewind()
            inFlight = []
            lastGiven = [:]
            isOrderKnown = true
            return "rewind"
        case 77..<82:
            try await outbox.flush()
            return "flush"
        case 82..<88: return try await changeDisk()
        case 88..<92: return moveClock()
        case 92..<93: return try await purge()
        case 93..<96: return try await reopen(crash: false)
        default: return try await reopen(crash: true)
        }
    }

    private mutating func append() async throws -> String {
        let entries = (0..<Int.random(in: 1...8, using: &random)).map { _ in
            Entry(
                priority: Priority.allCases.randomElement(using: &random) ?? .normal, accepted: clock.now,
                expiry: Int.random(in: 0..<5, using: &random) == 0
                    ? .seconds(Int.random(in: 1...500, using: &random)) : nil)
        }
        let isLarge = Int.random(in: 0..<3, using: &random) == 0
        let filler = String(repeating: "x", count: .random(in: 0...(isLarge ? 5000 : 300), using: &random))
        let expected = nextSequence
        let ids = try await outbox.append { [entries] first in
            #expect(first == expected)
            return try entries.enumerated().map { index, entry in
                try message("\(first + Int64(index)):\(filler)", entry.priority, expiry: entry.expiry)
            }
        }
        for (id, entry) in zip(ids, entries) {
            let row = RowID(id.rawValue)
            expect(row.sequence == nextSequence && row.priority == entry.priority, "wrong identifier \(id)")
            world[nextSequence] = entry
            alive.insert(nextSequence)
            nextSequence += 1
        }
        hasAppended = true
        return "append \(entries.count) of \(filler.count)"
    }

    private mutating func next() async throws -> String {
        let count = Int.random(in: 1...20, using: &random)
        let bytes = Int.random(in: 0..<3, using: &random) == 0 ? Int.random(in: 0...2000, using: &random) : .max
        let before = try await outbox.snapshot()
        let batch = try await outbox.next(maximumCount: count, maximumBytes: bytes)
        expect(batch.count <= count, "more than asked for")
        if !before.hasFile { isOrderKnown = false }
        var lastPriority = Priority.urgent
        var sum = 0
        for stored in batch {
            expect(sum < max(1, bytes), "more bytes than asked for")
            sum += stored.message.size
            let row = RowID(stored.id.rawValue)
            let sequence = row.sequence
            expect(text(stored).hasPrefix("\(sequence):"), "\(sequence) with another's text")
            expect(alive.contains(sequence), "\(sequence) is given out and should be gone")
            expect(!acknowledged.contains(sequence), "\(sequence) is given out and was acknowledged")
            expect(!inFlight.contains(sequence), "\(sequence) is given out twice")
            expect(!before.isDurable || before.saved.contains(sequence), "D2: \(sequence) is not on disk")
            expect(stored.message.priority <= lastPriority, "\(sequence) goes before a higher priority")
            if let entry = world[sequence] {
                expect(stored.message.priority == entry.priority, "\(sequence) has another priority")
                expect(!isExpired(entry, clock.now), "\(sequence) has expired")
            }
            lastPriority = stored.message.priority
            if isOrderKnown {
                let previous = lastGiven[lastPriority] ?? 0
                expect(sequence > previous, "D4: \(sequence) after \(previous)")
                lastGiven[lastPriority] = sequence
            }
            inFlight.insert(sequence)
        }
        given += batch.count
        return "next \(count)"
    }

    private mutating func acknowledge() async throws -> String {
        var chosen: [Int64] = []
        for sequence in inFlight.sorted() where Int.random(in: 0..<4, using: &random) > 0 { chosen.append(sequence) }
        // Late ones, after a rewind, and unknown ones.
        if Int.random(in: 0..<8, using: &random) == 0, let late = alive.sorted().randomElement(using: &random) {
            if saved.contains(late), try await outbox.snapshot().saved.contains(late) { chosen.append(late) }
        }
        let ids = chosen.compactMap { sequence in world[sequence].map { RowID($0.priority, sequence).messageID } }
        try await outbox.acknowledge(ids + [RowID(.low, nextSequence + 5).messageID])
        for sequence in chosen {
            inFlight.remove(sequence)
            acknowledged.insert(sequence)
            alive.remove(sequence)
        }
        return "acknowledge \(chosen.count)"
    }

    private mutating func changeDisk() async throws -> String {
        isFailing.toggle()
        guard isFailing else {
            await outbox.fail(with: nil)
            try await outbox.flush()
            let status = try await outbox.status()
            expect(status.state == .durable && status.unsaved == 0, "not well again: \(status)")
            return "disk well"
        }
        failures += 1
        await outbox.fail(with: Bool.random(using: &random) ? .full : .inputOutput)
        return "disk fails"
    }

    private mutating func moveClock() -> String {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: clock.now = Timestamp(milliseconds: 7000)
        case 1: clock.now = .start
        default:
            let base = max(clock.now, .start)
            clock.now = base + .seconds(Int.random(in: 0...400, using: &random))
        }
        return "clock \(clock.now.milliseconds)"
    }

    private mutating func purge() async throws -> String {
        guard !isFailing else { return "nothing" }
        let priority = Priority.allCases.randomElement(using: &random)
        _ = try await outbox.purge(priority: priority)
        return "purge"
    }

    private mutating func reopen(crash: Bool) async throws -> String {
        guard crash || !isFailing else { return "nothing" }
        let before = try await outbox.snapshot()
        if crash {
            crashes += 1
            folder = try await outbox.crashCopy(of: folder)
        } else {
            await outbox.close()
        }
        outbox = try await Outbox.opened(folder, Self.options, clock: clock)
        let after = try await outbox.snapshot()
        inFlight = []
        acknowledged = []
        lastGiven = [:]
        isOrderKnown = true
        if before.isDurable {
            expect(after.status.nextSequence == nextSequence, "the next number is \(after.status.nextSequence)")
        }
        isFailing = false
        let missing = alive.intersection(saved).subtracting(after.saved)
        for sequence in missing {
            expect(world[sequence].map { isExpired($0, clock.now) } ?? false, "D1: \(sequence) is lost by reopening")
        }
        if !crash {
            expect(after.saved.isSubset(of: alive), "\(after.saved.subtracting(alive)) come back from a clean end")
            expect(before.status.losses.expired + Int64(missing.count) == after.status.losses.expired, "losses changed")
        }
        expect(after.saved.allSatisfy { world[$0] != nil }, "rows out of nothing")
        nextSequence = after.status.nextSequence
        world = world.filter { $0.key < nextSequence }
        alive = after.saved
        losses = after.status.losses
        return crash ? "crash" : "reopen"
    }

    private func isExpired(_ entry: Entry, _ now: Timestamp) -> Bool {
        guard entry.accepted.isPlausible, now > entry.accepted else { return false }
        let age = now - entry.accepted
        return age > .seconds(1000) || entry.expiry.map { age >= $0 } ?? false
    }

    mutating func check(_ comment: String) async throws {
        let now = try await outbox.snapshot()
        expect(now.status.nextSequence == nextSequence, "\(comment): next number \(now.status.nextSequence)")
        expect(now.isDurable || isFailing, "\(comment): in memory although the disk is well: \(now.status.state)")
        guard now.hasFile else { return }
        let present = now.saved.union(now.unsaved)
        let extra = present.subtracting(alive)
        expect(extra.isEmpty, "\(comment): \(extra) should be gone")
        let lost = alive.subtracting(present)
        let counted = now.status.losses
        expect(
            counted.total - losses.total == lost.count, "\(comment): lost \(lost), counted \(counted), before \(losses)"
        )
        expect(now.status.queued == present.count, "\(comment): \(now.status.queued) queued, \(present.count) there")
        expect(now.status.inFlight == inFlight.count, "\(comment): \(now.status.inFlight) in flight")
        expect(lost.isDisjoint(with: inFlight), "\(comment): lost what was in flight: \(lost.intersection(inFlight))")
        if counted.purged == losses.purged, counted.droppedUnsaved == losses.droppedUnsaved { checkEviction() }
        if hasAppended, now.isDurable {
            let isBounded =
                now.status.queued <= 60 && now.status.bytesUsed <= 65_536 || now.status.queued == inFlight.count
            expect(isBounded, "\(comment): D5: \(now.status)")
        }
        alive = present
        saved = now.saved
        losses = counted
        previousNow = clock.now

        /// The evicted were the oldest of the lowest priority. (Of what was in the file before: what comes with the
        /// same transaction may come after the eviction that made room.)
        func checkEviction() {
            for sequence in lost {
                guard let entry = world[sequence], !isExpired(entry, clock.now), !isExpired(entry, previousNow) else {
                    continue
                }
                let better = saved.intersection(now.saved).subtracting(inFlight).filter { other in
                    guard let otherEntry = world[other] else { return false }
                    return (otherEntry.priority, other) < (entry.priority, sequence)
                }
                expect(better.isEmpty, "\(comment): \(sequence) was evicted before \(better)")
            }
        }
    }
}

private struct Snapshot {
    var status: OutboxStatus
    var hasFile: Bool
    var saved: Set<Int64>
    var unsaved: Set<Int64>
    var isDurable: Bool { status.state == .durable }
}

extension Outbox {
    fileprivate func snapshot() throws -> Snapshot {
        Snapshot(
            status: try status(), hasFile: database != nil, saved: Set(try list(limit: .max).map(\.sequence)),
            unsaved: Set(unsaved.map(\.id.sequence)))
    }

    /// On the queue's own thread, so that the files stand still.
    fileprivate func crashCopy(of folder: Folder) throws -> Folder { try folder.crashCopy() }
}

extension OutboxStatus.Losses {
    fileprivate var total: Int64 { evictedBySize + evictedByRows + expired + droppedUnsaved + damaged + purged }
}
