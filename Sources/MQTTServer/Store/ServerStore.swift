internal import NIOCore

/// Where a server's state outlives its process.
protocol ServerStore: Sendable {
    /// Notes all changes, in order and together, and says when they are durable. Calls do not overlap: the next batch
    /// comes when the last one is done. It does not fail: a store that cannot write goes on without, tries again, and
    /// says so (``ServerStoreStatus``).
    ///
    /// - Parameter now: what the deadlines among the changes are measured against.
    func commit(_ changes: [Change], at now: NIODeadline) async -> ServerStoreStatus

    /// Everything is written and the file closed.
    func close() async
}

struct ServerStoreStatus: Sendable, Hashable {
    /// Why nothing is durable at present, in words for the owner; nil: all is well.
    var failure: String?
    /// Batches that were acknowledged without being durable.
    var unsaved = 0
    /// The store has lost track of the state, and wants all of it in its next batch, as by ``StoredState``.
    var wantsEverything = false
    /// Bytes of the files.
    var size = 0
}
