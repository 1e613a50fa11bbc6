package import Database
internal import MQTTWire
internal import NIOCore
internal import SQLite

/// A store's file: all of its SQL, and nothing of its policy.
///
/// Every change sets or removes what it names, so changes may be applied twice.
final class StoreDatabase {
    /// `ends` and `remaining` are a deadline's ``Moment/Ending``. `next` and the numbers of `meta` are lower bounds for
    /// what will be given next; rows with higher ones speak for themselves.
    static let format = DatabaseFormat(
        applicationID: 0x4650_4253 /* FPBS */, pageSize: 4096,
        steps: [
            DatabaseFormat.Step(
                """
                CREATE TABLE session (id INTEGER PRIMARY KEY, client TEXT NOT NULL, username TEXT,
                    version INTEGER NOT NULL, expiry INTEGER NOT NULL, ends INTEGER, remaining INTEGER,
                    next INTEGER NOT NULL DEFAULT 0);
                CREATE TABLE subscription (session INTEGER, filter TEXT, options INTEGER NOT NULL, identifier INTEGER,
                    PRIMARY KEY (session, filter)) WITHOUT ROWID;
                CREATE TABLE message (id INTEGER PRIMARY KEY, flags INTEGER NOT NULL, ends INTEGER, remaining INTEGER,
                    publisher TEXT NOT NULL, topic TEXT NOT NULL, properties BLOB, payload BLOB NOT NULL);
                CREATE TABLE queue (session INTEGER, sequence INTEGER, message INTEGER NOT NULL, flags INTEGER NOT NULL,
                    identifiers BLOB, PRIMARY KEY (session, sequence)) WITHOUT ROWID;
                CREATE TABLE received (session INTEGER, identifier INTEGER,
                    PRIMARY KEY (session, identifier)) WITHOUT ROWID;
                CREATE TABLE retained (topic TEXT PRIMARY KEY, message INTEGER NOT NULL) WITHOUT ROWID;
                CREATE TABLE will (client TEXT PRIMARY KEY, username TEXT, delay INTEGER NOT NULL,
                    flags INTEGER NOT NULL, topic TEXT NOT NULL, properties BLOB, payload BLOB NOT NULL) WITHOUT ROWID;
                CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
                """, readableFrom: 1),
            DatabaseFormat.Step(
                """
                CREATE TABLE IF NOT EXISTS offer (session INTEGER, filter TEXT, last TEXT NOT NULL,
                    below INTEGER NOT NULL, PRIMARY KEY (session, filter)) WITHOUT ROWID;
                """, readableFrom: 1),
        ])
    static let tables = [
        "session", "subscription", "message", "queue", "received", "retained", "will", "meta", "offer",
    ]
    private static let cache = 2 << 20

    let connection: Connection
    private let putSession: Statement
    private let reserveSequence: Statement
    /// By session: its row, and what belongs to it.
    private let deleteSession: [Statement]
    private let putSubscription: Statement
    private let deleteSubscription: Statement
    private let putMessage: Statement
    private let deleteMessage: Statement
    private let putEntry: Statement
    private let sendEntry: Statement
    private let releaseEntry: Statement
    private let deleteEntry: Statement
    private let putReceived: Statement
    private let deleteReceived: Statement
    private let putRetained: Statement
    private let deleteRetained: Statement
    private let putWill: Statement
    private let deleteWill: Statement
    private let putOffer: Statement
    private let deleteOffer: Statement
    private let reserveNumber: Statement
    /// What the file says of the numbers that will be given next, as far as it is known.
    private var reserved = Reserved()

    private struct Reserved {
        var sequences: [SessionID: Int64] = [:]
        var session: Int64 = 0
        var message: Int64 = 0
    }

    /// So many numbers are reserved at once, so that not every deletion has to note the highest that was ever given.
    private static let reservedSequences: Int64 = 64
    private static let reservedSessions: Int64 = 64
    private static let reservedMessages: Int64 = 4096

