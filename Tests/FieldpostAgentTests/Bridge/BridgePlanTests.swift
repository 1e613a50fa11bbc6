import MQTT
import MQTTServer
import MQTTWire
import NIOCore
import Testing
import Units

@testable import FieldpostAgent

@Suite struct BridgePlanTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_123)

    private func rule(_ topics: String..., change: (inout BridgeRule) -> Void = { _ in }) -> BridgeRule {
        var rule = BridgeRule(topics: topics)
        rule.stamp = .none
        change(&rule)
        return rule
    }

    private func plan(_ rules: BridgeRule..., version: ProtocolVersion? = nil) throws -> BridgePlan {
        BridgePlan(rules, device: "gw", statusTopic: try TopicName("fieldpost/gw/status"), version: version)
    }

    private func here(
        _ topic: String, _ payload: String = "1", qos: QoS = .atLeastOnce, retain: Bool = false,
        properties: Properties = []
    ) throws -> ServerMessage {
        ServerMessage(
            topic: try TopicName(topic), payload: ByteBuffer(string: payload), qos: qos, retain: retain,
            properties: properties)
    }

    private func there(_ topic: String, _ properties: Properties = []) throws -> ReceivedMessage {
        ReceivedMessage(
            topic: try TopicName(topic), payload: ByteBuffer(string: "1"), qos: .exactlyOnce, retain: true,
            properties: properties)
    }

    // MARK: Out

    @Test func `What goes out has the rule's QoS at most, its priority, and RETAIN if that is wanted`() throws {
        let keeping = try plan(
            rule("a/#") {
                $0.remotePrefix = "site/"
                $0.priority = .high
            })
        let message = try #require(
            try keeping.outgoing(here("a/x", qos: .exactlyOnce, retain: true), at: now).messages.first)
        #expect(message.topic.string == "site/a/x")
        #expect(message.qos == .atLeastOnce)
        #expect(message.retain)
        #expect(message.priority == .high)
        #expect(message.expiry == nil)
        #expect(message.payload == ByteBuffer(string: "1"))
        let low = try #require(try keeping.outgoing(here("a/x", qos: .atMostOnce), at: now).messages.first)
        #expect(low.qos == .atMostOnce)
        #expect(!low.retain)
        let forgetting = try plan(rule("a/#") { $0.retain = false })
        #expect(try forgetting.outgoing(here("a/x", retain: true), at: now).messages.first?.retain == false)
        #expect(forgetting.localSubscriptions.map(\.retainHandling) == [.never])
        #expect(keeping.localSubscriptions.map(\.retainHandling) == [.onNewSubscribe])
    }

    @Test func `No rule, no message; two rules, two; two rules to one topic, one`() throws {
        let plan = try plan(
            rule("a/#") { $0.remotePrefix = "x/" }, rule("a/b") { $0.remotePrefix = "x/" },
            rule("+/b") { $0.remotePrefix = "y/" })
        #expect(try plan.outgoing(here("b"), at: now).messages.isEmpty)
        #expect(try plan.outgoing(here("b"), at: now).dropped == 0)
        #expect(try plan.outgoing(here("a/b"), at: now).messages.map(\.topic.string) == ["x/a/b", "y/a/b"])
    }

    @Test func `The less of a message's own expiry and the rule's counts`() throws {
        let plan = try plan(rule("a") { $0.expiry = .seconds(60) })
        let properties: Properties = [.messageExpiryInterval(30), .contentType("text/plain")]
        let short = try #require(try plan.outgoing(here("a", properties: properties), at: now).messages.first)
        #expect(short.expiry == .seconds(30))
        #expect(short.properties.messageExpiryInterval == nil)
        #expect(short.properties.contentType == "text/plain")
        let long = try #require(
            try plan.outgoing(here("a", properties: [.messageExpiryInterval(90)]), at: now).messages.first)
        #expect(long.expiry == .seconds(60))
    }

    @Test func `Properties of a message travel with it, but not to a broker of 3.1.1`() throws {
        let properties: Properties = [
            .responseTopic(try TopicName("r")), .correlationData(ByteBuffer(string: "c")),
            .userProperty(name: "a", value: "1"), .userProperty(name: "a", value: "2"),
        ]
        let message = try plan(rule("a")).outgoing(here("a", properties: properties), at: now).messages.first
        #expect(message?.properties.all == properties.all + [.userProperty(name: "fieldpost-path", value: "gw")])
        let old = try plan(rule("a") { $0.stamp = .property }, version: .v3_1_1)
        #expect(try old.outgoing(here("a", properties: properties), at: now).messages.first?.properties == [])
    }

    @Test func `A topic that gets too long is dropped and counted, and the other rules go on`() throws {
        let plan = try plan(
            rule("#") { $0.remotePrefix = String(repeating: "x", count: 600) + "/" },
            rule("#") { $0.remotePrefix = "y/" })
        let outcome = try plan.outgoing(here(String(repeating: "t", count: 65_000)), at: now)
        #expect(outcome.messages.count == 1)
        #expect(outcome.dropped == 1)
    }

    @Test func `Nobody else writes the agent's own status`() throws {
        let outcome = try plan(rule("#")).outgoing(here("fieldpost/gw/status"), at: now)
        #expect(outcome.messages.isEmpty)
        #expect(outcome.dropped == 1)
    }

    // MARK: Time

    @Test func `T1 The time of acceptance goes along as a property, unless there is one`() throws {
        let plan = try plan(rule("a") { $0.stamp = .property })
        let stamped = try plan.outgoing(here("a"), at: now).messages.first
        #expect(stamped?.properties.userProperty("time") == now.iso8601)
        #expect(stamped?.properties.userProperty("clock") == nil)
        let own = try plan.outgoing(here("a", properties: [.userProperty(name: "time", value: "noon")]), at: now)
            .messages.first
        #expect(own?.properties.userProperties.filter { $0.name == "time" }.map(\.value) == ["noon"])
        let early = try plan.outgoing(here("a"), at: Timestamp(milliseconds: 5)).messages.first
        #expect(early?.properties.userProperty("clock") == "unsynced")
    }

    @Test(arguments: [
        ("21.5", #""value":21.5"#), (#"{ "t" : 1 }"#, #""value":{"t":1}"#), ("open \"x\"", #""value":"open \"x\"""#),
        ("", #""value":"""#), ("\u{e4}", "\"value\":\"\u{e4}\""), ("01", #""value":"01""#), ("null", #""value":null"#),
    ])
    func `T1 The time of acceptance in the payload`(_ payload: String, _ value: String) throws {
        let plan = try plan(rule("a") { $0.stamp = .payload })
        let message = try #require(try plan.outgoing(here("a", payload), at: now).messages.first)
        #expect(String(buffer: message.payload) == #"{"time":"\#(now.iso8601)",\#(value)}"#)
        // As the broker inside noted it, with the message.
        let earlier = Timestamp(milliseconds: now.milliseconds - 86_400_000)
        let noted: Properties = [.userProperty(name: "time", value: earlier.iso8601), .contentType("x")]
        let late = try #require(try plan.outgoing(here("a", payload, properties: noted), at: now).messages.first)
        #expect(String(buffer: late.payload) == #"{"time":"\#(earlier.iso8601)",\#(value)}"#)
        #expect(late.properties.userProperty("time") == nil)
        #expect(late.properties.contentType == nil)
    }

    @Test(
        arguments: [
            ([0xFF], "/w=="), ([0xFF, 0x00], "/wA="), ([0xFF, 0x00, 0x10], "/wAQ"),
            ([0xFF, 0, 0x10, 0x83], "/wAQgw=="),
        ] as [([UInt8], String)])
    func `Bytes that are no text`(_ bytes: [UInt8], _ text: String) throws {
        let plan = try plan(rule("a") { $0.stamp = .payload })
        var message = try here("a")
        message.payload = ByteBuffer(bytes: bytes)
        let carried = try #require(plan.outgoing(message, at: now).messages.first)
        #expect(String(buffer: carried.payload) == #"{"time":"\#(now.iso8601)","base64":"\#(text)"}"#)
    }

    @Test func `An empty retained message still removes what is retained`() throws {
        let plan = try plan(rule("a") { $0.stamp = .payload })
        let message = try #require(try plan.outgoing(here("a", "", retain: true), at: now).messages.first)
        #expect(message.payload.readableBytes == 0)
        #expect(message.retain)
    }

    // MARK: In

    @Test func `What comes in has its topic, QoS, expiry and properties as the rule says`() throws {
        let plan = try plan(
            rule("config/#") {
                $0.direction = .in
                $0.remotePrefix = "site/gw/"
                $0.localPrefix = "l/"
                $0.expiry = .seconds(10)
            })
        let properties: Properties = [.topicAlias(3), .subscriptionIdentifier(4), .contentType("c")]
        let message = try #require(try plan.incoming(there("site/gw/config/x", properties)).messages.first)
        #expect(message.topic.string == "l/config/x")
        #expect(message.qos == .atLeastOnce)
        #expect(message.retain)
        #expect(
            message.properties.all == [
                .contentType("c"), .userProperty(name: "fieldpost-path", value: "gw"), .messageExpiryInterval(10),
            ])
        #expect(try plan.incoming(there("config/x")).messages.isEmpty)
        #expect(try plan.outgoing(here("l/config/x"), at: now).messages.isEmpty)
        #expect(plan.localSubscriptions.isEmpty)
        let filter = try TopicFilter("site/gw/config/#")
        #expect(
            plan.remoteSubscriptions(keepsRetained: true) == [
                Subscription(
                    filter: filter, qos: .atLeastOnce, noLocal: true, retainAsPublished: true,
                    retainHandling: .onNewSubscribe)
            ])
        #expect(plan.remoteSubscriptions(keepsRetained: false).map(\.retainHandling) == [.onSubscribe])
    }

    @Test func `Response topics are called so that the answer finds its way`() throws {
        let plan = try plan(
            rule("+/request") {
                $0.direction = .both
                $0.remotePrefix = "site/"
                $0.localPrefix = "l/"
            },
            rule("+/response") {
                $0.direction = .both
                $0.remotePrefix = "s/"
            })
        let question: Properties = [.responseTopic(try TopicName("s/x/response"))]
        #expect(
            try plan.incoming(there("site/g/request", question)).messages.first?.properties.responseTopic?.string
                == "x/response")
        let own: Properties = [.responseTopic(try TopicName("me/response"))]
        #expect(
            try plan.outgoing(here("l/g/request", properties: own), at: now).messages.first?.properties.responseTopic?
                .string
                == "s/me/response")
        let other: Properties = [.responseTopic(try TopicName("elsewhere"))]
        #expect(
            try plan.outgoing(here("l/g/request", properties: other), at: now).messages.first?.properties.responseTopic?
                .string
                == "elsewhere")
    }

    // MARK: Circles

    @Test func `A message that was here before goes no further, in either direction`() throws {
        let plan = try plan(rule("#") { $0.direction = .both })
        let path: (String) -> Properties = { [.userProperty(name: "fieldpost-path", value: $0)] }
        for old in ["gw", "other/gw", "gw/other", "a/gw/b"] {
            #expect(try plan.outgoing(here("t", properties: path(old)), at: now).isLoop)
            #expect(try plan.incoming(there("t", path(old))).isLoop)
            #expect(try plan.incoming(there("t", path(old))).messages.isEmpty)
        }
        let on = try #require(try plan.outgoing(here("t", properties: path("gw2/gw1")), at: now).messages.first)
        #expect(on.properties.userProperty("fieldpost-path") == "gw2/gw1/gw")
        let long = (1...16).map { "g\($0)" }
        #expect(try plan.outgoing(here("t", properties: path(long.joined(separator: "/"))), at: now).isLoop)
        #expect(try !plan.outgoing(here("t", properties: path(long.dropLast().joined(separator: "/"))), at: now).isLoop)
        #expect(
            try !self.plan(rule("a")).outgoing(here("t", properties: path("gw")), at: now).isLoop,
            "no rule: nothing to count")
    }

    @Test func `Only rules that overlap at the far broker can echo`() throws {
        let out = rule("a/#") { $0.remotePrefix = "site/" }
        let back = rule("site/+/x") { $0.direction = .in }
        let other = rule("b/#") { $0.direction = .in }
        #expect(try plan(out, back).canEcho)
        #expect(try !plan(out, other).canEcho)
        #expect(try plan(rule("a") { $0.direction = .both }).canEcho)
    }

    @Test func `One filter of several rules is one subscription, as good as the best of them`() throws {
        let plan = try plan(
            rule("a/#") {
                $0.qos = .atMostOnce; $0.retain = false
            }, rule("a/#") { $0.qos = .exactlyOnce }, rule("b"))
        #expect(plan.localSubscriptions.map(\.filter.string) == ["a/#", "b"])
        #expect(plan.localSubscriptions[0].qos == .exactlyOnce)
        #expect(plan.localSubscriptions[0].retainHandling == .onNewSubscribe)
        #expect(plan.localSubscriptions.allSatisfy { $0.noLocal && $0.retainAsPublished })
    }
}
