public import MQTTWire
public import NIOCore

/// What tells an answer from other messages.
enum AnswerKey: Sendable, Hashable {
    case correlation(ByteBuffer)
    case topic(TopicName)
}

/// Where a request goes and where its answer is expected, when both are told by their topics alone: the way of 3.1.1.
///
///     gate/7/request/4fe1…               gate/7/response/4fe1…
///     radar/request/1AB.ENTER.DETRD      radar/response/1AB.ENTER.DETRD
public struct RequestTopics: Sendable, Hashable {
    public var request: TopicName
    public var response: TopicName
    /// Matches the responses to all requests of the kind.
    public var responses: TopicFilter

    /// - Parameters:
    ///   - topic: `gate/7/request`, or only `gate/7`; or one like `radar/request/1AB.ENTER.DETRD`, which is complete: then
    ///     the device answers one request after the other.
    ///   - identifier: one level of a topic, different for each request.
    /// - Throws: `TopicError`.
    public init(_ topic: TopicName, identifier: String) throws(TopicError) {
        if let response = Self.response(to: topic) {
            (request, self.response, responses) = (topic, response, try TopicFilter(response.string))
            return
        }
        let base = topic.string.hasSuffix("/request") ? String(topic.string.dropLast("/request".count)) : topic.string
        request = try TopicName("\(base)/request/\(identifier)")
        response = try TopicName("\(base)/response/\(identifier)")
        responses = try TopicFilter("\(base)/response/+")
    }

    /// The topic of the answer to a request that came under this topic; nil when it is no request's.
    public static func response(to request: TopicName) -> TopicName? {
        var levels = request.string.split(separator: "/", omittingEmptySubsequences: false)
        guard levels.count >= 2, levels[levels.count - 2] == "request" else { return nil }
        levels[levels.count - 2] = "response"
        return try? TopicName(levels.joined(separator: "/"))
    }
}

extension MQTTClient {
    /// How a request tells where its answer is to go.
    public enum RequestWay: Sendable, Hashable {
        /// By properties under 5.0, by topics under 3.1.1.
        case automatic
        /// By Response Topic and Correlation Data (5.0 §4.10). Under 3.1.1 this is an error.
        case properties
        /// By ``RequestTopics``, which devices that speak 3.1.1 understand.
        case topics
    }

    /// Asks somebody, and waits for the answer. Nothing is stored: without a connection it is an error.
    ///
    /// - Parameters:
    ///   - message: the request. Its Response Topic and Correlation Data are filled in, unless it has a Response Topic of
    ///     its own.
    ///   - timeout: for everything together: subscribing to the answer, if need be, the acknowledgement, and the answer.
    /// - Returns: the answer, which does not come among ``messages``.
    /// - Throws: ``ClientError``; ``ClientError/tooManyRequests`` while another request waits for its answer under the same
    ///   topic; ``ClientError/refused(_:)`` with "no matching subscribers" when nobody listens and the
    ///   server says so (5.0).
    public func request(
        _ message: Message, by way: RequestWay = .automatic, timeout: Duration = .seconds(10)
    ) async throws -> ReceivedMessage {
        guard !stopping else { throw ClientError.stopped }
        guard link.isUp else { throw ClientError.notConnected }
        let deadline = ContinuousClock.now + timeout
        var message = message
        let key: AnswerKey
        let filter: TopicFilter
        lastCorrelation &+= 1
        if way == .topics || way == .automatic && version == .v3_1_1 {
            let topics: RequestTopics
            do throws(TopicError) {
                topics = try RequestTopics(message.topic, identifier: String(lastCorrelation, radix: 16))
            } catch {
                throw ClientError.unencodable("\(error)")
            }
            message.topic = topics.request
            (key, filter) = (.topic(topics.response), topics.responses)
        } else {
            guard version == .v5 else { throw ClientError.unencodable("3.1.1 knows no Response Topic") }
            // Text, so that a shell script can give it back.
            let correlation = ByteBuffer(string: String(lastCorrelation, radix: 16))
            let topic = try message.properties.responseTopic ?? answerTopic()
            message.properties.responseTopic = topic
            message.properties.correlationData = correlation
            key = .correlation(correlation)
            do throws(TopicError) {
                filter = try TopicFilter(topic.string)
            } catch {
                throw ClientError.unencodable("\(error)")
            }
        }
        guard answers[key] == nil else { throw ClientError.tooManyRequests }
        try await listen(to: filter, until: deadline)
        guard answers[key] == nil else { throw ClientError.tooManyRequests }
        return try await answer(to: message, key, until: deadline, timeout)
    }

