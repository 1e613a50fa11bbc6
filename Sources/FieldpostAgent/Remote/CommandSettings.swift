public import MQTTWire
public import Sensing
internal import Settings
internal import Units
public import Uplink

/// `[commands]`: what the board may be asked from afar. Without the table nothing.
///
///     [commands]
///     allow = ["read", "status", "acknowledge", "set"]
///     outputs = ["gate"]
///
///     [[commands.exchange]]
///     requests = "detrd/status/request/1AB.ENTER.DETRD"
///     responses = "detrd/status/response/1AB.ENTER.DETRD"
///     words = { open = { command = "set", sensor = "gate", value = true } }
public struct CommandSettings: Sendable {
    /// `allow`: the commands that are done; at least one.
    public var allowed: Set<RemoteCommand.Name> = []
    /// `outputs`: the sensors that may be set. Default: all that are outputs.
    public var outputs: Set<String>?
    /// `deadline`: how long a command may take; 100 ms to 5 min.
    public var patience = Duration.seconds(10)
    /// `qos`: 0, so that a command is done at once or not at all, and who hears no answer asks again under the same id; or 1:
    /// then it waits at the broker while the board is away, and is done when the board is back, however late: let those who
    /// ask say a deadline.
    public var qos = QoS.atMostOnce
    /// `topic`: under which commands come, with `{device}`; behind it stands the command's name, and perhaps
    /// `/request/{id}`. Default: "fieldpost/{device}/command".
    public var topic: TopicName
    /// `[[commands.exchange]]`: topics of others' choice.
    public var exchanges: [Exchange] = []
    /// `[[commands.program]]`
    public var programs: [ConfiguredProgram] = []

    /// `[[commands.exchange]]`: where somebody asks who has topics of his own, and where he is answered.
    public struct Exchange: Sendable, Hashable {
        /// `requests`: with `{device}`, and with `{id}` for one level, whatever it is: an asker's number, or an address.
        public var requests: String
        /// `responses`: with the `{id}` of the request.
        public var responses: String
        /// `words`: payloads that stand for commands, each of which must be allowed. Others are read as JSON:
        /// `{"command":"read","sensor":"radar"}`.
        public var words: [String: RemoteCommand]
        /// `answers`: "json", or "value": the bare value of what was read or set, else "ok" or "error: …".
        public var answersWithValue: Bool

        /// What stands before and behind the id; nil if there is none.
        private var parts: (prefix: Substring, suffix: Substring)? {
            requests.range(of: "{id}").map { (requests[..<$0.lowerBound], requests[$0.upperBound...]) }
        }

        /// The filter for requests.
        var filter: TopicFilter? { try? TopicFilter(requests.replacing(each: "{id}", with: "+")) }

        /// Where a request is answered; nil if it is none of these, or the topic gets too long.
        func response(to request: TopicName) -> TopicName? {
            let topic = request.string
            guard let (prefix, suffix) = parts else { return topic == requests ? try? TopicName(responses) : nil }
            guard topic.hasPrefix(prefix), topic.hasSuffix(suffix),
                topic.utf8.count > prefix.utf8.count + suffix.utf8.count
            else { return nil }
            let id = topic.dropFirst(prefix.count).dropLast(suffix.count)
            guard !id.utf8.contains(UInt8(ascii: "/")) else { return nil }
            return try? TopicName(responses.replacing(each: "{id}", with: String(id)))
        }
    }

