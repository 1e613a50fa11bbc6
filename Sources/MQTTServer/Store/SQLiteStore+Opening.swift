internal import Database
internal import Logging
internal import NIOCore
internal import SQLite
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

extension SQLiteStore {
    /// Opens the file and reads what is in it; goes without one where that cannot be done.
    func start(at now: NIODeadline) throws(ServerStoreError) -> StoredState {
        do {
            do {
                return try load(at: now)
            } catch let error as SQLiteError where error.isCorrupt {
                return try salvage(after: error, at: now)
            } catch  where !(error is ServerStoreError) {
                fail(error)
                return try readOnly(at: now)
            }
        } catch {
            lock = nil
            database = nil
            throw error as? ServerStoreError ?? .notAccessible(path: path, reason: "\(error)")
        }
    }

    /// The file's connection; opened now when there was none.
    func openDatabase() throws -> StoreDatabase {
        if let database { return database }
        try prepare()
        DamagedFiles(database: place.file).finishRepair()
        // Somebody has taken it away while we were not looking.
        if failure != nil, access(place.file, F_OK) != 0 { isWhole = false }
        DatabaseFile.create(place.file, mode: Self.fileMode)
        let opened = try create(place.file)
        database = opened
        return opened
    }

    /// In place, or in a new file when the present one is not to be trusted, which is then moved aside.
    ///
    /// - Parameter standIn: the name of a file that has come into the state.
    func replaceAll(with state: StoredState, at moment: Moment, taking standIn: Int64? = nil) throws {
        guard mustReplaceFile else {
            try openDatabase().transaction { database in
                try database.replace(with: state, at: moment)
                if let standIn { try database.noteTaken(standIn) }
                if let injectedFailure { throw injectedFailure }
            }
            return
        }
        try prepare()
        database = nil
        let files = DamagedFiles(database: place.file)
        DatabaseFile.remove(files.repaired)
        DatabaseFile.create(files.repaired, mode: Self.fileMode)
        do {
            let repaired = try create(files.repaired)
            try repaired.transaction { database in try database.replace(with: state, at: moment) }
            try repaired.connection.checkpoint()
        } catch {
            DatabaseFile.remove(files.repaired)
            throw error
        }
        guard access(place.file, F_OK) != 0 || moveAside(files) else {
            DatabaseFile.remove(files.repaired)
            throw NotMovable(reason: String(cString: strerror(errno)))
        }
        files.finishRepair()
        mustReplaceFile = false
        _ = try openDatabase()
    }

    private func moveAside(_ files: DamagedFiles) -> Bool {
        guard let moved = files.moveAside(wall()) else { return false }
        logger.notice("the broker's earlier file was moved aside", metadata: ["to": "\(moved)"])
        return true
    }

    private func create(_ path: String) throws -> StoreDatabase {
        do {
            return try StoreDatabase(path: path, isSynchronous: survivesPowerLoss, maximumSize: maximumSize)
        } catch let mismatch as DatabaseFormat.Mismatch {
            throw ServerStoreError(mismatch, path: path)
        }
    }

    /// Takes the lock, and finds the file.
    private func prepare() throws {
        guard lock == nil else { return }
        lock = try takeLock()
        place = DatabasePlace(finding: path, format: StoreDatabase.format)
        guard let newer = place.newer else { return }
        logger.error(
            "the broker's file was written by a newer Fieldpost: it is left as it is, for that one's return; until then its retained messages, sessions and subscriptions are not there",
            metadata: [
                "path": "\(path)", "format": "\(newer.written)", "known": "\(StoreDatabase.format.schema)",
                "instead": "\(place.file)",
            ])
    }

    private func takeLock() throws -> DatabaseLock {
        do {
            return try DatabaseLock(database: path, mode: Self.fileMode)
        } catch .inUse(let pid) {
            throw ServerStoreError.inUse(path: path, pid: pid)
        } catch .system(let code, let file) {
            if let mistake = ServerStoreError(lockFailure: code, path: file) { throw mistake }
            throw NotLockable(path: file, code: code)
        }
    }

    // MARK: - Reading what there is

    private func load(at now: NIODeadline) throws -> StoredState {
        let moment = moment(now)
        let database = try openDatabase()
        if place.newer != nil { try database.nameStandIn() }
        var loaded = try StoreDatabase.load(from: database.connection, at: moment)
        if loaded.dropped > 0 {
            logger.warning(
                "the broker's file held rows that belong to nothing; they are removed",
                metadata: ["path": "\(place.file)", "rows": "\(loaded.dropped)"])
            _ = replaceEverything(with: loaded.state, at: now)
        }
        for file in place.standIns { takeOver(file, into: &loaded.state, at: now) }
        return loaded.state
    }

    /// Brings together with our state what an older program has kept beside it while it could not read it.
    private func takeOver(_ file: String, into state: inout StoredState, at now: NIODeadline) {
        do {
            let (other, name) = try standIn(file, at: moment(now))
            if try name == nil || name != database?.takenStandIn() {
                var merged = state
                merged.take(over: other)
                try replaceAll(with: merged, at: moment(now), taking: name)
                // What the disk has not got must not go.
                try database?.connection.checkpoint()
                logger.notice(
                    "took over what an older Fieldpost's broker had kept",
                    metadata: [
                        "from": "\(file)", "sessions": "\(other.sessions.count)",
                        "messages": "\(other.messages.count)",
                    ])
                state = merged
            }
        } catch {
            return logger.error(
                "what an older Fieldpost's broker had kept waits for the next start",
                metadata: ["in": "\(file)", "reason": "\(error)"])
        }
        DatabaseFile.remove(file)
    }

