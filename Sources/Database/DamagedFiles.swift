package import Units

#if canImport(Glibc)
package import Glibc
#elseif canImport(Musl)
package import Musl
#endif

/// The files beside a database: damaged ones that were moved aside, and the one that is to take their place.
package struct DamagedFiles {
    /// So many are kept, each with its log.
    static let kept = 3

    let database: String

    package init(database: String) { self.database = database }

    /// Where a repaired database is built.
    package var repaired: String { database + ".repaired" }

    /// Moves the database's files away, and removes the oldest of those that were moved earlier.
    /// - Returns: where the database lies now; nil when the disk does not let it be moved.
    package func moveAside(_ now: Timestamp) -> String? {
        var time = now.milliseconds
        if let newest = all().first, let previous = Self.time(of: newest) { time = max(time, previous + 1) }
        let destination = "\(database).damaged-\(time)"
        guard rename(database, destination) == 0 else { return nil }
        for suffix in DatabaseFile.suffixes.dropFirst() { rename(database + suffix, destination + suffix) }
        for old in all().dropFirst(Self.kept) { DatabaseFile.remove(old) }
        return destination
    }

    /// Puts a repaired database in its place, when there is one and the place is free.
    package func finishRepair() {
        guard access(database, F_OK) != 0, access(repaired, F_OK) == 0 else { return }
        // What a crash has left unfinished has its log beside it: a finished one was closed.
        guard access(repaired + "-wal", F_OK) != 0 else { return DatabaseFile.remove(repaired) }
        // A crash may have left the damaged file's log here, which must not be replayed into another file.
        for suffix in DatabaseFile.suffixes.dropFirst() { unlink(database + suffix) }
        rename(repaired, database)
    }

    /// The paths of the databases that were moved aside, the newest first.
    package func all() -> [String] { DatabaseFile.numbered(database, "damaged").map(\.path) }

    private static func time(of path: String) -> Int64? {
        path.lastIndex(of: "-").flatMap { Int64(path[path.index(after: $0)...]) }
    }
}

/// A database and what SQLite keeps beside it.
package enum DatabaseFile {
    package static let suffixes = ["", "-wal", "-shm"]

    /// Creates an empty file, unless there is one; SQLite gives those beside it the same permissions.
    package static func create(_ path: String, mode: mode_t) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        if descriptor >= 0 { close(descriptor) }
    }

    package static func remove(_ path: String) {
        for suffix in suffixes { unlink(path + suffix) }
    }

    /// The databases beside this one that are called `{database}.{kind}-{number}`, the highest number first.
    package static func numbered(_ database: String, _ kind: String) -> [(number: Int64, path: String)] {
        let slash = database.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { String(database[...$0]) } ?? "./"
        let name = slash.map { String(database[database.utf8.index(after: $0)...]) } ?? database
        let prefix = "\(name).\(kind)-"
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var found: [(number: Int64, path: String)] = []
        while let entry = readdir(stream) {
            guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { continue }
            // In place: the entry is shorter than its type says.
            let name = String(cString: (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self))
            guard name.hasPrefix(prefix), let number = Int64(name.dropFirst(prefix.count)) else { continue }
            found.append((number, "\(database).\(kind)-\(name.dropFirst(prefix.count))"))
        }
        return found.sorted { $0.number > $1.number }
    }
}
