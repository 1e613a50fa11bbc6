internal import Logging
internal import MQTT
internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import StoreForward
internal import Units

/// Carries messages between the broker inside the agent and the far one, as `[[bridge]]` says.
///
/// **Out** it is a client of the broker inside, with a session that lasts. A message is in the queue, durable, before it is
/// acknowledged to the session; so one that a device's QoS 1 or 2 was acknowledged for is on disk at any time (D1), where
/// both are kept there, until the far broker has it. That a message is in the queue is noted with it, in one transaction,
/// under the number that the session gave it (``SessionNumbers``): a process that was killed before the acknowledgement
/// was stored does not take it twice. So QoS 2 stays exact from a device to the far broker.
///
/// **In** it reads what the agent's own connection receives, and a message is acknowledged to the far broker when the
/// broker inside has stored it. A process that is killed between the two receives it again: at QoS 2, too, it may then
/// reach the devices twice.
///
/// **Round in circles** nothing goes: what comes in is published by the very client that carries out, and which is not
/// given its own messages (No Local, 5.0 §3.8.3.1); a far broker that speaks 5.0 does not give ours back, and of one that
/// speaks 3.1.1 they are known again (``EchoTable``); and over several gateways a message names those it has passed
/// (``GatewayPath``), where all of them speak 5.0. Under 3.1.1 gateways that are each other's far brokers, with rules for
/// the same topics in a ring, cannot be told from devices.
struct Bridge: Sendable {
    static let clientIdentifier = "$bridge"
    /// The number of the session's last message that has come to the queue is kept there under this name.
    private static let note = "bridge"
    private static let retryInterval = Duration.seconds(1)
    /// Messages of the session that are under way: as many may go to disk together.
    private static let window = 1_000

    private let plan: BridgePlan
    private let server: MQTTServer
    private let admission: BridgeAdmission
    private let outbox: Outbox
    /// Nil where nothing can echo.
    private let echoes: EchoStore?
    private let logger: Logger
    let counters = BridgeCounters()
    private let keepsRetained: Bool
    private let remoteFilters: [TopicFilter]
    private let incoming = Gatherer<ReceivedMessage>(maximumCount: 256)

    /// - Returns: nil if there are no rules.
    init?(_ configuration: AgentConfiguration, _ host: BridgeHost, outbox: Outbox, logger: Logger) {
        guard !configuration.bridges.isEmpty, let server = configuration.server?.server else { return nil }
        plan = BridgePlan(
            configuration.bridges, device: configuration.device.id, statusTopic: configuration.status.topic,
            version: configuration.broker.version)
        self.server = host.server
        admission = host.admission
        self.outbox = outbox
        self.logger = logger
        echoes =
            plan.canEcho && configuration.broker.version != .v5
            ? EchoStore(outbox, filters: plan.remoteFilters, mark: configuration.queue.backlog.mark) : nil
        keepsRetained = server.persistence != nil
        remoteFilters = plan.remoteFilters
    }

    /// For the agent's own connection.
    var store: any SessionStore { echoes ?? outbox }

