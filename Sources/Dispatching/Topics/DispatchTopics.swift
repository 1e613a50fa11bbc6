internal import Pipeline
public import Units

/// The topics of dispatch, and what stands in their messages.
///
///     in   {prefix}/{device}/alarm/{alarm}                    an alarm's state
///          {prefix}/dispatch/worker/{worker}                  retained: where he is, what he has to do
///          {prefix}/dispatch/worker/{worker}/answer/{task}    {"answer":"accepted"}, declined or done
///     out  {prefix}/dispatch/worker/{worker}/task/{task}      retained: offered, accepted, withdrawn; then deleted
///          {prefix}/dispatch/alarm/{device}/{alarm}           retained: who has it; deleted with the task
///          {prefix}/{device}/command/acknowledge              the alarm, by the worker who has accepted it
///
/// Alarms are read liberally: `{"state":"raised"}` is enough. A severity that is not known counts as warning; an empty
/// payload, which deletes a retained message, as cleared, and as off duty.
public struct DispatchTopics: Sendable, Hashable {
    public let prefix: String

    public init() { prefix = "fieldpost" }

    /// - Throws: ``InvalidText`` for what topics cannot begin with.
    public init(prefix: String) throws(InvalidText) {
        let levels = Self.levels(prefix.utf8[...])
        guard levels.allSatisfy({ !$0.isEmpty }), prefix.utf8.count <= 256,
            !prefix.unicodeScalars.contains(where: { $0 == "+" || $0 == "#" || $0 == "\0" })
        else {
            throw InvalidText(
                "\"\(prefix)\" cannot begin a topic", mend: #"write names with "/" between them, as in "park/north""#)
        }
        self.prefix = prefix
    }

    /// What is to be subscribed to.
    public var filters: [String] {
        ["\(prefix)/+/alarm/+", "\(prefix)/dispatch/worker/+", "\(prefix)/dispatch/worker/+/answer/+"]
    }

    /// Bytes that a message has at most.
    static let payloadLimit = 16_384
    /// Bytes that a name or another text has at most.
    static let textLimit = 256

    /// What a message says.
    ///
    /// - Returns: nil for a topic that does not matter here.
    /// - Throws: ``InvalidText``, which names what is wrong in the payload.
    public func input(topic: String, payload: ArraySlice<UInt8>) throws(InvalidText) -> DispatchInput? {
        guard topic.utf8.starts(with: "\(prefix)/".utf8) else { return nil }
        let levels = Self.levels(topic.utf8.dropFirst(prefix.utf8.count + 1))
        switch levels.count {
        case 3 where levels[0] == "dispatch" && levels[1] == "worker":
            return .worker(try worker(levels[2], payload))
        case 3 where levels[1] == "alarm": return .alarm(try alarm(device: levels[0], levels[2], payload))
        case 5 where levels[0] == "dispatch" && levels[1] == "worker" && levels[3] == "answer":
            // Nobody answers by deleting.
            if payload.isEmpty { return nil }
            let word = try Self.text("answer", in: Self.object(payload))
            guard let answer = word.flatMap(DispatchInput.Answer.init) else {
                throw InvalidText(
                    word.map { "answer \"\($0)\" is not known" } ?? "has no answer",
                    mend: "possible are accepted, declined and done")
            }
            return .answer(task: try Self.name(levels[4]), worker: try Self.name(levels[2]), answer)
        default: return nil
        }
    }

    private func alarm(device: String, _ alarm: String, _ payload: ArraySlice<UInt8>) throws(InvalidText) -> AlarmNotice
    {
        let device = try Self.name(device), alarm = try Self.name(alarm)
        if payload.isEmpty { return AlarmNotice(device: device, alarm: alarm, state: .cleared) }
        let json = try Self.object(payload)
        let word = try Self.text("state", in: json)
        guard let state = word.flatMap(AlarmState.init) else {
            throw InvalidText(
                word.map { "state \"\($0)\" is not known" } ?? "has no state",
                mend: "possible are cleared, raised and acknowledged")
        }
        let value: JSON? =
            switch json["value"] {
            case .string(let text)? where text.utf8.count > Self.textLimit: nil
            case .boolean?, .number?, .integer?, .string?: json["value"]
            case .null?, .array?, .object?, nil: nil
            }
        return AlarmNotice(
            device: device, alarm: alarm, state: state, isActive: json["active"]?.boolean,
            severity: json["severity"]?.string.flatMap(AlarmSeverity.init) ?? .warning, value: value,
            unit: try Self.text("unit", in: json), time: Self.time(json), position: Position(json["position"]))
    }

    private func worker(_ name: String, _ payload: ArraySlice<UInt8>) throws(InvalidText) -> WorkerNotice {
        let name = try Self.name(name)
        if payload.isEmpty { return WorkerNotice(worker: name, isOnDuty: false) }
        let json = try Self.object(payload)
        guard let isOnDuty = json["on_duty"]?.boolean else {
            throw InvalidText("does not say whether he is on duty", mend: #"write "on_duty":true or false"#)
        }
        // No more than whoever has most of them: a number that is none of tasks must not trap.
        let load = Int(min(max(json["load"]?.number ?? 0, 0), 1000))
        return WorkerNotice(
            worker: name, position: Position(json["position"]), load: load, isOnDuty: isOnDuty, time: Self.time(json))
    }

    /// Byte by byte: a slash and an accent behind it are one character.
    private static func levels(_ text: Substring.UTF8View) -> [String] {
        text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { String(Substring($0)) }
    }

    private static func object(_ payload: ArraySlice<UInt8>) throws(InvalidText) -> JSON {
        guard payload.count <= payloadLimit else {
            throw InvalidText("has \(payload.count) bytes", mend: "allowed are up to \(payloadLimit)")
        }
        let json = try JSONReader.value(payload)
        guard case .object = json else { throw InvalidText("is \(json.kind)", mend: "expected is an object") }
        return json
    }

    private static func text(_ name: String, in json: JSON) throws(InvalidText) -> String? {
        switch json[name] {
        case nil, .null?: return nil
        case .string(let text)? where text.utf8.count <= textLimit: return text
        case .string?: throw InvalidText("\(name) is longer than \(textLimit) bytes")
        case let other?: throw InvalidText("\(name) is \(other.kind)", mend: "expected is a string")
        }
    }

    private static func name(_ level: String) throws(InvalidText) -> String {
        guard !level.isEmpty, level.utf8.count <= textLimit else {
            throw InvalidText("the topic has a name that is empty, or longer than \(textLimit) bytes")
        }
        return level
    }

    private static func time(_ json: JSON) -> Timestamp? { json["time"]?.string.flatMap(Timestamp.init(iso8601:)) }
}
