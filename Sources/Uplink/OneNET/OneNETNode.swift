public import MQTT
public import MQTTWire
public import NIOCore
public import Pipeline
internal import Sensing
public import Units

/// A device's side of OneNET apart from its posts, as a value: what arrives goes in, what is to be done comes out.
///
/// It tells replies to posts from requests, and answers requests: properties that are to be set or told, services,
/// commands of the old style (`cmd/request`), each done once however often it comes; it asks for desired values, and
/// brings sub-devices to life and to rest.
///
///     for message in client.messages {
///         for action in node.receive(message.topic, message.payload, at: .now) { … }
///     }
public struct OneNETNode: Sendable {
    /// What is to be done.
    public enum Action: Sendable, Hashable {
        /// To be published on the present connection or not at all: the platform waits for no more than seconds.
        case publish(Message)
        /// To be executed, as far as the configuration allows it; what came of it goes to ``OneNETNode/finished(_:_:at:)``.
        case execute(Request)
        /// For ``OneNETStore/answered(_:)``.
        case answered(OneNETAnswer)
        /// The sub-devices are known to the platform: ``OneNETStore/open()``.
        case ready
        /// The platform refuses something that is not a post; for the log.
        case refused(what: String, OneNETAnswer)
    }

    /// Commands that the platform has sent together, and that are answered together.
    public struct Request: Sendable, Hashable {
        /// Names it, here.
        public let key: String
        /// At least one.
        public let commands: [RemoteCommand]
        let form: Form
    }

    /// How a request is answered.
    enum Form: Sendable, Hashable {
        /// OneJSON under this topic.
        case reply(topic: String, id: String, carriesData: Bool)
        /// A sub-device's service, whose data names it again.
        case subService(topic: String, id: String, call: [JSON.Member])
        /// Free, under `cmd/response/…`.
        case response(topic: String)
        /// Desired values, with the versions that are to be deleted once they are set.
        case desired([JSON.Member])
    }

    let settings: OneNETSettings
    let topics: OneNETTopics
    let profile: OneNETProfile
    let parse: @Sendable (JSON) throws(CommandError) -> RemoteCommand

    /// The last values, by device and identifier.
    var values: [String: [String: JSON]] = [:]
    var valueCount = 0
    var underWay: Set<String> = []
    /// What was answered, so that a request that comes again is answered again and not done again.
    var answers: [String: (message: Message, at: ContinuousClock.Instant)] = [:]
    var answered: [String] = []
    /// Requests of ours, by id: what they are, and of whom.
    var asked: [String: Question] = [:]
    var lastID: Int64 = 0

    enum Question: Sendable, Hashable {
        case topology(String)
        case login(String)
        case logout(String)
        case desired
        case desiredDeletion
    }

    static let maximumValues = 4096
    static let maximumUnderWay = 64
    static let maximumAnswers = 256
    /// A request with the same id and content is another one after so long.
    static let answersLast = Duration.seconds(600)

    /// - Parameter parse: reads a command that stands as a JSON object.
    public init(
        _ settings: OneNETSettings,
        parse: @escaping @Sendable (JSON) throws(CommandError) -> RemoteCommand = { json throws(CommandError) in
            try CommandText(json, named: nil, at: .now()).command
        }
    ) {
        self.settings = settings
        self.parse = parse
        profile = OneNETProfile(settings)
        topics = profile.topics
    }

    /// What the client is to subscribe to before it runs, so that a new connection asks for it ahead of the first post.
    public var subscriptions: [Subscription] {
        let suffixes = settings.model == .thing ? ["thing/#"] : ["dp/post/json/+"]
        return (suffixes + ["cmd/request/+", "cmd/response/+/+"]).compactMap { suffix in
            (try? topics.filter(suffix)).map { Subscription(filter: $0, qos: .atMostOnce) }
        }
    }

    // MARK: The connection

    /// A connection has begun.
    ///
    /// - Returns: what is to be published on it, in this order: topology, logins, the question for desired values.
    /// - Throws: ``OneNETTokenError``, when a sub-device's token cannot be signed.
    public mutating func connected(at now: Timestamp) throws(OneNETTokenError) -> [Message] {
        asked.removeAll()
        guard settings.model == .thing else { return [] }
        var messages: [Message] = []
        for device in settings.subDevices where settings.addsSubDevices {
            guard let credentials = device.credentials else { continue }
            var params = OneNETRequest.identity(device.product, device.device).object ?? []
            params.append(JSON.Member("sasToken", .string(try credentials.token(at: now))))
            messages += ask(.topology(device.device), "thing/sub/topo/add", .object(params), at: now)
        }
        for device in settings.subDevices {
            messages += ask(
                .login(device.device), "thing/sub/login", OneNETRequest.identity(device.product, device.device), at: now
            )
        }
        if settings.asksForDesired, !settings.outputs.isEmpty {
            let identifiers = settings.outputs.keys.sorted().map(JSON.string)
            messages += ask(.desired, "thing/property/desired/get", .array(identifiers), at: now)
        }
        return messages
    }

    /// What is to be published before the connection is ended.
    public mutating func farewell(at now: Timestamp) -> [Message] {
        guard settings.model == .thing else { return [] }
        return settings.subDevices.flatMap {
            ask(.logout($0.device), "thing/sub/logout", OneNETRequest.identity($0.product, $0.device), at: now)
        }
    }

