internal import Database

/// Why the tasks cannot be kept where they are to be.
public enum DispatchStoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Another process (0: unknown which) uses the file.
    case inUse(path: String, pid: Int32)
    /// The file is a database, and none of ours.
    case foreign(path: String)
    /// A newer Fieldpost wrote it, for programs that know the format `needed`.
    case newer(path: String, needed: Int64, known: Int64)
    /// The disk, or the file, does not do what is asked.
    case failed(path: String, reason: String)

    public var description: String {
        switch self {
        case .inUse(let path, let pid):
            "\(path): in use by \(pid > 0 ? "process \(pid)" : "another process"); stop that one or name another file"
        case .foreign(let path): "\(path): is a database of something else; name another file for the tasks"
        case .newer(let path, let needed, let known):
            "\(path): written by a newer Fieldpost (for programs that know format \(needed); this one knows \(known)); use the newer program, or move the file away"
        case .failed(let path, let reason): "\(path): \(reason)"
        }
    }
}
