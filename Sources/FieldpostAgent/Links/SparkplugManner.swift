internal import Logging
internal import MQTT
internal import MQTTWire
internal import StoreForward
internal import Synchronization
internal import Uplink

/// The manner of a Sparkplug edge node: births, a death with a number, commands as metrics, a primary host.
final class SparkplugManner: LinkManner {
    private let broker: AgentConfiguration.Broker
    private let outbox: Outbox
    private let store: SparkplugStore
    private let logger: Logger
    private let center = Mutex<CommandCenter?>(nil)
    private let allowance = Mutex(LogAllowance())

    init(_ broker: AgentConfiguration.Broker, outbox: Outbox, store: SparkplugStore, logger: Logger) {
        self.broker = broker
        self.outbox = outbox
        self.store = store
        self.logger = logger
    }

    func serve(_ center: CommandCenter) { self.center.withLock { $0 = center } }

    func parameters(connection: Int) async throws -> ConnectParameters {
        // 0 comes after 255 (Sparkplug 3.0 §6.4.25).
        let count = try await outbox.increment(counter: "bdSeq")
        var parameters = broker.credentials
        parameters.will = try store.will(connection: connection, bdSeq: UInt8(truncatingIfNeeded: count - 1))
        return parameters
    }

    func run(_ client: MQTTClient) async { store.setBell { client.storeDidChange() } }

    func notice(_ event: ClientEvent, _ client: MQTTClient) async {
        guard case .connected(let result) = event else { return }
        do {
            let codes = try await client.subscribe(try store.subscriptions)
            for code in codes where code.isError {
                tell("the broker refuses a subscription of the Sparkplug node", "\(code)")
            }
            store.open(connection: result.number)
        } catch {
            // The next connection tries again.
            tell("the Sparkplug node cannot hear its hosts", "\(error)")
        }
    }

    func take(_ message: ReceivedMessage, _ client: MQTTClient) async -> Bool {
        let actions: [SparkplugAction]
        do {
            guard let known = try store.receive(message.topic, message.payload) else { return false }
            actions = known
        } catch {
            tell("a message to the Sparkplug node cannot be used", "\(error)")
            return false
        }
        for action in actions {
            switch action {
            case .command(let command): obey(command)
            case .refused(let error): tell("a command was not done", "\(error)")
            case .hostOffline(let death): await hostIsOffline(death, client)
            }
        }
        return false
    }

    private func hostIsOffline(_ death: Message?, _ client: MQTTClient) async {
        logger.notice("the primary host is offline: readings wait for it")
        guard let death else {
            if broker.servers.count > 1 { await client.leave() }
            return
        }
        do {
            try await client.publishNow(death, timeout: Grace.status)
            await client.leave()
        } catch {
            // The will says the same.
            await client.leave(keepingWill: true)
        }
    }

    /// There is no answer but the output's new value.
    private func obey(_ command: RemoteCommand) {
        guard let center = center.withLock({ $0 }) else {
            return tell("a command was not done", "[commands] is not in the configuration")
        }
        let time = ContinuousClock.now
        let isQueued = center.queue.add(to: command.lane) {
            do throws(CommandError) {
                _ = try await center.result(of: CommandText(command), since: time)
            } catch {
                self.tell("a command was not done", "\(error)")
            }
        }
        if !isQueued { tell("a command was not done", "too many are under way") }
    }

    func sayGoodbye(_ reason: StopReason, _ client: MQTTClient) async -> Bool {
        let isTold = Mutex(true)
        await store.goodbye { death in
            do {
                try await client.publishNow(death, timeout: Grace.status)
            } catch {
                isTold.withLock { $0 = false }
                throw error
            }
        }
        return isTold.withLock { $0 }
    }

    private func tell(_ message: Logger.Message, _ reason: String) {
        guard let omitted = allowance.withLock({ $0.admit(at: .now) }) else { return }
        logger.warning(message, metadata: ["reason": "\(reason)", "left-out": "\(omitted)"])
    }
}
