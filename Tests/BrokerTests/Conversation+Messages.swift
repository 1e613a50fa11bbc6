import MQTT
import MQTTWire
import NIOCore
import TestSupport
import Testing

// Messages both ways, while all is well.
extension Conversation {
    func publishing(_ qos: QoS) async throws {
        let subscriber = try await subscriber("\(name)/#", qos: Int(qos.rawValue))
        try await withClient(configuration()) { client in
            for number in 1...200 {
                try await client.publish(message("\(name)/\(number % 3)", "\(number)", qos), until: .acknowledged)
            }
            let lines = try await subscriber.wait { $0.count >= 200 }
            // Order is promised inside a topic.
            for topic in 0..<3 {
                #expect(
                    lines.filter { $0.hasPrefix("\(name)/\(topic) ") }
                        == (1...200).filter { $0 % 3 == topic }.map { "\(name)/\(topic) \(qos.rawValue) 0 \($0)" })
            }
            #expect(await client.statistics.completed == 200)
        }
    }

    func receiving(_ qos: QoS) async throws {
        try await withClient(configuration()) { client in
            let granted = try await client.subscribe([filter("\(name)/t", qos)])
            #expect(granted.map(\.rawValue) == [qos.rawValue])
            async let received = messages(5, from: client)
            for number in 1...5 { try await publish("\(name)/t", "\(number)", qos: Int(qos.rawValue)) }
            let messages = try await received
            // Each publisher is a connection of its own: there is no order between them.
            #expect(Set(messages.map { String(buffer: $0.payload) }) == ["1", "2", "3", "4", "5"])
            #expect(messages.allSatisfy { $0.qos == qos && !$0.retain && $0.topic.string == "\(name)/t" })
        }
    }

    func subscribingWithWildcards() async throws {
        try await withClient(configuration()) { client in
            try await client.subscribe([filter("\(name)/+/x"), filter("\(name)/deep/#")])
            async let received = messages(4, from: client)
            for topic in ["a/y", "a/x", "deep/1/2/3", "deep", "b/b/x", "b/x"] {
                try await client.publish(message("\(name)/\(topic)", "-"), until: .acknowledged)
            }
            #expect(
                Set(try await received.map(\.topic.string))
                    == Set(["a/x", "deep/1/2/3", "deep", "b/x"].map { "\(name)/\($0)" }))
            #expect(await client.statistics.received == 4)
        }
    }

    func unsubscribing() async throws {
        try await withClient(configuration()) { client in
            try await client.subscribe([filter("\(name)/more"), filter("\(name)/less")])
            async let received = payloads(3, from: client)
            for topic in ["more", "less"] { try await publish("\(name)/\(topic)", "first") }
            try await eventually("two messages") { await client.statistics.received == 2 }
            try await client.unsubscribe([TopicFilter("\(name)/less")])
            for topic in ["less", "more"] { try await publish("\(name)/\(topic)", topic) }
            #expect(try await received == ["first", "first", "more"])
            #expect(await client.statistics.received == 3)
        }
    }

    func retaining(filter: (_ topic: String) -> String) async throws {
        let topic = "\(name)/status"
        try await withClient(configuration()) { client in
            for text in ["first", "last"] {
                try await client.publish(message(topic, text, retain: true), until: .acknowledged)
            }
            try await withClient(configuration("-newcomer")) { newcomer in
                try await newcomer.subscribe([BrokerTests.filter(filter(topic))])
                let message = try await messages(1, from: newcomer)[0]
                #expect(message.retain)
                #expect(String(buffer: message.payload) == "last")
            }
            try await client.publish(message(topic, "", retain: true), until: .acknowledged)
            #expect(try await retained(port: broker.port, topic) == nil)
        }
    }

    func exchangingALargePayload() async throws {
        let count = 256 * 1024
        let payload = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        let topic = "\(name)/t"
        let subscriber = try await subscriber(topic, format: "%l")
        try await withClient(configuration()) { client in
            try await client.subscribe([filter(topic)])
            async let received = messages(1, from: client)
            try await client.publish(Message(topic: TopicName(topic), payload: payload), until: .acknowledged)
            #expect(try await received[0].payload == payload)
            #expect(try await subscriber.next() == "\(count)")
        }
    }

    func publishingToManyTopics() async throws {
        let subscriber = try await subscriber("\(name)/#", format: "%t")
        try await withClient(configuration()) { client in
            let topics = (1...1000).map { "\(name)/\($0 % 10)/\($0)" }
            for topic in topics { try await client.publish(message(topic, "-")) }
            let lines = try await subscriber.wait(for: "1000 topics", timeout: .seconds(20)) { $0.count >= 1000 }
            #expect(Set(lines) == Set(topics))
        }
    }
}
