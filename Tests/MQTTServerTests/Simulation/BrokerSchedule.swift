import MQTTWire
import TestSupport

/// One thing that happens in a simulated world. What cannot happen at the moment does nothing.
enum BrokerStep: UInt8, Sendable, CaseIterable {
    /// An application publishes.
    case publish
    /// The server itself publishes.
    case serverPublishes
    /// An application is done with a message.
    case process
    case serverReads
    case clientReads
    /// A batch goes to the disk.
    case commitBegins
    /// It is there.
    case commitEnds
    case connect
    case disconnect
    case cut
    case serverNotices
    case clientNotices
    case clientDies
    case brokerDies
    case timePasses
    /// A socket takes nothing any more, or takes what waits.
    case stall
    case flush
    case deleteSession
    /// Everything that waits gets on.
    case advance

    var weight: Int {
        switch self {
        case .publish: 16
        case .serverPublishes: 2
        case .process: 12
        case .serverReads: 32
        case .clientReads: 30
        case .commitBegins: 12
        case .commitEnds: 12
        case .connect: 12
        case .disconnect: 2
        case .cut: 6
        case .serverNotices: 6
        case .clientNotices: 8
        case .clientDies: 4
        case .brokerDies: 4
        case .timePasses: 3
        case .stall: 5
        case .flush: 4
        case .deleteSession: 1
        case .advance: 7
        }
    }

    /// Each as often as its weight says.
    static let urn: [BrokerStep] = allCases.flatMap { [BrokerStep](repeating: $0, count: $0.weight) }
}

/// What a world is like, for the whole of a schedule.
struct BrokerSetup: Sendable, Hashable {
    var clients: [SimulatedClient.Traits]
    var maximumInFlight = 3
    var receiveMaximum: UInt16 = 4
    var queuedMessages = 1_000
    var dropsOldest = false
    var queuesQoS0 = false
    /// The first two are a group.
    var isShared = false
    /// Everybody is connected and subscribed at the beginning.
    var beginsConnected = true

    init(random: inout SplitMix64) {
        func pick(_ count: Int) -> Int { Int(random.next() >> 33) % count }
        let filters = ["t/#", "t/0", "+/1", "t/+"].compactMap { try? TopicFilter($0) }
        clients = (0..<3).map { _ in
            var traits = SimulatedClient.Traits()
            traits.version = pick(3) == 0 ? .v3_1_1 : .v5
            traits.expiry = pick(8) == 0 ? 0 : traits.version == .v5 && pick(4) == 0 ? 20 : .max
            traits.maximumInFlight = 1 + pick(4)
            traits.receiveMaximum = traits.version == .v5 && pick(2) == 0 ? UInt16(1 + pick(3)) : nil
            traits.hasWill = pick(4) == 0
            var wanted: [Subscription] = []
            for filter in filters where pick(2) == 0 {
                wanted.append(Subscription(filter: filter, qos: QoS(rawValue: UInt8(pick(5) / 2)) ?? .exactlyOnce))
            }
            traits.subscriptions = wanted
            return traits
        }
        maximumInFlight = 1 + pick(4)
        receiveMaximum = UInt16(1 + pick(4))
        if pick(6) == 0 { queuedMessages = 2 }
        dropsOldest = pick(2) == 0
        queuesQoS0 = pick(4) == 0
        beginsConnected = pick(4) > 0
        isShared = pick(6) == 0
        if isShared, let group = try? TopicFilter("$share/g/t/#"), let all = try? TopicFilter("t/#") {
            for index in clients.indices {
                clients[index].subscriptions = [
                    Subscription(filter: index < 2 ? group : all, qos: pick(4) == 0 ? .atLeastOnce : .exactlyOnce)
                ]
            }
        }
    }

