internal import Logging
internal import Sensing
internal import Settings
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What the agent knows beside its queue, and would not know again after a restart: alarms, filters, corrections, the
/// commands that were done. One JSON object in one file, which is written anew as a whole: a reader finds the old one or
/// the new one, never half of it.
///
/// A disk that fails stops nothing: it is told in the log, once, and the state is written when the disk is well again. A
/// damaged file is moved aside.
actor StateFile {
    private static let limit = 16 << 20
    private let path: String
    private let pool: BlockingPool
    private let logger: Logger
    private var members: [String: JSON] = [:]
    private var written = ""
    private var isFailing = false
    private var isClosed = false
    /// What is there is not ours to replace.
    private var isForeign = false
    private var saving: Task<Void, Never>?
    /// The one that waits for `saving`, if there is one.
    private var next: Task<Void, Never>?

    /// Reads what is there. Nothing is no error.
    init(path: String, logger: Logger) {
        self.path = path
        self.logger = logger
        // One write at a time: one that hangs must not come back and replace what was written after it.
        pool = BlockingPool(width: 1, stuckLimit: 0, queueLimit: 4)
        let bytes: [UInt8]
        do {
            bytes = Array(try SmallFile(path: path, limit: Self.limit).bytes)
        } catch {
            // It may be good, and another user's: neither moved nor replaced.
            guard access(path, F_OK) == 0 else { return }
            isForeign = true
            logger.error(
                "the state of an earlier run cannot be read, and is left as it is: alarms and filters begin anew, and are not kept",
                metadata: ["file": "\(path)", "reason": "\(error)"])
            return
        }
        do {
            let state = try JSONReader.value(bytes[...])
            for member in state.object ?? [] { members[member.name] = member.value }
            written = state.text
        } catch {
            let aside = Self.placeAside(path)
            let isMoved = rename(path, aside) == 0
            logger.error(
                "the state of an earlier run cannot be read: alarms and filters begin anew",
                metadata: ["file": "\(path)", "moved-to": isMoved ? "\(aside)" : "nowhere", "reason": "\(error)"])
        }
    }

    /// Not where an earlier damaged one lies, if that can be helped.
    private static func placeAside(_ path: String) -> String {
        let places = ["\(path).damaged", "\(path).damaged.2", "\(path).damaged.3"]
        return places.first { access($0, F_OK) != 0 } ?? places[2]
    }

    subscript(name: String) -> JSON? { members[name] }

    var names: [String] { members.keys.sorted() }

    func set(_ name: String, _ value: JSON?) { members[name] = value }

    /// Writes what has changed, durably. Comes back when it is on disk, or cannot be.
    func save() async {
        // Whoever still waits takes along what has changed since.
        if let next { return await next.value }
        let previous = saving
        let task = Task {
            await previous?.value
            next = nil
            await writeChanges()
        }
        (saving, next) = (task, task)
        await task.value
    }

    /// Saves for the last time: another agent may have the file from now on.
    func finish() async {
        await save()
        isClosed = true
    }

    private func writeChanges() async {
        guard !isClosed, !isForeign else { return }
        let text = JSON.object(members.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value) }).text
        guard text != written else { return }
        let path = path
        do {
            guard text.utf8.count <= Self.limit else {
                throw StateFileError(action: "write", path: path, code: EFBIG)
            }
            try await pool.run(timeout: .seconds(30)) { try Self.replace(path, with: text) }
            written = text
            if isFailing { logger.notice("the state is on disk again", metadata: ["file": "\(path)"]) }
            isFailing = false
        } catch {
            if !isFailing {
                logger.error(
                    "the state cannot be written: after a restart alarms and filters would begin anew",
                    metadata: ["file": "\(path)", "reason": "\(error)"])
            }
            isFailing = true
        }
    }

    /// Under another name first, and to the disk, before it takes the old one's place: rename(2) is atomic.
    private static func replace(_ path: String, with text: String) throws {
        let temporary = "\(path).new"
        // What a crash has left there may be another user's.
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard file >= 0 else { throw StateFileError(action: "create", path: temporary, code: errno) }
        do {
            defer { close(file) }
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw StateFileError(action: "write", path: temporary, code: errno) }
                bytes = bytes.dropFirst(count)
            }
            guard fdatasync(file) == 0 else { throw StateFileError(action: "write", path: temporary, code: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else { throw StateFileError(action: "replace", path: path, code: errno) }
        let folder = open(path.lastIndex(of: "/").map { String(path[...$0]) } ?? ".", O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }
}

private struct StateFileError: Error, CustomStringConvertible {
    var action: String
    var path: String
    var code: Int32
    var description: String { "cannot \(action) \(path): \(String(cString: strerror(code)))" }
}
