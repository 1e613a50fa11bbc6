import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

/// A few clients that do whatever comes to their minds, from seeds: counters stay right, and what is on disk is what is in
/// memory.
@Suite struct BrokerModelTests {
    struct Crowd {
        var bench: Bench
        var random: SplitMix64
        /// Without what a later process cannot know: whose turn it is, what was sent with QoS 1 (and so may not expire or be
        /// dropped for room any more), and which retained messages wait to be given out.
        let isPlain: Bool
        private var unanswered: [Int: [Packet]] = [:]
        private static let topics = ["t", "t/1", "t/2", "u/1", "$x/1"]
        private static let filters = ["t/#", "t/+", "+/1", "#", "u/1", "$share/g/t/#", "$share/g/#", "$share/h/t/+"]

        init(seed: UInt64, isPlain: Bool = false) {
            random = SplitMix64(seed: seed)
            self.isPlain = isPlain
            let choice = random.next()
            bench = Bench(storesChanges: true) {
                $0.limits.maximumInFlight = 1 + Int(choice & 3)
                $0.limits.queuedMessages = choice >> 2 & 1 == 0 && !isPlain ? 4 : 1_000
                $0.limits.queuedBytes = choice >> 3 & 1 == 0 && !isPlain ? 1_000 : 1 << 20
                $0.limits.totalQueuedBytes = choice >> 4 & 1 == 0 && !isPlain ? 3_000 : 1 << 20
                $0.limits.eviction = choice >> 5 & 1 == 0 ? .oldest : .newest
                $0.limits.queuesQoS0 = choice >> 6 & 1 == 0
                $0.limits.retainedMessages = choice >> 7 & 1 == 0 ? 2 : 100
                $0.limits.maximumSessions = choice >> 8 & 3 == 0 ? 3 : 100
            }
            bench.commitsAtOnce = false
            bench.broker.wantsEvents = false
        }

        mutating func pick(_ count: Int) -> Int { Int(random.next() >> 33) % count }
        mutating func pick<Element>(_ elements: [Element]) -> Element { elements[pick(elements.count)] }
        private mutating func qos() -> QoS { QoS(rawValue: UInt8(pick(3))) ?? .atMostOnce }

        mutating func step(commitsOneIn: Int = 12) throws {
            let slot = 1 + pick(4)
            switch pick(20) {
            case 0, 1:
                unanswered[slot] = []
                let version: ProtocolVersion = pick(3) == 0 ? .v3_1_1 : .v5
                let expiry: UInt32? = version == .v5 ? pick([nil, 0, 20, .max]) : nil
                let will =
                    pick(3) == 0
                    ? try Will.test(
                        pick(Self.topics), "w", qos: qos(), retain: pick(2) == 0,
                        delay: version == .v5 ? pick([nil, 5, 30]) : nil) : nil
                var properties: Properties = []
                if version == .v5, pick(4) == 0 { properties.receiveMaximum = 1 }
                if version == .v5, pick(4) == 0 { properties.maximumPacketSize = 40 }
                bench.connect(
                    slot, version: version, clean: pick(4) == 0, expiry: expiry, will: will, properties: properties)
            case 2: bench.cut(slot)
            case 3:
                bench.disconnect(slot, pick([.normalDisconnection, .disconnectWithWill]), expiry: pick([nil, 0, 30]))
            case 4, 5:
                let filter = isPlain ? pick(Array(Self.filters[..<5])) : pick(Self.filters)
                let isPlain = isPlain
                try bench.subscribe(slot, filter, qos: qos(), identifier: UInt32(1 + pick(3))) {
                    $0.retainHandling = isPlain ? .never : .onSubscribe
                }
            case 6: try bench.unsubscribe(slot, pick(Self.filters))
            case 7...12:
                let size = pick([0, 1, 60, 400])
                try bench.publish(
                    slot, pick(Self.topics), String(repeating: "x", count: size), qos: qos(), retain: pick(4) == 0,
                    id: UInt16(1 + pick(4)),
                    properties: pick(3) == 0 && !isPlain ? [.messageExpiryInterval(UInt32(pick(20)))] : [])
            case 13:
                let identifier = try #require(PacketIdentifier(rawValue: UInt16(1 + pick(4))))
                bench.receive(slot, .pubrel(Acknowledgement(packetIdentifier: identifier)))
            case 14...17:
                unanswered[slot, default: []] += bench.take(slot)
                for _ in 0..<1 + pick(3) where unanswered[slot]?.isEmpty == false {
                    answer(unanswered[slot]?.removeFirst() ?? .pingreq, on: slot)
                }
            case 18:
                bench.pass(.seconds(Int64(pick(8))))
                if pick(6) == 0 { bench.perform { _ = $0.deleteSession(of: "c\(slot)", at: $1) } }
            default: bench.flushesAtOnce = pick(2) == 0
            }
            if bench.flushesAtOnce { for slot in 1...4 { bench.flush(slot) } }
            if pick(commitsOneIn) == 0 { bench.commit() }
        }

