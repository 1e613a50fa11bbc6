import MQTTWire
import NIOCore
import Testing

/// Topic names and filters (chapter 4.7).
@Suite("Topics", .conformance)
struct TopicTests {
    @Test(
        "MQTT-4.7.1-1 (3.1.1), MQTT-4.7.0-1 (5.0): wildcards have no place in a topic name",
        arguments: ProtocolVersion.standard, ["+", "#", "a/#/b", "a/b+"])
    func MQTT_4_7_1_1_v3_MQTT_4_7_0_1_v5(_ version: ProtocolVersion, _ topic: String) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(
            bytes: publishBytes(version, topic: Array(topic.utf8), first: 0x32, identifier: 1))
        try await client.expectClosed(.topicNameInvalid, .malformedPacket, .protocolError)
    }

    @Test(
        "MQTT-4.7.1-2 (3.1.1), MQTT-4.7.1-1 (5.0): # stands alone on the last level",
        arguments: ProtocolVersion.standard, ["a#", "a/b#", "#/a", "a/#/b", "##", "a/#b"])
    func MQTT_4_7_1_2_v3_MQTT_4_7_1_1_v5(_ version: ProtocolVersion, _ filter: String) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: subscribeBytes(version, filter: Array(filter.utf8)))
        try await client.expectFilterRefused()
    }

    @Test(
        "MQTT-4.7.1-3 (3.1.1), MQTT-4.7.1-2 (5.0): + fills its level",
        arguments: ProtocolVersion.standard, ["a+", "+a", "a/b+/c", "a/+b", "++", "+#"])
    func MQTT_4_7_1_3_v3_MQTT_4_7_1_2_v5(_ version: ProtocolVersion, _ filter: String) async throws {
        let client = try await RawClient.connect(version)
        try await client.send(bytes: subscribeBytes(version, filter: Array(filter.utf8)))
        try await client.expectFilterRefused()
    }

    /// The examples of chapter 4.7 and more. `T` stands for a level of the test's own.
    @Test(
        "3.1.1 §4.7.1, 5.0 §4.7.1: filters match as the examples say",
        arguments: ProtocolVersion.standard,
        [
            ("T/#", ["T", "T/ranking", "T/score/wimbledon", "T/"], ["S/T", "Tx"]),
            ("T/+", ["T/ranking", "T/"], ["T", "T/score/wimbledon", "T//"]),
            ("+/T", ["finance/T", "/T"], ["T", "a/b/T"]),
            ("+/+/T", ["//T", "a//T"], ["/T"]),
            ("/T", ["/T"], ["T", "T/", "//T"]),
            ("T", ["T"], ["/T", "T/"]),
            ("T/+/c", ["T/b/c", "T//c"], ["T/c", "T/b/b/c", "T/b/C"]),
            ("T/+/#", ["T/b", "T/b/c", "T/"], ["T"]),
            ("T//c", ["T//c"], ["T/b/c", "T/c"]),
            ("T/Accounts payable", ["T/Accounts payable"], ["T/ACCOUNTS payable", "T/Accounts"]),
        ] as [(String, [String], [String])])
    func examples(_ version: ProtocolVersion, _ example: (filter: String, yes: [String], no: [String])) async throws {
        let level = unique("t")
        func name(_ text: String) -> String { text.replacing("T", with: level) }
        let client = try await RawClient.connect(version)
        try await client.subscribe(name(example.filter))
        for topic in example.no { try await client.publish(name(topic), "no", .atLeastOnce) }
        for topic in example.yes { try await client.publish(name(topic), "yes", .atLeastOnce) }
        let messages = try await client.messages(example.yes.count)
        #expect(messages.map { $0.topic?.string } == example.yes.map(name))
        try await client.expectSilence()
    }

    @Test(
        "MQTT-4.7.2-1 (3.1.1, 5.0): wildcards on the first level do not match topics that begin with $",
        arguments: ProtocolVersion.standard)
    func MQTT_4_7_2_1(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        try await client.subscribe("+/\(topic)/#")
        // Whether clients may use such topics among themselves is the broker's choice, but not that wildcards match.
        try await client.send(try publication("$own/\(topic)/a", "with $", .atMostOnce))
        try await client.publish("own/\(topic)/a", "without $")
        #expect(try await client.message().text == "without $")
        try await client.expectSilence()
    }

    @Test(
        "3.1.1 §4.7.2, 5.0 §4.7.2: # alone gets nothing that begins with $", .enabled(if: !BrokerUnderTest.isForeign),
        arguments: ProtocolVersion.standard)
    func hashAndDollar(_ version: ProtocolVersion) async throws {
        try await BrokerUnderTest.withOwn { port in
            let client = try await RawClient.connect(version, port: port)
            try await client.subscribe("#")
            try await client.send(try publication("$own/a", "with $", .atMostOnce, retain: true))
            try await client.publish("/", "without $", retain: true)
            #expect(try await client.message().topic?.string == "/")
            try await client.expectSilence()
            // Nor by what was retained.
            for filter in ["#", "+/#", "+/+"] {
                let later = try await RawClient.connect(version, port: port)
                try await later.subscribe(filter)
                #expect(try await later.message().topic?.string == "/")
                try await later.expectSilence()
            }
        }
    }

    @Test(
        "MQTT-4.7.3-1 (3.1.1, 5.0): topic names and filters have at least one character",
        arguments: ProtocolVersion.standard)
    func MQTT_4_7_3_1(_ version: ProtocolVersion) async throws {
        let publisher = try await RawClient.connect(version)
        try await publisher.send(bytes: publishBytes(version, topic: [], first: 0x32, identifier: 1))
        try await publisher.expectClosed(.protocolError, .topicNameInvalid, .malformedPacket)
        let subscriber = try await RawClient.connect(version)
        try await subscriber.send(bytes: subscribeBytes(version, filter: []))
        try await subscriber.expectFilterRefused()
        let other = try await RawClient.connect(version)
        try await other.send(bytes: unsubscribeBytes(version, filter: []))
        try await other.expectClosed(.protocolError, .topicFilterInvalid, .malformedPacket)
    }

    @Test(
        "MQTT-4.7.3-2 (3.1.1, 5.0): topic names and filters have no U+0000",
        arguments: ProtocolVersion.standard)
    func MQTT_4_7_3_2(_ version: ProtocolVersion) async throws {
        let publisher = try await RawClient.connect(version)
        try await publisher.send(bytes: publishBytes(version, topic: [0x61, 0x00]))
        try await publisher.expectClosed(.malformedPacket, .topicNameInvalid)
        let subscriber = try await RawClient.connect(version)
        try await subscriber.send(bytes: subscribeBytes(version, filter: [0x61, 0x00]))
        try await subscriber.expectClosed(.malformedPacket, .topicFilterInvalid)
    }

    @Test(
        "MQTT-4.7.3-3 (3.1.1, 5.0): topics of up to 65,535 bytes work",
        arguments: ProtocolVersion.standard)
    func MQTT_4_7_3_3(_ version: ProtocolVersion) async throws {
        // Longer ones cannot be written down. A broker may have its own bound for levels, so these are few.
        let prefix = unique("t") + "/"
        let topic = prefix + String(repeating: "x", count: 65_535 - prefix.utf8.count)
        let client = try await RawClient.connect(version)
        try await client.subscribe(topic)
        try await client.publish(topic, "long")
        #expect(try await client.message().topic?.string == topic)
    }

    @Test(
        "MQTT-4.7.3-4 (3.1.1, 5.0): topics are compared byte by byte, without normalization",
        arguments: ProtocolVersion.standard)
    func MQTT_4_7_3_4(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        // The same letters to a reader: composed and decomposed, two cases, a ligature, a full-width form.
        let forms = [
            "\u{E9}", "e\u{301}", "\u{C9}", "E\u{301}", "\u{FB01}", "fi", "\u{FF21}", "A", "\u{212B}", "\u{C5}", "a ",
        ]
        let client = try await RawClient.connect(version)
        for form in forms {
            try await client.subscribe("\(topic)/\(form)")
            for other in forms { try await client.publish("\(topic)/\(other)", other, .atMostOnce) }
            let message = try await client.message()
            #expect(message.topic.map { Array($0.string.utf8) } == Array("\(topic)/\(form)".utf8))
            try await client.expectSilence()
            try await client.unsubscribe("\(topic)/\(form)")
        }
    }

    @Test("3.1.1 §4.7, 5.0 §4.7: topics in all scripts work, retained too", arguments: ProtocolVersion.standard)
    func unicode(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        for name in ["温度/传感器", "Ελλάδα", "датчик", "🌡️/🏠", "\u{10FFFD}", "a\u{2028}b"] {
            try await client.publish("\(topic)/\(name)", name, retain: true)
            try await client.subscribe("\(topic)/\(name)")
            let message = try await client.message()
            #expect(message.topic?.string == "\(topic)/\(name)")
            #expect(message.text == name)
            try await client.unsubscribe("\(topic)/\(name)")
        }
    }

    @Test(
        "3.1.1 §3.8.3, 5.0 §3.8.3: many subscriptions in one session, each with its messages",
        arguments: ProtocolVersion.standard)
    func manySubscriptions(_ version: ProtocolVersion) async throws {
        let topic = unique("t")
        let client = try await RawClient.connect(version)
        for block in 0..<10 {
            try await client.subscribe(
                (0..<50).map { Subscription(filter: try TopicFilter("\(topic)/\(block)/\($0)/+"), qos: .atMostOnce) })
        }
        for name in ["0/0/x", "4/25/x", "9/49/x"] {
            try await client.publish("\(topic)/\(name)", name, .atMostOnce)
            #expect(try await client.message().text == name)
        }
    }
}

extension RawClient {
    /// A filter that is not well formed is answered with an error for it, or closes the connection.
    func expectFilterRefused() async throws {
        let packet = try? await take("an answer") { $0.type == .suback }
        if case .suback(let suback)? = packet {
            guard suback.reasonCodes == [.topicFilterInvalid] || suback.reasonCodes == [.unspecifiedError] else {
                throw Surprise("an invalid filter was answered with \(suback)")
            }
        } else {
            try await expectClosed(.topicFilterInvalid, .malformedPacket, .protocolError)
        }
    }
}
