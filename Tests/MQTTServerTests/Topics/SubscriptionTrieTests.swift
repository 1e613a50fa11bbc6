import MQTTWire
import TestSupport
import Testing

@testable import MQTTServer

/// Random topics and filters of few different levels, so that they meet.
struct TopicGenerator {
    var random: SplitMix64
    private static let levels = ["a", "b", "", "é", "e\u{301}", "$", "$SYS", "ab"]

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func pick(_ count: Int) -> Int { Int(random.next() >> 33) % count }

    private mutating func depth() -> Int { pick(30) == 0 ? 20 + pick(200) : 1 + pick(4) }

    mutating func name() -> TopicName {
        while true {
            let text = (0..<depth()).map { _ in Self.levels[pick(Self.levels.count)] }.joined(separator: "/")
            if let name = try? TopicName(text) { return name }
        }
    }

    mutating func filter(isShared: Bool = false) -> TopicFilter {
        while true {
            var levels = (0..<depth()).map { _ in pick(3) == 0 ? "+" : Self.levels[pick(Self.levels.count)] }
            if pick(3) == 0 { levels[levels.count - 1] = "#" }
            let text = (isShared ? "$share/\(["g", "h"][pick(2)])/" : "") + levels.joined(separator: "/")
            if let filter = try? TopicFilter(text) { return filter }
        }
    }
}

@Suite struct SubscriptionTrieTests {
    private struct Wanted: Hashable {
        var filter: TopicFilter
        var session: Int
    }

    @Test(
        "It finds what comparing with each filter finds, while subscriptions come and go",
        arguments: 0..<5 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var generator = TopicGenerator(seed: seed)
        var trie = SubscriptionTrie()
        var wanted: [Wanted: UInt32] = [:]
        var order: [Wanted] = []
        for number in 0..<3_000 as Range<UInt32> {
            // Rising at first, falling at the end.
            if generator.pick(3_000) > Int(number), generator.pick(4) > 0 || order.isEmpty {
                let entry = Wanted(
                    filter: generator.filter(isShared: generator.pick(3) == 0), session: generator.pick(6))
                let isNew = wanted.updateValue(number, forKey: entry) == nil
                if isNew { order.append(entry) }
                trie.insert(
                    StoredSubscription(subscription: Subscription(filter: entry.filter), identifier: number),
                    session: entry.session, isNew: isNew)
            } else if !order.isEmpty {
                order.swapAt(generator.pick(order.count), order.count - 1)
                let entry = order.removeLast()
                wanted[entry] = nil
                trie.remove(entry.filter, session: entry.session)
                // Again, and one that never was: nothing happens.
                trie.remove(entry.filter, session: entry.session)
                trie.remove(generator.filter(), session: 99)
            }
            let topic = generator.name()
            let match = trie.match(topic)
            let found = match.subscribers + match.groups.flatMap { trie.members(of: $0) }
            let expected = wanted.filter { $0.key.filter.matches(topic) }
            guard found.compactMap(\.identifier).sorted() == expected.values.sorted(),
                match.groups.count == Set(expected.keys.filter(\.filter.isShared).map(\.filter)).count,
                trie.count == wanted.count, trie.sharedCount == wanted.keys.count(where: \.filter.isShared)
            else {
                Issue.record("seed \(seed), step \(number), topic \(topic): \(match), expected \(expected)")
                return
            }
        }
        for entry in order { trie.remove(entry.filter, session: entry.session) }
        #expect(trie.count == 0)
        #expect(trie.sharedCount == 0)
    }

    @Test("Deep wildcards cost no more than there are filters")
    func deepWildcards() throws {
        var trie = SubscriptionTrie()
        for depth in 1...200 {
            let filter = try TopicFilter(Array(repeating: "+", count: depth).joined(separator: "/"))
            let rest = try TopicFilter(Array(repeating: "+", count: depth).joined(separator: "/") + "/#")
            for filter in [filter, rest] {
                trie.insert(StoredSubscription(subscription: Subscription(filter: filter)), session: depth, isNew: true)
            }
        }
        let topic = try TopicName(Array(repeating: "a", count: 150).joined(separator: "/"))
        #expect(trie.match(topic).subscribers.count == 151)
        let long = try TopicName(String(repeating: "/", count: 65_535))
        #expect(trie.match(long).subscribers.count == 200)
    }

    @Test("What comes behind the group is what is matched")
    func matchedPart() throws {
        #expect(try TopicFilter("$share/g/a/+").matchedPart == "a/+")
        #expect(try TopicFilter("$share/g//").matchedPart == "/")
        #expect(try TopicFilter("$share/g/$share/h/a").matchedPart == "$share/h/a")
        #expect(try TopicFilter("$shared/g/a").matchedPart == "$shared/g/a")
        #expect(try TopicFilter("/").matchedPart.topicLevels.count == 2)
    }
}
