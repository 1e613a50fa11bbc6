internal import MQTT
internal import MQTTWire

/// How far the QoS 2 exchanges of the present session have come, in both directions, and what of that the file does not
/// know yet.
struct Exchanges {
    /// Messages that the server has (PUBREC) and that wait for PUBCOMP.
    var released: Set<RowID> = []
    /// Incoming messages that the application has seen, and that the server has not released yet (PUBREL).
    private(set) var seen: Set<PacketIdentifier> = []

    private var unsavedReleases: [RowID] = []
    /// True: to be added; false: to be removed.
    private var unsavedSeen: [PacketIdentifier: Bool] = [:]
    /// A session has begun that the file knows nothing of: what the file says belongs to another one.
    private(set) var mustForget = false

    var isUnsaved: Bool { mustForget || !unsavedReleases.isEmpty || !unsavedSeen.isEmpty }

    mutating func release(_ row: RowID) {
        if released.insert(row).inserted { unsavedReleases.append(row) }
    }

    /// The message has got another number.
    mutating func rename(_ old: RowID, _ new: RowID) {
        guard released.remove(old) != nil else { return }
        released.insert(new)
        unsavedReleases = unsavedReleases.map { $0 == old ? new : $0 }
    }

    mutating func note(seen identifier: PacketIdentifier) {
        seen.insert(identifier)
        unsavedSeen[identifier] = true
    }

    mutating func note(finished identifier: PacketIdentifier) {
        seen.remove(identifier)
        unsavedSeen[identifier] = false
    }

    /// Another session: nothing of the old one counts.
    mutating func removeAll() {
        self = Exchanges()
        mustForget = true
    }

    /// What the file knows of the session that an earlier process has left.
    mutating func load(from database: QueueDatabase) throws {
        released.formUnion(try database.loadReleases())
        seen.formUnion(try database.loadSeen())
    }

    /// The file was made anew.
    mutating func isLost() {
        unsavedReleases = Array(released)
        for identifier in seen { unsavedSeen[identifier] = true }
    }

    /// To be called in a transaction.
    func save(to database: QueueDatabase) throws {
        if mustForget { try database.forgetExchanges() }
        try database.release(unsavedReleases)
        for (identifier, isSeen) in unsavedSeen { try database.note(identifier, isSeen: isSeen) }
    }

    /// The transaction is through.
    mutating func didSave() {
        mustForget = false
        unsavedReleases.removeAll(keepingCapacity: true)
        unsavedSeen.removeAll(keepingCapacity: true)
    }
}
