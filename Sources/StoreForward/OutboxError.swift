internal import Database
public import MQTTWire

/// Why the Outbox refuses something. Disk failures are not among these: the Outbox lives through them.
public enum OutboxError: Error, Sendable, Hashable {
    /// Another process (0: unknown which) uses this queue.
    case inUse(path: String, pid: Int32)
    /// The directory is missing or may not be written to.
    case notAccessible(path: String, reason: String)
    /// The file is a database, and none of ours.
    case notAQueue(path: String)
    /// A newer Fieldpost wrote the file, in a format that only programs from `needed` on can use. Only from looking into it:
    /// an agent leaves such a file as it is, and goes on beside it (``NewerQueue``).
    case newerSchema(path: String, found: Int64, needed: Int64, known: Int64)
    /// There is no queue to look into.
    case noSuchQueue(path: String)
    /// The file cannot be read; only from looking into it, since opening it repairs it.
    case damaged(path: String, reason: String)
    /// Bytes that the message would take up, and the limit that it must stay under.
    case messageTooLarge(topic: TopicName, bytes: Int, limit: Int)
    /// The property may not stand in a PUBLISH that a client sends (MQTT 5.0 §3.3.2.3), or is set by the client itself.
    case propertyNotAllowed(topic: TopicName, property: Property)
    /// A setting is out of its range.
    case invalidSetting(name: String, reason: String)
    case threadNotStarted(reason: String)
    /// After `close`.
    case closed
}

extension OutboxError {
    init(_ mismatch: DatabaseFormat.Mismatch, path: String) {
        switch mismatch {
        case .foreign: self = .notAQueue(path: path)
        case .newer(let found):
            self = .newerSchema(
                path: path, found: found.written, needed: found.readableFrom, known: QueueDatabase.format.schema)
        }
    }
}

extension NewerQueue {
    init?(_ place: DatabasePlace, path: String) {
        guard let version = place.newer else { return nil }
        self.init(
            path: path, format: version.written, needed: version.readableFrom, known: QueueDatabase.format.schema,
            instead: place.file)
    }
}

extension OutboxError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .inUse(let path, let pid):
            "\(path): in use by \(pid > 0 ? "process \(pid)" : "another process"); stop that agent or give this one a queue of its own"
        case .notAccessible(let path, let reason):
            "\(path): \(reason); create its directory and let the agent's user write there"
        case .notAQueue(let path):
            "\(path): is a database of something else; name another file for the queue"
        case .newerSchema(let path, let found, let needed, let known):
            "\(path): written by a newer Fieldpost (format \(found), for programs that know \(needed); this one knows \(known)); use the newer program, or move the file away"
        case .noSuchQueue(let path):
            "\(path): there is no queue; the agent creates it when it first runs"
        case .damaged(let path, let reason):
            "\(path): is damaged (\(reason)); the agent puts it aside and saves what it can when it starts"
        case .messageTooLarge(let topic, let bytes, let limit):
            "message to \(topic) of \(bytes) bytes: larger than the queue's limit allows (\(limit)); raise the queue's maximum size"
        case .propertyNotAllowed(let topic, let property):
            "message to \(topic): the property \(property) may not stand in it; remove it"
        case .invalidSetting(let name, let reason): "queue setting \(name): \(reason)"
        case .threadNotStarted(let reason): "the queue's thread could not be started: \(reason)"
        case .closed: "the queue is closed"
        }
    }
}
