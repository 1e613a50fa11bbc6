import MQTTWire
import TestSupport
import Testing

@testable import MQTT

/// Everything at once, from many tasks: each caller is told, and the numbers agree.
@Suite(.timeLimit(.minutes(3))) struct ManyCallersTests {
    @Test func callersAndReadersMayComeFromEverywhereAndGoAtAnyTime() async throws {
        try await withMosquitto { broker in
            try await withClient(port: broker.port) { client in
                try await client.subscribe([Subscription(filter: TopicFilter("t/#"), qos: .exactlyOnce)])
                let readers = (1...3).map { number in Task { await read(from: client, number) } }
                try await withThrowingTaskGroup { group in
                    for number in 0..<1000 { group.addTask { try await publish(number, on: client) } }
                    try await group.waitForAll()
                }
                try await eventually("the last acknowledgement") { await client.isQuiet }
                let statistics = await client.statistics
                #expect(statistics.connections == 1)
                #expect(statistics.published >= 600)
                #expect(statistics.published == statistics.completed)
                #expect(await client.waiters.isEmpty)
                #expect(await client.storedWaiters.isEmpty)
                await client.disconnect()
                var count = 0
                for reader in readers { count += await reader.value }
                #expect(count == statistics.received)
            }
        }
    }

    private func read(from client: MQTTClient, _ number: Int) async -> Int {
        var count = 0
        for await received in client.messages {
            count += 1
            if count % 7 == number { await client.acknowledge(received) }
            if count % 50 == number { _ = try? await client.publishNow(message("u", "x", .exactlyOnce)) }
        }
        return count
    }

    private func publish(_ number: Int, on client: MQTTClient) async throws {
        let qos = QoS(rawValue: UInt8(number % 3)) ?? .atLeastOnce
        let message = try message("t/\(number % 9)", "\(number)", qos)
        switch number % 5 {
        case 0: try await client.publish(message, until: .acknowledged)
        case 1: try await client.publishNow(message)
        case 2:
            let cancelled = Task { try await client.publish(message, until: .acknowledged) }
            cancelled.cancel()
            _ = try? await cancelled.value
        case 3: _ = try? await client.publishNow(message, timeout: .milliseconds(number % 20))
        default: try await client.publish(message)
        }
    }
}

extension MQTTClient {
    /// No more is owed than what each of the readers has in its hands.
    fileprivate var isQuiet: Bool { inFlight == 0 && direct.isEmpty && ready.isEmpty && session.incoming.underWay <= 3 }
}
