internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import StoreForward
internal import Synchronization
internal import Units
internal import Uplink

/// Where commands come in as messages, and answers go out.
///
///     fieldpost/{device}/command/set                  → the response topic of MQTT 5.0, else …/command/set/response
///     fieldpost/{device}/command/set/request/17       → fieldpost/{device}/command/set/response/17
///
/// and the topics of ``CommandSettings/Exchange``. Retained messages are no commands: nobody knows how old they are.
struct CommandDesk: Sendable {
    /// An answer that nobody took so long is of no use any more.
    private static let answerExpiry = Duration.seconds(300)
    /// In bytes; ids are kept, also on disk.
    private static let idLimit = 1024

    let settings: CommandSettings
    let center: CommandCenter
    /// The link's name: on each, ids are the askers' own.
    let link: String
    let outbox: Outbox
    /// Where the board speaks for itself: no asker may have it speak there in his words.
    let reserved: Set<TopicName>
    let allowance: Allowance
    let logger: Logger

    final class Allowance: Sendable {
        private let state = Mutex(LogAllowance())
        func admit() -> Int? { state.withLock { $0.admit(at: .now) } }
    }

    var subscriptions: [Subscription] {
        let own = ["\(settings.topic)/+", "\(settings.topic)/+/request/+"].compactMap { try? TopicFilter($0) }
        return (own + settings.exchanges.compactMap(\.filter)).map {
            Subscription(filter: $0, qos: settings.qos, retainAsPublished: true, retainHandling: .never)
        }
    }

    /// - Returns: whether the message is a command, or would be one.
    func take(_ message: ReceivedMessage, from client: MQTTClient) async -> Bool {
        guard let order = order(in: message) else { return false }
        await client.acknowledge(message)
        guard !message.retain else {
            pass(over: message, "a retained message is no command")
            return true
        }
        guard mayAnswer(to: order.response) else {
            pass(over: message, "a command is passed over: nobody is answered at \(order.response)")
            return true
        }
        let text = Result { () throws(CommandError) in try self.text(order, message.payload) }
        // Others must not wait for it, but for those to one sensor the order counts.
        let time = ContinuousClock.now
        let isQueued = center.queue.add(to: (try? text.get())?.command.lane) {
            await carryOut(order, text, since: time, message, client)
        }
        if !isQueued {
            pass(over: message, "a command is not done: too many are under way")
            let busy = CommandError(.busy, "too many commands are under way; ask again when some are done")
            // The next message waits until this is in the queue: a flood is slowed down.
            await reply(Self.answer(busy), to: order, message, client)
        }
        return true
    }

    /// What is published there reaches others with the board's own authority.
    func mayAnswer(to topic: TopicName) -> Bool {
        !topic.string.hasPrefix("$") && !reserved.contains(topic) && order(at: topic, given: nil) == nil
    }

    private func pass(over message: ReceivedMessage, _ reason: Logger.Message) {
        guard let omitted = allowance.admit() else { return }
        logger.notice(reason, metadata: ["topic": "\(message.topic)", "left-out": "\(omitted)"])
    }

    /// What a message wants, as far as its topic says.
    private struct Order: Sendable {
        /// The command, where the topic names it.
        var name: String?
        /// An asker's number in the topic.
        var id: String?
        var response: TopicName
        var exchange: CommandSettings.Exchange?
    }

    private func order(in message: ReceivedMessage) -> Order? {
        order(at: message.topic, given: message.properties.responseTopic)
    }

    /// - Parameter given: where the asker wants the answer.
    private func order(at name: TopicName, given: TopicName?) -> Order? {
        let topic = name.string
        if topic.hasPrefix(settings.topic.string + "/") {
            let levels = topic.dropFirst(settings.topic.string.count + 1)
                .split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            let base = "\(settings.topic)/\(levels[0])"
            if levels.count == 1, let response = given ?? (try? TopicName("\(base)/response")) {
                return Order(name: levels[0], response: response)
            }
            if levels.count == 3, levels[1] == "request",
                let response = given ?? (try? TopicName("\(base)/response/\(levels[2])"))
            {
                return Order(name: levels[0], id: levels[2].isEmpty ? nil : levels[2], response: response)
            }
            return nil
        }
        for exchange in settings.exchanges {
            guard let response = exchange.response(to: name) else { continue }
            return Order(response: given ?? response, exchange: exchange)
        }
        return nil
    }

    private func carryOut(
        _ order: Order, _ text: Result<CommandText, CommandError>, since time: ContinuousClock.Instant,
        _ message: ReceivedMessage, _ client: MQTTClient
    ) async {
        let correlation = message.properties.correlationData
        var answer: JSON
        do throws(CommandError) {
            var text = try text.get()
            // Whoever asks the same again says so in one way or another.
            text.id =
                text.id ?? order.id
                ?? correlation.flatMap { data in
                    // What is empty tells no command from another.
                    if data.readableBytes == 0 { return nil }
                    return "\(order.response) "
                        + data.readableBytesView.prefix(Self.idLimit).map { String($0, radix: 16) }
                        .joined(separator: ".")
                }
            guard text.id?.utf8.count ?? 0 <= Self.idLimit else {
                throw CommandError(.malformed, "the id, or what stands for it, is too long")
            }
            let isOwnID = text.id != nil && text.id == order.id
            answer = await center.answer(CommandCenter.Request(text: text, asker: link, time: time))
            // What was not said in the payload need not be repeated there.
            if correlation != nil || isOwnID, case .object(let members) = answer {
                answer = .object(members.filter { $0.name != "id" })
            }
        } catch {
            answer = Self.answer(error)
        }
        await reply(answer, to: order, message, client)
    }

    private static func answer(_ error: CommandError) -> JSON {
        ["ok": false, "error": .string(error.kind.rawValue), "message": .string(error.message)]
    }

    private func reply(_ answer: JSON, to order: Order, _ message: ReceivedMessage, _ client: MQTTClient) async {
        let payload = order.exchange?.answersWithValue == true ? Self.value(of: answer) : answer.text
        var reply = Message(
            topic: order.response, payload: ByteBuffer(string: payload), qos: .atLeastOnce, priority: .high,
            expiry: Self.answerExpiry)
        if let correlation = message.properties.correlationData { reply.properties.correlationData = correlation }
        do {
            _ = try await outbox.append([reply])
            client.storeDidChange()
        } catch {
            logger.warning("a command is not answered", metadata: ["topic": "\(order.response)", "reason": "\(error)"])
        }
    }

    private func text(_ order: Order, _ payload: ByteBuffer) throws(CommandError) -> CommandText {
        if let exchange = order.exchange, payload.readableBytes <= 256,
            let command = exchange.words[String(buffer: payload)]
        {
            return CommandText(command)
        }
        return try CommandText(payload, named: order.name, at: .now())
    }

    /// An answer for those who want no JSON.
    private static func value(of answer: JSON) -> String {
        guard answer["ok"] == true else { return "error: \(answer["message"]?.string ?? "failed")" }
        let values = (answer["readings"]?.array ?? []).compactMap { $0["value"] }.map { $0.string ?? $0.text }
        return values.isEmpty ? "ok" : values.joined(separator: " ")
    }
}

extension RemoteCommand {
    /// Commands of one lane are done in the order in which they come.
    var lane: String? {
        switch self {
        case .set(let sensor, _, _), .interval(let sensor, _), .calibrate(let sensor, _, _): sensor
        case .read, .acknowledge, .status, .reload, .run: nil
        }
    }
}