    /// Where answers come when a request does not say: below what the server suggests, if it does (5.0 §4.10.1).
    private func answerTopic() throws(ClientError) -> TopicName {
        let identifier = assignedIdentifier ?? configuration.clientIdentifier
        let name = identifier.isEmpty ? String(lastCorrelation, radix: 16) : identifier
        do throws(TopicError) {
            if let chosen = chosenAnswerTopic { return chosen }
            let levels = String(name.map { "+#/".contains($0) ? "-" : $0 })
            let topic = try TopicName("\(link.responseInformation ?? "response")/\(levels)")
            chosenAnswerTopic = topic
            return topic
        } catch {
            throw .unencodable("\(error)")
        }
    }

    /// Answers are subscribed to once; the server is asked again only when it has lost the session.
    private func listen(to filter: TopicFilter, until deadline: ContinuousClock.Instant) async throws {
        guard subscriptions[filter] == nil else { return }
        guard answerFilters.count < 64 else { throw ClientError.tooManyRequests }
        let codes = try await subscribe(
            [Subscription(filter: filter, qos: .atLeastOnce)],
            timeout: max(ContinuousClock.now.duration(to: deadline), .zero))
        if let code = codes.first, code.isError { throw ClientError.refused(code) }
        if !answerFilters.contains(filter) { answerFilters.append(filter) }
    }

    private func answer(
        to message: Message, _ key: AnswerKey, until deadline: ContinuousClock.Instant, _ timeout: Duration
    ) async throws -> ReceivedMessage {
        let remaining = ContinuousClock.now.duration(to: deadline)
        guard remaining > .zero else { throw ClientError.timedOut(after: timeout) }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let timer = after(remaining) { $0.answers(key, with: .failure(ClientError.timedOut(after: timeout))) }
                answers[key] = Waiter(continuation: continuation, timer: timer)
                readOn()
                // The answer may well overtake the acknowledgement.
                Task {
                    do {
                        let code = try await deliverNow(message, timeout: remaining)
                        if code == .noMatchingSubscribers { throw ClientError.refused(code) }
                    } catch {
                        answers(key, with: .failure(error))
                    }
                }
            }
        } onCancel: {
            onEventLoop { $0.answers(key, with: .failure(CancellationError())) }
        }
    }

    private func answers(_ key: AnswerKey, with result: Result<ReceivedMessage, any Error>) {
        answers.removeValue(forKey: key)?.resume(with: result)
    }

    /// - Returns: whether the message was an answer, be it one for which nobody waits any more.
    func isAnswer(_ message: ReceivedMessage) -> Bool {
        if !answers.isEmpty {
            let correlation = message.properties.correlationData.map(AnswerKey.correlation)
            for key in [correlation, .topic(message.topic)].compactMap(\.self) where answers[key] != nil {
                answers(key, with: .success(message))
                return true
            }
        }
        guard answerFilters.contains(where: { $0.matches(message.topic) }) else { return false }
        statistics.lateAnswers += 1
        return true
    }
}

extension ReceivedMessage {
    /// The answer to a request, to be published: to its Response Topic with its Correlation Data (5.0 §4.10), or, when it
    /// came under a topic like `gate/7/request/42`, to `gate/7/response/42`.
    ///
    /// - Returns: nil when the message does not ask for an answer.
    public func answer(_ payload: ByteBuffer, qos: QoS = .atLeastOnce) -> Message? {
        if let topic = properties.responseTopic {
            var answer = Message(topic: topic, payload: payload, qos: qos)
            answer.properties.correlationData = properties.correlationData
            return answer
        }
        return RequestTopics.response(to: topic).map { Message(topic: $0, payload: payload, qos: qos) }
    }
}