    /// - Parameter now: the beginning of its id, so that it is none of the queue's by chance.
    mutating func ask(_ question: Question, _ suffix: String, _ params: JSON, at now: Timestamp) -> [Message] {
        // Twelve digits from the clock's milliseconds, and a leading 9, which no queue reaches.
        lastID = max(lastID + 1, max(now.milliseconds, 0) % 1_000_000_000_000)
        let digits = String(lastID % 1_000_000_000_000)
        let id = "9" + String(repeating: "0", count: 12 - digits.utf8.count) + digits
        guard let message = message(suffix, OneNETRequest.json(id: id, params)) else { return [] }
        asked[id] = question
        return [message]
    }

    // MARK: Values

    /// What the pipeline reports, to be told when the platform asks for it.
    public mutating func note(_ report: Report) {
        guard case .readings(let readings) = report else { return }
        for reading in readings where reading.quality == .good {
            let owner = profile.owner(of: reading.sensor)?.device ?? ""
            let identifier = profile.identifier(reading.sensor, reading.channel)
            if values[owner]?[identifier] == nil {
                guard valueCount < Self.maximumValues else { continue }
                valueCount += 1
            }
            values[owner, default: [:]][identifier] = reading.value.json
        }
    }

    // MARK: Receiving

    /// - Returns: nothing for what is not for this device, or nothing that it knows.
    public mutating func receive(
        _ topic: TopicName, _ payload: ByteBuffer, at now: ContinuousClock.Instant
    ) -> [Action] {
        guard let suffix = topics.suffix(of: topic.string) else { return [] }
        let bytes = Array(payload.readableBytesView)
        if suffix.hasPrefix("cmd/request/") {
            return command(String(suffix.dropFirst("cmd/request/".count)), bytes, at: now)
        }
        guard let json = try? JSONReader.value(bytes[...]), let id = OneNETRequest.id(json) else { return [] }
        switch suffix {
        case "dp/post/json/accepted": return [.answered(OneNETAnswer(id: id, code: 200))]
        case "dp/post/json/rejected":
            return [
                .answered(
                    OneNETAnswer(
                        id: id, code: Self.integer(json["err_code"]) ?? 0, message: json["err_msg"]?.string ?? ""))
            ]
        case "thing/sub/topo/change":
            return [reply("thing/sub/topo/change_reply", id, 200, "success")].compactMap { $0 }
        case "thing/property/set", "thing/property/get", "thing/sub/property/set", "thing/sub/property/get",
            "thing/sub/service/invoke":
            return request(suffix, id, json, bytes, at: now)
        default:
            if suffix.hasPrefix("thing/service/"), suffix.hasSuffix("/invoke") {
                return request(suffix, id, json, bytes, at: now)
            }
            guard suffix.hasPrefix("thing/"), suffix.hasSuffix("/reply") else { return [] }
            let answer = OneNETAnswer(
                id: id, code: Self.integer(json["code"]) ?? 0, message: json["msg"]?.string ?? "")
            if OneNETTopics.posts.contains(String(suffix.dropLast("/reply".count))) { return [.answered(answer)] }
            return answered(answer, json)
        }
    }

    private mutating func answered(_ answer: OneNETAnswer, _ json: JSON) -> [Action] {
        guard let question = asked.removeValue(forKey: answer.id) else { return [] }
        var actions: [Action] = []
        if answer.code != 200 { actions.append(.refused(what: "\(question)", answer)) }
        switch question {
        case .login:
            let isLast = !asked.values.contains { if case .login = $0 { true } else { false } }
            if isLast { actions.append(.ready) }
        case .desired:
            if answer.code == 200, let data = json["data"] { actions += desired(data, answer.id) }
        case .topology, .logout, .desiredDeletion: break
        }
        return actions
    }

    static func integer(_ json: JSON?) -> Int? { json?.number.flatMap { Int(exactly: $0) } }

    // MARK: Messages

    func message(_ suffix: String, _ payload: JSON) -> Message? {
        guard let topic = try? topics.topic(suffix) else { return nil }
        return Message(
            topic: topic, payload: ByteBuffer(string: payload.text), qos: settings.qos, priority: .high)
    }

    func reply(_ suffix: String, _ id: String, _ code: Int, _ text: String, data: JSON? = nil) -> Action? {
        message(suffix, Self.reply(id, code, text, data: data)).map(Action.publish)
    }

    static func reply(_ id: String, _ code: Int, _ text: String, data: JSON? = nil) -> JSON {
        var members = [
            JSON.Member("id", .string(id)), JSON.Member("code", .integer(Int64(code))),
            JSON.Member("msg", .string(text)),
        ]
        if let data { members.append(JSON.Member("data", data)) }
        return .object(members)
    }
}

extension OneNETNode.Question: CustomStringConvertible {
    var description: String {
        switch self {
        case .topology(let device): "the sub-device \(device) at this gateway"
        case .login(let device): "the login of the sub-device \(device)"
        case .logout(let device): "the logout of the sub-device \(device)"
        case .desired: "the question for desired values"
        case .desiredDeletion: "the deletion of a desired value"
        }
    }
}
