import MQTT
import MQTTWire
import NIOCore
import Relay
import TestSupport
import Testing

// What stays behind when a client goes, and what it finds when it comes again.
extension Conversation {
    private func configurationWithWill(_ topic: String, port: Int) -> ClientConfiguration {
        var configuration = configuration(port: port)
        configuration.parameters = { number in
            ConnectParameters(
                will: Will(
                    topic: try TopicName(topic), payload: ByteBuffer(string: "offline \(number)"), qos: .atLeastOnce),
                birth: Message(topic: try TopicName(topic), payload: ByteBuffer(string: "online \(number)")))
        }
        return configuration
    }

    func leavingAWill() async throws {
        let topic = "\(name)/status"
        let relay = try await TCPRelay.start(port: broker.port)
        let watcher = try await subscriber(topic)
        try await withClient(configurationWithWill(topic, port: relay.port)) { client in
            try await watcher.wait(for: "birth") { $0 == ["\(topic) 1 0 online 1"] }
            // Else it would be repeated.
            try await eventually("the birth's acknowledgement") { await client.inFlight == 0 }
            await relay.cut(newcomers: .refused)
            try await watcher.wait(for: "will") { $0.last == "\(topic) 1 0 offline 1" }
            try await relay.mend()
            try await watcher.wait(for: "birth") { $0.last == "\(topic) 1 0 online 2" }
        }
        await relay.stop()
    }

    func leavingNoWill() async throws {
        let topic = "\(name)/status"
        let watcher = try await subscriber(topic)
        try await withClient(configurationWithWill(topic, port: broker.port)) { client in
            try await watcher.wait(for: "birth") { $0 == ["\(topic) 1 0 online 1"] }
            try await eventually("the birth's acknowledgement") { await client.inFlight == 0 }
        }
        try await publish(topic, "end")
        let lines = try await watcher.wait { $0.last?.hasSuffix(" end") == true }
        #expect(lines.count == 2)
    }

    /// Both ways: what was published for the client while it was away waits for it, and what it had not heard the
    /// acknowledgement of it sends again.
    func resumingASession() async throws {
        let subscriber = try await subscriber("\(name)/up")
        let relay = try await TCPRelay.start(port: broker.port)
        try await withClient(configuration(port: relay.port)) { client in
            _ = try await client.connected(number: 1)
            try await client.subscribe([filter("\(name)/down")])
            async let received = payloads(10, from: client)
            await relay.cut(newcomers: .served)
            #expect(try await client.connected(number: 2).sessionPresent, "also the first connection's session lasts")

            await relay.stall([.toClient])
            for number in 1...10 { try await client.publish(message("\(name)/up", "\(number)")) }
            try await subscriber.wait { $0.count >= 10 }
            await relay.cut(newcomers: .refused)
            for number in 1...10 { try await publish("\(name)/down", "\(number)") }
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
        await relay.stop()
    }

    func losingASession() async throws {
        var configuration = configuration()
        configuration.resumesEarlierSession = true
        // The two would throw each other out for ever: let the loser draw from a range of days.
        configuration.backoff = Backoff(base: .seconds(1_000_000), cap: .seconds(1_000_000))
        try await withClient(configuration) { first in
            let result = try await first.connected()
            #expect(!result.sessionPresent)
            try await first.subscribe([filter("\(name)/t")])
            try await withClient(configuration) { second in
                let result = try await second.connected()
                #expect(result.sessionPresent)
                // Under 5.0 a server should say 0x8E, session taken over (§3.1.4); Mosquitto 2.0.11 says nothing.
                #expect(try await first.disconnection() == .closed)
                async let received = payloads(1, from: second)
                try await publish("\(name)/t", "for the second")
                #expect(try await received == ["for the second"])
            }
        }
    }

    func queueingOffline() async throws {
        let subscriber = try await subscriber("\(name)/t")
        let relay = try await TCPRelay.start(port: broker.port)
        await relay.cut(newcomers: .refused)
        try await withClient(configuration(port: relay.port)) { client in
            for number in 1...100 { try await client.publish(message("\(name)/t", "\(number)")) }
            try await relay.mend()
            let lines = try await subscriber.wait { $0.count >= 100 }
            #expect(lines == (1...100).map { "\(name)/t 1 0 \($0)" })
        }
        await relay.stop()
    }
}
