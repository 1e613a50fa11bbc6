internal import NIOCore

/// The least time between two bytes of the byte-wise mode: enough for a receiver on the same event loop to read the
/// first, which would else meet both together.
private let byteSpacing = TimeAmount.microseconds(50)

/// What happens to the bytes of a connection; called by its two handlers.
extension TCPRelay {
    /// Bytes came from one side.
    func received(_ bytes: ByteBuffer, from side: Side, of id: Int) {
        guard let link = links[id] else { return }
        let direction = side.outgoing
        if isSwallowed(direction, of: link) {
            swallow(bytes.readableBytes, direction, of: link)
        } else {
            link.pipes[direction].append(.bytes(bytes), due: due(direction))
            drain(link, direction)
        }
    }

    /// One side's bytes were all handed over; read more if there is room.
    func readCompleted(_ side: Side, of id: Int) {
        guard let link = links[id] else { return }
        link.pipes[side.outgoing].isPaused = true
        resumeReading(side.outgoing, of: link)
    }

    func writabilityChanged(_ side: Side, of id: Int) {
        guard let link = links[id] else { return }
        for direction in Direction.allCases where direction.destination == side { drain(link, direction) }
    }

    /// One side sent its FIN.
    func finished(_ side: Side, of id: Int, _ channel: any Channel) {
        guard let link = links[id] else { return channel.close(promise: nil) }
        let direction = side.outgoing
        if isSwallowed(direction, of: link) {
            swallow(0, direction, of: link)
            channel.close(promise: nil)
        } else {
            link.pipes[direction].append(.end, due: due(direction))
            drain(link, direction)
        }
    }

    /// One side is gone.
    ///
    /// - Parameter byError: its connection failed. Otherwise it may have ended in good order: when our own side of it
    ///   is finished, the peer's FIN closes it at once.
    func vanished(_ side: Side, of id: Int, byError: Bool) {
        guard let link = links[id] else { return }
        link[side] = nil
        let outgoing = side.outgoing
        let (incoming, other): (Direction, Side) = side == .client ? (.toClient, .server) : (.toServer, .client)
        if isSwallowed(outgoing, of: link) && link[other] != nil {
            swallow(0, outgoing, of: link)
        } else if !byError && link.pipes[incoming].isEnded {
            link.pipes[outgoing].append(.end, due: due(outgoing))
            drain(link, outgoing)
        } else {
            close(link, .reset)
        }
    }

    /// Writes what is due for as long as the receiver takes it.
    func drain(_ link: Link, _ direction: Direction) {
        guard !link.isDraining, let receiver = link[direction.destination] else { return }
        link.isDraining = true
        defer { link.isDraining = false }
        while let next = link.pipes[direction].nextDue, receiver.isWritable {
            guard next <= .now() else {
                setAlarm(next, link.id, direction)
                break
            }
            let most = faults.isByteWise ? 1 : faults.plannedCut[direction]?.remaining ?? .max
            switch link.pipes[direction].take(atMost: most) {
            case .bytes(let bytes):
                let count = bytes.readableBytes
                receiver.writeAndFlush(bytes, promise: nil)
                counters.forwarded(count, direction)
                approachCut(by: count, direction)
            case .end:
                link.pipes[direction].isEnded = true
                receiver.finishWriting()
            case nil:
                break
            }
            if links[link.id] == nil { return }
            if faults.isByteWise && link.pipes[direction].nextDue != nil {
                setAlarm(.now() + byteSpacing, link.id, direction)
                break
            }
        }
        if Direction.allCases.allSatisfy({ link.pipes[$0].isEnded }) {
            // Both have been told; the kernel brings what is under way to its end.
            close(link, .orderly)
        } else {
            resumeReading(direction, of: link)
        }
    }

    private func approachCut(by count: Int, _ direction: Direction) {
        guard var plan = faults.plannedCut[direction] else { return }
        plan.remaining -= count
        faults.plannedCut[direction] = plan
        if plan.remaining <= 0 { cut(plan.ending, newcomers: plan.newcomers) }
    }

    private func setAlarm(_ deadline: NIODeadline, _ id: Int, _ direction: Direction) {
        links[id]?.pipes[direction].alarm?.cancel()
        links[id]?.pipes[direction].alarm = eventLoop.scheduleTask(deadline: deadline) {
            self.assumeIsolated { relay in
                if let link = relay.links[id] { relay.drain(link, direction) }
            }
        }
    }

    func resumeReading(_ direction: Direction, of link: Link) {
        guard link.pipes[direction].isPaused, !link.pipes[direction].isFull else { return }
        link.pipes[direction].isPaused = false
        link[direction.source]?.read()
    }

    func due(_ direction: Direction) -> NIODeadline {
        .now() + TimeAmount(faults.delay[direction])
    }

    private func isSwallowed(_ direction: Direction, of link: Link) -> Bool {
        // Once a hole is in the stream nothing after it may pass, and a swallowed newcomer has no server.
        faults.swallowed.contains(direction) || link.lossy.contains(direction)
            || (link[direction.destination] == nil && !link.isConnecting)
    }

    func swallow(_ count: Int, _ direction: Direction, of link: Link) {
        link.lossy.insert(direction)
        counters.swallowed(count, direction)
    }
}
