import MQTT
import MQTTWire
import NIOCore
import Relay
import TestSupport
import Testing

/// What the client and a broker of MQTT 3.1.1 have to say to each other, each with topics and a client identifier of its
/// own, so that all can be held with one broker at once. `mosquitto_sub` and `mosquitto_pub` are the other side.
struct Conversation {
    let port: Int
    let name: String

    /// With the suite's broker.
    init(_ name: String) {
        port = BrokerScope.port
        self.name = name
    }

    func publishing(_ qos: QoS) async throws {
        let subscriber = try await MosquittoSub.start(port: port, ["\(name)/#"], qos: Int(qos.rawValue))
        try await withClient(quick(port, identifier: name)) { client in
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

    func subscribing(_ qos: QoS) async throws {
        try await withClient(quick(port, identifier: name)) { client in
            let granted = try await client.subscribe([filter("\(name)/t", qos)])
            #expect(granted.map(\.rawValue) == [qos.rawValue])
            async let received = messages(5, from: client)
            for number in 1...5 {
                try await mosquittoPub(port: port, "\(name)/t", "\(number)", qos: Int(qos.rawValue), version: .v3)
            }
            let messages = try await received
            // Each publisher is a connection of its own: there is no order between them.
            #expect(Set(messages.map { String(buffer: $0.payload) }) == ["1", "2", "3", "4", "5"])
            #expect(messages.allSatisfy { $0.qos == qos && !$0.retain && $0.topic.string == "\(name)/t" })
        }
    }

    func wildcards() async throws {
        try await withClient(quick(port, identifier: name)) { client in
            try await client.subscribe([filter("\(name)/+/x"), filter("\(name)/deep/#")])
            async let received = messages(4, from: client)
            for topic in ["a/y", "a/x", "deep/1/2/3", "deep", "b/b/x", "b/x"] {
                try await client.publish(message("\(name)/\(topic)", "-"), until: .acknowledged)
            }
            #expect(
                Set(try await received.map(\.topic.string))
                    == Set(["a/x", "deep/1/2/3", "deep", "b/x"].map { "\(name)/\($0)" }))
            try await client.unsubscribe([TopicFilter("\(name)/+/x")])
            #expect(await client.statistics.received == 4)
        }
    }

    func retaining(filter: (_ topic: String) -> String = { $0 }) async throws {
        let topic = "\(name)/status"
        try await withClient(quick(port, identifier: name)) { client in
            for text in ["first", "last"] {
                try await client.publish(message(topic, text, retain: true), until: .acknowledged)
            }
            try await withClient(quick(port, identifier: "\(name)-newcomer")) { newcomer in
                try await newcomer.subscribe([BrokerTests.filter(filter(topic))])
                let message = try await messages(1, from: newcomer)[0]
                #expect(message.retain)
                #expect(String(buffer: message.payload) == "last")
            }
            try await client.publish(message(topic, "", retain: true), until: .acknowledged)
            #expect(try await retained(port: port, topic) == nil)
        }
    }

    func leavingAWill() async throws {
        let topic = "\(name)/status"
        let relay = try await TCPRelay.start(port: port)
        let watcher = try await MosquittoSub.start(port: port, [topic], qos: 1)
        var configuration = quick(relay.port, identifier: name)
        configuration.parameters = { number in
            ConnectParameters(
                will: Will(
                    topic: try TopicName(topic), payload: ByteBuffer(string: "offline \(number)"), qos: .atLeastOnce),
                birth: Message(topic: try TopicName(topic), payload: ByteBuffer(string: "online \(number)")))
        }
        try await withClient(configuration) { client in
            try await watcher.wait(for: "birth") { $0 == ["\(topic) 1 0 online 1"] }
            // Else it would be repeated.
            try await eventually("the birth's acknowledgement") { await client.inFlight == 0 }
            await relay.cut(newcomers: .refused)
            try await watcher.wait(for: "will") { $0.last == "\(topic) 1 0 offline 1" }
            try await relay.mend()
            try await watcher.wait(for: "birth") { $0.last == "\(topic) 1 0 online 2" }
        }
        // A goodbye is no death.
        try await mosquittoPub(port: port, topic, "end", version: .v3)
        let lines = try await watcher.wait { $0.last?.hasSuffix("end") == true }
        #expect(lines.count == 4)
    }

    func queueingOffline() async throws {
        let subscriber = try await MosquittoSub.start(port: port, ["\(name)/t"], qos: 1)
        let relay = try await TCPRelay.start(port: port)
        await relay.cut(newcomers: .refused)
        try await withClient(quick(relay.port, identifier: name)) { client in
            for number in 1...100 { try await client.publish(message("\(name)/t", "\(number)")) }
            try await relay.mend()
            let lines = try await subscriber.wait { $0.count >= 100 }
            #expect(lines == (1...100).map { "\(name)/t 1 0 \($0)" })
        }
    }

    /// Both ways: what was published for the client while it was away waits for it, and what it had not heard the
    /// acknowledgement of it sends again.
    func resumingASession() async throws {
        let subscriber = try await MosquittoSub.start(port: port, ["\(name)/up"], qos: 1)
        let relay = try await TCPRelay.start(port: port)
        try await withClient(quick(relay.port, identifier: name)) { client in
            _ = try await client.connected(number: 1)
            try await client.subscribe([filter("\(name)/down")])
            async let received = payloads(10, from: client)
            await relay.cut(newcomers: .served)
            #expect(try await client.connected(number: 2).sessionPresent, "also the first connection's session lasts")

            await relay.stall([.toClient])
            for number in 1...10 { try await client.publish(message("\(name)/up", "\(number)")) }
            try await subscriber.wait { $0.count >= 10 }
            await relay.cut(newcomers: .refused)
            for number in 1...10 { try await mosquittoPub(port: port, "\(name)/down", "\(number)", version: .v3) }
            try await relay.mend()
            let third = try await client.connected(number: 3)
            #expect(third.sessionPresent)
            #expect(third.resumption.repeated == 10)
            #expect(Set(try await received) == Set((1...10).map(String.init)))
            try await client.publish(message("\(name)/up", "end"), until: .acknowledged)
            let lines = try await subscriber.wait { $0.last?.hasSuffix(" end") == true }
            // At least once, the repetitions behind the originals.
            #expect(lines.prefix(10) == (1...10).map { "\(name)/up 1 0 \($0)" }[...])
            #expect(lines.count <= 21)
            #expect(await client.statistics.completed == 11)
        }
    }

    func showingAPassword() async throws {
        func configuration(_ password: String) -> ClientConfiguration {
            var configuration = quick(port, identifier: "\(name)-\(password)")
            configuration.parameters = { _ in
                ConnectParameters(username: "guest", password: ByteBuffer(string: password))
            }
            return configuration
        }
        try await withClient(configuration("guest")) { _ = try await $0.connected() }
        try await withClient(configuration("guess")) { client in
            let failure = try await client.failure()
            #expect(failure.isRefusal)
            #expect("\(failure)".contains("check user name, password"))
        }
    }

    /// Also through a line that drops, the session goes on: in the version that was found.
    func findingTheVersion() async throws {
        let relay = try await TCPRelay.start(port: port)
        var configuration = quick(relay.port, identifier: name)
        configuration.version = nil
        try await withClient(configuration) { client in
            #expect(try await client.connected(number: 1).sessionPresent == false)
            #expect(await client.version == .v3_1_1)
            // What RabbitMQ calls a session is the queue of one that subscribes.
            try await client.subscribe([filter("\(name)/in")])
            await relay.cut(newcomers: .served)
            #expect(try await client.connected(number: 2).sessionPresent)
            #expect(await client.version == .v3_1_1)
            try await client.publish(message("\(name)/t", "x"), until: .acknowledged)
        }
    }

    func offeringVersion5(isAnsweredWith answer: String) async throws {
        try await withClient(quick(port, identifier: name, version: .v5)) { client in
            let failure = try await client.failure()
            #expect("\(failure)".contains(answer))
        }
    }
}
