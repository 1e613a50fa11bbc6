import MQTTWire
import NIOCore
import TestSupport
import Testing

/// What MQTT 5.0 adds, from library to library.
@Suite(.timeLimit(.minutes(2))) struct PropertyTests {
    static let modern = Variant.plain.filter { $0.version == .v5 }

    @Test func `properties arrive as they were sent, and not at all under 3.1.1`() async throws {
        let properties: Properties = [
            .payloadFormatIndicator(true), .messageExpiryInterval(600), .contentType("text/ünicode"),
            .responseTopic(try TopicName("answers/here")), .correlationData(ByteBuffer(bytes: [0, 1, 0xFF, 0x20])),
            .userProperty(name: "a", value: "1"), .userProperty(name: "a", value: "2"),
            .userProperty(name: "b", value: ""), .userProperty(name: "ключ", value: "значение"),
        ]
        try await Stage.with { stage in
            let readers = try await stage.company("reader", Variant.plain + [.init(.mqttJS, .v5, .ws)])
            for (index, reader) in readers.enumerated() {
                let isModern = reader.variant.version == .v5
                let number: Properties = isModern ? [.subscriptionIdentifier(UInt32(index + 1) * 100_000)] : []
                _ = try await reader.subscribe(
                    Subscription(filter: try TopicFilter("properties/#"), qos: .exactlyOnce), number)
            }
            for (index, writer) in try await stage.company("writer", Self.modern).enumerated() {
                let post = Post(
                    "properties/\(writer.variant.name)", "text", QoS.allCases[index % 3], properties: properties)
                try await writer.publish(post)
                for (index, reader) in readers.enumerated() {
                    var wanted = post.heard(at: .exactlyOnce, version: reader.variant.version)
                    if reader.variant.version == .v5 {
                        let place = wanted.properties.firstIndex { $0.key == "p38" } ?? 0
                        wanted.properties.insert(Field("p11", (index + 1) * 100_000), at: place)
                    }
                    var heard = try await reader.inbox.wait(for: 1) { $0.topic == post.topic }
                    // A second may have passed.
                    if let left = heard[0].properties.number("p2") {
                        #expect((595...600).contains(left))
                        heard[0].properties[1] = Field("p2", 600)
                    }
                    #expect(heard == [wanted], "\(writer.variant.testDescription) to \(reader.variant.testDescription)")
                }
            }
        }
    }

    @Test func `overlapping subscriptions give one message, at the highest QoS, with all identifiers`() async throws {
        try await Stage.with { stage in
            let clients = try await stage.company("overlap", Variant.plain)
            // libmosquitto 2.0 takes the second identifier for a protocol error, against 5.0 §3.3.2.3.8.
            func hasNumbers(_ variant: Variant) -> Bool { variant.version == .v5 && variant.library != .libmosquitto }
            for client in clients {
                for (index, (filter, qos)) in [("o/#", QoS.atMostOnce), ("o/+", .exactlyOnce), ("+/x", .atLeastOnce)]
                    .enumerated()
                {
                    let number: Properties =
                        hasNumbers(client.variant) ? [.subscriptionIdentifier(UInt32(index + 1))] : []
                    _ = try await client.subscribe(Subscription(filter: TopicFilter(filter), qos: qos), number)
                }
            }
            try await clients[0].publish(Post("o/x", "once", .exactlyOnce))
            for client in clients {
                _ = try await client.inbox.wait(for: 1)
                try await client.settle()
                let heard = await client.inbox.messages
                #expect(heard.map(\.qos) == [.exactlyOnce], client.comment)
                let numbers = heard.flatMap(\.properties).filter { $0.key == "p11" }.map(\.text)
                #expect(Set(numbers) == (hasNumbers(client.variant) ? ["1", "2", "3"] : []), client.comment)
            }
        }
    }

    @Test func `members of a group share its messages, whatever they are`() async throws {
        try await Stage.with { stage in
            let members = try await stage.company("member", Variant.plain)
            for member in members { try await member.subscribe("$share/group/shared/#", .atLeastOnce) }
            let writer = try await stage.connect(Variant(.own, .v5), "writer")
            try await writer.publish(count: 200, "shared/work", .atLeastOnce)
            try await eventually("200 messages") {
                var count = 0
                for member in members { count += await member.inbox.messages.count }
                return count >= 200
            }
            var all: [Payload] = []
            for member in members {
                try await member.settle()
                let heard = await member.inbox.messages
                #expect(!heard.isEmpty, member.comment)
                all += heard.map(\.payload)
            }
            #expect(all.count == 200 && Set(all).count == 200)
        }
    }

    @Test(arguments: modern) func `no local keeps a client's own messages from it`(variant: Variant) async throws {
        try await Stage.with { stage in
            let client = try await stage.connect(variant, "local")
            let other = try await stage.connect(Variant(.pahoPython, .v3_1_1), "other")
            let subscription = Subscription(filter: try TopicFilter("local/#"), qos: .exactlyOnce, noLocal: true)
            #expect(try await client.subscribe(subscription, []) == 2)
            try await client.publish(Post("local/own", "1", .exactlyOnce))
            try await other.publish(Post("local/other", "2", .exactlyOnce))
            #expect(try await client.inbox.wait(for: 1).map(\.topic) == ["local/other"])
            try await client.settle()
            #expect(await client.inbox.messages.count == 1)
        }
    }

    @Test func `a message expires while it waits, and what is left of its time is told`() async throws {
        try await Stage.with { stage in
            for variant in Self.modern {
                let client = try await stage.connect(variant, "away-\(variant.name)") {
                    $0.properties = SessionTests.expiry
                }
                try await client.subscribe("short/#", .exactlyOnce)
                try await client.disconnect()
            }
            let writer = try await stage.connect(Variant(.mqttJS, .v5), "writer")
            for qos in [QoS.atLeastOnce, .exactlyOnce] {
                try await writer.publish(Post("short/a", "a", qos, properties: [.messageExpiryInterval(1)]))
                try await writer.publish(Post("short/b", "b", qos, properties: [.messageExpiryInterval(100)]))
            }
            try await Task.sleep(for: .milliseconds(1_600))
            try await inParallel(Self.modern) { variant in
                let client = try await stage.connect(variant, "away-\(variant.name)") {
                    $0.cleanStart = false
                    $0.properties = SessionTests.expiry
                }
                _ = try await client.inbox.wait(for: 2)
                try await client.settle()
                let heard = await client.inbox.messages
                #expect(heard.map(\.topic) == ["short/b", "short/b"], client.comment)
                for message in heard {
                    #expect(message.properties.number("p2").map { (90..<100).contains($0) } == true, client.comment)
                }
            }
        }
    }

    @Test func `topic aliases work both ways with those who have them`() async throws {
        try await Stage.with { stage in
            let reader = try await stage.connect(Variant(.mqttJS, .v5), "reader") {
                $0.properties = [.topicAliasMaximum(2)]
            }
            #expect(reader.properties.number("p34").map { $0 > 0 } == true)
            try await reader.subscribe("alias/#", .exactlyOnce)
            let writer = try await stage.connect(Variant(.libmosquitto, .v5), "writer")
            for (index, topic) in ["alias/a", "", "", "alias/b", ""].enumerated() {
                // MQTT.js 4.3 forgets what an alias stands for when it comes with QoS 2.
                try await writer.publish(
                    Post(topic, "\(index)", QoS.allCases[index % 2], properties: [.topicAlias(1)]))
                _ = try await reader.inbox.wait(for: index + 1)
            }
            let topics = await reader.inbox.messages.map(\.topic)
            #expect(topics == ["alias/a", "alias/a", "alias/a", "alias/b", "alias/b"])
        }
    }

    /// Paho's Python client shows aliases as they came.
    @Test func `the server sets an alias with the first message, and uses it from then on`() async throws {
        try await Stage.with { stage in
            let client = try await stage.connect(Variant(.pahoPython, .v5), "aliases") {
                $0.properties = [.topicAliasMaximum(1)]
            }
            try await client.subscribe("alias/one", .exactlyOnce)
            for qos in QoS.allCases { try await client.publish(Post("alias/one", "x", qos)) }
            let heard = try await client.inbox.wait(for: 3)
            #expect(heard.map(\.topic) == ["alias/one", "", ""])
            #expect(heard.map { $0.properties.number("p35") } == [1, 1, 1])
        }
    }
}
