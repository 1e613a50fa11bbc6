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
        public var output = OutputOptions()
        public var skipsRetained = false
        /// Ends with the first message that is not retained.
        public var onlyRetained = false
        /// Retained messages that are not filtered out are deleted at the broker.
        public var removesRetained = false
        /// 5.0: messages say whether they were published with the retain flag, and not whether they are old.
        public var retainsAsPublished = false
        /// So many of a hundred messages are printed, 0.1 to 100.
        public var share: Double?
        public var exitsWhenSubscribed = false

        public init() {}
    }

    private let options: Options
    private let settings: ClientSettings
    private let subscriptions: [Subscription]
    private let unsubscribed: [TopicFilter]
    private let filteredOut: [TopicFilter]
    private let printer: MessagePrinter

    /// - Throws: ``InvalidText`` for options that do not go together, or say what cannot be.
    public init(_ options: Options) throws(InvalidText) {
        func filters(_ texts: [String], _ option: String) throws(InvalidText) -> [TopicFilter] {
            var filters: [TopicFilter] = []
            for text in texts { filters.append(try ClientSettings.topic(text, option, TopicFilter.init)) }
            return filters
        }
        self.options = options
        var settings = try ClientSettings(
            options.client, properties: [.connect, .subscribe, .unsubscribe, .will],
            onlyIn5: options.retainsAsPublished ? "--retain-as-published" : nil)
        // The acknowledgements of deletions, which alone are published, may come in bursts, each held back by the broker
        // until what went before has arrived (Nagle): a broker of 3.1.1 does not care how many it owes.
        if options.removesRetained, options.client.maximumInFlight == nil {
            settings.configuration.maximumInFlight = 1000
        }
        self.settings = settings
        let qos = try ClientSettings.qos(options.qos, "--qos")
        let isSentRetained = !options.skipsRetained || options.removesRetained
        let topics = options.topics + (settings.topic.map { [$0] } ?? [])
        subscriptions = try filters(topics, "--topic").map {
            Subscription(
                filter: $0, qos: qos,
                // Deletions are not for us.
                noLocal: options.removesRetained && !$0.isShared, retainAsPublished: options.retainsAsPublished,
                retainHandling: isSentRetained ? .onSubscribe : .never)
        }
        unsubscribed = try filters(options.unsubscribed, "--unsubscribe")
        filteredOut = try filters(options.filteredOut, "-T")
        if subscriptions.isEmpty, unsubscribed.isEmpty {
            throw InvalidText("there is no topic to subscribe to", mend: "add --topic")
        }
        if options.skipsRetained, options.onlyRetained {
            throw InvalidText("-R and --retained-only leave nothing to print", mend: "leave one out")
        }
        if let share = options.share, !(0.1...100).contains(share) {
            throw InvalidText("--random-filter \(share)", mend: "it is 0.1 to 100 of a hundred messages")
        }
        if let count = options.count, count < 1 { throw InvalidText("-C \(count)", mend: "it is at least 1") }
        if let timeout = options.timeout, !(1...31_536_000).contains(timeout) {
            throw InvalidText("-W \(timeout)", mend: "it is at least 1 second, and at most a year")
        }
        printer = try MessagePrinter(options.output, say: settings.say)
    }

    /// - Throws: ``CommandFailure``.
    public func run() async throws(CommandFailure) {
        let output = try Output()
        // For deletions. Their acknowledgements may come only behind all that is to be read: there is room for many.
        let store = WindowStore(maximumCount: 1_000_000, maximumBytes: 1 << 27)
        let run = ClientRun(
            settings: settings, store: store, timeout: options.timeout.map { .seconds($0) }, isPatient: { true },
            work: { client in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    // From the first: brokers may send what is retained before they answer.
                    group.addTask {
                        try await printMessages(of: client, to: output, deletingIn: store)
                        try await store.drain()
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
        let kept = await store.discarded.values.reduce(0, +)
        if kept > 0 {
            throw CommandFailure(.refused, "\(kept) retained messages were not deleted: the broker refused it")
        }
    }

    private func subscribe(_ client: MQTTClient) async throws {
        do {
            let codes = try await client.subscribe(subscriptions, properties: settings.properties[.subscribe])
            for (subscription, code) in zip(subscriptions, codes) {
                settings.logger.debug(
                    "subscribed", metadata: ["filter": "\(subscription.filter)", "answer": "\(code)"])
                guard code.isError else { continue }
                let refusal = "\(subscription.filter): the broker refused the subscription: \(code)"
                guard codes.contains(where: { !$0.isError }) else { throw CommandFailure(.refused, refusal) }
                settings.say(refusal)
            }
            try await client.unsubscribe(unsubscribed, properties: settings.properties[.unsubscribe])
        } catch let error as ClientError {
            throw CommandFailure(.unavailable, "subscribing: \(error)")
        }
    }

    private func printMessages(
        of client: MQTTClient, to output: Output, deletingIn store: WindowStore
    ) async throws {
        var count = 0
        for await message in client.messages {
            if options.onlyRetained, !message.retain { return }
            if filteredOut.contains(where: { $0.matches(message.topic) }) { continue }
            if options.removesRetained, message.retain {
                _ = try await store.append([Message(topic: message.topic, payload: ByteBuffer(), retain: true)])
                client.storeDidChange()
            }
            if options.skipsRetained, message.retain { continue }
            if options.share.map({ .random(in: 0..<100) < $0 }) ?? true, !(try await printer.write(message, to: output))
            {
                return
            }
            count += 1
            if count == options.count { return await client.acknowledge(message) }
        }
    }
}
