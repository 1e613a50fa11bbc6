internal import Database
public import Logging
public import MQTT
internal import MQTTWire
internal import NIOCore
internal import SQLite
public import Units

/// The queue that does not forget: messages wait in an SQLite file until the broker has them.
///
///     let outbox = try await Outbox.open(path: "/var/lib/fieldpost/queue.db")
///     try await outbox.append { sequence in
///         [Message(topic: topic, payload: render(reading, sequence))]
///     }
///     for stored in try await outbox.next(maximumCount: 32, maximumBytes: 65_536) { … }
///
/// **What it promises.** `append` returns when its messages are committed; under strict durability they then survive
/// a power cut. `next` gives out nothing that is not committed. Inside a priority, messages go out in the order in
/// which they were accepted. What is lost to a limit, to age or to a broken disk is counted by cause, and the counts
/// are kept with the messages.
///
/// **Commits** are made for groups of messages, by time and by count. Acknowledged messages are deleted in the same
/// transactions, at the latest about a second later; after a crash some may therefore be given out again.
///
/// **Disk.** `maximumSize` limits the pages in use. The file may be larger by what one transaction inserts before it
/// evicts (64 KiB and one message). The write-ahead log beside it usually stays at 1 MiB; a larger transaction, or
/// somebody who reads for long, lets it grow, and afterwards it is cut to 2 MiB. Up to three damaged files are kept.
/// A file does not shrink when the limit is lowered; its free pages are used again.
///
/// **A failing disk** does not stop it: new messages wait in a bounded buffer, `next` gives out from there too, and
/// everything is written once the disk is well again. A damaged file is moved aside, and what can be read of it taken
/// over.
///
/// **A newer Fieldpost's file** that this one cannot read is left as it is, and a queue of its own used beside it; see
/// ``NewerQueue``.
///
/// **Time.** Messages carry the wall time of their acceptance. A time from before the clock was set, or from the
/// future, lets nothing expire.
public actor Outbox: SessionStore {
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    nonisolated let thread: DatabaseThread
    /// Where it was told to be.
    let path: String
    /// Where it is, once it has the lock.
    var place: DatabasePlace
    let options: OutboxOptions
    let now: @Sendable () -> Timestamp
    let logger: Logger

    var lock: DatabaseLock?
    var database: QueueDatabase?
    var state = OutboxStatus.State.durable
    var isClosed = false
    /// False until the file's numbers were read for the first time.
    var isLedgerKnown = false
    /// The file's numbers, and what has changed since they were written.
    var ledger = Ledger()
    var isLedgerChanged = false

    /// Accepted and not committed, in the order of acceptance.
    var unsaved: [Unsaved] = []
    var unsavedBytes = 0
    /// Who waits for the next commit.
    var waiters: [CheckedContinuation<Void, Never>] = []

    /// By priority: the last row that is committed, and the last that `next` has looked at.
    var last = Priority.allCases.map(\.floor)
    var cursors = Priority.allCases.map(\.floor)
    /// By priority: up to here no row will ever expire.
    var neverExpiring = Priority.allCases.map(\.floor)
    /// No message has a lower number.
    var knownOldest: Int64 = 0
    /// Given out and not acknowledged, each with the row before it.
    var inFlight: [RowID: RowID] = [:]
    /// Rows to be deleted with the next commit, and how many they are.
    var done = RowRanges()
    var doneCount = 0
    var exchanges = Exchanges()
    /// What has come up to here is the backlog of the present connection.
    var lastOfBacklog: Int64 = 0
    /// By priority: the last row behind the backlog that `next` has looked at, where what is new does not wait for it.
    var liveCursors = Priority.allCases.map(\.floor)
    /// Messages with lower numbers were here before this process.
    var firstOwnSequence: Int64 = 1
    /// Messages with lower numbers may have open exchanges (QoS 2) that an earlier process has left in the present session.
    var firstClosedSequence: Int64 = 1
    /// New identifiers of messages that were given out before the file could be read.
    var aliases: [RowID: RowID] = [:]

    var lastSweep: Timestamp?
    var mustEnforceLimits = true
    var commits = 0
    var damage: DamageReport?
    var sessionIsLost = false
    /// How far the numbers of a repaired file go on behind what it says itself.
    var sequencesToSkip: Int64 = 0
    /// What a counter begins with that is not known: above 0 when a damaged file may have held it.
    var lostCounters: Int64 = 0
    /// For tests: fails every transaction at its end.
    var injectedFailure: SQLiteError?

    struct Unsaved {
        var id: RowID
        var accepted: Timestamp
        var message: Message
    }

    /// Opens the queue at `path`, whose directory must exist, and creates it when it is missing.
    ///
    /// A disk that fails, or is full, is no error: see `status`.
    /// - Parameter now: the wall clock.
    /// - Throws: ``OutboxError``.
    public static func open(
        path: String, options: OutboxOptions = OutboxOptions(), logger: Logger = Logger(label: "fieldpost.queue"),
        now: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
    ) async throws -> Outbox {
        try options.validate()
        let outbox = Outbox(path: path, options: options, logger: logger, now: now)
        do {
            try outbox.thread.start { [weak outbox] in outbox?.assumeIsolated { $0.commit() } }
        } catch {
            throw OutboxError.threadNotStarted(reason: error.reason)
        }
        try await outbox.start()
        return outbox
    }

    private init(path: String, options: OutboxOptions, logger: Logger, now: @escaping @Sendable () -> Timestamp) {
        thread = DatabaseThread(name: "fieldpost-queue")
        self.path = path
        place = DatabasePlace(usual: path)
        self.options = options
        self.logger = logger
        self.now = now
    }

    deinit { thread.stop() }

    // MARK: - The session's side

    public func append(_ messages: [Message]) async throws -> [MessageID] {
        try await append { _ in messages }
    }

    /// Takes messages over that carry their own number.
    ///
    /// - Parameter build: gets the number of the first message; the ones behind it count on. A number is used up only
    ///   when everything is accepted, so the numbers of accepted messages have no gap, also across restarts and
    ///   crashes: a subscriber that sees each number once has proof that nothing was lost. Only while the disk has
    ///   failed since before the start, numbers are provisional and count from 2^47.
    /// - Throws: what `build` throws, or ``OutboxError``; then nothing was accepted.
    public func append(_ build: @Sendable (_ first: Int64) throws -> [Message]) async throws -> [MessageID] {
        try await append(noting: nil, build)
    }

    /// Takes messages over together with a number that is kept with the queue (see `note(_:)`): a later process finds
    /// both or neither. So whoever brings numbered messages knows which of them it need not bring again.
    ///
    /// - Throws: ``OutboxError``; then nothing was accepted, nor noted.
    public func append(
        _ messages: [Message], noting number: Int64, as name: String
    ) async throws -> [MessageID] {
        try await append(noting: (name, number)) { _ in messages }
    }

    private func append(
        noting number: (name: String, value: Int64)?, _ build: @Sendable (_ first: Int64) throws -> [Message]
    ) async throws -> [MessageID] {
        guard !isClosed else { throw OutboxError.closed }
        let messages = try build(ledger.nextSequence)
        guard !messages.isEmpty else { return [] }
        for message in messages { try check(message) }
        if let number {
            ledger.notes[number.name] = number.value
            isLedgerChanged = true
        }
        let accepted = now()
        let ids = messages.map { message in
            let id = RowID(message.priority, ledger.nextSequence)
            ledger.nextSequence += 1
            unsaved.append(Unsaved(id: id, accepted: accepted, message: message))
            unsavedBytes += message.size
            return id.messageID
        }
        guard state == .durable else {
            trimUnsaved()
            thread.setTimer(after: Self.retryInterval)
            return ids
        }
        if unsaved.count >= options.commitCount || unsavedBytes >= Self.pendingLimit {
            commit()
        } else {
            thread.setTimer(after: options.commitInterval)
            await withCheckedContinuation { waiters.append($0) }
        }
        return ids
    }

    public func next(
        maximumCount: Int, maximumBytes: Int, maximumBacklog: Int = .max
    ) throws -> [StoredMessage] {
        guard !isClosed else { throw OutboxError.closed }
        let empty = Batch(
            maximumCount: max(1, maximumCount), maximumBytes: maximumBytes, maximumBacklog: maximumBacklog,
            cursors: cursors, liveCursors: liveCursors)
        var batch = empty
        do {
            do {
                try fill(&batch)
            } catch let error as SQLiteError where error.isCorrupt {
                recover(from: error)
                batch = empty
                try fill(&batch)
            }
        } catch {
            degrade(error)
            if batch.messages.isEmpty {
                for priority in Priority.highestFirst where !batch.isFull {
                    fillUnsaved(&batch, priority, behind: priority.floor, through: priority.ceiling)
                }
            }
        }
        cursors = batch.cursors
        liveCursors = batch.liveCursors
        inFlight.merge(batch.inFlight) { first, _ in first }
        if doneCount > 0 { thread.setTimer(after: Self.deletionInterval) }
        return batch.messages
    }

    public func acknowledge(_ ids: [MessageID]) throws {
        guard !isClosed else { throw OutboxError.closed }
        forget(ids)
    }

    public func discard(_ ids: [MessageID], because reason: DiscardReason) throws {
        guard !isClosed else { throw OutboxError.closed }
        let count = Int64(forget(ids))
        switch reason {
        case .refused: ledger.losses.refused += count
        case .tooLarge, .unencodable: ledger.losses.unsendable += count
        }
        // Written with the deletion: a crash before it undoes both, and the message is tried again.
        isLedgerChanged = true
    }

    /// - Returns: how many of the messages were there.
    @discardableResult
    private func forget(_ ids: [MessageID]) -> Int {
        var known = 0
        for id in ids {
            guard let given = RowID(id) else { continue }
            let row = aliases.removeValue(forKey: given) ?? given
            let lower = inFlight.removeValue(forKey: row)
            exchanges.released.remove(row)
            if let index = indexOfUnsaved(row) {
                unsavedBytes -= unsaved.remove(at: index).message.size
                isLedgerChanged = true
                known += 1
            } else if !done.contains(row), lower != nil || (try? database?.contains(row)) == true {
                done.insert(behind: lower ?? RowID(row.value - 1), through: row)
                doneCount += 1
                known += 1
            }
        }
        thread.setTimer(after: doneCount >= Self.deletionCount ? .zero : Self.deletionInterval)
        return known
    }

    public nonisolated var outlivesProcess: Bool { true }

    static let sessionCounter = "session"

    public func session() throws -> StoredSession? {
        guard !isClosed else { throw OutboxError.closed }
        return ledger.counters[Self.sessionCounter].map { StoredSession(name: $0, incoming: exchanges.seen) }
    }

    public func beginSession(_ name: Int64) throws {
        guard !isClosed else { throw OutboxError.closed }
        ledger.counters[Self.sessionCounter] = name
        isLedgerChanged = true
        exchanges.removeAll()
        firstClosedSequence = 1
        commit()
    }

    public func note(_ steps: ExchangeSteps) throws {
        guard !isClosed else { throw OutboxError.closed }
        for id in steps.released {
            guard let given = RowID(id) else { continue }
            exchanges.release(aliases[given] ?? given)
        }
        for identifier in steps.seen { exchanges.note(seen: identifier) }
        for identifier in steps.finished { exchanges.note(finished: identifier) }
        commit()
    }

    public func connectionBegan() throws {
        guard !isClosed else { throw OutboxError.closed }
        lastOfBacklog = ledger.nextSequence - 1
    }

    public func pendingCount() throws -> Int {
        guard !isClosed else { throw OutboxError.closed }
        return ledger.rows - doneCount + unsaved.count
    }

    public func rewind() throws {
        guard !isClosed else { throw OutboxError.closed }
        cursors = Priority.allCases.map(\.floor)
        liveCursors = Priority.allCases.map(\.floor)
        inFlight.removeAll()
    }

    // MARK: - The owner's side

    /// Commits what waits, now.
    public func flush() throws {
        guard !isClosed else { throw OutboxError.closed }
        commit()
    }

    /// Commits what waits and lets go of the file. Afterwards everything else throws ``OutboxError/closed``.
    public func close() {
        guard !isClosed else { return }
        // So that the file's numbers are exact, should it be damaged before it is opened again.
        isLedgerChanged = true
        commit()
        thread.clearTimer()
        if state == .durable { try? database?.connection.checkpoint() }
        isClosed = true
        database = nil
        lock = nil
    }

    /// Adds one to a number that is kept with the queue, for example the count of the agent's starts.
    ///
    /// - Returns: the number, from 1, or from the minutes since 2025 when a damaged file has taken the count with it, so
    ///   that it rises all the same. It is on disk, unless the disk fails (see `status`).
    public func increment(counter name: String) throws -> Int64 {
        guard !isClosed else { throw OutboxError.closed }
        let value = (ledger.counters[name] ?? lostCounters) + 1
        ledger.counters[name] = value
        isLedgerChanged = true
        commit()
        return value
    }

    /// Counts among this queue's losses what was lost on its way here.
    public func count(_ losses: OutboxStatus.Losses) throws {
        guard !isClosed else { throw OutboxError.closed }
        var lost = Ledger()
        lost.losses = losses
        ledger.add(countsOf: lost)
        isLedgerChanged = true
        commit()
    }

    /// A number that is kept with the queue; nil if it was never noted, or a damaged file has taken it along.
    public func note(_ name: String) throws -> Int64? {
        guard !isClosed else { throw OutboxError.closed }
        return ledger.notes[name]
    }

    /// Keeps a number with the queue. It is on disk when this returns, unless the disk fails (see `status`).
    public func note(_ number: Int64, as name: String) throws {
        guard !isClosed else { throw OutboxError.closed }
        ledger.notes[name] = number
        isLedgerChanged = true
        commit()
    }

    // MARK: - Timing

    /// Acknowledged messages are deleted after so long …
    static let deletionInterval = Duration.seconds(1)
    /// … or when they are so many.
    static let deletionCount = 512
    /// A failing disk is tried again so often.
    static let retryInterval = Duration.seconds(2)
    /// Bytes that wait for a commit, at most.
    static let pendingLimit = 1024 * 1024

    private func check(_ message: Message) throws(OutboxError) {
        do {
            _ = try PropertiesBlob.encode(message.properties)
        } catch {
            throw .propertyNotAllowed(topic: message.topic, property: error.property)
        }
        // An eighth is left to the pages that hold no message.
        if let maximumSize = options.maximumSize, message.size > maximumSize - maximumSize / 8 - 16_384 {
            throw .messageTooLarge(topic: message.topic, bytes: message.size, limit: maximumSize)
        }
    }

    func indexOfUnsaved(_ id: RowID) -> Int? {
        var low = 0
        var high = unsaved.count
        while low < high {
            let middle = (low + high) / 2
            if unsaved[middle].id.sequence < id.sequence { low = middle + 1 } else { high = middle }
        }
        return low < unsaved.count && unsaved[low].id == id ? low : nil
    }
}

extension Message {
    /// Bytes of topic and payload.
    var size: Int { topic.string.utf8.count + payload.readableBytes }
}