    /// Each with one thing less that is special.
    var simpler: [BrokerSetup] {
        var all: [BrokerSetup] = []
        func add(_ change: (inout BrokerSetup) -> Void) {
            var setup = self
            change(&setup)
            if setup != self { all.append(setup) }
        }
        add { $0.queuedMessages = 1_000 }
        add { $0.dropsOldest = false }
        add { $0.queuesQoS0 = false }
        add { $0.maximumInFlight = 3 }
        add { $0.receiveMaximum = 4 }
        for index in clients.indices {
            add { $0.clients[index].hasWill = false }
            add { $0.clients[index].receiveMaximum = nil }
            add { $0.clients[index].maximumInFlight = 3 }
            add { $0.clients[index].expiry = .max }
            add { $0.clients[index].version = .v5 }
            if !isShared { add { $0.clients[index].subscriptions = [] } }
            if clients[index].subscriptions.count > 1 { add { $0.clients[index].subscriptions.removeLast() } }
        }
        return all
    }
}

/// A world and what happens in it: everything that a run depends on.
struct BrokerSchedule: Sendable {
    struct Step: Sendable, CustomStringConvertible {
        var step: BrokerStep
        /// Whose, which of several, how much.
        var argument: UInt8 = 0

        init(_ step: BrokerStep, _ argument: UInt8 = 0) {
            self.step = step
            self.argument = argument
        }

        var description: String { argument == 0 ? ".init(.\(step))" : ".init(.\(step), \(argument))" }
    }

    var setup: BrokerSetup
    var steps: [Step]

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        setup = BrokerSetup(random: &random)
        let count = 40 + Int(random.next() >> 33) % 80
        steps = (0..<count).map { _ in
            let number = random.next()
            return Step(
                BrokerStep.urn[Int(number >> 33) % BrokerStep.urn.count], UInt8(truncatingIfNeeded: number))
        }
    }

    init(_ setup: BrokerSetup, _ steps: [Step]) {
        self.setup = setup
        self.steps = steps
    }

    /// The shortest and plainest schedule to be found that breaks the same rule, told as a story.
    func shrunk() -> String {
        guard var failure = BrokerWorld.failure(of: self) else { return "it does not fail again" }
        var best = self
        func isBetter(_ candidate: BrokerSchedule) -> Bool {
            guard let found = BrokerWorld.failure(of: candidate), found.rule == failure.rule else { return false }
            (best, failure) = (candidate, found)
            return true
        }
        var isShrinking = true
        while isShrinking {
            isShrinking = false
            var size = max(1, best.steps.count / 2)
            while size > 0 {
                var start = 0
                while start < best.steps.count {
                    var candidate = best
                    candidate.steps.removeSubrange(start..<min(start + size, best.steps.count))
                    if isBetter(candidate) { isShrinking = true } else { start += size }
                }
                size /= 2
            }
            for setup in best.setup.simpler where isBetter(BrokerSchedule(setup, best.steps)) { isShrinking = true }
        }
        return """
            \(failure), after \(best.steps.count) steps: \(best.setup)
            \(best.steps)
              · \(BrokerWorld.story(of: best))
            """
    }
}

/// A rule that was broken.
struct BrokerFailure: Error, Sendable, CustomStringConvertible {
    enum Rule: String, Sendable {
        case lost = "a message that was acknowledged to its publisher is lost"
        case duplicate = "a QoS 2 message came twice"
        case order = "messages of one publisher, topic and QoS arrived out of order"
        case window = "more is on its way than the client, or we, allow"
        case identifier = "a packet identifier is used for two messages"
        case duplicateFlag = "DUP is not what it should be"
        case tooEarly = "something was told before it was on disk"
        case violation = "one side sees the other break the protocol"
        case sessionLost = "a session is gone that should be there, or the other way round"
        case retained = "an older retained message came behind a newer one"
        case will = "a will was published after DISCONNECT"
        case counters = "the broker's counters are wrong"
        case store = "changes make no sense"
        case unfinished = "an exchange is never ended"
        case neverCompletes = "not everything comes to an end"
    }

    var rule: Rule
    var detail: String

    init(_ rule: Rule, _ detail: String) {
        self.rule = rule
        self.detail = detail
    }

    var description: String { "\(rule.rawValue): \(detail)" }
}
