internal import Units

/// What a plugin says: an answer, or an event. Config/plugins/README.md describes the protocol.
///
/// Unknown members are let pass, so that a plugin for a later version of the protocol can speak to this one.
enum PluginMessage: Sendable, Hashable {
    case describe(id: Int, PluginIdentity)
    /// What is wrong with its options; nothing if it is configured.
    case configure(id: Int, problems: [String])
    case read(id: Int, PluginReadings)
    case set(id: Int, PluginReadings)
    case event(PluginReadings)
    /// Without an identifier it answers nothing, but tells of a trouble.
    case error(id: Int?, SensorError)

    var id: Int? {
        switch self {
        case .describe(let id, _), .configure(let id, _), .read(let id, _), .set(let id, _): id
        case .error(let id, _): id
        case .event: nil
        }
    }

    /// - Parameter place: the plugin, for errors.
    /// - Throws: why the line is no message, as the rest of a sentence that begins with the line.
    init(_ line: [UInt8], place: String) throws(InvalidText) {
        let message = try JSONReader.value(line[...])
        guard case .object = message else { throw InvalidText("is \(message.kind) and no object") }
        guard let type = message["type"]?.string else { throw InvalidText("has no type") }
        switch type {
        case "describe": self = .describe(id: try Self.id(message), try PluginIdentity(message))
        case "configure":
            let problems = message["problems"]?.array ?? []
            self = .configure(id: try Self.id(message), problems: problems.prefix(20).map(Self.problem))
        case "read": self = .read(id: try Self.id(message), PluginReadings(message, place: place))
        case "set": self = .set(id: try Self.id(message), PluginReadings(message, place: place))
        case "event": self = .event(PluginReadings(message, place: place))
        case "error":
            let id = message["id"] == nil ? nil : try Self.id(message)
            self = .error(id: id, Self.error(message, place: place))
        default: throw InvalidText("has an unknown type")
        }
    }

    private static func id(_ message: JSON) throws(InvalidText) -> Int {
        guard let number = message["id"]?.number, let id = Int(exactly: number) else {
            throw InvalidText("has no whole number as its id")
        }
        return id
    }

    private static func problem(_ problem: JSON) -> String {
        if let text = problem.string { return LogLimiter.printable(text) }
        let option = problem["option"]?.string.map { "\($0) " } ?? ""
        let mend = problem["mend"]?.string.map { ": \($0)" } ?? ""
        return LogLimiter.printable(option + (problem["message"]?.string ?? "is wrong") + mend)
    }

    private static func error(_ message: JSON, place: String) -> SensorError {
        let kind: SensorError.Kind =
            switch message["kind"]?.string {
            case "missing": .missing
            case "forbidden": .forbidden
            case "disabled": .disabled
            case "malformed": .malformed
            case "busy": .busy
            case "rejected": .rejected
            default: .unavailable
            }
        let text = message["message"]?.string ?? "no reason given"
        var error = SensorError(
            kind, place, "says: \(LogLimiter.printable(text))",
            mend: message["mend"]?.string.map(LogLimiter.printable))
        error.measured = PluginReadings(message, place: place).measured
        return error
    }
}

/// How a plugin introduces itself.
struct PluginIdentity: Sendable, Hashable {
    var name: String
    /// Whether it can be asked for readings, and does not only tell of events.
    var reads: Bool
    /// Whether something can be set.
    var sets: Bool

    init(_ message: JSON) throws(InvalidText) {
        let version = PluginRequest.protocolVersion
        guard let spoken = message["protocol"]?.number else { throw InvalidText("tells no version of the protocol") }
        guard spoken == Double(version) else {
            throw InvalidText(
                "is of version \(JSON.number(spoken).text) of the protocol, and the agent of \(version)")
        }
        let words = [message["name"]?.string, message["version"]?.string].compactMap { $0 }
        name = LogLimiter.printable(words.isEmpty ? "plugin" : words.joined(separator: " "))
        reads = message["reads"]?.boolean ?? true
        sets = message["sets"]?.boolean ?? false
    }
}
