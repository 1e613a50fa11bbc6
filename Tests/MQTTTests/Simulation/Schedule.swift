import MQTTWire
import TestSupport

/// One thing that happens in a simulated world. What cannot happen at the moment does nothing.
enum Event: UInt8, Sendable, CaseIterable {
    /// The application hands a message to the store.
    case append
    /// The application wants a message sent now, past the store.
    case publishDirectly
    /// The store's disk takes what waits.
    case commit
    /// A message that waits in the store and was not given out by this process is dropped, for its age or a limit.
    case evict
    /// The store carries one call out.
    case storeWorks
    /// One answer of the store reaches the client.
    case clientHears
    /// The socket takes so many packets again.
    case pump
    case clientReads
    case serverReads
    /// The server has persisted what it read, and answers.
    case serverAnswers
    case serverPublishes
    /// The application is done with a message that arrived.
    case process
    case connect
    case cut
    /// The client notices that its connection is gone.
    case notice
    case clientCrashes
    case serverCrashes
    case sessionExpires
    /// Everything that waits gets on by one step or more.
    case advance

    var weight: Int {
        switch self {
        case .append: 14
        case .publishDirectly: 2
        case .commit: 7
        case .evict: 1
        case .storeWorks: 16
        case .clientHears: 16
        case .pump: 4
        case .clientReads: 22
        case .serverReads: 26
        case .serverAnswers: 10
        case .serverPublishes: 6
        case .process: 6
        case .connect: 8
        case .cut: 6
        case .notice: 8
        case .clientCrashes: 4
        case .serverCrashes: 2
        case .sessionExpires: 1
        case .advance: 12
        }
    }

    /// Each event as often as its weight says.
    static let urn: [Event] = allCases.flatMap { [Event](repeating: $0, count: $0.weight) }
}

/// What a world is like, for the whole of a schedule.
struct Setup: Sendable, Hashable {
    var version: ProtocolVersion
    /// The client's store outlives its process, which may crash.
    var isDurable: Bool
    var maximumInFlight = 2
    /// What the server allows; each connection may lower it.
    var receiveMaximum = 4
    /// What the client allows.
    var ownReceiveMaximum = 2
    /// How far apart the store's numbers are; the packet identifiers repeat after 49,151.
    var stride: Int64 = 1
    /// The server passes QoS 2 messages on when they are released (3.1.1 §4.3.3, method B), not when they come.
    var deliversAtRelease = false
    /// The server answers when it has persisted, later.
    var persistsLate = false
    var endpoints = 1
    /// The client has a session when it begins.
    var beginsConnected = false
    /// Some messages go before others.
    var hasRanks = false
    /// The application may be done with a later message first.
    var processesOutOfOrder = false
    var evicts = false
    /// To see that faults are found.
    var fault: Fault?

    init(version: ProtocolVersion, isDurable: Bool) {
        self.version = version
        self.isDurable = isDurable
    }

    init(version: ProtocolVersion, isDurable: Bool, random: UInt64) {
        self.init(version: version, isDurable: isDurable)
        maximumInFlight = 1 + Int(random & 3)
        receiveMaximum = 1 + Int(random >> 2 & 3)
        ownReceiveMaximum = 1 + Int(random >> 4 & 1)
        stride = random >> 5 & 7 == 0 ? 49_151 : 1
        deliversAtRelease = random >> 8 & 1 == 1
        persistsLate = random >> 9 & 1 == 1
        endpoints = random >> 10 & 7 == 0 ? 2 : 1
        beginsConnected = random >> 13 & 3 != 0
        // Not where identifiers repeat, nor out of order: see `SimulationFindings`.
        hasRanks = stride == 1 && random >> 15 & 1 == 1
        evicts = stride == 1 && random >> 16 & 1 == 1
    }

