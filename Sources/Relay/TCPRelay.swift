public import NIOCore
internal import NIOPosix

/// A TCP relay on 127.0.0.1 whose line can be cut, stalled, slowed down and mended while it runs.
///
/// A client connects to ``port`` instead of to its server, and the relay forwards both ways with back-pressure: it
/// stops reading a side while 256 KiB of that side wait for the other, and keeps ends (FIN) and resets apart. Between
/// a fault and ``mend()`` the line behaves as the fault says:
///
/// ```swift
/// let relay = try await TCPRelay.start(toPort: broker.port)
/// try await relay.waitForConnection(count: 1)
/// await relay.cut()                       // the cable is cut, nobody listens
/// …
/// try await relay.mend()
/// await relay.stop()
/// ```
///
/// The actor runs on its event loop: a fault is in force for every byte that the relay reads after the call returned.
public actor TCPRelay {
    /// Where clients connect to, on 127.0.0.1; the same from the start to ``stop()``.
    public nonisolated let port: Int
    /// What has happened so far.
    public internal(set) var counters = Counters() {
        didSet { wakeWaiters() }
    }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    nonisolated let eventLoop: any EventLoop
    let target: (host: String, port: Int)
    var reservation: ReservedPort?
    var listener: (any Channel)?
    var links: [Int: Link] = [:]
    private var nextID = 0
    var faults = Faults()
    private var waiters: [Int: Waiter] = [:]

    /// Starts a relay that forwards to `host`:`port`.
    ///
    /// - Parameters:
    ///   - host: the server's name or address.
    ///   - port: the server's port. Nobody needs to listen there yet.
    ///   - eventLoop: carries the relay's sockets and its state. Any loop of SwiftNIO's, by default one of the
    ///     process-wide ones.
    /// - Throws: ``RelayError/noPort(errno:)``, or the kernel's reason not to listen.
    public static func start(
        toHost host: String = "127.0.0.1", port: Int,
        on eventLoop: (any EventLoop)? = nil
    ) async throws -> TCPRelay {
        let relay = TCPRelay(
            target: (host, port), reservation: try ReservedPort(),
            eventLoop: eventLoop ?? MultiThreadedEventLoopGroup.singleton.next())
        try await relay.listen()
        return relay
    }

    private init(target: (host: String, port: Int), reservation: ReservedPort, eventLoop: any EventLoop) {
        self.target = target
        self.reservation = reservation
        self.eventLoop = eventLoop
        port = reservation.number
    }

    /// Closes everything and gives the port back. Waiters are told ``RelayError/stopped``. A second call does nothing.
    public func stop() {
        reservation = nil
        closeListener()
        closeLinks(.reset)
        for id in waiters.keys { finishWaiter(id, .failure(RelayError.stopped)) }
    }

    // MARK: Faults

    /// Whether something is the matter that a ``mend()`` would end: the line is cut, or swallows what is sent.
    public var isBroken: Bool { faults.newcomers != .served || !faults.swallowed.isEmpty }

    /// Closes all connections and lets nobody through until ``mend()``.
    ///
    /// - Parameters:
    ///   - ending: how the connections are closed, on both sides.
    ///   - newcomers: what happens to those who connect from now on. With ``Newcomers/served`` the cut is momentary and
    ///     needs no mend.
    public func cut(_ ending: Ending = .reset, newcomers: Newcomers = .refused) {
        faults.newcomers = newcomers
        faults.plannedCut = PerDirection(nil)
        if newcomers == .refused { closeListener() }
        counters.cut += links.count
        closeLinks(ending)
    }

    /// Cuts the line as soon as exactly `count` more bytes were forwarded, counted over all connections from now on.
    /// Replaces an earlier plan for the same direction.
    ///
    /// - Parameters:
    ///   - count: bytes; 0 or less cuts at once.
    ///   - direction: the way in which they are counted.
    ///   - ending: how the connections are closed. After a ``Ending/reset`` the receiver may see fewer than `count`.
    ///   - newcomers: as in ``cut(_:newcomers:)``.
    public func cut(
        after count: Int, _ direction: Direction, ending: Ending = .orderly, newcomers: Newcomers = .refused
    ) {
        guard count > 0 else { return cut(ending, newcomers: newcomers) }
        faults.plannedCut[direction] = PlannedCut(remaining: count, ending: ending, newcomers: newcomers)
    }

    /// Pulls the cable: connections stay open, but what is sent in these directions is swallowed, ends and resets too.
    ///
    /// With one direction only, the other still passes: `stall([.toClient])` loses a broker's acknowledgements.
    ///
    /// - Parameters:
    ///   - directions: which ways are dead; replaces what an earlier call said.
    ///   - newcomers: what happens to those who connect from now on.
    public func stall(_ directions: Set<Direction> = .both, newcomers: Newcomers = .swallowed) {
        faults.swallowed = directions
        faults.newcomers = newcomers
        if newcomers == .refused { closeListener() }
        for link in links.values {
            for direction in directions {
                if let lost = link.pipes[direction].drop() {
                    swallow(lost, direction, of: link)
                }
                resumeReading(direction, of: link)
            }
        }
    }

    /// Hands bytes on this long after they came, in order. New connections are not delayed.
    ///
    /// - Parameters:
    ///   - duration: 0 turns the delay off, and what waits longer than the new delay is brought forward.
    ///   - directions: the ways for which it holds; the others keep theirs.
    public func setDelay(_ duration: Duration, _ directions: Set<Direction> = .both) {
        for direction in directions {
            faults.delay[direction] = duration
            for link in links.values {
                link.pipes[direction].hasten(to: due(direction))
                drain(link, direction)
            }
        }
    }

    /// Whether each byte is written on its own, 50 µs or more after the one before, so that a receiver meets packets in
    /// pieces. At most 20 kB/s pass then.
    public func setByteWise(_ on: Bool) {
        faults.isByteWise = on
    }

    /// Puts the line in order: all faults end, delayed bytes are delivered now, newcomers are served.
    ///
    /// Connections of which bytes, an end or a newcomer's whole call were swallowed are reset, since a stream with a
    /// hole is none. A connection that was idle all the while goes on, as it does over a cable that was out for a
    /// moment.
    ///
    /// - Throws: ``RelayError/stopped``, or the kernel's reason not to listen again.
    public func mend() async throws {
        faults = Faults()
        for link in links.values {
            if !link.lossy.isEmpty {
                counters.cut += 1
                close(link, .reset)
            } else {
                for direction in Direction.allCases {
                    link.pipes[direction].hasten(to: .now())
                    drain(link, direction)
                }
            }
        }
        try await listen()
    }

    // MARK: Waiting

    /// Waits until so many connections reached the server since the start.
    ///
    /// - Throws: ``RelayError/timedOut(what:limit:counters:)``, ``RelayError/stopped``, or a `CancellationError`.
    public func waitForConnection(count: Int = 1, timeout: Duration = .seconds(10)) async throws {
        try await wait(for: "connection number \(count)", timeout: timeout) { $0.connections >= count }
    }

    /// Waits until the counters satisfy a condition; returns at once if they do already.
    ///
    /// - Parameters:
    ///   - what: what is waited for; the error names it.
    ///   - timeout: how long at most.
    ///   - condition: asked on the event loop after each change; must not block.
    /// - Throws: ``RelayError/timedOut(what:limit:counters:)``, ``RelayError/stopped``, or a `CancellationError`.
    public func wait(
        for what: String, timeout: Duration = .seconds(10), until condition: @escaping @Sendable (Counters) -> Bool
    ) async throws {
        if condition(counters) { return }
        guard reservation != nil else { throw RelayError.stopped }
        let id = takeID()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let alarm = eventLoop.scheduleTask(in: TimeAmount(timeout)) {
                    self.assumeIsolated {
                        let error = RelayError.timedOut(what: what, limit: timeout, counters: $0.counters)
                        $0.finishWaiter(id, .failure(error))
                    }
                }
                waiters[id] = Waiter(condition: condition, continuation: continuation, alarm: alarm)
            }
        } onCancel: {
            eventLoop.execute {
                self.assumeIsolated { $0.finishWaiter(id, .failure(CancellationError())) }
            }
        }
    }

    private struct Waiter {
        var condition: @Sendable (Counters) -> Bool
        var continuation: CheckedContinuation<Void, any Error>
        var alarm: Scheduled<Void>
    }

    private func wakeWaiters() {
        for (id, waiter) in waiters where waiter.condition(counters) { finishWaiter(id, .success(())) }
    }

    private func finishWaiter(_ id: Int, _ result: Result<Void, any Error>) {
        guard let waiter = waiters.removeValue(forKey: id) else { return }
        waiter.alarm.cancel()
        waiter.continuation.resume(with: result)
    }

    func takeID() -> Int {
        defer { nextID += 1 }
        return nextID
    }
}
