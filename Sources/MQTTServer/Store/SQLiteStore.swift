internal import Database
internal import Logging
internal import MQTTWire
internal import NIOCore
internal import SQLite
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A server's state in an SQLite file, on a thread of its own.
///
/// **What it promises.** Each batch is one transaction: after a crash the file holds all changes up to some batch, and
/// none behind it. A batch whose `commit` has returned without failure is there.
///
/// **A failing disk** does not stop the server. Batches that could not be written wait for the next one, in a bounded
/// buffer; when that is full, or the file is damaged, the store asks for everything anew. A damaged file is moved aside,
/// and what can be read of it taken over.
///
/// **A newer Fieldpost's file** that this one does not know is left as it is, and one of its own used beside it; the newer
/// one, when it is back, brings the two together (``StoredState/take(over:)``).
///
/// **Deadlines** go on where they stood, less what the wall clock says has passed; see ``Moment``.
///
/// **Size.** The file stays below its limit; the write-ahead log beside it usually at 1 MiB. A larger transaction, as
/// everything anew, lets the log grow, and afterwards it is cut to 2 MiB. Up to three damaged files are kept.
actor SQLiteStore: ServerStore {
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    nonisolated let thread = DatabaseThread(name: "fieldpost-store")
    /// Where it was told to be.
    let path: String
    /// Where it is, once it has the lock.
    var place: DatabasePlace
    let survivesPowerLoss: Bool
    let maximumSize: Int
    let wall: @Sendable () -> Timestamp
    let logger: Logger

    var lock: DatabaseLock?
    var database: StoreDatabase?
    var isClosed = false
    var failure: String?
    /// Batches that are not on disk.
    var unsaved = 0
    /// What they held, as long as they can be made up for by it.
    var pending: [Change] = []
    private var pendingWeight = 0
    /// The file and `pending` are all there is to the state.
    var isWhole = true
    /// The file is damaged, or could not be read when the server began: everything goes to a new one beside it, and then
    /// that takes its place.
    var mustReplaceFile = false
    private var lastCommit = NIODeadline.uptimeNanoseconds(0)
    /// When everything is to be asked for again.
    private var nextAttempt = NIODeadline.uptimeNanoseconds(0)
    /// For tests: fails every transaction at its end.
    var injectedFailure: SQLiteError?

    /// Bytes of changes that wait for the disk to be well again, at most about.
    static let pendingLimit = 1 << 20
    /// So long after it has failed everything is asked for again.
    static let retryInterval = TimeAmount.seconds(5)
    /// Payloads and names of users and clients: nobody else's business.
    static let fileMode: mode_t = 0o600

    /// Opens a store, and creates what is missing.
    ///
    /// A disk that fails, or is full, and a folder that cannot be written to are no errors: the first `commit` tells.
    /// - Parameters:
    ///   - now: what the deadlines of the state are measured against.
    ///   - wall: the wall clock.
    /// - Returns: the store, and what it held.
    static func open(
        _ persistence: ServerConfiguration.Persistence, at now: NIODeadline, logger: Logger,
        wall: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
    ) async throws(ServerStoreError) -> (SQLiteStore, StoredState) {
        let store = SQLiteStore(persistence, logger, wall)
        do {
            try store.thread.start()
        } catch {
            throw .threadNotStarted(reason: error.reason)
        }
        return (store, try await store.start(at: now))
    }

    private init(
        _ persistence: ServerConfiguration.Persistence, _ logger: Logger, _ wall: @escaping @Sendable () -> Timestamp
    ) {
        path = persistence.path
        place = DatabasePlace(usual: persistence.path)
        survivesPowerLoss = persistence.survivesPowerLoss
        maximumSize = persistence.maximumSize
        self.logger = logger
        self.wall = wall
    }

    deinit { thread.stop() }

    func commit(_ changes: [Change], at now: NIODeadline) -> ServerStoreStatus {
        guard !isClosed, isWhole, !(changes.isEmpty && pending.isEmpty && failure == nil) else {
            if !changes.isEmpty { unsaved += 1 }
            return status(at: now)
        }
        lastCommit = now
        do {
            try save(changes, at: now)
            isWell()
        } catch {
            if !changes.isEmpty { unsaved += 1 }
            fail(error)
            keep(changes)
        }
        return status(at: now)
    }

    func replaceEverything(with state: StoredState, at now: NIODeadline) -> ServerStoreStatus {
        guard !isClosed else { return status(at: now) }
        pending = []
        pendingWeight = 0
        do {
            try replaceAll(with: state, at: moment(now))
            isWhole = true
            isWell()
        } catch {
            isWhole = false
            unsaved += 1
            nextAttempt = now + Self.retryInterval
            fail(error)
        }
        return status(at: now)
    }

    func close() {
        guard !isClosed else { return }
        if isWhole, !pending.isEmpty { _ = commit([], at: lastCommit) }
        if unsaved > 0 {
            logger.error(
                "the broker's latest state is not on disk",
                metadata: ["path": "\(path)", "batches": "\(unsaved)", "reason": "\(failure ?? "")"])
        }
        if failure == nil { try? database?.connection.checkpoint() }
        isClosed = true
        database = nil
        lock = nil
    }

    func moment(_ now: NIODeadline) -> Moment { Moment(now: now, wall: wall()) }

    private func save(_ changes: [Change], at now: NIODeadline) throws {
        let database = try openDatabase()
        // Another file than the one that the earlier batches went to.
        guard isWhole else { throw Lost() }
        let moment = moment(now)
        try database.transaction { database in
            for change in pending { try database.apply(change, at: moment) }
            for change in changes { try database.apply(change, at: moment) }
            if let injectedFailure { throw injectedFailure }
        }
        pending = []
        pendingWeight = 0
    }

    /// Keeps for the next time what could not be written, if there is room.
    private func keep(_ changes: [Change]) {
        pendingWeight += changes.reduce(0) { $0 + $1.weight }
        if isWhole, pendingWeight <= Self.pendingLimit {
            pending += changes
        } else {
            isWhole = false
            pending = []
            pendingWeight = 0
        }
    }

    private func isWell() {
        unsaved = 0
        guard failure != nil else { return }
        failure = nil
        logger.notice("the broker's state is on disk again", metadata: ["path": "\(path)"])
    }

    func fail(_ error: any Error) {
        let reason = explanation(of: error)
        if failure == nil {
            logger.error("the broker's state cannot be saved", metadata: ["reason": "\(reason)"])
        }
        failure = reason
        guard let error = error as? SQLiteError else { return }
        if error.isCorrupt {
            database = nil
            isWhole = false
            mustReplaceFile = true
        } else if !error.isFull, !error.isBusy {
            // A connection that met such an error may never work again, even when its disk does.
            database = nil
        }
    }

    private func status(at now: NIODeadline) -> ServerStoreStatus {
        ServerStoreStatus(
            failure: isClosed ? "\(path): is closed" : failure, unsaved: unsaved,
            wantsEverything: !isWhole && !isClosed && now >= nextAttempt,
            size: DatabaseFile.suffixes.dropLast().reduce(0) { $0 + Self.size(of: place.file + $1) })
    }

    static func size(of path: String) -> Int {
        var file = stat()
        return stat(path, &file) == 0 ? Int(file.st_size) : 0
    }

    /// The file is gone, or another one is in its place.
    struct Lost: Error {}
}

extension Change {
    /// Bytes that it takes, roughly.
    fileprivate var weight: Int {
        switch self {
        case .message(let stored): 256 + stored.message.payload.readableBytes + stored.message.topic.string.utf8.count
        case .will(_, let stored?): 256 + stored.will.payload.readableBytes + stored.will.topic.string.utf8.count
        default: 128
        }
    }
}