    /// Each with one thing less that is special.
    var simpler: [Setup] {
        let plain = Setup(version: version, isDurable: isDurable)
        var all: [Setup] = []
        func add(_ change: (inout Setup) -> Void) {
            var setup = self
            change(&setup)
            if setup != self { all.append(setup) }
        }
        add { $0.endpoints = 1 }
        add { $0.beginsConnected = false }
        add { $0.hasRanks = false }
        add { $0.evicts = false }
        add { $0.processesOutOfOrder = false }
        add { $0.stride = 1 }
        add { $0.persistsLate = false }
        add { $0.deliversAtRelease = false }
        add { $0.receiveMaximum = plain.receiveMaximum }
        add { $0.maximumInFlight = plain.maximumInFlight }
        add { $0.ownReceiveMaximum = plain.ownReceiveMaximum }
        return all
    }
}

/// A world and what happens in it: everything that a run depends on.
struct Schedule: Sendable, Hashable {
    struct Step: Sendable, Hashable, CustomStringConvertible {
        var event: Event
        /// Which of several, how much: 0 is the plainest.
        var argument: UInt8 = 0

        init(_ event: Event, _ argument: UInt8 = 0) {
            self.event = event
            self.argument = argument
        }

        var description: String { argument == 0 ? ".init(.\(event))" : ".init(.\(event), \(argument))" }
    }

    var setup: Setup
    var steps: [Step]

    init(version: ProtocolVersion, isDurable: Bool, seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let random = generator.next()
        setup = Setup(version: version, isDurable: isDurable, random: random)
        steps = []
        let count = 30 + Int(random >> 32 & 63)
        steps.reserveCapacity(count)
        let urn = Event.urn
        for _ in 0..<count {
            let random = generator.next()
            steps.append(
                Step(urn[Int(random >> 32) % urn.count], UInt8(truncatingIfNeeded: random)))
        }
    }

    init(_ setup: Setup, _ steps: [Step]) {
        self.setup = setup
        self.steps = steps
    }

    /// The shortest and plainest schedule to be found that breaks the same rule.
    func shrunk() -> Shrunk? {
        guard var failure = World.failure(of: self) else { return nil }
        let rule = failure.rule
        var best = self
        func isBetter(_ candidate: Schedule) -> Bool {
            guard let found = World.failure(of: candidate), found.rule == rule else { return false }
            (best, failure) = (candidate, found)
            return true
        }
        var isShrinking = true
        while isShrinking {
            isShrinking = false
            // Chunks, from half of it down to single steps.
            var size = max(1, best.steps.count / 2)
            while true {
                var start = 0
                while start < best.steps.count {
                    var candidate = best
                    candidate.steps.removeSubrange(start..<min(start + size, best.steps.count))
                    if isBetter(candidate) { isShrinking = true } else { start += size }
                }
                if size == 1 { break }
                size /= 2
            }
            for setup in best.setup.simpler where isBetter(Schedule(setup, best.steps)) { isShrinking = true }
            for index in best.steps.indices {
                for argument in [0, best.steps[index].argument / 2] where argument < best.steps[index].argument {
                    var candidate = best
                    candidate.steps[index].argument = argument
                    if isBetter(candidate) { isShrinking = true }
                }
            }
        }
        return Shrunk(schedule: best, failure: failure)
    }
}

struct Shrunk: CustomStringConvertible {
    var schedule: Schedule
    var failure: Failure

    var description: String {
        """
        \(failure), after \(schedule.steps.count) steps: \(schedule.setup)
        \(schedule.steps)
          · \(World.story(of: schedule))
        """
    }
}

/// A rule that was broken.
struct Failure: Error, Sendable, CustomStringConvertible {
    enum Rule: String, Sendable {
        case lost = "D1: an accepted message is lost"
        case duplicate = "D3: a QoS 2 message came twice in one session"
        case unannounced = "D3: more duplicates than were announced"
        case order = "D4: messages of one priority arrived out of order"
        case neverCompletes = "every publish completes or is still queued"
        case window = "the window, or the server's receive maximum, is exceeded"
        case identifier = "a packet identifier is used for two messages"
        case incomingTwice = "D3: the application got a QoS 2 message twice"
        case incomingLost = "the server was told of a message that the application has not processed"
        case incomingOrder = "the application got messages out of order"
        case violation = "the client sees a protocol violation"
        case backoff = "a delay is beyond its ceiling"
    }

    var rule: Rule
    var detail: String

    var description: String { "\(rule.rawValue): \(detail)" }
}
