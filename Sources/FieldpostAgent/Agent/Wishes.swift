internal import UnixSignals

/// What signals ask of a process. A wish to stop comes before all others and is not forgotten; several to reload are one.
actor Wishes {
    private var stop: StopReason?
    /// Why to stop, in words for a log.
    private(set) var cause: String?
    private var reload = false
    private let bell = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    /// - Parameter cause: in words for a log; nil: the reason is enough.
    func wishStop(_ reason: StopReason, because cause: String? = nil) {
        if stop == nil { (stop, self.cause) = (reason, cause ?? reason.rawValue) }
        bell.continuation.yield()
    }

    func wishReload() {
        reload = true
        bell.continuation.yield()
    }

    /// - Returns: why to stop; nil for a reload.
    func next() async -> StopReason? {
        var rings = bell.stream.makeAsyncIterator()
        while stop == nil, !reload { await rings.next(isolation: self) }
        if stop == nil { reload = false }
        return stop
    }

    /// How long a clean stop may take.
    static let patience = Duration.milliseconds(4500)

    /// Makes wishes of signals, until cancelled: of SIGHUP one to reload, of others one to stop.
    ///
    /// - Parameter leave: ends the process, some time after the first wish to stop: whatever hangs must not keep a
    ///   service manager waiting.
    nonisolated func follow(_ signals: UnixSignalsSequence, leave: @escaping @Sendable () -> Void) async {
        for await signal in signals {
            switch signal {
            case .sighup: await wishReload()
            case .sigint: await wishStop(.interrupted)
            default: await wishStop(.stopped, because: "\(signal)")
            }
            guard signal != .sighup else { continue }
            // In a task of its own: the one that stops the process may be what hangs.
            Task.detached {
                try await Task.sleep(for: Self.patience)
                leave()
            }
        }
    }
}