    /// Opens a database for writing, and creates what is missing.
    ///
    /// - Parameter maximumSize: bytes of its file.
    init(path: String, isSynchronous: Bool, maximumSize: Int) throws {
        connection = try Self.format.open(path, isSynchronous: isSynchronous, cache: Self.cache)
        try connection.pragma("max_page_count", max(1, maximumSize / Self.format.pageSize))
        putSession = try connection.prepare(
            """
            INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0) ON CONFLICT (id) DO UPDATE SET
            client = ?2, username = ?3, version = ?4, expiry = ?5, ends = ?6, remaining = ?7
            """)
        reserveSequence = try connection.prepare("UPDATE session SET next = max(next, ?2) WHERE id = ?1")
        deleteSession = [
            try connection.prepare("DELETE FROM session WHERE id = ?1"),
            try connection.prepare("DELETE FROM subscription WHERE session = ?1"),
            try connection.prepare("DELETE FROM queue WHERE session = ?1"),
            try connection.prepare("DELETE FROM received WHERE session = ?1"),
            try connection.prepare("DELETE FROM offer WHERE session = ?1"),
        ]
        putSubscription = try connection.prepare("INSERT OR REPLACE INTO subscription VALUES (?1, ?2, ?3, ?4)")
        deleteSubscription = try connection.prepare("DELETE FROM subscription WHERE session = ?1 AND filter = ?2")
        putMessage = try connection.prepare("INSERT OR REPLACE INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        deleteMessage = try connection.prepare("DELETE FROM message WHERE id = ?1")
        putEntry = try connection.prepare("INSERT OR REPLACE INTO queue VALUES (?1, ?2, ?3, ?4, ?5)")
        sendEntry = try connection.prepare(
            "UPDATE queue SET flags = flags & ~\(Flags.unsent) WHERE session = ?1 AND sequence = ?2")
        releaseEntry = try connection.prepare(
            "UPDATE queue SET flags = flags | \(Flags.released) WHERE session = ?1 AND sequence = ?2")
        deleteEntry = try connection.prepare("DELETE FROM queue WHERE session = ?1 AND sequence = ?2")
        putReceived = try connection.prepare("INSERT OR IGNORE INTO received VALUES (?1, ?2)")
        deleteReceived = try connection.prepare("DELETE FROM received WHERE session = ?1 AND identifier = ?2")
        putRetained = try connection.prepare("INSERT OR REPLACE INTO retained VALUES (?1, ?2)")
        deleteRetained = try connection.prepare("DELETE FROM retained WHERE topic = ?1")
        putWill = try connection.prepare("INSERT OR REPLACE INTO will VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        deleteWill = try connection.prepare("DELETE FROM will WHERE client = ?1")
        putOffer = try connection.prepare("INSERT OR REPLACE INTO offer VALUES (?1, ?2, ?3, ?4)")
        deleteOffer = try connection.prepare("DELETE FROM offer WHERE session = ?1 AND filter = ?2")
        reserveNumber = try connection.prepare(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = max(value, ?2)")
    }

    /// Runs `body` on this database in a transaction; what it throws rolls everything back.
    func transaction(_ body: (StoreDatabase) throws -> Void) throws {
        do {
            try connection.transaction { try body(self) }
        } catch {
            reserved = Reserved()
            throw error
        }
    }

    // MARK: - Within a transaction

    func apply(_ change: Change, at moment: Moment) throws {
        switch change {
        case .session(let session): try put(session, at: moment)
        case .sessionDeleted(let id):
            for statement in deleteSession { try statement.run(id) }
            reserved.sequences[id] = nil
            if id >= reserved.session {
                reserved.session = id + 1 + Self.reservedSessions
                try reserve(MetaName.session, reserved.session)
            }
        case .subscribed(let session, let subscription): try put(subscription, of: session)
        case .unsubscribed(let session, let filter):
            try deleteSubscription.bind(filter.string, at: 2)
            try deleteSubscription.run(session)
            try deleteOffer(session, filter)
        case .offered(let session, let offer): try put(offer, of: session)
        case .offerEnded(let session, let filter): try deleteOffer(session, filter)
        case .message(let message): try put(message, at: moment)
        case .messageDeleted(let id):
            try deleteMessage.run(id)
            if id >= reserved.message {
                reserved.message = id + 1 + Self.reservedMessages
                try reserve(MetaName.message, reserved.message)
            }
        case .queued(let session, let entry): try put(entry, of: session)
        case .sent(let session, let sequence): try sendEntry.run(session, sequence)
        case .released(let session, let sequence): try releaseEntry.run(session, sequence)
        case .dequeued(let session, let sequence):
            try deleteEntry.run(session, sequence)
            if sequence >= reserved.sequences[session] ?? 0 {
                try reserve(sequence + 1 + Self.reservedSequences, of: session)
            }
        case .received(let session, let identifier): try putReceived.run(session, Int64(identifier.rawValue))
        case .receivedReleased(let session, let identifier):
            try deleteReceived.run(session, Int64(identifier.rawValue))
        case .retained(let topic, let message):
            try putRetained.bind(topic.string, at: 1)
            try putRetained.bind(message, at: 2)
            try putRetained.run()
        case .retainedRemoved(let topic):
            try deleteRetained.bind(topic.string, at: 1)
            try deleteRetained.run()
        case .will(let client, let will?): try put(will, of: client)
        case .will(let client, nil):
            try deleteWill.bind(client, at: 1)
            try deleteWill.run()
        }
    }

    /// Puts this in the place of all there is.
    func replace(with state: StoredState, at moment: Moment) throws {
        for table in Self.tables { try connection.execute("DELETE FROM \(table)") }
        reserved = Reserved()
        for message in state.messages { try put(message, at: moment) }
        for contents in state.sessions {
            let id = contents.session.id
            try put(contents.session, at: moment)
            try reserve(contents.nextSequence, of: id)
            for subscription in contents.subscriptions { try put(subscription, of: id) }
            for entry in contents.queue { try put(entry, of: id) }
            for identifier in contents.received { try apply(.received(id, identifier), at: moment) }
            for offer in contents.offers { try put(offer, of: id) }
        }
        for (topic, message) in state.retained { try apply(.retained(topic, message: message), at: moment) }
        for (client, will) in state.wills { try put(will, of: client) }
        reserved.session = state.nextSessionID
        reserved.message = state.nextMessageID
        try reserve(MetaName.session, state.nextSessionID)
        try reserve(MetaName.message, state.nextMessageID)
    }

    private func put(_ session: StoredSession, at moment: Moment) throws {
        try putSession.bind(session.id, at: 1)
        try putSession.bind(session.clientIdentifier, at: 2)
        if let username = session.username { try putSession.bind(username, at: 3) }
        try putSession.bind(Int64(session.version.rawValue), at: 4)
        try putSession.bind(Int64(session.expiryInterval), at: 5)
        try putSession.bind(session.deadline.map(moment.ending), at: 6)
        try putSession.run()
    }

    private func put(_ subscription: StoredSubscription, of session: SessionID) throws {
        try putSubscription.bind(session, at: 1)
        try putSubscription.bind(subscription.subscription.filter.string, at: 2)
        try putSubscription.bind(Flags.of(subscription.subscription), at: 3)
        try putSubscription.bind(subscription.identifier.map(Int64.init), at: 4)
        try putSubscription.run()
    }

    private func put(_ offer: StoredOffer, of session: SessionID) throws {
        try putOffer.bind(offer.filter.string, at: 2)
        try putOffer.bind(offer.last, at: 3)
        try putOffer.bind(offer.below, at: 4)
        try putOffer.run(session)
    }

    private func deleteOffer(_ session: SessionID, _ filter: TopicFilter) throws {
        try deleteOffer.bind(filter.string, at: 2)
        try deleteOffer.run(session)
    }

    private func put(_ stored: StoredMessage, at moment: Moment) throws {
        let message = stored.message
        try putMessage.bind(stored.id, at: 1)
        try putMessage.bind(Flags.of(message.qos, retain: message.retain), at: 2)
        try putMessage.bind(stored.deadline.map(moment.ending), at: 3)
        try putMessage.bind(stored.publisher, at: 5)
        try putMessage.bind(message.topic.string, at: 6)
        try putMessage.run(Self.blob(message.properties), at: 7, message.payload, at: 8)
    }

    private func put(_ entry: StoredEntry, of session: SessionID) throws {
        try putEntry.bind(entry.message, at: 3)
        try putEntry.bind(
            Flags.of(entry.qos, retain: entry.retain) | (entry.isReleased ? Flags.released : 0)
                | (entry.isUnsent ? Flags.unsent : 0), at: 4)
        guard !entry.subscriptionIdentifiers.isEmpty else { return try putEntry.run(session, entry.sequence) }
        let identifiers = entry.subscriptionIdentifiers.map(\.bigEndian)
        try identifiers.withUnsafeBytes {
            try putEntry.bind(borrowed: $0, at: 5)
            try putEntry.run(session, entry.sequence)
        }
    }

    private func put(_ stored: StoredWill, of client: String) throws {
        try putWill.bind(client, at: 1)
        if let username = stored.username { try putWill.bind(username, at: 2) }
        try putWill.bind(Int64(stored.delay), at: 3)
        try putWill.bind(Flags.of(stored.will.qos, retain: stored.will.retain), at: 4)
        try putWill.bind(stored.will.topic.string, at: 5)
        try putWill.run(Self.blob(stored.will.properties, isWill: true), at: 6, stored.will.payload, at: 7)
    }

    private func reserve(_ next: Int64, of session: SessionID) throws {
        try reserveSequence.run(session, next)
        reserved.sequences[session] = next
    }

    private func reserve(_ name: String, _ next: Int64) throws {
        try reserveNumber.bind(name, at: 1)
        try reserveNumber.bind(next, at: 2)
        try reserveNumber.run()
    }

    private static func blob(_ properties: Properties, isWill: Bool = false) -> ByteBuffer {
        if properties.isEmpty { return ByteBuffer() }
        do {
            return try PropertiesBlob.encode(properties, isWill: isWill)
        } catch {
            // A hook has put in what belongs to a packet, and not to a message.
            return blob(Properties(properties.all.filter { $0 != error.property }), isWill: isWill)
        }
    }

    enum MetaName {
        static let session = "next_session"
        static let message = "next_message"
    }

    /// Small values together in an integer: two bits of QoS, and what else there is to say.
    enum Flags {
        static let qos: Int64 = 0b11
        static let retain: Int64 = 0b100
        static let released: Int64 = 0b1000
        static let unsent: Int64 = 0b10000
        static let noLocal: Int64 = 0b100
        static let retainAsPublished: Int64 = 0b1000
        static let retainHandlingShift: Int64 = 4

        static func of(_ qos: QoS, retain: Bool) -> Int64 { Int64(qos.rawValue) | (retain ? self.retain : 0) }

        static func of(_ subscription: Subscription) -> Int64 {
            Int64(subscription.qos.rawValue) | (subscription.noLocal ? noLocal : 0)
                | (subscription.retainAsPublished ? retainAsPublished : 0)
                | Int64(subscription.retainHandling.rawValue) << retainHandlingShift
        }
    }
}

extension Statement {
    fileprivate func run(_ first: Int64) throws {
        try bind(first, at: 1)
        try run()
    }

    fileprivate func run(_ first: Int64, _ second: Int64) throws {
        try bind(second, at: 2)
        try run(first)
    }

    /// Binds a deadline at two places.
    fileprivate func bind(_ ending: Moment.Ending?, at index: Int32) throws {
        guard let ending else { return }
        try bind(ending.wall, at: index)
        try bind(ending.remaining, at: index + 1)
    }

    fileprivate func run(_ properties: ByteBuffer, at first: Int32, _ payload: ByteBuffer, at second: Int32) throws {
        try properties.withUnsafeReadableBytes { properties in
            if !properties.isEmpty { try bind(borrowed: properties, at: first) }
            try payload.withUnsafeReadableBytes { payload in
                try bind(borrowed: payload, at: second)
                try run()
            }
        }
    }
}

extension MQTTServer {
    /// Of the file that ``ServerConfiguration/persistence`` names.
    package static var storeFormat: DatabaseFormat { StoreDatabase.format }
}