    /// Until the task is cancelled.
    func run(_ client: MQTTClient) async {
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await subscribe(client) }
            tasks.addTask {
                while !Task.isCancelled {
                    do {
                        try await carry(client)
                    } catch {
                        logger.error("the bridge has no place in the broker", metadata: ["reason": "\(error)"])
                    }
                    admission.open()
                    try? await Task.sleep(for: Self.retryInterval)
                }
            }
        }
    }

    /// As long as one connection to the broker inside lasts.
    private func carry(_ client: MQTTClient) async throws {
        let (local, numbers) = try await connect()
        await withTaskGroup { tasks in
            tasks.addTask { await carryOut(local, numbers, client) }
            tasks.addTask { await carryIn(local, client) }
            // When the connection has ended, there is nothing left for the other.
            await tasks.next()
            tasks.cancelAll()
        }
        await local.disconnect()
    }

    // MARK: Subscriptions

    private func connect() async throws -> (LocalClient, SessionNumbers) {
        let pending = await server.sessions().first { $0.clientIdentifier == Self.clientIdentifier }?.pendingMessages
        let held = await server.subscriptions(of: Self.clientIdentifier).map(\.subscription.filter)
        let local = try await server.connectLocal(
            identifier: Self.clientIdentifier, cleanStart: false, sessionExpiry: .seconds(Int64(UInt32.max)),
            maximumInFlight: Self.window, losesNothing: true)
        let known = try await outbox.note(Self.note) ?? -1
        let numbers = SessionNumbers(next: local.nextNumber, pending: pending ?? 0, last: known)
        if numbers.last != known { try await outbox.note(numbers.last, as: Self.note) }
        let wanted = plan.localSubscriptions
        let stale = held.filter { filter in !wanted.contains { $0.filter == filter } }
        if !stale.isEmpty { try await local.unsubscribe(stale) }
        if !wanted.isEmpty {
            for (subscription, code) in zip(wanted, try await local.subscribe(wanted)) where code.isError {
                logger.error(
                    "nothing is carried out", metadata: ["from": "\(subscription.filter)", "reason": "\(code)"])
            }
        }
        admission.open()
        return (local, numbers)
    }

    private func subscribe(_ client: MQTTClient) async {
        let wanted = plan.remoteSubscriptions(keepsRetained: keepsRetained)
        do {
            let codes = try await client.subscribe(wanted, timeout: .seconds(365 * 86_400))
            for (subscription, code) in zip(wanted, codes) where code.isError {
                logger.warning(
                    "nothing is carried in: the broker refuses the subscription",
                    metadata: ["from": "\(subscription.filter)", "reason": "\(code)"])
            }
        } catch {
            logger.debug("nothing is carried in", metadata: ["reason": "\(error)"])
        }
    }

    /// No rules any more: nobody comes for what the session holds.
    static func forget(on server: MQTTServer) async {
        guard await server.sessions().contains(where: { $0.clientIdentifier == clientIdentifier }) else { return }
        await server.deleteSession(clientIdentifier)
    }

    // MARK: Out

    private func carryOut(_ local: LocalClient, _ numbers: SessionNumbers, _ client: MQTTClient) async {
        let gathered = Gatherer<LocalMessage>(maximumCount: Self.window)
        await withTaskGroup { tasks in
            tasks.addTask {
                for await message in local.messages {
                    guard await gathered.bring(message, bytes: message.message.payload.readableBytes) else { return }
                }
            }
            tasks.addTask {
                var numbers = numbers
                while let batch = await gathered.take() {
                    guard await take(batch, &numbers) else { return }
                    client.storeDidChange()
                }
            }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    /// Puts messages into the queue, and acknowledges them.
    ///
    /// - Returns: false when the queue is closed.
    private func take(_ batch: [LocalMessage], _ numbers: inout SessionNumbers) async -> Bool {
        var carried: [(messages: [Message], number: Int64)] = []
        for local in batch {
            if let identifier = local.packetIdentifier, !numbers.isNew(identifier) { continue }
            let outcome = plan.outgoing(local.message, at: .now())
            counters.count(\.dropped, outcome.dropped)
            if outcome.isLoop { counters.count(\.looped) }
            if !outcome.messages.isEmpty { carried.append((outcome.messages, numbers.last)) }
        }
        do {
            do {
                try await append(carried.flatMap(\.messages), carried.last?.number)
            } catch let error as OutboxError where error != .closed {
                for (messages, number) in carried { try await appendAlone(messages, number) }
            }
        } catch {
            return false
        }
        for local in batch { local.acknowledge() }
        return true
    }

    /// One of many cannot be queued: the others can.
    private func appendAlone(_ messages: [Message], _ number: Int64) async throws {
        do {
            try await append(messages, number)
        } catch let error as OutboxError where error != .closed {
            counters.count(\.dropped, messages.count)
            logger.warning("a message is not carried out", metadata: ["reason": "\(error)"])
        }
    }

    private func append(_ messages: [Message], _ number: Int64?) async throws {
        guard !messages.isEmpty, let number else { return }
        _ = try await outbox.append(messages, noting: number, as: Self.note)
        counters.count(\.out, messages.count)
    }

    // MARK: In

    /// A message that the agent's own connection has received.
    ///
    /// - Returns: whether it is the bridge's now, which will acknowledge it.
    func take(_ message: ReceivedMessage, from client: MQTTClient) async -> Bool {
        guard remoteFilters.contains(where: { $0.matches(message.topic) }) else { return false }
        if let echoes, await client.version == .v3_1_1, echoes.takeEcho(message) {
            await client.acknowledge(message)
        } else {
            // If it is not taken any more, it comes again.
            _ = await incoming.bring(message, bytes: message.payload.readableBytes)
        }
        return true
    }

    /// Each topic's messages in order; several topics at once, since each waits for the disk.
    private func carryIn(_ local: LocalClient, _ client: MQTTClient) async {
        while let batch = await incoming.take() {
            let topics = Dictionary(grouping: batch, by: \.topic)
            let left = await withTaskGroup(of: [ReceivedMessage].self) { tasks in
                for messages in topics.values { tasks.addTask { await hand(messages, to: local, client) } }
                return await tasks.reduce(into: []) { $0 += $1 }
            }
            guard left.isEmpty else { return incoming.putBack(left) }
        }
    }

    /// - Returns: what is left when the connection to the broker inside has ended.
    private func hand(
        _ messages: [ReceivedMessage], to local: LocalClient, _ client: MQTTClient
    ) async -> [ReceivedMessage] {
        for (index, message) in messages.enumerated() {
            let outcome = plan.incoming(message)
            counters.count(\.dropped, outcome.dropped)
            if outcome.isLoop { counters.count(\.looped) }
            for carried in outcome.messages {
                do {
                    let code = try await local.publish(carried)
                    counters.count(code.isError ? \.dropped : \.in)
                } catch {
                    return Array(messages[index...])
                }
            }
            await client.acknowledge(message)
        }
        return []
    }
}

/// The broker inside, for those who carry.
struct BridgeHost: Sendable {
    var server: MQTTServer
    var admission: BridgeAdmission
}
