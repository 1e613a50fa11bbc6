import Glibc
import Logging
import MQTTWire
import NIOCore
import SQLite
import Synchronization
import TestSupport
import Units

@testable import MQTTServer

/// Two clocks that a test sets, and a store's place.
final class StorePlace: Sendable {
    let directory: TemporaryDirectory
    private let clocks: Mutex<(now: NIODeadline, wall: Timestamp)>

    init() throws {
        directory = try TemporaryDirectory()
        clocks = Mutex((.uptimeNanoseconds(3_600_000_000_000), Timestamp(milliseconds: 1_780_000_000_000)))
    }

    var path: String { directory.path("broker.db") }
    var now: NIODeadline { clocks.withLock { $0.now } }

    /// Lets time pass.
    func advance(milliseconds: Int64) {
        clocks.withLock {
            $0.now = $0.now + .milliseconds(milliseconds)
            $0.wall = $0.wall + .milliseconds(milliseconds)
        }
    }

    /// Starts the board anew: its own clock begins somewhere else.
    func reboot(at now: NIODeadline) { clocks.withLock { $0.now = now } }

    func setWall(_ time: Timestamp) { clocks.withLock { $0.wall = time } }
    var wall: Timestamp { clocks.withLock { $0.wall } }

    func open(
        maximumSize: Int = 64 << 20, path: String? = nil
    ) async throws(ServerStoreError) -> (SQLiteStore, StoredState) {
        var persistence = ServerConfiguration.Persistence(path: path ?? self.path)
        persistence.survivesPowerLoss = false
        persistence.maximumSize = maximumSize
        return try await SQLiteStore.open(
            persistence, at: now, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, wall: { self.wall })
    }

    /// What a killed process leaves: the files as they are, and no lock.
    /// - Parameter logSize: bytes of the write-ahead log that had been written.
    func crashCopy(logSize: Int? = nil) throws -> StorePlace {
        let copy = try StorePlace()
        copy.clocks.withLock { $0 = clocks.withLock { $0 } }
        for name in ["broker.db", "broker.db-wal"] where directory.exists(name) {
            var bytes = try directory.readBytes(name)
            if name.hasSuffix("-wal"), let logSize { bytes = Array(bytes.prefix(logSize)) }
            try copy.directory.write(bytes, to: name)
        }
        return copy
    }

    var logSize: Int { directory.exists("broker.db-wal") ? (try? directory.readBytes("broker.db-wal").count) ?? 0 : 0 }

    /// Names in the folder that begin like the database's.
    func damagedFiles() -> [String] {
        guard let stream = opendir(directory.path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.contains(".damaged-"), !name.hasSuffix("-wal"), !name.hasSuffix("-shm") { names.append(name) }
        }
        return names
    }
}

extension SQLiteStore {
    func fail(with error: SQLiteError?) { injectedFailure = error }

    /// On the store's own thread, so that the files stand still.
    func crashCopy(of place: StorePlace, logSize: Int? = nil) throws -> StorePlace {
        try place.crashCopy(logSize: logSize)
    }
}

extension SQLiteError {
    static let full = SQLiteError(extendedCode: 13, message: "database or disk is full", path: "test")
    static let inputOutput = SQLiteError(extendedCode: 778, message: "disk I/O error", path: "test")
}

func retained(_ id: Int64, _ topic: String, bytes: Int = 100) throws -> [Change] {
    let topic = try TopicName(topic)
    let payload = ByteBuffer(repeating: UInt8(truncatingIfNeeded: id), count: bytes)
    let message = ServerMessage(topic: topic, payload: payload, qos: .atLeastOnce, retain: true)
    return [.message(StoredMessage(id: id, message: message, publisher: "p")), .retained(topic, message: id)]
}

func session(_ id: SessionID, deadline: NIODeadline? = nil) -> StoredSession {
    StoredSession(id: id, clientIdentifier: "client-\(id)", version: .v5, expiryInterval: 3600, deadline: deadline)
}