        private mutating func answer(_ packet: Packet, on slot: Int) {
            switch packet {
            case .publish(let publish):
                guard let identifier = publish.packetIdentifier else { return }
                let answer = Acknowledgement(
                    packetIdentifier: identifier, reasonCode: pick(8) == 0 ? .quotaExceeded : .success)
                bench.receive(slot, publish.qos == .exactlyOnce ? .pubrec(answer) : .puback(answer))
            case .pubrel(let pubrel):
                bench.receive(slot, .pubcomp(Acknowledgement(packetIdentifier: pubrel.packetIdentifier)))
            default: return
            }
        }

        /// What a later process would be given now, as the broker sees it.
        var everything: ModelStore {
            var copy = bench.broker
            return ModelStore(copy.everything().state)
        }
    }

    @Test("Counters stay right, and replayed changes are what the broker has in mind (300 seeds)")
    func journal() throws {
        for seed in 0..<300 as Range<UInt64> {
            var crowd = Crowd(seed: seed)
            for number in 0..<150 {
                try crowd.step()
                let found = crowd.bench.broker.inconsistencies
                guard found.isEmpty else {
                    Issue.record("seed \(seed), step \(number): \(found)")
                    return
                }
            }
            crowd.bench.commit()
            guard crowd.bench.store.faults.isEmpty else {
                Issue.record("seed \(seed): \(crowd.bench.store.faults)")
                return
            }
            guard crowd.bench.store.essence == crowd.everything.essence else {
                Issue.record("seed \(seed): \(crowd.bench.store) is not \(crowd.everything)")
                return
            }
        }
    }

    @Test("A journal that waits for long keeps no more than what is left to note")
    func longBatch() throws {
        for seed in 0..<3 as Range<UInt64> {
            var crowd = Crowd(seed: seed)
            for _ in 0..<8_000 { try crowd.step(commitsOneIn: .max) }
            crowd.bench.commit()
            #expect(crowd.bench.store.faults == [], "seed \(seed)")
            #expect(crowd.bench.store.essence == crowd.everything.essence, "seed \(seed)")
        }
    }

    @Test("When all sessions are gone nothing is counted, and nothing is stored but what is retained")
    func emptied() throws {
        for seed in 0..<200 as Range<UInt64> {
            var crowd = Crowd(seed: seed)
            for _ in 0..<150 { try crowd.step() }
            for slot in 1...4 { crowd.bench.perform { _ = $0.deleteSession(of: "c\(slot)", at: $1) } }
            crowd.bench.pass(.seconds(100))
            crowd.bench.commit()
            let statistics = crowd.bench.broker.statistics
            #expect(statistics.queuedMessages == 0, "seed \(seed)")
            #expect(statistics.queuedBytes == 0, "seed \(seed)")
            #expect(statistics.subscriptions == 0, "seed \(seed)")
            #expect(crowd.bench.store.sessions.isEmpty, "seed \(seed)")
            #expect(crowd.bench.store.wills.isEmpty, "seed \(seed)")
            #expect(crowd.bench.store.messages.count == crowd.bench.store.retained.count, "seed \(seed)")
        }
    }

    @Test("A broker that is restored from all that another had behaves as that one did (200 seeds)")
    func restored() throws {
        for seed in 1_000..<1_200 as Range<UInt64> {
            var crowd = Crowd(seed: seed, isPlain: true)
            for _ in 0..<120 { try crowd.step() }
            // Wills are a different matter: a later process gives clients time to come back.
            for slot in 1...4 { crowd.bench.disconnect(slot) }
            crowd.bench.pass(.seconds(31))
            crowd.bench.commit()
            var old = crowd.bench
            var new = crowd.bench
            old.commitsAtOnce = true
            new.commitsAtOnce = true
            old.flushesAtOnce = true
            new.flushesAtOnce = true
            new.restart()
            #expect(new.broker.inconsistencies == [], "seed \(seed)")
            #expect(ModelStore(new.broker.everything().state).essence == crowd.everything.essence, "seed \(seed)")
            for slot in 1...4 {
                let (before, after) = try (Self.outcome(&old, slot), Self.outcome(&new, slot))
                #expect(before == after, "seed \(seed), client \(slot)")
            }
            #expect(old.store.byClient == new.store.byClient, "seed \(seed)")
            #expect(new.store.faults == [], "seed \(seed)")
        }
    }

    /// What becomes of a client that comes back, repeats a QoS 2 message and listens.
    private static func outcome(_ bench: inout Bench, _ slot: Int) throws -> [Publish] {
        bench.connect(slot, clean: false, expiry: 1_000, properties: [.receiveMaximum(1)])
        try bench.publish(slot, "t/1", "again", qos: .exactlyOnce, id: 2, duplicate: true)
        return bench.consume(slot).map { publish in
            var publish = publish
            // A later process cannot know what was sent with QoS 1.
            publish.duplicate = false
            // What is new may have another number: not all that were given out came to the disk.
            if String(buffer: publish.payload) == "again" { publish.packetIdentifier = nil }
            publish.properties.subscriptionIdentifiers.sort()
            return publish
        }
    }
}
