public import MQTT
internal import MQTTWire
internal import NIOCore
internal import Sensing
public import Units

// What the platform asks for.
extension OneNETNode {
    /// Comes from `thing/…/set`, `get` and `invoke`, of this device and of those behind it.
    mutating func request(
        _ suffix: String, _ id: String, _ json: JSON, _ bytes: [UInt8], at now: ContinuousClock.Instant
    ) -> [Action] {
        let key = Self.key(suffix, bytes)
        if let again = repetition(key, at: now) { return again }
        let topic = "\(suffix)_reply"
        let params = json["params"] ?? .object([])
        do throws(CommandError) {
            switch suffix {
            case "thing/property/get": return try told(params, of: "", topic, id)
            case "thing/property/set":
                return begin(
                    key, try sets(params, settings.outputs), .reply(topic: topic, id: id, carriesData: false), at: now)
            case "thing/sub/property/get":
                return try told(params["params"] ?? .null, of: try subDevice(params).device, topic, id)
            case "thing/sub/property/set":
                let commands = try sets(params["params"] ?? .null, try subDevice(params).outputs)
                return begin(key, commands, .reply(topic: topic, id: id, carriesData: false), at: now)
            case "thing/sub/service/invoke":
                let device = try subDevice(params)
                guard let name = params["identifier"]?.string else {
                    throw CommandError(.malformed, "there is no \"identifier\" of a service")
                }
                let command = try service(name, params["input"] ?? .null, of: device.device)
                let call = (params.object ?? []).filter { $0.name != "input" }
                return begin(key, [command], .subService(topic: topic, id: id, call: call), at: now)
            default:
                let name = String(suffix.dropFirst("thing/service/".count).dropLast("/invoke".count))
                return begin(
                    key, [try service(name, params, of: nil)], .reply(topic: topic, id: id, carriesData: true),
                    at: now)
            }
        } catch {
            return [reply(topic, id, error.code, error.message)].compactMap { $0 }
        }
    }

    /// `cmd/request/{id}`: a JSON object, or the mere name of a command.
    mutating func command(_ id: String, _ bytes: [UInt8], at now: ContinuousClock.Instant) -> [Action] {
        let key = Self.key("cmd/request/\(id)", bytes)
        if let again = repetition(key, at: now) { return again }
        let topic = "cmd/response/\(id)"
        do throws(CommandError) {
            let command: RemoteCommand
            if let json = try? JSONReader.value(bytes[...]), json.object != nil {
                command = try parse(json)
            } else {
                let text = String(decoding: bytes.prefix(64), as: UTF8.self)
                command = try parse(.object([JSON.Member("command", .string(text))]))
            }
            return begin(key, [command], .response(topic: topic), at: now)
        } catch {
            return [message(topic, Self.error(error)).map(Action.publish)].compactMap { $0 }
        }
    }

    /// Desired values that differ in nothing from requests to set them, except that they are deleted once they are set.
    mutating func desired(_ data: JSON, _ id: String) -> [Action] {
        let members = (data.object ?? []).filter { settings.outputs[$0.name] != nil && $0.value["value"] != nil }
        let values = members.map { JSON.Member($0.name, $0.value["value"] ?? .null) }
        guard !values.isEmpty, let commands = try? sets(.object(values), settings.outputs) else { return [] }
        let versions = members.map { member in
            JSON.Member(
                member.name, .object(member.value["version"].map { [JSON.Member("version", $0)] } ?? []))
        }
        let key = "desired \(id)"
        underWay.insert(key)
        return [.execute(Request(key: key, commands: commands, form: .desired(versions)))]
    }

    /// What has become of a request's commands.
    ///
    /// - Parameters:
    ///   - outcomes: of the commands in their order, as many as were tried; a failure ends them.
    ///   - time: the wall clock, for ids of requests of our own.
    /// - Returns: what is to be published on the present connection or not at all.
    public mutating func finished(
        _ request: Request, _ outcomes: [Result<JSON, CommandError>], at now: ContinuousClock.Instant,
        time: Timestamp
    ) -> [Message] {
        guard underWay.remove(request.key) != nil else { return [] }
        var failure: CommandError?
        for case .failure(let error) in outcomes where failure == nil { failure = error }
        if failure == nil, outcomes.count < request.commands.count {
            failure = CommandError(.failed, "not everything was done")
        }
        let result: JSON? = if case .success(let json)? = outcomes.first { json } else { nil }
        let answer: Message?
        switch request.form {
        case .reply(let topic, let id, let carriesData):
            answer = message(
                topic,
                failure.map { Self.reply(id, $0.code, $0.message) }
                    ?? Self.reply(id, 200, "success", data: carriesData ? Self.object(result) : nil))
        case .subService(let topic, let id, let call):
            let output = JSON.object(call + [JSON.Member("output", Self.object(result))])
            answer = message(
                topic,
                failure.map { Self.reply(id, $0.code, $0.message) } ?? Self.reply(id, 200, "success", data: output))
        case .response(let topic):
            answer = message(topic, failure.map(Self.error) ?? .object([JSON.Member("result", result ?? .null)]))
        case .desired(let versions):
            // What was not set is still desired, and asked for with the next connection.
            guard failure == nil else { return [] }
            return ask(.desiredDeletion, "thing/property/desired/delete", .object(versions), at: time)
        }
        guard let answer else { return [] }
        remember(answer, for: request.key, at: now)
        return [answer]
    }

