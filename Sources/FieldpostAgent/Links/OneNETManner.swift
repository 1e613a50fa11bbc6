internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Pipeline
internal import StoreForward
internal import Synchronization
internal import Units
internal import Uplink

/// The manner of a device on OneNET: a token that is signed for each connection, posts that only the platform's answer lets
/// go, requests that are answered, sub-devices that are logged in.
final class OneNETManner: LinkManner {
    private let credentials: OneNETCredentials
    private let store: OneNETStore
    private let node: Mutex<OneNETNode>
    private let logger: Logger
    private let center = Mutex<CommandCenter?>(nil)
    private let allowance = Mutex(LogAllowance())

    init(_ settings: OneNETSettings, store: OneNETStore, logger: Logger) {
        credentials = settings.credentials
        self.store = store
        self.logger = logger
        node = Mutex(OneNETNode(settings))
    }

    func serve(_ center: CommandCenter) { self.center.withLock { $0 = center } }

    func parameters(connection: Int) async throws -> ConnectParameters {
        ConnectParameters(
            username: credentials.product, password: ByteBuffer(string: try credentials.token(at: .now())))
    }

    func run(_ client: MQTTClient) async {
        await store.whenChanged { client.storeDidChange() }
    }

    /// Before anything is asked: else the answers might come before anybody hears them.
    private func subscribe(_ client: MQTTClient) async throws {
        let wanted = node.withLock { $0.subscriptions }
        for (subscription, code) in zip(wanted, try await client.subscribe(wanted)) where code.isError {
            tell("OneNET refuses a subscription", "\(subscription.filter): \(code)")
        }
    }

    func notice(_ event: ClientEvent, _ client: MQTTClient) async {
        switch event {
        case .connected:
            do {
                try await subscribe(client)
                let messages = try node.withLock { node throws(OneNETTokenError) in try node.connected(at: .now()) }
                for message in messages { try await client.publishNow(message) }
            } catch {
                tell("OneNET cannot be heard, or is not told of the sub-devices", "\(error)")
            }
        case .disconnected: await store.connectionLost()
        case .connectFailed: break
        }
    }

    func take(_ message: ReceivedMessage, _ client: MQTTClient) async -> Bool {
        let actions = node.withLock { $0.receive(message.topic, message.payload, at: .now) }
        for action in actions {
            switch action {
            case .publish(let message): publish(message, client)
            case .execute(let request): obey(request, client)
            case .answered(let answer): await store.answered(answer)
            case .ready: await store.open()
            case .refused(let what, let answer): tell("OneNET refuses", "\(what): \(answer.code) \(answer.message)")
            }
        }
        return false
    }

    /// The platform's answers let the last posts go, which would be told a second time after the next start.
    func takeLast(_ message: ReceivedMessage, _ client: MQTTClient) async {
        for case .answered(let answer) in node.withLock({ $0.receive(message.topic, message.payload, at: .now) }) {
            await store.answered(answer)
        }
        await client.acknowledge(message)
    }

    private func publish(_ message: Message, _ client: MQTTClient) {
        Task {
            do {
                try await client.publishNow(message)
            } catch {
                tell("an answer did not reach OneNET", "\(error)")
            }
        }
    }

    private func obey(_ request: OneNETNode.Request, _ client: MQTTClient) {
        guard let center = center.withLock({ $0 }) else {
            let error = CommandError(.forbidden, "[commands] is not in the configuration")
            return answer(request, request.commands.isEmpty ? [] : [.failure(error)], client)
        }
        let time = ContinuousClock.now
        let isQueued = center.queue.add(to: request.commands.lazy.compactMap(\.lane).first) {
            var outcomes: [Result<JSON, CommandError>] = []
            for command in request.commands {
                do throws(CommandError) {
                    outcomes.append(.success(.object(try await center.result(of: CommandText(command), since: time))))
                } catch {
                    outcomes.append(.failure(error))
                    break
                }
            }
            self.answer(request, outcomes, client)
        }
        if !isQueued { answer(request, [.failure(CommandError(.busy, "too many commands are under way"))], client) }
    }

    private func answer(
        _ request: OneNETNode.Request, _ outcomes: [Result<JSON, CommandError>], _ client: MQTTClient
    ) {
        for answer in node.withLock({ $0.finished(request, outcomes, at: .now, time: .now()) }) {
            publish(answer, client)
        }
    }

    func observe(_ report: Report) async -> [Message] {
        node.withLock { $0.note(report) }
        return []
    }

    /// There is no will: the platform goes by the keep-alive.
    func sayGoodbye(_ reason: StopReason, _ client: MQTTClient) async -> Bool {
        // There may be many sub-devices.
        let end = ContinuousClock.now + Grace.status
        for message in node.withLock({ $0.farewell(at: .now()) }) where .now < end {
            try? await client.publishNow(message, timeout: min(Grace.goodbye, end - .now))
        }
        return true
    }

    private func tell(_ message: Logger.Message, _ reason: String) {
        guard let omitted = allowance.withLock({ $0.admit(at: .now) }) else { return }
        logger.warning(message, metadata: ["reason": "\(reason)", "left-out": "\(omitted)"])
    }
}