    /// What is in it, and its name; of a damaged one, which is moved aside, what can be read.
    private func standIn(_ file: String, at moment: Moment) throws -> (StoredState, name: Int64?) {
        do {
            let database = try create(file)
            return (try StoreDatabase.load(from: database.connection, at: moment).state, try database.standInName())
        } catch let error as SQLiteError where error.isCorrupt {
            logger.error(
                "a file of an older Fieldpost's broker is damaged; what could be read is taken over",
                metadata: ["path": "\(file)", "reason": "\(error.message)"])
            let state = readDamaged(file, at: moment)
            guard DamagedFiles(database: file).moveAside(wall()) != nil else {
                throw NotMovable(reason: String(cString: strerror(errno)))
            }
            return (state, nil)
        }
    }

    /// Takes over what can be read of a damaged file, into a new one.
    private func salvage(after error: SQLiteError, at now: NIODeadline) throws -> StoredState {
        fail(error)
        let state = readDamaged(place.file, at: moment(now))
        logger.error(
            "the broker's file is damaged; what could be read is taken over",
            metadata: [
                "path": "\(place.file)", "reason": "\(error.message)", "sessions": "\(state.sessions.count)",
                "messages": "\(state.messages.count)", "retained": "\(state.retained.count)",
            ])
        _ = replaceEverything(with: state, at: now)
        return state
    }

    private func readDamaged(_ path: String, at moment: Moment) -> StoredState {
        // Only with this setting does SQLite read a file that is shorter than it says itself.
        guard let source = try? Connection(path: path, mode: .readOnly),
            (try? source.execute("PRAGMA writable_schema = ON")) != nil,
            var state = try? StoreDatabase.load(from: source, isDamaged: true, at: moment).state
        else { return StoredState() }
        // Numbers must not come again that stood in what could not be read.
        state.nextSessionID += Self.skippedIDs
        state.nextMessageID += Self.skippedIDs
        for index in state.sessions.indices { state.sessions[index].nextSequence += Self.skippedSequences }
        return state
    }

    private static let skippedIDs: Int64 = 1 << 20
    private static let skippedSequences: Int64 = 1 << 10

    /// Reads a file that cannot be opened for writing. From then on the disk knows less than the server.
    private func readOnly(at now: NIODeadline) throws -> StoredState {
        isWhole = false
        if lock == nil { place = DatabasePlace(finding: path, format: StoreDatabase.format) }
        let path = place.file
        guard access(path, F_OK) == 0 || errno != ENOENT else { return StoredState() }
        // Without a log nobody was in the midst of something: then SQLite needs no other file.
        let mode = Self.size(of: path + "-wal") > 0 ? Connection.Mode.readOnly : .immutable
        do {
            let connection = try Connection(path: path, mode: mode)
            if try StoreDatabase.format.isEmpty(connection) { return StoredState() }
            try StoreDatabase.format.check(connection)
            return try StoreDatabase.load(from: connection, at: moment(now)).state
        } catch let mismatch as DatabaseFormat.Mismatch {
            throw ServerStoreError(mismatch, path: path)
        } catch {
            mustReplaceFile = true
            if (error as? SQLiteError)?.isCorrupt == true { return readDamaged(path, at: moment(now)) }
            logger.error(
                "the broker's file cannot be read; it is kept, and the broker begins anew",
                metadata: ["path": "\(path)", "reason": "\(error)"])
            return StoredState()
        }
    }

    // MARK: - What to say about it

    func explanation(of error: any Error) -> String {
        let path = place.file
        let fallback = "sessions and messages are kept in memory only until then"
        switch error {
        case let error as SQLiteError where error.isFull && !isDiskFull:
            return
                "\(path): has reached its limit of \(maximumSize) bytes; raise the maximum size, or lower the limits of queues and retained messages; \(fallback)"
        case let error as SQLiteError where error.isFull:
            return "\(path): the disk is full; make room there; \(fallback)"
        case let error as SQLiteError where error.isReadOnly || error.isCannotOpen:
            return
                "\(path): cannot be written (\(error.message)); let the broker's user write to the file and its folder; \(fallback)"
        case let error as SQLiteError where error.isCorrupt:
            return
                "\(path): is damaged (\(error.message)); it is moved aside and written anew; look after the disk, it may be failing"
        case let error as SQLiteError where error.isInputOutput:
            return
                "\(path): the disk fails (\(error.message)); look after it, or name a file on another one; \(fallback)"
        case let error as SQLiteError where error.isBusy:
            return "\(path): another program holds it locked; end that program; \(fallback)"
        case let error as NotLockable:
            let mend =
                switch error.code {
                case EROFS: "mount its file system for writing, or name a file on another one"
                case ENOSPC, EDQUOT: "make room there"
                case EIO: "look after the disk, or name a file on another one"
                default: "let the broker's user write to its folder"
                }
            return "\(error.path): \(String(cString: strerror(error.code))); \(mend); \(fallback)"
        case let error as NotMovable:
            return
                "\(path): cannot be moved aside (\(error.reason)); let the broker's user write to its folder; \(fallback)"
        case is Lost: return "\(path): is gone; it is written anew"
        default: return "\(error)"
        }
    }

    private var isDiskFull: Bool {
        var disk = statvfs()
        guard statvfs(place.file, &disk) == 0 else { return true }
        return UInt64(disk.f_bavail) * UInt64(disk.f_frsize) < 1 << 20
    }

    private struct NotLockable: Error {
        var path: String
        var code: Int32
    }

    private struct NotMovable: Error {
        var reason: String
    }
}
