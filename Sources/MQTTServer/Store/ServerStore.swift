internal import NIOCore

/// Where a server's state outlives its process.
///
/// Calls do not overlap: the next one comes when the last one is done. They do not fail: a store that cannot write goes
/// on without, tries again, and says so (``ServerStoreStatus``).
protocol ServerStore: Sendable {
    /// Notes all changes, in order and together, and says when they are durable, and with them all that earlier calls
    /// could not write. Without changes it only tries the latter.
    ///
    /// - Parameter now: what the deadlines among the changes are measured against.
    func commit(_ changes: [Change], at now: NIODeadline) async -> ServerStoreStatus

    /// Puts a state in the place of all that is stored, as ``ServerStoreStatus/wantsEverything`` asks for; it takes in
    /// all changes so far, also those that no batch has brought.
    ///
    /// - Parameter now: what the deadlines in the state are measured against.
    func replaceEverything(with state: StoredState, at now: NIODeadline) async -> ServerStoreStatus

    /// Everything is written and the file closed.
    func close() async
}

struct ServerStoreStatus: Sendable, Hashable {
    /// Why nothing is durable at present, and what its owner can do about it; nil: all is well.
    var failure: String?
    /// Batches that were acknowledged and are not durable at present.
    var unsaved = 0
    /// The store has lost track of the state, and wants all of it (``ServerStore/replaceEverything(with:at:)``) in place
    /// of its next batch, or at once. While that fails it asks from time to time only.
    var wantsEverything = false
    /// Bytes of the files.
    var size = 0
}
