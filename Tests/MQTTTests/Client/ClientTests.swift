import MQTTWire
import NIOCore
import NIOPosix
import Relay
import TestSupport
import Testing

@testable import MQTT

/// The client against a real Mosquitto.
@Suite(.timeLimit(.minutes(2))) struct ClientTests {
    @Test(arguments: [ProtocolVersion.v3_1_1, .v5], [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func whatIsPublishedArrives(version: ProtocolVersion, qos: QoS) async throws {
        try await withMosquitto { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["t/#"])
            try await withClient(port: broker.port, version: version) { client in
                for number in 1...100 {
                    try await client.publish(message("t/\(number % 3)", "\(number)", qos), until: .acknowledged)
                }
                let lines = try await subscriber.wait { $0.count >= 100 }
                #expect(lines == (1...100).map { "t/\($0 % 3) \(qos.rawValue) 0 \($0)" })
                #expect(await client.statistics.completed == 100)
            }
        }
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func whatIsSubscribedForArrives(version: ProtocolVersion) async throws {
        try await withMosquitto { broker in
            try await withClient(port: broker.port, version: version) { client in
                let codes = try await client.subscribe([
                    Subscription(filter: TopicFilter("zero"), qos: .atMostOnce),
                    Subscription(filter: TopicFilter("two/+"), qos: .exactlyOnce),
                ])
                #expect(codes == [.grantedQoS0, .grantedQoS2])
                async let received = collect(3, from: client)
                try await eventually("a reader") { await client.hasReader }
                try await mosquittoPub(port: broker.port, "zero", "a", qos: 2)
                try await mosquittoPub(port: broker.port, "two/x", "b", qos: 2, retain: true)
                try await mosquittoPub(port: broker.port, "two/y", "c", qos: 1)
                let messages = try await received
                #expect(messages.map(\.topic.string) == ["zero", "two/x", "two/y"])
                #expect(messages.map(\.qos) == [.atMostOnce, .exactlyOnce, .atLeastOnce])
                #expect(messages.map { String(buffer: $0.payload) } == ["a", "b", "c"])

                try await client.unsubscribe([TopicFilter("two/+")])
                let again = try await client.subscribe([Subscription(filter: TopicFilter("two/x"))])
                #expect(again == [.grantedQoS1])
            }
        }
    }

    @Test func whatIsPublishedOfflineArrivesInOrderOnceThereIsABroker() async throws {
        try await withMosquitto { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["t"])
            let relay = try await TCPRelay.start(port: broker.port)
            await relay.cut(newcomers: .refused)
            try await withClient(port: relay.port) { client in
                for number in 1...50 { try await client.publish(message("t", "\(number)", .exactlyOnce)) }
                await #expect(throws: ClientError.notConnected) { try await client.publishNow(message("t", "now")) }
                try await relay.mend()
                let lines = try await subscriber.wait { $0.count >= 50 }
                #expect(lines == (1...50).map { "t 2 0 \($0)" })
            }
        }
    }

    @Test func anUrgentMessageOvertakesTheBacklog() async throws {
        try await withMosquitto { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["t"])
            let relay = try await TCPRelay.start(port: broker.port)
            await relay.cut(newcomers: .refused)
            try await withClient(port: relay.port) { client in
                for number in 1...5 { try await client.publish(message("t", "\(number)")) }
                var alarm = try message("t", "alarm")
                alarm.priority = .urgent
                try await client.publish(alarm)
                try await relay.mend()
                let lines = try await subscriber.wait { $0.count >= 6 }
                #expect(lines.first == "t 1 0 alarm")
            }
        }
    }

    @Test func aPulledCableIsNoticedTheWillFiresAndTheSessionGoesOn() async throws {
        try await withMosquitto { broker in
            let relay = try await TCPRelay.start(port: broker.port)
            let watcher = try await MosquittoSub.start(port: broker.port, ["status", "t"])
            var configuration = quick(port: relay.port)
            configuration.keepAlive = .seconds(1)
            configuration.responseTimeout = .milliseconds(500)
            configuration.parameters = { number in
                ConnectParameters(
                    will: Will(
                        topic: try TopicName("status"), payload: ByteBuffer(string: "offline \(number)"),
                        qos: .atLeastOnce, retain: true),
                    birth: Message(
                        topic: try TopicName("status"), payload: ByteBuffer(string: "online \(number)"), retain: true))
            }
            try await withClient(configuration) { client in
                try await watcher.wait(for: "birth") { $0.contains("status 1 0 online 1") }
                await relay.stall()
                for number in 1...20 { try await client.publish(message("t", "\(number)", .exactlyOnce)) }
                var reasons: [DisconnectReason] = []
                for await event in client.events {
                    guard case .disconnected(let reason, _) = event else { continue }
                    reasons.append(reason)
                    break
                }
                #expect(reasons == [.keepAliveTimeout])
                try await watcher.wait(for: "will") { $0.contains("status 1 0 offline 1") }
                try await relay.mend()
                // The birth is new, so it comes behind what the session repeats.
                let lines = try await watcher.wait {
                    $0.count { $0.hasPrefix("t ") } >= 20 && $0.contains("status 1 0 online 2")
                }
                #expect(lines.filter { $0.hasPrefix("t ") } == (1...20).map { "t 2 0 \($0)" })
            }
        }
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func D3_QoS2ComesExactlyOnceThroughAFlappingLine(version: ProtocolVersion) async throws {
        try await withMosquitto { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["t"])
            let relay = try await TCPRelay.start(port: broker.port)
            try await withClient(quick(port: relay.port, version: version)) { client in
                try await eventually("a connection") { await client.isConnected }
                var generator = SplitMix64(seed: 17)
                for round in 0..<15 {
                    let cuts = await relay.counters.cut
                    await relay.cut(
                        after: Int.random(in: 1...250, using: &generator),
                        Bool.random(using: &generator) ? .toServer : .toClient)
                    for number in 1...40 {
                        try await client.publish(message("t", "\(round * 40 + number)", .exactlyOnce))
                    }
                    try await relay.wait(for: "the cut") { $0.cut > cuts }
                    try await relay.mend()
                }
                let lines = try await subscriber.wait(timeout: .seconds(30)) { $0.count >= 600 }
                #expect(lines == (1...600).map { "t 2 0 \($0)" })
                let statistics = await client.statistics
                #expect(statistics.connections >= 10, "the line was cut")
                #expect(statistics.possibleDuplicates == 0)
            }
        }
    }

    @Test func subscriptionsOutliveABrokerThatForgetsThem() async throws {
        try await withMosquitto { broker in
            try await withClient(port: broker.port) { client in
                try await client.subscribe([Subscription(filter: TopicFilter("in"))])
                async let received = collect(1, from: client)
                try await eventually("a reader") { await client.hasReader }
                await broker.kill()
                try await broker.restart()
                try await eventually("the second connection") { await client.statistics.connections >= 2 }
                try await eventually("a delivery") {
                    try await mosquittoPub(port: broker.port, "in", "still there", qos: 1)
                    return await client.statistics.received > 0
                }
                #expect(try await received.first.map { String(buffer: $0.payload) } == "still there")
            }
        }
    }

    @Test func aBrokerIsReachedOverIPv6() async throws {
        let port = try ReservedPort()
        try await withMosquitto(lines: ["listener \(port.number) ::1"]) { _ in
            var configuration = quick(port: port.number)
            configuration.endpoints = [Endpoint(host: "::1", port: port.number)]
            try await withClient(configuration) { client in
                try await client.publish(message("t", "x", .exactlyOnce), until: .acknowledged)
            }
        }
    }

    @Test func aLowerQoSMayBeAskedFor() async throws {
        try await withMosquitto { broker in
            let listener = try await MosquittoSub.start(port: broker.port, ["#"], format: "%q %p")
            var configuration = quick(port: broker.port)
            configuration.maximumQoS = .atLeastOnce
            try await withClient(configuration) { client in
                try await client.publish(message("t", "x", .exactlyOnce), until: .acknowledged)
            }
            #expect(try await listener.next() == "1 x")
            try await listener.stop()
        }
    }

    @Test func nobodyWaitsLongerThanAMessageIsWorth() async throws {
        let client = MQTTClient(quick(port: 1), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        var short = try message("t", "x")
        short.expiry = .milliseconds(5)
        await #expect(throws: ClientError.expired) { try await client.publish(short, until: .acknowledged) }
        await #expect(throws: ClientError.timedOut(after: .milliseconds(2))) {
            try await client.publish(short, until: .acknowledged, timeout: .milliseconds(2))
        }
    }

    @Test func aSlowReaderSlowsItsBrokerAndLosesNothing() async throws {
        try await withMosquitto(lines: ["max_queued_messages 0"]) { broker in
            try await withClient(port: broker.port) { client in
                try await client.subscribe([Subscription(filter: TopicFilter("flood"), qos: .atLeastOnce)])
                var iterator = client.messages.makeAsyncIterator()
                let publisher = try await Program.start(
                    systemProgram("bash"),
                    [
                        "-c",
                        "seq 1 3000 | mosquitto_pub -h 127.0.0.1 -p \(broker.port) -V mqttv5 -q 1 -l -t flood",
                    ])
                var numbers: [String] = []
                for _ in 1...3000 {
                    guard let message = await iterator.next() else { break }
                    numbers.append(String(buffer: message.payload))
                }
                #expect(numbers == (1...3000).map { "\($0)" })
                _ = try await publisher.wait()
            }
        }
    }

    @Test func packetsThatComeByteByByteAreUnderstood() async throws {
        try await withMosquitto { broker in
            let relay = try await TCPRelay.start(port: broker.port)
            await relay.setByteWise(true)
            try await withClient(port: relay.port) { client in
                for number in 1...10 {
                    try await client.publish(message("t", "\(number)", .exactlyOnce), until: .acknowledged)
                }
            }
        }
    }

    @Test func aRefusedMessageIsToldAndCounted() async throws {
        let directory = try TemporaryDirectory()
        let acl = try directory.write("topic readwrite allowed\n", to: "acl")
        try await withMosquitto(lines: ["acl_file \(acl)"]) { broker in
            try await withClient(port: broker.port) { client in
                await #expect(throws: ClientError.refused(.notAuthorized)) {
                    try await client.publish(message("forbidden", "x"), until: .acknowledged)
                }
                try await client.publish(message("allowed", "x"), until: .acknowledged)
                #expect(await client.statistics.discarded == 1)
            }
        }
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func aGoodbyeMayKeepTheWill(version: ProtocolVersion) async throws {
        try await withMosquitto { broker in
            let watcher = try await MosquittoSub.start(port: broker.port, ["will"])
            var configuration = quick(port: broker.port, version: version)
            configuration.parameters = { _ in
                ConnectParameters(will: Will(topic: try TopicName("will"), payload: ByteBuffer(string: "gone")))
            }
            try await withClient(configuration) { client in
                try await eventually("a connection") { await client.isConnected }
                await client.disconnect(keepingWill: true)
            }
            try await watcher.wait(for: "the will") { $0.count == 1 }
        }
    }

    @Test func goodbyeMakesTheWillVoid() async throws {
        try await withMosquitto { broker in
            let watcher = try await MosquittoSub.start(port: broker.port, ["#"])
            var configuration = quick(port: broker.port)
            configuration.parameters = { _ in
                ConnectParameters(will: Will(topic: try TopicName("will"), payload: ByteBuffer()))
            }
            try await withClient(configuration) { client in
                try await client.publish(message("t", "1"), until: .acknowledged)
                await client.disconnect()
            }
            try await mosquittoPub(port: broker.port, "t", "after", qos: 1)
            let lines = try await watcher.wait { $0.contains("t 1 0 after") }
            #expect(lines == ["t 1 0 1", "t 1 0 after"])
        }
    }
}
