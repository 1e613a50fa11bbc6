import MQTT
import MQTTWire
import Synchronization
import TestSupport
import Testing

/// A cluster of three NATS Servers, of which one at a time dies.
@Suite(.timeLimit(.minutes(5))) struct NATSClusterTests {
    /// NATS acknowledges a QoS 1 message when JetStream has it, which is when two of three nodes have it: while one at
    /// a time is away, nothing acknowledged may be lost. Duplicates are allowed.
    @Test func nothingAcknowledgedIsLostWhileOneNodeAfterTheOtherDies() async throws {
        try await withNATSCluster { cluster in
            // A session that stays behind and has everything published from now on delivered when it is taken up again.
            let session = try await MosquittoSub.start(
                port: cluster.nodes[0].port, ["count"], qos: 1, clientID: "counter")
            try await session.stop()

            var configuration = quick(identifier: "publisher")
            configuration.endpoints = cluster.nodes.map { Endpoint(host: "127.0.0.1", port: $0.port) }
            configuration.connectTimeout = .seconds(5)
            configuration.acknowledgementTimeout = .seconds(5)
            let published = Published()
            try await withClient(configuration) { client in
                let publishing = Task { try await published.go(on: client, lanes: 8) }
                for node in cluster.nodes {
                    try await published.waitForMore(100)
                    await node.kill()
                    try await published.waitForMore(100)
                    try await node.launch()
                    for node in cluster.nodes { try await node.ready(timeout: .seconds(60)) }
                }
                try await published.waitForMore(100)
                published.stop()
                try await publishing.value
                // The client was always at the node that died next.
                #expect(await client.statistics.connections >= 4)
            }
            let expected = published.acknowledged
            let counter = try await MosquittoSub.start(
                port: cluster.nodes[2].port, ["count"], qos: 1, clientID: "counter", format: "%p")
            do {
                try await counter.wait(for: "\(expected.count) numbers", timeout: .seconds(60)) {
                    $0.count >= expected.count && expected.isSubset(of: $0)
                }
            } catch {
                let lost = await expected.subtracting(counter.received.lines)
                Issue.record("\(lost.count) of \(expected.count) lost: \(lost.sorted().prefix(50)); \(error)")
            }
        }
    }
}

/// Publishes numbers, and remembers which were acknowledged.
private final class Published: Sendable {
    private struct State {
        var next = 1
        var acknowledged: Set<String> = []
        var isStopped = false
    }

    private let state = Mutex(State())

    var acknowledged: Set<String> { state.withLock { $0.acknowledged } }

    func stop() { state.withLock { $0.isStopped = true } }

    func go(on client: MQTTClient, lanes: Int) async throws {
        try await withThrowingTaskGroup { group in
            for _ in 0..<lanes { group.addTask { try await self.lane(client) } }
            try await group.waitForAll()
        }
    }

    private func lane(_ client: MQTTClient) async throws {
        while let number = take() {
            try await client.publish(message("count", number), until: .acknowledged, timeout: .seconds(60))
            state.withLock { _ = $0.acknowledged.insert(number) }
            // The nodes are what is tested, not their speed.
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func take() -> String? {
        state.withLock { state in
            guard !state.isStopped else { return nil }
            defer { state.next += 1 }
            return "\(state.next)"
        }
    }

    func waitForMore(_ count: Int) async throws {
        let goal = acknowledged.count + count
        try await eventually(within: .seconds(60), "\(goal) acknowledged messages") { self.acknowledged.count >= goal }
    }
}
