internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The files beside a queue: damaged ones that were moved aside, and the one that is to take their place.
struct DamagedFiles {
    /// So many are kept, each with its log.
    static let kept = 3

    let queue: String

    init(queue: String) { self.queue = queue }

    /// Where a repaired queue is built.
    var repaired: String { queue + ".repaired" }

    /// Moves the queue's files away, and removes the oldest of those that were moved earlier.
    /// - Returns: where the database lies now; nil when the disk does not let it be moved.
    func moveAside(_ now: Timestamp) -> String? {
        var time = now.milliseconds
        if let newest = all().first, let previous = Self.time(of: newest) { time = max(time, previous + 1) }
        let destination = "\(queue).damaged-\(time)"
        guard rename(queue, destination) == 0 else { return nil }
        for suffix in QueueFile.suffixes.dropFirst() { rename(queue + suffix, destination + suffix) }
        for old in all().dropFirst(Self.kept) { QueueFile.remove(old) }
        return destination
    }

    /// Puts a repaired queue in its place, when there is one and the place is free.
    func finishRepair() {
        guard access(queue, F_OK) != 0, access(repaired, F_OK) == 0 else { return }
        // What a crash has left unfinished has its log beside it: a finished one was closed.
        guard access(repaired + "-wal", F_OK) != 0 else { return QueueFile.remove(repaired) }
        // A crash may have left the damaged file's log here, which must not be replayed into another file.
        for suffix in QueueFile.suffixes.dropFirst() { unlink(queue + suffix) }
        rename(repaired, queue)
    }

    /// The paths of the databases that were moved aside, the newest first.
    func all() -> [String] {
        let slash = queue.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { String(queue[...$0]) } ?? "./"
        let prefix = (slash.map { String(queue[queue.utf8.index(after: $0)...]) } ?? queue) + ".damaged-"
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var found: [(time: Int64, path: String)] = []
        while let entry = readdir(stream) {
            guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { continue }
            // In place: the entry is shorter than its type says.
            let name = String(cString: (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self))
            guard name.hasPrefix(prefix), let time = Int64(name.dropFirst(prefix.count)) else { continue }
            found.append((time, queue + ".damaged-" + name.dropFirst(prefix.count)))
        }
        return found.sorted { $0.time > $1.time }.map(\.path)
    }

    private static func time(of path: String) -> Int64? {
        path.lastIndex(of: "-").flatMap { Int64(path[path.index(after: $0)...]) }
    }
}

/// A database and what SQLite keeps beside it.
enum QueueFile {
    static let suffixes = ["", "-wal", "-shm"]

    /// Creates an empty file that only its owner and its group may read.
    static func create(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        if descriptor >= 0 { close(descriptor) }
    }

    static func remove(_ path: String) {
        for suffix in suffixes { unlink(path + suffix) }
    }
}
