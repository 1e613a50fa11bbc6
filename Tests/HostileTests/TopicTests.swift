import MQTTWire
import NIOCore
import TestSupport
import Testing

extension Hostile {
    /// Topics and filters as long and as deep as the wire allows. A broker may refuse them; what it may not do is
    /// to take ages over them, or the memory of all others.
    @Suite(.serialized) struct TopicTests {
        private static let longest = String(repeating: "x", count: 65_535)
        private static let deepest = String(repeating: "/", count: 65_535)
        private static let deepNames = String(repeating: "a/", count: 32_767)

        @Test func `S3: topics and filters of 64 KiB are served or refused`() async throws {
            try await withBroker { broker in
                let port = broker.port
                try await attack(broker, "64 KiB topics", memory: 96 << 20) {
                    for topic in [Self.longest, Self.deepest, Self.deepNames] {
                        let name = try TopicName(topic)
                        let rest = topic.drop { $0 != "/" }
                        // The deepest wildcards that match it.
                        let filters = [topic, "+" + rest, topic + "#", topic.dropLast() + "#", topic.dropLast() + "+"]
                        for filter in filters where (try? TopicFilter(filter).matches(name)) == true {
                            let subscriber = try RawConnection.client("deep-subscriber", port: port)
                            // Refused in SUBACK, with DISCONNECT, or granted.
                            try subscriber.send(.subscribe([filter]))
                            guard case .suback(let answer) = try subscriber.receiveOrEnd() else { continue }
                            let publisher = try RawConnection.client("deep-publisher", port: port)
                            for retain in [false, true, false] {
                                try publisher.send(.publish(topic, ByteBuffer(string: "x"), retain: retain))
                            }
                            guard (try? publisher.settle()) != nil else { continue }
                            if answer.reasonCodes == [.grantedQoS0] {
                                guard try subscriber.settle() >= 2 else { throw Unexpected("granted, but not served") }
                            }
                            try publisher.send(.publish(topic, retain: true))
                            _ = try? publisher.settle()
                        }
                    }
                }
            }
        }

        @Test func `S3: wildcards a thousand levels deep do not blow up`() async throws {
            try await withBroker { broker in
                let port = broker.port
                try await attack(broker, "deep wildcards", memory: 96 << 20) {
                    // Kept open; a broker may refuse the deeper ones, or close.
                    let subscribers = try [10, 100, 190, 1_000, 10_000].map { depth in
                        let subscriber = try RawConnection.client("wild-\(depth)", port: port, version: .v3_1_1)
                        let plus = Array(repeating: "+", count: depth).joined(separator: "/")
                        try subscriber.send(.subscribe([plus, plus + "/#", "+/" + plus]))
                        return (depth: depth, isServed: try subscriber.receiveOrEnd() != nil, connection: subscriber)
                    }
                    for depth in [9, 10, 11, 100, 189, 191, 1_000, 10_001, 32_000] {
                        let publisher = try RawConnection.client("deep", port: port, version: .v3_1_1)
                        let topic = Array(repeating: "a", count: depth).joined(separator: "/")
                        for _ in 0..<20 { try? publisher.send(.publish(topic)) }
                        _ = try? publisher.settle()
                    }
                    for subscriber in subscribers where subscriber.isServed {
                        let count = try subscriber.connection.settle()
                        if subscriber.depth <= 100, count < 20 { throw Unexpected("\(count) messages came") }
                    }
                }
            }
        }

        /// Every level of the filters is either `a` or `+`: a topic of nothing but `a` matches all 2^11 of them, and
        /// a careless trie would visit as many branches for topics that match none.
        @Test func `S3: many filters of names and wildcards on every level are matched in time`() async throws {
            try await withBroker { broker in
                let port = broker.port
                try await attack(broker, "wildcard branches", memory: 96 << 20) {
                    let levels = 11
                    let filters = (0..<1 << levels).map { bits in
                        (0..<levels).map { bits >> $0 & 1 == 0 ? "a" : "+" }.joined(separator: "/")
                    }
                    let subscriber = try RawConnection.client("brancher", port: port, version: .v3_1_1)
                    for start in stride(from: 0, to: filters.count, by: 128) {
                        try subscriber.subscribe(Array(filters[start..<start + 128]))
                    }
                    let publisher = try RawConnection.client("prober", port: port, version: .v3_1_1)
                    let prefix = Array(repeating: "a", count: levels - 1).joined(separator: "/")
                    for _ in 0..<100 {
                        // One level too few, one too many, and one that matches.
                        try publisher.send(.publish(prefix), .publish(prefix + "/a/a"), .publish(prefix + "/a"))
                    }
                    try publisher.settle(within: .seconds(30))
                    let count = try subscriber.settle(within: .seconds(30))
                    // Once for each message, or once for each subscription that it matches (3.1.1 §3.3.5).
                    guard count >= 100 else { throw Unexpected("\(count) messages came") }
                }
            }
        }

        /// The other way round: retained messages in a trie, asked for with wildcards on every level.
        @Test func `S3: wildcards over many retained messages are answered in time`() async throws {
            try await withBroker { broker in
                let port = broker.port
                try await attack(broker, "wildcards over retained messages", memory: 96 << 20) {
                    let levels = 11
                    let publisher = try RawConnection.client("keeper", port: port, version: .v3_1_1)
                    for bits in 0..<1 << levels {
                        let topic = (0..<levels).map { bits >> $0 & 1 == 0 ? "a" : "b" }.joined(separator: "/")
                        try publisher.send(.publish(topic, ByteBuffer(string: "kept"), retain: true))
                    }
                    try publisher.settle(within: .seconds(30))
                    let subscriber = try RawConnection.client("asker", port: port, version: .v3_1_1)
                    let plus = Array(repeating: "+", count: levels - 1).joined(separator: "/")
                    for round in 0..<20 {
                        try subscriber.subscribe([plus, plus + "/c", plus + "/+/+/#"], number: round)
                        guard try subscriber.settle() == 0 else { throw Unexpected("what does not match was sent") }
                    }
                    // This one matches all.
                    try subscriber.subscribe([plus + "/a", plus + "/b"], number: 30)
                    try subscriber.settle(within: .seconds(30))
                }
            }
        }
    }
}
