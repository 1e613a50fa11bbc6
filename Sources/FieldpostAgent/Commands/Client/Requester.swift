internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
public import Units

/// `fieldpost request`: asks a device, and prints its answer.
public struct Requester: Sendable {
    public struct Options: Sendable {
        public var client = ClientOptions()
        public var topic: String?
        /// Exactly one.
        public var contents: [Content] = []
        /// Takes whatever comes there for the answer, as mosquitto_rr does.
        public var responseTopic: String?
        /// Topics tell where the answer is to go, under 5.0 too: ``RequestTopics``.
        public var asksByTopics = false
        public var qos = 1
        /// Seconds from the connection on.
        public var timeout = 10
        public var output = OutputOptions()

        public init() {}
    }

    private let settings: ClientSettings
    private let content: Content
    private let template: Message
    private let responses: Subscription?
    private let way: MQTTClient.RequestWay
    private let timeout: Duration
    private let printer: MessagePrinter

    /// - Throws: ``InvalidText`` for options that do not go together, or say what cannot be.
    public init(_ options: Options) throws(InvalidText) {
        settings = try ClientSettings(options.client, properties: [.connect, .publish, .will])
        content = try Content(only: options.contents, of: "--message, --file, --stdin-file and --null-message")
        var template = try settings.message(to: options.topic, qos: options.qos)
        guard (1...31_536_000).contains(options.timeout) else {
            throw InvalidText("-W \(options.timeout)", mend: "it is at least 1 second, and at most a year")
        }
        timeout = .seconds(options.timeout)
        way = options.asksByTopics ? .topics : .automatic
        if let name = options.responseTopic {
            guard !options.asksByTopics else {
                throw InvalidText("-e and --by-topics exclude each other", mend: "leave one out")
            }
            template.properties.responseTopic = try ClientSettings.topic(name, "-e", TopicName.init)
            // What is retained there is the answer to another question.
            responses = Subscription(
                filter: try ClientSettings.topic(name, "-e", TopicFilter.init), qos: template.qos,
                retainHandling: .never)
        } else {
            guard template.properties.correlationData == nil else {
                throw InvalidText("correlation-data are the client's own matter", mend: "leave them out, or add -e")
            }
            responses = nil
        }
        self.template = template
        printer = try MessagePrinter(options.output, say: settings.say)
    }

    /// - Throws: ``CommandFailure``.
    public func run() async throws(CommandFailure) {
        let output = try Output()
        let input = try content.open()
        let run = ClientRun(
            settings: settings, timeout: timeout, waitsForConnection: true, isPatient: { false },
            work: { client in
                var message = template
                message.payload = try await content.payload(from: input)
                do {
                    let answer = try await answer(to: message, from: client)
                    if try await printer.write(answer, to: output) { await client.acknowledge(answer) }
                } catch let error as ClientError {
                    throw failure(error)
                }
            })
        switch await run() {
        case .done: break
        case .interrupted: throw CommandFailure(.refused, "interrupted before there was an answer")
        case .failed(let failure) where failure.kind == .timedOut: throw self.failure(.timedOut(after: timeout))
        case .failed(let failure): throw failure
        }
    }

    private func answer(to message: Message, from client: MQTTClient) async throws -> ReceivedMessage {
        guard let responses else { return try await client.request(message, by: way, timeout: timeout) }
        let codes = try await client.subscribe([responses], timeout: timeout)
        if let code = codes.first, code.isError {
            throw CommandFailure(.refused, "\(responses.filter): the broker refused the subscription: \(code)")
        }
        try await client.publishNow(message, timeout: timeout)
        let asked = message.properties.correlationData
        for await answer in client.messages where !answer.retain {
            // Devices that know nothing of 5.0 leave it out.
            guard let asked, let given = answer.properties.correlationData, given != asked else { return answer }
        }
        throw ClientError.stopped
    }

    private func failure(_ error: ClientError) -> CommandFailure {
        switch error {
        case .timedOut, .expired: CommandFailure(.timedOut, "\(template.topic): no answer within \(timeout.compact)")
        case .refused(.noMatchingSubscribers): CommandFailure(.refused, "\(template.topic): nobody listens there")
        case .notConnected, .connectionLost, .stopped: CommandFailure(.unavailable, "\(template.topic): \(error)")
        case .refused, .tooLarge, .unencodable, .tooManyRequests:
            CommandFailure(.refused, "\(template.topic): \(error)")
        }
    }
}
