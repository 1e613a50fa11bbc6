internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import StoreForward
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

    let settings: CommandSettings
    let center: CommandCenter
    /// The link's name: on each, ids are the askers' own.
    let link: String
    let outbox: Outbox
    let logger: Logger

    var subscriptions: [Subscription] {
        let own = ["\(settings.topic)/+", "\(settings.topic)/+/request/+"].compactMap { try? TopicFilter($0) }
        return (own + settings.exchanges.compactMap(\.filter)).map {
            Subscription(filter: $0, qos: settings.qos, retainHandling: .never)
        }
    }

    /// - Returns: whether the message is a command, or would be one.
    func take(_ message: ReceivedMessage, from client: MQTTClient) async -> Bool {
        guard let order = order(in: message) else { return false }
        await client.acknowledge(message)
        guard !message.retain else {
            logger.notice("a retained message is no command", metadata: ["topic": "\(message.topic)"])
            return true
        }
        // Others must not wait for it. Their number is bounded by the center.
        Task { await carryOut(order, message, client) }
        return true
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
        let topic = message.topic.string
        let given = message.properties.responseTopic
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
                return Order(name: levels[0], id: levels[2], response: response)
            }
            return nil
        }
        for exchange in settings.exchanges {
            guard let response = exchange.response(to: message.topic) else { continue }
            return Order(response: given ?? response, exchange: exchange)
        }
        return nil
    }

    private func carryOut(_ order: Order, _ message: ReceivedMessage, _ client: MQTTClient) async {
        let correlation = message.properties.correlationData
        var answer: JSON
        do throws(CommandError) {
            var text = try text(order, message.payload)
            // Whoever asks the same again says so in one way or another.
            text.id =
                text.id ?? order.id
                ?? correlation.map { data in
                    "\(order.response) " + data.readableBytesView.map { String($0, radix: 16) }.joined(separator: ".")
                }
            let isOwnID = text.id != nil && text.id == order.id
            answer = await center.answer(CommandCenter.Request(text: text, asker: link))
            // What was not said in the payload need not be repeated there.
            if correlation != nil || isOwnID, case .object(let members) = answer {
                answer = .object(members.filter { $0.name != "id" })
            }
        } catch {
            answer = ["ok": false, "error": .string(error.kind.rawValue), "message": .string(error.message)]
        }
        let payload = order.exchange?.answersWithValue == true ? Self.value(of: answer) : answer.text
        var reply = Message(
            topic: order.response, payload: ByteBuffer(string: payload), qos: .atLeastOnce, priority: .high,
            expiry: Self.answerExpiry)
        if let correlation { reply.properties.correlationData = correlation }
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
