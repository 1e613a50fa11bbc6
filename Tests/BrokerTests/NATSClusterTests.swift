import MQTT
import MQTTWire
import Synchronization
import TestSupport
import Testing

/// A cluster of three NATS Servers, of which one at a time dies.
@Suite(.timeLimit(.minutes(3))) struct NATSClusterTests {
    /// NATS acknowledges a QoS 1 message when JetStream has it, which is when two of three nodes have it: while one at
    /// a time is away, nothing acknowledged may be lost. Duplicates are allowed.
    ///
    /// The count is somebody else's: a session of `mosquitto_sub`, begun before the first message and taken up again
    /// after the last, on whichever node. In between nobody reads, so that all messages must live through all deaths.
    @Test func nothingAcknowledgedIsLostWhileOneNodeAfterTheOtherDies() async throws {
        try await withNATSCluster { cluster in
            let session = try await MosquittoSub.start(
                port: cluster.nodes[0].port, ["count"], qos: 1, clientID: "counter")
            try await session.stop()

            let ports = cluster.nodes.map(\.port)
            var configuration = quick(ports[0], ports[1], ports[2], identifier: "publisher")
            configuration.connectTimeout = .seconds(3)
            configuration.acknowledgementTimeout = .seconds(2)
            let published = Published()
            var mortal = cluster.nodes
            try await withClient(configuration) { client in
                let publishing = Task { try await published.go(on: client, lanes: 8) }
                let watching = Task { await published.watch(client.events) }
                while !mortal.isEmpty {
                    try await published.waitForMore(100)
                    // Where the client is, if that one has not died yet.
                    let node = mortal.remove(at: mortal.firstIndex { $0.port == published.place } ?? 0)
                    await node.kill()
                    try await published.waitForMore(100)
                    try await node.launch()
                    try await cluster.isBack(node)
                }
                try await published.waitForMore(100)
                published.stop()
                try await publishing.value
                watching.cancel()
                #expect(await client.statistics.connections >= 2)
            }

            let expected = published.acknowledged
            let report = await cluster.report()
            let counter = try await MosquittoSub.start(
                port: cluster.nodes[0].port, ["count"], qos: 1, clientID: "counter", format: "%p")
            do {
                try await counter.wait(for: "\(expected.count) numbers", timeout: .seconds(20)) {
                    $0.count >= expected.count && expected.isSubset(of: $0)
                }
            } catch {
                let lost = await expected.subtracting(counter.received.lines)
                Issue.record(
                    """
                    \(lost.count) of \(expected.count) lost, \(lost.sorted().prefix(50)); before the count:
                    \(report)
                    \(error)
                    """)
            }
            await counter.kill()
            let arrived = await counter.received.lines
            print(
                "\(expected.count) acknowledged by the cluster, \(arrived.count) delivered,",
                "\(arrived.count - Set(arrived).count) of them twice")
        }
    }
}

/// Publishes numbers, and remembers which were acknowledged.
private final class Published: Sendable {
    private struct State {
        var next = 1
        var acknowledged: Set<String> = []
        var isStopped = false
        var place: Int?
    }

    private let state = Mutex(State())

    var acknowledged: Set<String> { state.withLock { $0.acknowledged } }
    /// The port of the node that the client was at last.
    var place: Int? { state.withLock { $0.place } }

    func stop() { state.withLock { $0.isStopped = true } }

    func watch(_ events: AsyncStream<ClientEvent>) async {
        for await case .connected(let result) in events { state.withLock { $0.place = result.endpoint.port } }
    }

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
            // The nodes are what is tested, not their speed; and the counter keeps 100,000 lines.
            try await Task.sleep(for: .milliseconds(20))
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
        try await eventually(within: .seconds(40), "\(goal) acknowledged messages") { self.acknowledged.count >= goal }
    }
}
