import MQTTWire

// What must hold.
extension World {
    /// The client knows that the session is a new one: what an old one held is sent again.
    mutating func newSessionIsKnown(_ session: Int) {
        believed = session
        for number in entries.indices { entries[number].isOrphaned = false }
    }

    /// A server that lost the session said so, and nobody heard it: from now on the client resumes a session that is not
    /// the one it knows. MQTT has no means against that, so some checks end here.
    mutating func misled() {
        coverage.reached(.unseenNewSession)
        isMisled = true
        for number in entries.indices where entries[number].isOrphaned { entries[number].isExcused = true }
    }

    func hasArrived(_ number: Int) -> Bool {
        servers.contains { $0.state.arrivals.contains { $0.number == number } }
    }

    /// D1, when a message is forgotten.
    func checkNotLost(_ number: Int) throws(Failure) {
        let entry = entries[number]
        if entry.isRefused || entry.isExcused || hasArrived(number) { return }
        throw Failure(rule: .lost, detail: "#\(number) is forgotten and has not arrived")
    }

    /// The application gets a message.
    mutating func checkIncoming(_ number: Int) throws(Failure) {
        note("the application gets incoming #\(number)")
        let message = own[number]
        if message.exactlyOnce, !isMisled {
            guard message.process != client.process else {
                throw Failure(rule: .incomingTwice, detail: "incoming #\(number), one process")
            }
            guard !message.isSeen else {
                throw Failure(rule: .incomingTwice, detail: "incoming #\(number), after it was acknowledged")
            }
        }
        if message.process != 0 { coverage.reached(.ownRepeatedAfterCrash) }
        if message.process == 0, !isMisled {
            guard lastOwn.session != message.session || lastOwn.number < number else {
                throw Failure(rule: .incomingOrder, detail: "incoming #\(number) after #\(lastOwn.number)")
            }
            lastOwn = (message.session, number)
        }
        own[number].process = client.process
    }

    /// The server is told that a message need not be kept for the application.
    func checkProcessed(_ number: Int) throws(Failure) {
        guard own[number].isProcessed || isMisled else {
            throw Failure(rule: .incomingLost, detail: "incoming #\(number)")
        }
    }

    /// At the end, when everything is at rest.
    func judge() throws(Failure) {
        for entry in entries where entry.isAccepted && !entry.isDirect { try checkNotLost(entry.number) }
        try checkOrder()
        guard !setup.isDurable || client.process == 1, !isMisled else { return }
        var seen = Set<Int>()
        var repeated = Set<Int>()
        for server in servers {
            for arrival in server.state.arrivals where entries[arrival.number].exactlyOnce {
                if !seen.insert(arrival.number).inserted { repeated.insert(arrival.number) }
            }
        }
        guard repeated.count <= possibleDuplicates else {
            throw Failure(rule: .unannounced, detail: "\(repeated.count) duplicates, \(possibleDuplicates) announced")
        }
    }

    /// D4: first arrivals, in each rank. Where QoS 2 messages are passed on when they are released, QoS 1 messages
    /// overtake them.
    private func checkOrder() throws(Failure) {
        var firsts = [Int](repeating: .max, count: entries.count)
        for server in servers {
            for arrival in server.state.arrivals { firsts[arrival.number] = min(firsts[arrival.number], arrival.order) }
        }
        var latest = [0, 0, 0, 0]
        for entry in entries where entry.isAccepted && !entry.wasRefused && firsts[entry.number] != .max {
            let lane = entry.rank * 2 + (setup.deliversAtRelease && entry.exactlyOnce ? 1 : 0)
            guard latest[lane] < firsts[entry.number] else {
                throw Failure(rule: .order, detail: "#\(entry.number) came before one of its predecessors")
            }
            latest[lane] = firsts[entry.number]
        }
    }
}
