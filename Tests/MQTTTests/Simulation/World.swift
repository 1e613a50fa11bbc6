import MQTT
import MQTTWire
import NIOCore
import TestSupport

/// A client with its store, a server or two and the network between them, as a value that a ``Schedule`` drives. Nothing
/// is random here but the backoff, which has a seed of its own.
struct World {
    /// A message that the application publishes, and what the store, which is a list of them, knows of it.
    struct Entry {
        enum Place { case unsaved, stored, gone }

        var number: Int
        var exactlyOnce: Bool
        /// 0 is sent before 1.
        var rank: Int
        var id: MessageID
        var message: Message
        var isDirect: Bool
        var place = Place.unsaved
        var isGiven = false
        var isReleased = false
        /// Acknowledged: gone with the next commit.
        var isDone = false

        // For the checks only.
        var isAccepted = false
        var isRefused = false
        /// A server has said so, but perhaps nobody heard it.
        var wasRefused = false
        /// A server that passes on at PUBREL lost its session between PUBREC and PUBREL …
        var isOrphaned = false
        /// … and the client had no way to know.
        var isExcused = false
    }

    /// A message for the client; for the checks only.
    struct OwnMessage {
        var exactlyOnce: Bool
        var session: Int
        /// The last process that got it; 0: none.
        var process = 0
        var isProcessed = false
        /// The store knows that it was seen, or the server was told so.
        var isSeen = false
    }

    let setup: Setup
    var coverage: Coverage
    /// For a failing schedule: what happens, in words.
    let story: Story?

    final class Story {
        var events: [String] = []
    }

    /// Milliseconds.
    var now = 0
    var generator = SplitMix64(seed: 7)
    var entries: [Entry] = []
    var own: [OwnMessage] = []

    // The store, beside the messages.
    var unsaved: [Int] = []
    var done: [Int] = []
    /// Messages by rank, in the order of acceptance.
    var ranks: [[Int]] = [[], []]
    /// Messages before this one were here before this process.
    var firstOwnNumber = 0
    var storedName: Int?
    var storedIncoming: Set<PacketIdentifier> = []
    var asked: [StoreCall] = []
    var answered: [StoreAnswer] = []

    var client: ModelClient
    var servers: [ModelServer]
    /// The client's own is the last, when it has one.
    var wires: [Wire] = []
    var wireCount = 0

    // For the checks only.
    var sessionCount = 0
    var arrivalCount = 0
    /// The session that the client, and its store, take for theirs.
    var believed = 0
    /// The client cannot know that the session is a new one.
    var isMisled = false
    var possibleDuplicates = 0
    var lastOwn = (session: 0, number: -1)
    /// Found where nothing can be thrown.
    var broken: Failure?

    static let start = ContinuousClock.now
    static let topic = try? TopicName("t")
    /// A message's number is its payload's length, so that nothing has to be read.
    static let payloads = (0..<64).map { ByteBuffer(repeating: 0, count: $0) }
    /// So many of each kind are enough.
    static let maximumEntries = 14
    static let maximumOwn = 8

    init(_ setup: Setup, coverage: Coverage = Coverage(), story: Story? = nil) {
        self.setup = setup
        self.story = story
        self.coverage = coverage
        client = ModelClient(setup, process: 1)
        servers = (0..<setup.endpoints).map { _ in ModelServer() }
    }

    func note(_ text: @autoclosure () -> String) {
        if let story { story.events.append(text()) }
    }

    /// The wild time, then a calm one in which everything must come to an end.
    mutating func run(_ schedule: Schedule) throws(Failure) {
        coverage.schedules += 1
        coverage.steps += schedule.steps.count
        try begin()
        for step in schedule.steps { try carryOut(step.event, step.argument) }
        note("the network stays up")
        try calmDown()
        try judge()
    }

    static func failure(of schedule: Schedule) -> Failure? {
        var world = World(schedule.setup)
        do throws(Failure) {
            try world.run(schedule)
            return nil
        } catch {
            return error
        }
    }

    static func story(of schedule: Schedule) -> String {
        let story = Story()
        var world = World(schedule.setup, story: story)
        do throws(Failure) { try world.run(schedule) } catch { story.events.append("✘ \(error.rule.rawValue)") }
        return story.events.joined(separator: "\n  · ")
    }

    mutating func carryOut(_ event: Event, _ argument: UInt8) throws(Failure) {
        now += Int(argument & 15)
        let argument = Int(argument)
        switch event {
        case .append: append(argument)
        case .publishDirectly: publishDirectly(argument)
        case .commit: try commit()
        case .evict: evict(argument)
        case .storeWorks: try storeWorks()
        case .clientHears: try clientHears()
        case .pump: try pump(Self.budget(argument))
        case .clientReads: try clientReads(argument)
        case .serverReads: try serverReads(argument)
        case .serverAnswers: for server in servers.indices { serverAnswers(server) }
        case .serverPublishes: serverPublishes(argument)
        case .process: try process(argument)
        case .connect: try connect(argument)
        case .cut: cut(argument)
        case .notice: try notice(argument)
        case .clientCrashes: clientCrashes()
        case .serverCrashes: serverCrashes(argument)
        case .sessionExpires: sessionExpires(argument)
        case .advance: try advance()
        }
    }

    /// How many packets the socket takes: all, or 1 to 3.
    static func budget(_ argument: Int) -> Int { argument >> 4 & 3 == 0 ? 1_000 : argument >> 4 & 3 }

    private mutating func calmDown() throws(Failure) {
        for _ in 0..<200 {
            try advance()
            if isAtRest { return }
        }
        throw Failure(
            rule: .neverCompletes,
            detail: "\(entries.filter { $0.place == .stored }.map(\.number)) wait, \(client.session.inFlight) in flight"
        )
    }

    private mutating func advance() throws(Failure) {
        try commit()
        while !asked.isEmpty { try storeWorks() }
        while !answered.isEmpty { try clientHears() }
        if client.phase == .idle {
            try connect(0)
        } else if wires[wires.count - 1].isCut, wires[wires.count - 1].toClient.isEmpty {
            try notice(0)
        }
        while wires.contains(where: { !$0.toServer.isEmpty }) { try serverReads(0) }
        for server in servers.indices { serverAnswers(server) }
        while client.phase != .idle, !wires[wires.count - 1].toClient.isEmpty { try clientReads(0) }
        while !client.inbox.isEmpty { try process(0) }
        try pump(1_000)
    }

    /// Under 3.1.1 a server keeps a session from the second connection on.
    private mutating func begin() throws(Failure) {
        guard setup.beginsConnected else { return }
        try calmDown()
        guard setup.version == .v3_1_1 else { return }
        cut(0)
        try notice(0)
        try calmDown()
    }

    private var isAtRest: Bool {
        guard client.phase == .up, client.mayPublish, asked.isEmpty, answered.isEmpty, unsaved.isEmpty, done.isEmpty,
            client.session.inFlight == 0, client.inbox.isEmpty, client.noting == nil
        else { return false }
        let wire = wires[wires.count - 1]
        return !wire.isCut && wire.toServer.isEmpty && wire.toClient.isEmpty && servers[wire.server].state.own.isEmpty
            && servers[wire.server].answers.isEmpty && !entries.contains { $0.place == .stored }
    }
}
