/// Three NATS Servers on 127.0.0.1 that keep every message three times.
public struct NATSCluster: Sendable {
    /// Named n1, n2 and n3.
    public let nodes: [NATSServer]

    init() throws {
        let ports = try (1...3).map { _ in try NATSServer.Ports() }
        nodes = try ports.enumerated().map { index, own in
            try NATSServer(name: "n\(index + 1)", ports: own, cluster: ports)
        }
    }

    /// Starts all nodes and waits until each accepts MQTT clients and holds all that the others hold.
    func start() async throws {
        for node in nodes { try await node.launch() }
        // The first MQTT client has the streams made, so all nodes must have found each other before it comes.
        try await patiently("three nodes with a leader", within: .seconds(30)) { reports in
            reports.contains { $0.meta.leader != nil && $0.meta.isComplete }
        }
        for node in nodes { try await node.accepted() }
        for node in nodes { try await isBack(node) }
    }

    /// Waits until a node that was started again holds what the others hold and accepts MQTT clients, so that another
    /// one may die.
    ///
    /// NATS's own `/healthz` is no help. A node's MQTT side reads retained messages through a consumer of its own,
    /// which a restarted node deletes and makes anew under the same name when its first MQTT client comes. NATS 2.9
    /// may fail in that and call the consumer "not current" for ever. It concerns no other messages, so `$MQTT_rmsgs`
    /// is not looked at.
    ///
    /// What counts is asked of `/jsz` instead, for messages and sessions: that the leader of the stream sees both
    /// followers at work, and that the node has as many consumers as the leader, and all the messages which the leader
    /// had at the first look. Without its consumers it would have no interest in new messages and drop them:
    /// `$MQTT_msgs` keeps only what somebody waits for.
    ///
    /// - Throws: ``TimedOut`` with the last reports of all nodes.
    public func isBack(_ node: NATSServer, timeout: Duration = .seconds(30)) async throws {
        try await caughtUp(node, timeout: timeout)
        // Its first client has the node's MQTT side look for the streams, which is better done while all is well: two
        // nodes in search of a leader turn their clients away.
        try await node.accepted(timeout: timeout)
        try await caughtUp(node, timeout: timeout)
    }

    private func caughtUp(_ node: NATSServer, timeout: Duration) async throws {
        var goals: [String: Int] = [:]
        try await patiently("\(node.name) to catch up", within: timeout) { reports in
            guard let own = reports.first(where: { $0.node == node.name }), own.meta.leader != nil else { return false }
            return ["$MQTT_msgs", "$MQTT_sess"].allSatisfy { name in
                let leaders = reports.compactMap { report in
                    report.streams.first { $0.name == name && $0.group.leader == report.node }
                }
                guard let leader = leaders.first, leaders.count == 1,
                    let mine = own.streams.first(where: { $0.name == name })
                else { return false }
                let goal = goals[name] ?? leader.lastSequence
                goals[name] = goal
                return leader.group.isComplete && mine.lastSequence >= goal && mine.consumers == leader.consumers
            }
        }
    }

    /// What each node that answers says of itself, for people.
    public func report() async -> String {
        await reports().map(\.description).joined(separator: "\n")
    }

    private func reports() async -> [JetStreamReport] {
        nodes.compactMap { $0.jetStreamReport() }
    }

    private func patiently(
        _ what: String, within limit: Duration, until condition: ([JetStreamReport]) -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            for node in nodes where await node.log.isFinished {
                throw OutputEnded(lines: await node.log.lines.suffix(20))
            }
            let reports = await reports()
            if condition(reports) { return }
            guard ContinuousClock.now < deadline else {
                throw TimedOut(what: "\(what); the nodes say:\n\(await report())", limit: limit)
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}

/// Lends a cluster of three real NATS Servers to `body` and kills it afterwards. If `body` throws, the ends of the
/// nodes' logs go to standard error.
public func withNATSCluster<Result: Sendable>(
    _ body: (NATSCluster) async throws -> Result
) async throws -> Result {
    let cluster = try NATSCluster()
    return try await running(cluster.nodes) {
        try await cluster.start()
        return try await body(cluster)
    }
}
