internal import Logging
internal import MQTTWire
internal import NIOCore

/// Opens what the configuration names, and reads what is there.
typealias StoreOpener = @Sendable () async throws -> (store: any ServerStore, state: StoredState?)

extension MQTTServer {
    static func storeOpener(_ configuration: ServerConfiguration) -> StoreOpener? {
        guard let persistence = configuration.persistence else { return nil }
        return {
            do throws(ServerStoreError) {
                return try await SQLiteStore.open(persistence, at: .now(), logger: configuration.logger)
            } catch {
                throw ServerError(.store, "\(error)")
            }
        }
    }
}

// What must be on disk before others are told.
extension MQTTServer {
    /// Changes that nobody waits for are noted within this time.
    private static let commitDelay = Duration.milliseconds(100)
    /// How often a store that fails is asked to try again.
    private static let retryInterval = Duration.seconds(5)
    /// Bytes of changes that may wait; then nothing is read until half of them are noted.
    static let maximumUncommitted = 8 << 20

    /// There is something to be noted, now or soon. One batch at a time: the next one gathers meanwhile.
    var isCommitWanted: Bool {
        store != nil && !isCommitting && (isCommitUrgent || !broker.journal.isEmpty && commitTimer == nil)
    }

    private var isCommitUrgent: Bool {
        awaited >= broker.journal.batch || isStoreBehind || storeStatus.wantsEverything
            || phase == .stopping && !broker.journal.isEmpty
    }

    func commitIfWanted() {
        guard isCommitWanted, let store else { return }
        if isCommitUrgent { return commit(to: store) }
        commitTimer = after(Self.commitDelay) { server in
            server.commitTimer = nil
            if !server.isCommitting { server.commit(to: store) }
        }
    }

    private func commit(to store: any ServerStore) {
        commitTimer?.cancel()
        commitTimer = nil
        if storeStatus.wantsEverything {
            let (batch, state) = broker.everything()
            return commit(batch) { await store.replaceEverything(with: state, at: .now()) }
        }
        let (batch, changes) = broker.journal.takeBatch()
        guard !changes.isEmpty else { return committed(batch) }
        commit(batch) { await store.commit(changes, at: .now()) }
    }

    private func commit(_ batch: Int, _ work: @escaping @Sendable () async -> ServerStoreStatus) {
        isCommitting = true
        Task {
            report(await work())
            isCommitting = false
            committed(batch)
        }
    }

    private func committed(_ batch: Int) {
        committed = batch
        if isStoreBehind, broker.journal.bytes < Self.maximumUncommitted / 2 { setStoreBehind(false) }
        let ids = holding
        holding.removeAll(keepingCapacity: ids.count < 4_096)
        for id in ids {
            guard let connection = connections.remote(id) else { continue }
            connection.output.release(committed: batch)
            if connection.output.isReady { markDirty(connection) }
            connection.isHolding = connection.output.isHolding
            if connection.isHolding { holding.append(id) }
        }
        releaseLocal(committed: batch)
        commitWaiters.removeAll { waiter in
            guard waiter.batch <= batch else { return false }
            waiter.continuation.resume()
            return true
        }
        commitIfWanted()
        if !dirty.isEmpty { scheduleTick() }
    }

    private func report(_ status: ServerStoreStatus) {
        if let failure = status.failure, storeStatus.failure == nil {
            logger.error("the store cannot write; messages are kept in memory only", metadata: ["error": "\(failure)"])
        } else if status.failure == nil, storeStatus.failure != nil {
            logger.notice(
                "the store writes again", metadata: ["unsaved": "\(status.unsaved)"])
        }
        storeStatus = status
        guard status.failure != nil || status.wantsEverything, retryTimer == nil else { return }
        retryTimer = after(Self.retryInterval) { server in
            server.retryTimer = nil
            guard server.phase == .running, !server.isCommitting, let store = server.store else { return }
            if server.storeStatus.wantsEverything || !server.broker.journal.isEmpty {
                server.commit(to: store)
            } else {
                server.commit(server.committed) { await store.commit([], at: .now()) }
            }
        }
    }

    func setStoreBehind(_ on: Bool) {
        isStoreBehind = on
        pauseAll(.store, on)
    }

    /// Waits until everything that was done so far is on disk.
    func untilDurable() async {
        let batch = broker.journal.needed
        guard store != nil, batch > committed else { return }
        awaited = max(awaited, batch)
        scheduleTick()
        await withCheckedContinuation { commitWaiters.append((batch, $0)) }
    }

    /// At the end.
    func commitEverything(_ timeout: Duration) async {
        guard store != nil else { return }
        let timer = after(timeout) { server in
            // Nobody waits any longer.
            for waiter in server.commitWaiters { waiter.continuation.resume() }
            server.commitWaiters.removeAll()
        }
        await untilDurable()
        timer.cancel()
    }
}
