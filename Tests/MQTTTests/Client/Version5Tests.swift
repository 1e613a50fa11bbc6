import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import MQTT

/// What MQTT 5 offers a device, against Mosquitto.
@Suite(.timeLimit(.minutes(3))) struct Version5Tests {
    private func configuration(_ broker: Mosquitto, _ identifier: String) -> ClientConfiguration {
        var configuration = quick(port: broker.port)
        configuration.clientIdentifier = identifier
        return configuration
    }

    @Test func aSubscriptionIdentifierComesBackWithEachMessageAlsoAfterTheServerHasForgotten() async throws {
        try await withMosquitto { broker in
            try await withClient(port: broker.port) { client in
                var properties = Properties()
                properties.subscriptionIdentifiers = [7]
                try await client.subscribe([Subscription(filter: TopicFilter("a/+"))], properties: properties)
                try await client.subscribe([Subscription(filter: TopicFilter("b"))])
                var reader = client.messages.makeAsyncIterator()
                try await client.publish(message("a/1", "x"))
                #expect(await reader.next()?.properties.subscriptionIdentifiers == [7])
                await broker.kill()
                try await broker.restart()
                try await eventually("the second connection") { await client.statistics.connections >= 2 }
                try await eventually("renewed subscriptions") { await client.renewals.isEmpty }
                try await client.publish(message("a/1", "x"))
                #expect(await reader.next()?.properties.subscriptionIdentifiers == [7])
                try await client.publish(message("b", "x"))
                #expect(await reader.next()?.properties.subscriptionIdentifiers == [])
            }
        }
    }

    @Test func theMembersOfAGroupShareItsMessages() async throws {
        try await withMosquitto { broker in
            try await withClient(configuration(broker, "first")) { first in
                try await withClient(configuration(broker, "second")) { second in
                    for client in [first, second] {
                        let codes = try await client.subscribe([
                            Subscription(filter: TopicFilter("$share/workers/jobs"))
                        ])
                        #expect(codes == [.grantedQoS1])
                    }
                    for number in 0..<20 { try await first.publish(message("jobs", "\(number)")) }
                    try await eventually("all twenty") {
                        await first.statistics.received + second.statistics.received == 20
                    }
                    #expect(await first.statistics.received > 0)
                    #expect(await second.statistics.received > 0)
                }
            }
        }
    }

    @Test func topicAliasesAreUsedAndNothingIsMisled() async throws {
        try await withMosquitto { broker in
            let listener = try await MosquittoSub.start(port: broker.port, ["#"], format: "%t %p")
            try await withClient(port: broker.port) { client in
                for number in 0..<60 { try await client.publish(message("topic/\(number % 15)", "\(number)")) }
                try await eventually("all to be acknowledged") { await client.statistics.completed == 60 }
            }
            let lines = try await listener.wait { $0.count >= 60 }
            #expect(Set(lines) == Set((0..<60).map { "topic/\($0 % 15) \($0)" }))
            try await listener.stop()
        }
    }

    @Test func aMessageThatWaitedTooLongIsNotDelivered() async throws {
        try await withMosquitto { broker in
            try await withClient(configuration(broker, "sleeper")) { sleeper in
                try await sleeper.subscribe([Subscription(filter: TopicFilter("in"))])
            }
            try await withClient(port: broker.port) { client in
                // Its time begins when the store takes it.
                try await eventually("a connection") { await client.isConnected }
                var short = try message("in", "short")
                short.expiry = .milliseconds(500)
                try await client.publish(short, until: .acknowledged)
                var long = try message("in", "long")
                long.expiry = .seconds(100)
                try await client.publish(long, until: .acknowledged)
            }
            // The broker counts in whole seconds.
            try await Task.sleep(for: .milliseconds(2100))
            var configuration = configuration(broker, "sleeper")
            configuration.resumesEarlierSession = true
            try await withClient(configuration) { sleeper in
                let received = try await collect(1, from: sleeper)
                #expect(String(buffer: received[0].payload) == "long")
                #expect(try #require(received[0].properties.messageExpiryInterval) <= 98)
            }
        }
    }

    @Test func aWillMayWaitWhetherItsClientComesBack() async throws {
        try await withMosquitto { broker in
            try await withClient(configuration(broker, "watcher")) { watcher in
                try await watcher.subscribe([Subscription(filter: TopicFilter("will/#"))])
                for delay in [0, 3600] as [UInt32] {
                    var mortal = configuration(broker, "mortal-\(delay)")
                    mortal.parameters = { _ in
                        var will = Will(topic: try TopicName("will/\(delay)"), payload: ByteBuffer(), qos: .atLeastOnce)
                        will.properties.willDelayInterval = delay
                        return ConnectParameters(will: will)
                    }
                    let client = MQTTClient(mortal, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
                    let running = Task { await client.run() }
                    try await eventually("a connection") { await client.isConnected }
                    await client.disconnect(keepingWill: true)
                    await running.value
                }
                try await watcher.publish(message("will/end", ""))
                let topics = try await collect(2, from: watcher).map(\.topic.string)
                #expect(topics == ["will/0", "will/end"], "the will of an hour's delay has not come")
            }
        }
    }

    @Test func onceEverythingIsDeliveredNothingIsPending() async throws {
        try await withMosquitto { broker in
            let client = MQTTClient(
                configuration(broker, "sender"), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            for number in 1...500 {
                try await client.publish(message("t", "\(number)", number % 2 == 0 ? .exactlyOnce : .atMostOnce))
            }
            #expect(try await client.pendingCount() == 500)
            await #expect(throws: ClientError.timedOut(after: .milliseconds(20))) {
                try await client.waitUntilDelivered(timeout: .milliseconds(20))
            }
            let running = Task { await client.run() }
            try await client.waitUntilDelivered(timeout: .seconds(10))
            #expect(try await client.pendingCount() == 0)
            #expect(await client.statistics.completed == 500)
            try await client.waitUntilDelivered(timeout: .zero)
            await client.disconnect()
            await running.value
        }
    }

    @Test func whatIsNotAcknowledgedComesAgain() async throws {
        try await withMosquitto { broker in
            var byHand = configuration(broker, "worker")
            byHand.acknowledgement = .byHand
            try await withClient(byHand) { worker in
                try await worker.subscribe([Subscription(filter: TopicFilter("job"), qos: .exactlyOnce)])
                try await worker.publish(message("job", "1", .exactlyOnce))
                try await worker.publish(message("job", "2", .exactlyOnce))
                let jobs = try await collect(2, from: worker)
                #expect(jobs.map { String(buffer: $0.payload) } == ["1", "2"])
                await worker.acknowledge(jobs[0])
            }
            byHand.resumesEarlierSession = true
            try await withClient(byHand) { worker in
                let jobs = try await collect(1, from: worker)
                #expect(String(buffer: jobs[0].payload) == "2")
                #expect(jobs[0].duplicate)
                await worker.acknowledge(jobs[0])
            }
        }
    }
}
