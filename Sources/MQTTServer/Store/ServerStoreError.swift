internal import Database

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Why a store cannot be opened: mistakes of its owner. A disk that fails is not among them, the server lives through it.
enum ServerStoreError: Error, Sendable, Hashable {
    /// Another process (0: unknown which) uses this database.
    case inUse(path: String, pid: Int32)
    /// The folder is missing, or something else is in the file's place.
    case notAccessible(path: String, reason: String)
    /// The file is a database, and none of ours.
    case notAStore(path: String)
    /// A newer Fieldpost wrote the file, in a format that only programs from `needed` on can use; and it has come between the
    /// looking and the opening, or stands where ours should be.
    case newerSchema(path: String, found: Int64, needed: Int64, known: Int64)
    case threadNotStarted(reason: String)
}

extension ServerStoreError {
    init(_ mismatch: DatabaseFormat.Mismatch, path: String) {
        switch mismatch {
        case .foreign: self = .notAStore(path: path)
        case .newer(let found):
            self = .newerSchema(
                path: path, found: found.written, needed: found.readableFrom, known: StoreDatabase.format.schema)
        }
    }

    /// - Returns: nil when the disk is to blame, or its rights, which may change while the server runs.
    init?(lockFailure code: Int32, path: String) {
        guard [ENOENT, ENOTDIR, EISDIR, ENAMETOOLONG].contains(code) else { return nil }
        self = .notAccessible(path: path, reason: String(cString: strerror(code)))
    }
}

extension ServerStoreError: CustomStringConvertible {
    var description: String {
        switch self {
        case .inUse(let path, let pid):
            "\(path): in use by \(pid > 0 ? "process \(pid)" : "another process"); stop that broker or give this one a database of its own"
        case .notAccessible(let path, let reason):
            "\(path): \(reason); create its folder and let the broker's user write there"
        case .notAStore(let path):
            "\(path): is a database of something else; name another file for the broker's"
        case .newerSchema(let path, let found, let needed, let known):
            "\(path): written by a newer Fieldpost (format \(found), for programs that know \(needed); this one knows \(known)); use the newer program, or move the file away"
        case .threadNotStarted(let reason):
            "the store's thread could not be started: \(reason); raise the limit of processes and threads"
        }
    }
}
