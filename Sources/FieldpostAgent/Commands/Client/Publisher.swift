internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
public import Units

/// `fieldpost pub`: publishes what it is given, and ends when the broker has acknowledged it.
public struct Publisher: Sendable {
    public struct Options: Sendable {
        public var client = ClientOptions()
        public var topic: String?
        /// Exactly one.
        public var contents: [Content] = []
        public var qos = 0
        public var retain = false
        /// How often the message is published, at least once.
        public var count: Int?
        /// Seconds between these.
        public var delay: Double?

        public init() {}
    }

    private let settings: ClientSettings
    private let content: Content
    private let template: Message
    private let count: Int
    private let delay: Duration

    /// - Throws: ``InvalidText`` for options that do not go together, or say what cannot be.
    public init(_ options: Options) throws(InvalidText) {
        settings = try ClientSettings(options.client, properties: [.connect, .publish, .will])
        content = try Content(
            only: options.contents, of: "--message, --file, --stdin-line, --stdin-file and --null-message")
        template = try settings.message(to: options.topic, qos: options.qos, retain: options.retain)
        count = options.count ?? 1
        guard count >= 1 else { throw InvalidText("--repeat \(count)", mend: "it is at least 1") }
        if content == .lines, options.count != nil || options.delay != nil {
            throw InvalidText(
                "the lines of standard input cannot be repeated", mend: "leave out --repeat and --repeat-delay")
        }
        let seconds = options.delay ?? 0
        guard (0...86_400).contains(seconds) else {
            throw InvalidText("--repeat-delay \(seconds)", mend: "it is 0 to 86400 seconds")
        }
        delay = .seconds(seconds)
    }

    /// - Throws: ``CommandFailure``.
    public func run() async throws(CommandFailure) {
        let store = WindowStore()
        let stream = Stream()
        let source = try content.open()
        let run = ClientRun(
            settings: settings, store: store,
            isPatient: { [content] in content == .lines ? await !stream.hasEnded : false },
            work: { client in
                guard content == .lines, let source else {
                    return try await publish(content.payload(from: source), with: client)
                }
                try await source.forEachLines { lines in
                    _ = try await store.append(lines.map(message))
                    client.storeDidChange()
                }
                await stream.end()
                try await store.drain()
            })
        let verdict = await run()

        let pending = await store.pending
        let missing = "; \(pending) of \(await store.accepted) messages are not acknowledged"
        switch verdict {
        case .failed(let failure):
            let isAll = pending == 0 || content != .lines
            throw CommandFailure(failure.kind, failure.description + (isAll ? "" : missing))
        case .interrupted:
            if pending > 0 { throw CommandFailure(.refused, "interrupted" + missing) }
        case .done: break
        }
        let discarded = await store.discarded.sorted { $0.key.rawValue < $1.key.rawValue }
        if !discarded.isEmpty {
            let causes = discarded.map { "\($0.value) \($0.key.text)" }.joined(separator: ", ")
            throw CommandFailure(
                .refused, "not all of \(await store.accepted) messages were taken: \(causes); --debug says more")
        }
    }

    private func message(_ payload: ByteBuffer) -> Message {
        var message = template
        message.payload = payload
        return message
    }

    private func publish(_ payload: ByteBuffer, with client: MQTTClient) async throws {
        let message = message(payload)
        for number in 1...count {
            if number > 1 { try await Task.sleep(for: delay) }
            do {
                // How long the broker may take is the client's to say: it gives a mute connection up.
                try await client.publish(message, until: .acknowledged, timeout: .seconds(86_400))
            } catch let error as ClientError {
                throw CommandFailure(.refused, "\(message.topic): \(error)")
            }
            settings.logger.debug(
                "published", metadata: ["topic": "\(message.topic)", "bytes": "\(payload.readableBytes)"])
        }
    }

    /// Whether more lines may come.
    private actor Stream {
        private(set) var hasEnded = false
        func end() { hasEnded = true }
    }
}

extension DiscardReason {
    fileprivate var text: String {
        switch self {
        case .refused: "refused by the broker"
        case .tooLarge: "larger than it takes"
        case .unencodable: "cannot be said in this version of MQTT"
        }
    }
}