    /// - Parameter device: the board's name, for topics.
    /// - Returns: nil only after an error.
    init?(_ settings: SettingsReader, device: String, isOutput: (String) -> Bool?) {
        guard let topic = try? TopicName("fieldpost/\(device)/command") else { return nil }
        self.topic = topic
        settings.require("allow", mend: #"write the commands that may come, as allow = ["read", "status"]"#)
        let names = settings.strings("allow")
        if let names, names.isEmpty {
            settings.problem(at: "allow", message: "is empty", mend: "write commands into it, or leave [commands] out")
        }
        for name in names ?? [] {
            guard let command = RemoteCommand.Name(rawValue: name) else {
                let names = RemoteCommand.Name.allCases.map(\.rawValue)
                settings.problem(
                    at: "allow", message: "\"\(name)\" is no command",
                    mend: names.nearest(to: name).map { "did you mean \"\($0)\"?" }
                        ?? "there are \(names.joined(separator: ", "))")
                continue
            }
            allowed.insert(command)
        }
        patience = settings.duration("deadline", in: .milliseconds(100) ... .seconds(300)) ?? patience
        qos = settings.integer("qos", in: 0...1).flatMap { QoS(rawValue: UInt8($0)) } ?? qos
        if let text = settings.string("topic") {
            do {
                self.topic = try TopicName(text.replacing(each: "{device}", with: device))
            } catch {
                settings.problem(at: "topic", message: "\"\(text)\" is no topic", mend: "write it without + and #")
            }
        }
        if let outputs = settings.strings("outputs") {
            for name in outputs where isOutput(name) != true {
                settings.problem(
                    at: "outputs",
                    message: isOutput(name) == nil
                        ? "there is no sensor \"\(name)\"" : "sensor \"\(name)\" cannot be set: it is no output",
                    mend: "name sensors whose driver can be set: gpio with direction = \"output\", pwm, led, file")
            }
            self.outputs = Set(outputs)
            if !allowed.contains(.set) {
                settings.warning(
                    at: "outputs", message: "nothing may be set", mend: #"write "set" into allow, or leave it out"#)
            }
        }
        for program in settings.tables("program") {
            guard let program = ConfiguredProgram(program) else { continue }
            if programs.contains(where: { $0.name == program.name }) {
                settings.problem(at: "program", message: "\"\(program.name)\" stands there twice")
            }
            programs.append(program)
        }
        if allowed.contains(.run), programs.isEmpty {
            settings.problem(
                at: "allow", message: "\"run\" is allowed, and there is no program",
                mend: "write them under [[commands.program]]")
        } else if !programs.isEmpty, !allowed.contains(.run) {
            settings.warning(
                at: "program", message: "no program may be run", mend: #"write "run" into allow, or leave them out"#)
        }
        exchanges = settings.tables("exchange").compactMap {
            Exchange($0, device: device, allowed: allowed, isOutput: isOutput)
        }
    }
}

extension CommandSettings.Exchange {
    fileprivate init?(
        _ settings: SettingsReader, device: String, allowed: Set<RemoteCommand.Name>, isOutput: (String) -> Bool?
    ) {
        words = Self.words(settings, allowed: allowed, isOutput: isOutput)
        answersWithValue = settings.choice("answers", of: ["json": false, "value": true]) ?? false
        settings.require("requests", mend: #"write it as requests = "gate/request/{id}""#)
        settings.require("responses", mend: #"write it as responses = "gate/response/{id}""#)
        guard let requests = Self.topic("requests", settings, device: device),
            let responses = Self.topic("responses", settings, device: device)
        else { return nil }
        guard responses.includes("{id}") == requests.includes("{id}") else {
            settings.problem(at: "responses", message: "{id} stands in only one of requests and responses")
            return nil
        }
        guard requests != responses else {
            settings.problem(at: "responses", message: "is the same as requests: answers would be requests")
            return nil
        }
        self.requests = requests
        self.responses = responses
    }

    private static func topic(_ key: String, _ settings: SettingsReader, device: String) -> String? {
        guard let text = settings.string(key)?.replacing(each: "{device}", with: device) else { return nil }
        let levels = text.split(separator: "/", omittingEmptySubsequences: false)
        let places = levels.count { $0 == "{id}" }
        guard places <= 1, text.utf8.count(where: { $0 == UInt8(ascii: "{") }) == places,
            (try? TopicName(text.replacing(each: "{id}", with: "x"))) != nil
        else {
            settings.problem(
                at: key, message: "\"\(text)\" is no topic, with {id} as one of its levels at most",
                mend: "write it as \(key) = \"gate/\(key.dropLast())/{id}\"")
            return nil
        }
        return text
    }

    private static func words(
        _ settings: SettingsReader, allowed: Set<RemoteCommand.Name>, isOutput: (String) -> Bool?
    ) -> [String: RemoteCommand] {
        guard let table = settings.anyTable("words"), case .object(let members) = JSON(table) else { return [:] }
        var words: [String: RemoteCommand] = [:]
        for member in members {
            do throws(CommandError) {
                let text = try CommandText(member.value, named: nil, at: .now())
                words[member.name] = text.command
                if let sensor = text.command.sensor, isOutput(sensor) == nil {
                    settings.problem(
                        at: "words", message: "\"\(member.name)\": there is no sensor \"\(sensor)\"",
                        mend: "name one under [[sensor]]")
                } else if case .set(let sensor, _, _) = text.command, isOutput(sensor) == false {
                    settings.problem(
                        at: "words",
                        message: "\"\(member.name)\": sensor \"\(sensor)\" cannot be set: it is no output")
                }
                guard !allowed.contains(text.command.name) else { continue }
                settings.problem(
                    at: "words", message: "\"\(member.name)\": \"\(text.command.name.rawValue)\" is not allowed",
                    mend: "write it into allow")
            } catch {
                settings.problem(at: "words", message: "\"\(member.name)\": \(error.message)")
            }
        }
        return words
    }
}

extension RemoteCommand {
    /// The sensor that it is for.
    fileprivate var sensor: String? {
        switch self {
        case .read(let sensor): sensor
        case .set(let sensor, _, _), .interval(let sensor, _), .calibrate(let sensor, _, _): sensor
        case .acknowledge, .status, .reload, .run: nil
        }
    }
}
