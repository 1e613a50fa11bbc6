internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
public import Units

/// `fieldpost sub`: prints what arrives.
public struct Subscriber: Sendable {
    public struct Options: Sendable {
        public var client = ClientOptions()
        public var topics: [String] = []
        public var qos = 0
        /// Filters of messages that are passed over.
        public var filteredOut: [String] = []
        public var unsubscribed: [String] = []
        /// Ends after so many messages.
        public var count: Int?
        /// Ends after so many seconds with a connection.
        public var timeout: Int?
        public var showsTopics = false
        public var endsLines = true
        /// An output format of mosquitto_sub(1).
        public var format: String?
        public var skipsRetained = false
        /// Ends with the first message that is not retained.
        public var onlyRetained = false
        public var exitsWhenSubscribed = false

        public init() {}
    }

    private let options: Options
    private let settings: ClientSettings
    private let subscriptions: [Subscription]
    private let unsubscribed: [TopicFilter]
    private let filteredOut: [TopicFilter]
    private let format: MessageFormat?

    /// - Throws: ``InvalidText`` for options that do not go together, or say what cannot be.
    public init(_ options: Options) throws(InvalidText) {
        func filters(_ texts: [String], _ option: String) throws(InvalidText) -> [TopicFilter] {
            var filters: [TopicFilter] = []
            for text in texts { filters.append(try ClientSettings.topic(text, option, TopicFilter.init)) }
            return filters
        }
        self.options = options
        let settings = try ClientSettings(options.client, properties: [.connect, .will])
        self.settings = settings
        let qos = try ClientSettings.qos(options.qos, "--qos")
        // 3.1.1 cannot ask for it: there they are sent, and not printed.
        let sendsNoRetained = options.skipsRetained && settings.configuration.version == .v5
        let topics = options.topics + (settings.topic.map { [$0] } ?? [])
        subscriptions = try filters(topics, "--topic").map {
            Subscription(filter: $0, qos: qos, retainHandling: sendsNoRetained ? .never : .onSubscribe)
        }
        unsubscribed = try filters(options.unsubscribed, "--unsubscribe")
        filteredOut = try filters(options.filteredOut, "-T")
        if subscriptions.isEmpty, unsubscribed.isEmpty {
            throw InvalidText("there is no topic to subscribe to", mend: "add --topic")
        }
        if options.skipsRetained, options.onlyRetained {
            throw InvalidText("-R and --retained-only leave nothing to print", mend: "leave one out")
        }
        if let count = options.count, count < 1 { throw InvalidText("-C \(count)", mend: "it is at least 1") }
        if let timeout = options.timeout, !(1...31_536_000).contains(timeout) {
            throw InvalidText("-W \(timeout)", mend: "it is at least 1 second, and at most a year")
        }
        format = try options.format.map { text throws(InvalidText) in try MessageFormat(parsing: text) }
    }

    /// - Throws: ``CommandFailure``.
    public func run() async throws(CommandFailure) {
        let output = Output()
        let run = ClientRun(
            settings: settings, timeout: options.timeout.map { .seconds($0) }, isPatient: { true },
            work: { client in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    // From the first: brokers may send what is retained before they answer.
                    group.addTask {
                        try await printMessages(of: client, to: output)
                        return true
                    }
                    group.addTask {
                        try await subscribe(client)
                        return options.exitsWhenSubscribed
                    }
                    while let isDone = try await group.next() {
                        if isDone { return group.cancelAll() }
                    }
                }
            })
        if case .failed(let failure) = await run() { throw failure }
    }

    private func subscribe(_ client: MQTTClient) async throws {
        do {
            let codes = try await client.subscribe(subscriptions)
            for (subscription, code) in zip(subscriptions, codes) {
                settings.logger.debug(
                    "subscribed", metadata: ["filter": "\(subscription.filter)", "answer": "\(code)"])
                guard code.isError else { continue }
                let refusal = "\(subscription.filter): the broker refused the subscription: \(code)"
                guard codes.contains(where: { !$0.isError }) else { throw CommandFailure(.refused, refusal) }
                settings.say(refusal)
            }
            try await client.unsubscribe(unsubscribed)
        } catch let error as ClientError {
            throw CommandFailure(.unavailable, "subscribing: \(error)")
        }
    }

    private func printMessages(of client: MQTTClient, to output: Output) async throws {
        var count = 0
        for await message in client.messages {
            if options.onlyRetained, !message.retain { return }
            if options.skipsRetained, message.retain { continue }
            if filteredOut.contains(where: { $0.matches(message.topic) }) { continue }
            do {
                try await output.write(line(message, isTerminal: output.isTerminal))
            } catch is Output.ReaderGone {
                return
            }
            count += 1
            if count == options.count { return await client.acknowledge(message) }
        }
    }

    /// As mosquitto_sub prints them: without a format, a message without a payload is nothing, or `(null)` behind its topic.
    private func line(_ message: ReceivedMessage, isTerminal: Bool) -> [UInt8] {
        var line: [UInt8]
        if let format {
            line = format.text(of: message, at: .now, isTerminal: isTerminal)
        } else if message.payload.readableBytes == 0 {
            guard options.showsTopics else { return [] }
            line = MessageFormat.shown(message.topic.string.utf8, isTerminal) + Array(" (null)".utf8)
        } else {
            line = options.showsTopics ? MessageFormat.shown(message.topic.string.utf8, isTerminal) + [0x20] : []
            line += MessageFormat.shown(message.payload.readableBytesView, isTerminal)
        }
        if options.endsLines { line.append(UInt8(ascii: "\n")) }
        return line
    }
}
