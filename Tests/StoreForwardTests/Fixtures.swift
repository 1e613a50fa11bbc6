import Glibc
import Logging
import MQTT
import MQTTWire
import NIOCore
import SQLite
import Synchronization
import Units

@testable import StoreForward

/// A directory of a test's own, gone with it.
final class Folder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/outbox-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure() }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in Folder.names(path) { unlink(path + "/" + name) }
        rmdir(path)
    }

    var queue: String { path + "/queue.db" }
    var names: [String] { Folder.names(path).sorted() }

    /// What a disk would hold if the power went now: the files as they are, without a lock.
    func crashCopy() throws -> Folder {
        let copy = try Folder()
        // The log first: it may be moved into the database between the two copies, never the other way round. Both are
        // copied while nothing is written, so the order does not matter here.
        for suffix in ["-wal", ""] where access(queue + suffix, F_OK) == 0 {
            try Self.write(Self.read(queue + suffix), to: copy.queue + suffix)
        }
        return copy
    }

    static func read(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { throw Failure() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return bytes }
            bytes += chunk.prefix(count)
        }
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw Failure() }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Failure() }
            written += count
        }
    }

    private static func names(_ path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { continue }
            let name = String(cString: (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self))
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    struct Failure: Error {}
}

/// A wall clock that a test sets.
final class TestClock: Sendable {
    private let milliseconds: Mutex<Int64>

    init(_ time: Timestamp = .start) { milliseconds = Mutex(time.milliseconds) }

    var now: Timestamp {
        get { Timestamp(milliseconds: milliseconds.withLock { $0 }) }
        set { milliseconds.withLock { $0 = newValue.milliseconds } }
    }
}

extension Timestamp {
    /// An hour in 2026.
    static let start = Timestamp(milliseconds: 1_780_000_000_000)
}

func message(
    _ text: String, _ priority: Priority = .normal, expiry: Duration? = nil, topic: String = "a/b"
) throws -> Message {
    Message(topic: try TopicName(topic), payload: ByteBuffer(string: text), priority: priority, expiry: expiry)
}

func text(_ stored: StoredMessage) -> String { String(buffer: stored.message.payload) }

extension Outbox {
    /// One that commits at once and that a test's clock drives.
    static func opened(
        _ folder: Folder, _ options: OutboxOptions = .test, clock: TestClock = TestClock()
    ) async throws -> Outbox {
        try await open(
            path: folder.queue, options: options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { clock.now }
    }

    func fail(with error: SQLiteError?) { injectedFailure = error }
    func execute(_ sql: String) throws { try database?.connection.execute(sql) }

    func texts(maximumCount: Int = 1000) throws -> [String] {
        try next(maximumCount: maximumCount, maximumBytes: .max).map(text)
    }
}

extension OutboxOptions {
    static let test = OutboxOptions(durability: .relaxed, commitInterval: .zero)
}

extension SQLiteError {
    static let full = SQLiteError(extendedCode: 13, message: "database or disk is full", path: "test")
    static let inputOutput = SQLiteError(extendedCode: 778, message: "disk I/O error", path: "test")
}
