internal import Database
internal import MQTTWire
internal import NIOCore
internal import SQLite

extension StoreDatabase {
    struct Loaded {
        var state = StoredState()
        /// Rows that say nothing, or that belong to something that is not there. They are not in the state.
        var dropped = 0
    }

    /// Reads everything.
    ///
    /// - Parameters:
    ///   - isDamaged: read from both ends of each table as far as it goes, and never throw.
    ///   - moment: when this is; deadlines go on from here.
    static func load(from connection: Connection, isDamaged: Bool = false, at moment: Moment) throws -> Loaded {
        var loaded = Loaded()
        let reader = TableReader(connection: connection, isDamaged: isDamaged)
        var sessions: [SessionID: Int] = [:]
        var clients: [[UInt8]: SessionID] = [:]
        var bodies: Set<Int64> = []
        var referenced: Set<Int64> = []

        loaded.dropped += try reader.rows(of: "session", key: "id") { row in
            guard let contents = sessionContents(row, at: moment) else { return false }
            let id = contents.session.id
            let client = Array(contents.session.clientIdentifier.utf8)
            // The newer of two with one name: it came in the other's place.
            let older = clients[client]
            guard older ?? -1 < id else { return false }
            clients[client] = id
            guard let older, let index = sessions.removeValue(forKey: older) else {
                sessions[id] = loaded.state.sessions.count
                loaded.state.sessions.append(contents)
                return true
            }
            sessions[id] = index
            loaded.state.sessions[index] = contents
            return false
        }
        loaded.dropped += try reader.rows(of: "subscription", key: "session", text: "filter") { row in
            guard let session = sessions[row.integer(0)], let subscription = subscription(row) else { return false }
            loaded.state.sessions[session].subscriptions.append(subscription)
            return true
        }
        // A file that was never opened for writing by this program may not have it.
        if (try? connection.prepare("SELECT * FROM offer")) != nil {
            loaded.dropped += try reader.rows(of: "offer", key: "session", text: "filter") { row in
                guard let session = sessions[row.integer(0)], let filter = try? TopicFilter(row.text(1)),
                    loaded.state.sessions[session].subscriptions.contains(where: { $0.subscription.filter == filter })
                else { return false }
                loaded.state.sessions[session].offers.append(
                    StoredOffer(filter: filter, last: row.text(2), below: row.integer(3).clamped(to: numbers)))
                return true
            }
        }
        loaded.dropped += try reader.rows(of: "received", key: "session", "identifier") { row in
            guard let session = sessions[row.integer(0)],
                let identifier = UInt16(exactly: row.integer(1)).flatMap(PacketIdentifier.init)
            else { return false }
            loaded.state.sessions[session].received.append(identifier)
            return true
        }
        loaded.dropped += try reader.rows(of: "message", key: "id") { row in
            guard let message = message(row, at: moment) else { return false }
            bodies.insert(message.id)
            loaded.state.messages.append(message)
            return true
        }
        loaded.dropped += try reader.rows(of: "queue", key: "session", "sequence") { row in
            guard let session = sessions[row.integer(0)], let entry = entry(row), bodies.contains(entry.message) else {
                return false
            }
            loaded.state.sessions[session].queue.append(entry)
            referenced.insert(entry.message)
            return true
        }
        loaded.dropped += try reader.rows(of: "retained", text: "topic") { row in
            guard let topic = try? TopicName(row.text(0)), bodies.contains(row.integer(1)) else { return false }
            loaded.state.retained.append((topic, row.integer(1)))
            referenced.insert(row.integer(1))
            return true
        }
        loaded.dropped += try reader.rows(of: "will", text: "client") { row in
            guard let will = will(row) else { return false }
            loaded.state.wills.append((row.text(0), will))
            return true
        }
        var next: [String: Int64] = [:]
        loaded.dropped += try reader.rows(of: "meta", text: "name") { row in
            next[row.text(0)] = row.integer(1).clamped(to: numbers)
            return true
        }

        let messages = loaded.state.messages.count
        loaded.state.messages.removeAll { !referenced.contains($0.id) }
        loaded.dropped += messages - loaded.state.messages.count
        for index in loaded.state.sessions.indices { loaded.state.sessions[index].complete() }
        loaded.state.nextSessionID = max(1, next[MetaName.session] ?? 1, (sessions.keys.max() ?? 0) + 1)
        loaded.state.nextMessageID = max(1, next[MetaName.message] ?? 1, (bodies.max() ?? 0) + 1)
        return loaded
    }

    private static func sessionContents(_ row: Statement, at moment: Moment) -> StoredState.SessionContents? {
        guard let version = UInt8(exactly: row.integer(3)).flatMap(ProtocolVersion.init),
            let expiry = UInt32(exactly: row.integer(4)), numbers.contains(row.integer(0))
        else { return nil }
        let session = StoredSession(
            id: row.integer(0), clientIdentifier: row.text(1), username: row.isNull(2) ? nil : row.text(2),
            version: version, expiryInterval: expiry, deadline: deadline(row, 5, at: moment))
        return StoredState.SessionContents(session: session, nextSequence: row.integer(7).clamped(to: numbers))
    }

    private static func subscription(_ row: Statement) -> StoredSubscription? {
        let flags = row.integer(2)
        guard let filter = try? TopicFilter(row.text(1)), let qos = QoS(flags),
            let retainHandling = UInt8(exactly: flags >> Flags.retainHandlingShift)
                .flatMap(Subscription.RetainHandling.init)
        else { return nil }
        let subscription = Subscription(
            filter: filter, qos: qos, noLocal: flags & Flags.noLocal != 0,
            retainAsPublished: flags & Flags.retainAsPublished != 0, retainHandling: retainHandling)
        guard !row.isNull(3) else { return StoredSubscription(subscription: subscription) }
        guard let identifier = UInt32(exactly: row.integer(3)) else { return nil }
        return StoredSubscription(subscription: subscription, identifier: identifier)
    }