    // MARK: Once

    /// The topic and the whole content: platforms begin their ids anew.
    private static func key(_ suffix: String, _ bytes: [UInt8]) -> String {
        let hash = bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return "\(suffix) \(bytes.count) \(hash)"
    }

    /// What to do about a request that is there already; nil for a new one.
    private mutating func repetition(_ key: String, at now: ContinuousClock.Instant) -> [Action]? {
        if underWay.contains(key) { return [] }
        guard let answer = answers[key], now - answer.at < Self.answersLast else { return nil }
        return [.publish(answer.message)]
    }

    private mutating func begin(
        _ key: String, _ commands: [RemoteCommand], _ form: Form, at now: ContinuousClock.Instant
    ) -> [Action] {
        let request = Request(key: key, commands: commands, form: form)
        guard underWay.count < Self.maximumUnderWay else {
            underWay.insert(key)
            let busy = finished(
                request, [.failure(CommandError(.busy, "too many requests are under way"))], at: now,
                time: Timestamp(milliseconds: 0))
            // It may be asked for again.
            answers[key] = nil
            return busy.map(Action.publish)
        }
        underWay.insert(key)
        return [.execute(request)]
    }

    private mutating func remember(_ answer: Message, for key: String, at now: ContinuousClock.Instant) {
        if answers.updateValue((answer, now), forKey: key) != nil { answered.removeAll { $0 == key } }
        answered.append(key)
        while answered.count > Self.maximumAnswers { answers[answered.removeFirst()] = nil }
    }

    // MARK: What they mean

    private func subDevice(_ params: JSON) throws(CommandError) -> OneNETSettings.SubDevice {
        let name = params["deviceName"]?.string
        let product = params["productID"]?.string
        guard let device = settings.subDevices.first(where: { $0.device == name && $0.product == product }) else {
            throw CommandError(.unknown, "no such sub-device is configured here")
        }
        return device
    }

    private func sets(
        _ params: JSON, _ outputs: [String: OneNETSettings.Output]
    ) throws(CommandError) -> [RemoteCommand] {
        guard let members = params.object, !members.isEmpty, members.count <= 50 else {
            throw CommandError(.malformed, "\"params\" has to hold 1 to 50 properties")
        }
        var commands: [RemoteCommand] = []
        for member in members {
            guard let output = outputs[member.name] else {
                throw CommandError(.forbidden, "\(member.name) is not among the outputs that the configuration names")
            }
            guard let value = Reading.Value(member.value) else {
                throw CommandError(.malformed, "\(member.name) cannot be set to \(member.value.kind)")
            }
            commands.append(.set(sensor: output.sensor, channel: output.channel, value: value))
        }
        return commands
    }

    private func told(
        _ params: JSON, of device: String, _ topic: String, _ id: String
    ) throws(CommandError) -> [Action] {
        guard let names = params.array?.compactMap(\.string), !names.isEmpty, names.count <= 50 else {
            throw CommandError(.malformed, "\"params\" has to hold 1 to 50 identifiers")
        }
        let known = names.compactMap { name in values[device]?[name].map { JSON.Member(name, $0) } }
        guard !known.isEmpty else {
            throw CommandError(.unknown, "there is no value of \(names.joined(separator: ", ")) yet")
        }
        return [reply(topic, id, 200, "success", data: .object(known))].compactMap { $0 }
    }

    /// A program that the configuration has for it, or one of our own commands.
    private func service(_ name: String, _ input: JSON, of device: String?) throws(CommandError) -> RemoteCommand {
        let members = input.object ?? []
        if let program = settings.services[name] {
            let arguments = members.map { "\($0.name)=\($0.value.string ?? $0.value.text)" }
            return .run(program: program, arguments: (device.map { ["device=\($0)"] } ?? []) + arguments)
        }
        guard device == nil, RemoteCommand.Name(rawValue: name) != nil else {
            throw CommandError(.unknown, "the configuration has no program for the service \(name)")
        }
        return try parse(.object(members + [JSON.Member("command", .string(name))]))
    }

    /// `data` and `output` are always objects.
    private static func object(_ result: JSON?) -> JSON {
        switch result {
        case .object?: result ?? .object([])
        case .null?, nil: .object([])
        case let result?: .object([JSON.Member("result", result)])
        }
    }

    private static func error(_ error: CommandError) -> JSON {
        .object([
            JSON.Member(
                "error",
                .object([
                    JSON.Member("kind", .string(error.kind.rawValue)),
                    JSON.Member("message", .string(error.message)),
                ]))
        ])
    }
}

extension CommandError {
    /// As replies to the platform say it; their numbers are free.
    fileprivate var code: Int {
        switch kind {
        case .malformed: 400
        case .forbidden: 403
        case .unknown: 404
        case .timedOut: 408
        case .busy: 429
        case .failed: 500
        }
    }
}
