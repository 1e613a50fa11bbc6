internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Pipeline
internal import StoreForward
internal import Synchronization
internal import Uplink

/// One connection of the agent to a broker, with the queue of what is to go there, and the profiles in which it is said.
struct Link: Sendable {
    let name: String
    let outbox: Outbox
    let client: MQTTClient
    let manner: any LinkManner
    let profiles: [any Profile]
    let logger: Logger
    /// Who wants to know whether anybody can be reached.
    var reach: Reach?
    /// Puts messages into the queue that are built of the number of the first.
    private let append: @Sendable (@Sendable (Int64) -> [Message]) async throws -> Void
    private let allowance = Allowance()
    private let stage = Stage()

    private final class Stage: Sendable {
        private let state = Mutex(false)
        var isLeaving: Bool { state.withLock { $0 } }
        func leave() { state.withLock { $0 = true } }
    }

    private final class Allowance: Sendable {
        private let state = Mutex(LogAllowance())
        func admit() -> Int? { state.withLock { $0.admit(at: .now) } }
    }

    /// - Parameter store: through which messages come to the queue; nil: they come there directly, and carry their numbers.
    init(
        name: String, outbox: Outbox, store: (any SessionStore)? = nil, client: MQTTClient, manner: any LinkManner,
        profiles: [any Profile], logger: Logger
    ) {
        if let store {
            append = { build in _ = try await store.append(build(0)) }
        } else {
            append = { build in _ = try await outbox.append(build) }
        }
        self.name = name
        self.outbox = outbox
        self.client = client
        self.manner = manner
        self.profiles = profiles
        self.logger = logger
    }

    /// Puts reports into the queue; comes back when they are there.
    func accept(_ reports: [Report]) async {
        var occasioned: [Message] = []
        for report in reports { occasioned += await manner.observe(report) }
        let (profiles, failures, introductions) = (profiles, Failures(), occasioned)
        do {
            try await append { first in
                var messages = introductions
                for report in reports {
                    for profile in profiles {
                        do {
                            messages += try profile.messages(for: report, sequence: first + Int64(messages.count))
                        } catch {
                            failures.note("\(error)")
                        }
                    }
                }
                return messages
            }
            client.storeDidChange()
        } catch {
            failures.note("\(error)")
        }
        guard let reason = failures.last, let omitted = allowance.admit() else { return }
        logger.error(
            "readings were not accepted",
            metadata: ["link": "\(name)", "reason": "\(reason)", "left-out": "\(omitted)"])
    }

    private final class Failures: Sendable {
        private let state = Mutex<String?>(nil)
        var last: String? { state.withLock { $0 } }
        func note(_ reason: String) { state.withLock { $0 = reason } }
    }

    // MARK: Life

    /// Keeps the connection, until cancelled and beyond; see `leave`.
    func run() async {
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await manner.run(client) }
            // What a manner does about one event may take its time, in which others come.
            let (events, relay) = AsyncStream<ClientEvent>.makeStream(bufferingPolicy: .bufferingNewest(256))
            tasks.addTask {
                for await event in client.events {
                    switch event {
                    case .connected: reach?.set(name, true)
                    case .disconnected: reach?.set(name, false)
                    case .connectFailed: break
                    }
                    relay.yield(event)
                }
                relay.finish()
            }
            tasks.addTask { for await event in events { await manner.notice(event, client) } }
        }
        stage.leave()
    }

    /// Takes what comes, until cancelled. After `run` that is only what concerns messages that are still under way: nothing
    /// else is done any more, nor acknowledged.
    func listen() async {
        for await message in client.messages {
            if stage.isLeaving {
                await manner.takeLast(message, client)
            } else if await !manner.take(message, client) {
                await client.acknowledge(message)
            }
        }
    }

    /// Takes leave of the broker: what was read goes out while there is somebody to take it; a backlog stays for the next
    /// start.
    func leave(_ reason: StopReason) async {
        try? await outbox.flush()
        var isTold = false
        if await client.isConnected {
            try? await client.waitUntilDelivered(timeout: Grace.queue)
            isTold = await manner.sayGoodbye(reason, client)
        }
        await client.disconnect(within: Grace.goodbye, keepingWill: !isTold)
    }
}
