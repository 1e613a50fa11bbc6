internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import OpenSSLTransport
internal import Settings
internal import Units

/// Connects to a broker as the agent will, publishes to a topic of its own and waits for the message to come back.
///
/// Not under the agent's own client identifier: an agent that runs already would lose its connection, and its session.
enum ConnectionTest {
    enum Outcome: Sendable, Hashable {
        /// What was seen, as a sentence's rest: "MQTT 5.0; published and received".
        case good(String)
        case failed(String)
    }

    private static let patience = Duration.seconds(5)

    static func run(_ answers: SetupAnswers) async -> Outcome {
        guard let endpoint = answers.endpoint else { return ownBroker() }
        var configuration = ClientConfiguration(
            endpoints: [endpoint], clientIdentifier: "\(answers.device)-setup")
        configuration.tls = answers.tls
        configuration.sessionExpiry = .zero
        let (username, password) = (answers.username, answers.password.map { ByteBuffer(bytes: $0.secret.bytes) })
        configuration.parameters = { _ in ConnectParameters(username: username, password: password) }
        let client = MQTTClient(
            configuration, store: MemoryStore(), eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: Logger(label: "", factory: { _ in SwiftLogNoOpLogHandler() }))
        let running = Task { await client.run() }
        let outcome = await talk(client, endpoint, device: answers.device)
        await client.disconnect()
        await running.value
        return outcome
    }

    private static func talk(_ client: MQTTClient, _ endpoint: Endpoint, device: String) async -> Outcome {
        connecting: for await event in client.events {
            switch event {
            case .connected: break connecting
            case .connectFailed(let endpoint, let failure, _):
                return .failed("\(endpoint): \(failure)\(mend(failure))")
            case .disconnected(let reason, _): return .failed("\(endpoint): the connection was lost: \(reason)")
            }
        }
        let spoken = await client.version == .v5 ? "MQTT 5.0" : "MQTT 3.1.1"
        let name = "fieldpost/\(device)/setup"
        do {
            let topic = try TopicName(name)
            let codes = try await client.subscribe(
                [Subscription(filter: TopicFilter(name), qos: .atLeastOnce)], timeout: patience)
            let payload = ByteBuffer(string: "setup \(UInt32.random(in: 0 ... .max))")
            try await client.publishNow(
                Message(topic: topic, payload: payload, qos: .atLeastOnce), timeout: patience)
            if let code = codes.first, code.isError {
                return .good(
                    "\(spoken); published; the broker does not let us read \(name) (\(code)), which is no harm")
            }
            let isBack = await first(of: client.messages) { $0.topic == topic && $0.payload == payload }
            if isBack { return .good("\(spoken); published and received") }
            // 3.1.1 has no way to say that a message was not wanted.
            return await client.version == .v5
                ? .good("\(spoken); published; nothing came back: we may not read \(name), which is no harm")
                : .failed(
                    "\(endpoint): what was published to \(name) did not come back; check the broker's access rules")
        } catch ClientError.refused(let code) {
            return .failed("\(endpoint): publishing to \(name) was refused: \(code); check the broker's access rules")
        } catch {
            return .failed("\(endpoint): publishing to \(name) failed: \(error)")
        }
    }

    private static func first(
        of messages: ReceivedMessages, where isMeant: @escaping @Sendable (ReceivedMessage) -> Bool
    ) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await message in messages where isMeant(message) { return true }
                return false
            }
            group.addTask {
                try? await Task.sleep(for: patience)
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    private static func ownBroker() -> Outcome {
        ListeningPorts.all().contains(1883)
            ? .failed(
                "somebody listens at port 1883 of this machine already; if it is a broker, use it: mqtt://localhost:1883"
            )
            : .good("port 1883 is free for it")
    }

    private static func mend(_ failure: ConnectFailure) -> String {
        switch failure {
        case .unreachable(let reason) where reason.includes("not resolved"):
            "; check the name, and the board's network"
        case .unreachable: "; check host and port, and that a broker listens there"
        case .timedOut: "; check host and port, and what firewalls stand between"
        case .closed:
            "; is this the port of an MQTT broker, and is it spoken to with TLS where it wants that (mqtts://)?"
        case .tls(let error): mend(error)
        default: ""
        }
    }

    private static func mend(_ error: TLSError) -> String {
        switch error.code {
        case .unknownIssuer, .selfSigned: "; name the file of the CA that vouches for the broker"
        case .expired, .notYetValid: "; check the board's clock, and then the broker's certificate"
        case .hostMismatch: "; use the name that stands in the certificate"
        case .notTLS: "; is it a port without TLS (mqtt://)?"
        default: ""
        }
    }
}
