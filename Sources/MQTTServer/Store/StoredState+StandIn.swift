internal import Database
internal import MQTTWire
internal import SQLite

extension StoredState {
    /// Takes in what an older program's broker has kept meanwhile, in a file of its own.
    ///
    /// A client that was there meanwhile knows the other session: that one goes on, and what waited in ours is sent behind
    /// what waits there. Of retained messages and wills the other's are the later ones; a retained message that was
    /// removed meanwhile, while the other broker did not know it, comes back.
    mutating func take(over other: StoredState) {
        let (firstSession, firstMessage) = (nextSessionID, nextMessageID)
        let ours = Dictionary(sessions.map { ($0.session.clientIdentifier, $0) }) { $1 }
        let theirs = Set(other.sessions.map(\.session.clientIdentifier))
        sessions.removeAll { theirs.contains($0.session.clientIdentifier) }
        for var contents in other.sessions {
            contents.session.id += firstSession
            for index in contents.queue.indices { contents.queue[index].message += firstMessage }
            for index in contents.offers.indices { contents.offers[index].below += firstMessage }
            // What it has answered with PUBREC it has.
            for var entry in ours[contents.session.clientIdentifier]?.queue ?? [] where !entry.isReleased {
                entry.sequence = contents.nextSequence
                contents.nextSequence += 1
                contents.queue.append(entry)
            }
            sessions.append(contents)
        }
        let retainedThere = Set(other.retained.map(\.topic))
        retained.removeAll { retainedThere.contains($0.topic) }
        retained += other.retained.map { ($0.topic, $0.message + firstMessage) }
        let wills = Set(other.wills.map(\.client)).union(theirs)
        self.wills.removeAll { wills.contains($0.client) }
        self.wills += other.wills
        messages += other.messages.map {
            var message = $0
            message.id += firstMessage
            return message
        }
        let referenced = Set(sessions.flatMap { $0.queue.map(\.message) } + retained.map(\.message))
        messages.removeAll { !referenced.contains($0.id) }
        nextSessionID += other.nextSessionID
        nextMessageID += other.nextMessageID
    }
}

extension StoreDatabase {
    private static let name = "stand_in"
    private static let taken = "taken_over"

    /// Gives a stand-in a name by which it is known, unless it has one.
    func nameStandIn() throws {
        try connection.execute("INSERT OR IGNORE INTO meta VALUES ('\(Self.name)', \(Int64.random(in: 1 ... .max)))")
    }

    func standInName() throws -> Int64? { try number(Self.name) }

    /// The stand-in that was taken over last.
    func takenStandIn() throws -> Int64? { try number(Self.taken) }

    /// To be called in the transaction that takes it over.
    func noteTaken(_ standIn: Int64) throws {
        try connection.execute("INSERT OR REPLACE INTO meta VALUES ('\(Self.taken)', \(standIn))")
    }

    private func number(_ name: String) throws -> Int64? {
        let statement = try connection.prepare("SELECT value FROM meta WHERE name = ?1")
        try statement.bind(name, at: 1)
        return try statement.step() ? statement.integer(0) : nil
    }
}