    private static func message(_ row: Statement, at moment: Moment) -> StoredMessage? {
        guard numbers.contains(row.integer(0)), let qos = QoS(row.integer(1)), let topic = try? TopicName(row.text(5)),
            let properties = row.withBlob(6, { PropertiesBlob.decode(ByteBuffer(bytes: $0)) })
        else { return nil }
        let message = ServerMessage(
            topic: topic, payload: row.withBlob(7) { ByteBuffer(bytes: $0) }, qos: qos,
            retain: row.integer(1) & Flags.retain != 0, properties: properties)
        return StoredMessage(
            id: row.integer(0), message: message, publisher: row.text(4), deadline: deadline(row, 2, at: moment))
    }

    private static func entry(_ row: Statement) -> StoredEntry? {
        let flags = row.integer(3)
        guard numbers.contains(row.integer(1)), let qos = QoS(flags) else { return nil }
        let identifiers = row.withBlob(4) { bytes in
            stride(from: 0, to: bytes.count - 3, by: 4).map {
                UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self))
            }
        }
        return StoredEntry(
            sequence: row.integer(1), message: row.integer(2), qos: qos, retain: flags & Flags.retain != 0,
            subscriptionIdentifiers: identifiers, isReleased: flags & Flags.released != 0,
            isUnsent: flags & Flags.unsent != 0)
    }

    private static func will(_ row: Statement) -> StoredWill? {
        guard let delay = UInt32(exactly: row.integer(2)), let qos = QoS(row.integer(3)),
            let topic = try? TopicName(row.text(4)),
            let properties = row.withBlob(5, { PropertiesBlob.decode(ByteBuffer(bytes: $0)) })
        else { return nil }
        let will = Will(
            topic: topic, payload: row.withBlob(6) { ByteBuffer(bytes: $0) }, qos: qos,
            retain: row.integer(3) & Flags.retain != 0, properties: properties)
        return StoredWill(will: will, username: row.isNull(1) ? nil : row.text(1), delay: delay)
    }

    private static func deadline(_ row: Statement, _ column: Int32, at moment: Moment) -> NIODeadline? {
        guard !row.isNull(column) else { return nil }
        return moment.deadline(Moment.Ending(wall: row.integer(column), remaining: row.integer(column + 1)))
    }
}

/// What numbers of sessions, messages and entries can be; a damaged file may say anything.
private let numbers = Int64(0)...1 << 60

extension StoredState.SessionContents {
    /// Brings the queue in order and the next number behind it.
    fileprivate mutating func complete() {
        queue.sort { $0.sequence < $1.sequence }
        nextSequence = max(nextSequence, queue.last.map { $0.sequence + 1 } ?? 0)
    }
}

extension QoS {
    fileprivate init?(_ flags: Int64) { self.init(rawValue: UInt8(flags & StoreDatabase.Flags.qos)) }
}

/// A row's primary key: up to two numbers, and then perhaps a text.
private struct RowKey: Hashable, Comparable {
    private var numbers: SIMD2<Int64> = .zero
    private var text: [UInt8] = []

    init(_ row: Statement, numbers count: Int, hasText: Bool) {
        for index in 0..<count { numbers[index] = row.integer(Int32(index)) }
        if hasText { text = Array(row.text(Int32(count)).utf8) }
    }

    static func < (left: Self, right: Self) -> Bool {
        if left.numbers[0] != right.numbers[0] { return left.numbers[0] < right.numbers[0] }
        if left.numbers[1] != right.numbers[1] { return left.numbers[1] < right.numbers[1] }
        return left.text.lexicographicallyPrecedes(right.text)
    }
}

private struct TableReader {
    let connection: Connection
    let isDamaged: Bool

    /// Gives a table's rows to `body`, which says whether it could use them; no row comes twice.
    ///
    /// - Parameters:
    ///   - numbers: the columns that the primary key, and the table, begin with.
    ///   - text: the key's column behind these.
    /// - Returns: how many rows were of no use.
    func rows(
        of table: String, key numbers: String..., text: String? = nil, _ body: (Statement) -> Bool
    ) throws -> Int {
        var unused = 0
        func key(_ row: Statement) -> RowKey { RowKey(row, numbers: numbers.count, hasText: text != nil) }
        func statement(_ order: String) throws -> Statement {
            let columns = (numbers + [text].compactMap(\.self)).map { "\($0) \(order)" }.joined(separator: ", ")
            return try connection.prepare("SELECT * FROM \(table) ORDER BY \(columns)")
        }
        guard isDamaged else {
            let all = try statement("ASC")
            var last: RowKey?
            while try all.step() {
                let key = key(all)
                guard last.map({ $0 < key }) ?? true else {
                    throw SQLiteError(
                        extendedCode: 11 /* SQLITE_CORRUPT */, message: "the rows of \(table) are out of order",
                        path: connection.path)
                }
                last = key
                if !body(all) { unused += 1 }
            }
            return unused
        }
        // From both ends towards the damage.
        var seen: Set<RowKey> = []
        for order in ["ASC", "DESC"] {
            guard let all = try? statement(order) else { break }
            // Up to the damage, or to where the other end's reading has come. Damage may also lead in circles.
            while (try? all.step()) == true, seen.insert(key(all)).inserted {
                if !body(all) { unused += 1 }
            }
        }
        return unused
    }
}
