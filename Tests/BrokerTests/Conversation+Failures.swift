import MQTT
import MQTTWire
import Relay
import TestSupport
import Testing

// Silence, dead lines and dead brokers.
extension Conversation {
    func keepingSilence() async throws {
        let relay = try await TCPRelay.start(port: broker.port)
        var configuration = configuration(port: relay.port)
        configuration.keepAlive = .seconds(1)
        try await withClient(configuration) { client in
            _ = try await client.connected()
            // Longer than the one and a half keep-alives after which a broker gives a client up.
            // A PINGREQ has two bytes.
            let before = await relay.counters.bytesToServer
            try await relay.wait(for: "three pings") { $0.bytesToServer >= before + 6 }
            try await client.publish(message("\(name)/t", "-"), until: .acknowledged)
            #expect(await client.statistics.connections == 1)
        }
        await relay.stop()
    }

    func noticingAHalfOpenConnection() async throws {
        let relay = try await TCPRelay.start(port: broker.port)
        var configuration = configuration(port: relay.port)
        configuration.keepAlive = .seconds(1)
        configuration.responseTimeout = .seconds(1)
        try await withClient(configuration) { client in
            _ = try await client.connected()
            await relay.stall()
            let start = ContinuousClock.now
            let reason = try await client.disconnection()
            // Keep-alive and timeout, and some time for a busy machine.
            #expect(ContinuousClock.now - start < .seconds(2 + 3))
            #expect(reason == .keepAliveTimeout)
            try await relay.mend()
            _ = try await client.connected(number: 2)
            try await client.publish(message("\(name)/t", "-"), until: .acknowledged)
        }
        await relay.stop()
    }

    /// The count is that of a session of `mosquitto_sub`, begun before the first message and taken up again after the
    /// last: all messages must live through the broker's death.
    ///
    /// A broker that stores before it acknowledges is killed while it is at it. Mosquitto, which writes its file now
    /// and then, is given the chance to: what it has acknowledged since, SIGKILL loses.
    func outlivingTheBroker() async throws {
        let topic = "\(name)/t"
        try await subscriber(topic, clientID: "\(name)-counter").stop()
        try await withClient(configuration()) { client in
            for number in 1...200 { try await client.publish(message(topic, "\(number)"), until: .acknowledged) }
            if let save = broker.save {
                try await save()
            } else {
                for number in 201...300 { try await client.publish(message(topic, "\(number)")) }
            }
            await broker.kill()
            let first = broker.save == nil ? 301 : 201
            for number in first...400 { try await client.publish(message(topic, "\(number)")) }
            try await broker.restart()
            try await eventually(within: .seconds(30), "all acknowledgements") {
                await client.statistics.completed == 400
            }
        }
        let counter = try await subscriber(topic, clientID: "\(name)-counter", format: "%p")
        let expected = Set((1...400).map(String.init))
        try await counter.wait(for: "400 numbers", timeout: .seconds(20)) { expected.isSubset(of: $0) }
    }
}
