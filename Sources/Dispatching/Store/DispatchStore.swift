internal import Database
internal import SQLite
public import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Keeps a dispatcher's tasks in an SQLite file: a row for each, written when it has changed.
///
///     let store = try await DispatchStore.open(path: "/var/lib/fieldpost/dispatch.db")
///     var dispatcher = Dispatcher(settings, records: try await store.records(), at: now)
///     let actions = dispatcher.accept(input, at: now)
///     try await store.save(dispatcher.takeChanges())
///
/// What was saved survives a killed process and a power cut.
public actor DispatchStore {
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    static let format = DatabaseFormat(
        applicationID: 0x4650_4453 /* FPDS */, pageSize: 4096,
        steps: [
            DatabaseFormat.Step(
                "CREATE TABLE record (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID", readableFrom: 1)
        ])
    private static let cache = 256 * 1024

    private nonisolated let thread = DatabaseThread(name: "fieldpost-tasks")
    private let path: String
    private var lock: DatabaseLock?
    private var connection: Connection?
    /// What a failing disk has not taken yet.
    private var unsaved: [String: JSON?] = [:]

    /// Opens the file, whose directory must exist, and creates it when it is missing.
    ///
    /// - Throws: ``DispatchStoreError``.
    public static func open(path: String) async throws -> DispatchStore {
        let store = DispatchStore(path: path)
        do {
            try store.thread.start()
        } catch {
            throw DispatchStoreError.failed(path: path, reason: error.reason)
        }
        try await store.start()
        return store
    }

    private init(path: String) { self.path = path }

    deinit { thread.stop() }

    private func start() throws {
        do {
            lock = try DatabaseLock(database: path, mode: 0o640)
            DatabaseFile.create(path, mode: 0o640)
            connection = try Self.format.open(path, isSynchronous: true, cache: Self.cache)
        } catch {
            throw told(error)
        }
    }

    /// All that is kept; rows that are damaged are left out.
    public func records() throws -> [String: JSON] {
        do {
            guard let connection else { throw closed }
            let statement = try connection.prepare("SELECT name, value FROM record")
            var records: [String: JSON] = [:]
            while try statement.step() {
                records[statement.text(0)] = try? JSONReader.value(Array(statement.text(1).utf8)[...])
            }
            return records
        } catch {
            throw told(error)
        }
    }

    /// Writes changes in one transaction. What cannot be written is written with the next ones.
    ///
    /// - Parameter changes: by record; nil: it is no more.
    /// - Throws: ``DispatchStoreError``.
    public func save(_ changes: [String: JSON?]) throws {
        unsaved.merge(changes) { $1 }
        guard !unsaved.isEmpty else { return }
        do {
            guard let connection else { throw closed }
            try Self.write(unsaved, to: connection)
            unsaved = [:]
        } catch {
            throw told(error)
        }
    }

    private static func write(_ changes: [String: JSON?], to connection: Connection) throws {
        try connection.transaction {
            let writing = try connection.prepare("INSERT OR REPLACE INTO record VALUES (?1, ?2)")
            let deletion = try connection.prepare("DELETE FROM record WHERE name = ?1")
            for (name, value) in changes {
                let statement = value == nil ? deletion : writing
                try statement.bind(name, at: 1)
                if let value { try statement.bind(value.text, at: 2) }
                try statement.run()
            }
        }
    }

    /// Lets go of the file.
    public func close() {
        connection = nil
        lock = nil
    }

    private var closed: DispatchStoreError { .failed(path: path, reason: "is closed") }

    private func told(_ error: any Error) -> DispatchStoreError {
        switch error {
        case let error as DispatchStoreError: error
        case DatabaseLock.Failure.inUse(let pid): .inUse(path: path, pid: pid)
        case DatabaseLock.Failure.system(let code, let file):
            .failed(path: file, reason: String(cString: strerror(code)))
        case DatabaseFormat.Mismatch.foreign: .foreign(path: path)
        case DatabaseFormat.Mismatch.newer(let version):
            .newer(path: path, needed: version.readableFrom, known: Self.format.schema)
        case let error as SQLiteError: .failed(path: path, reason: error.message)
        default: .failed(path: path, reason: "\(error)")
        }
    }
}
