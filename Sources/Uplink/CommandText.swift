public import NIOCore
internal import Sensing
public import Units

/// A command as it is said in a message: what is asked for, under which id, and until when it is of use.
public struct CommandText: Sendable, Hashable {
    public var command: RemoteCommand
    /// Who asks the same twice says the same id; then it is done once.
    public var id: String?
    /// After which it must not be done any more.
    public var deadline: Timestamp?

    public init(_ command: RemoteCommand) { self.command = command }

    /// So much of a payload is read.
    public static let limit = 64 * 1024

    /// Reads a payload: a JSON object with the command's arguments, or, for those that need only one, that word itself.
    ///
    ///     {"sensor":"gate","value":true,"id":"17","deadline":"2026-11-20T21:00:05Z"}
    ///
    /// - Parameters:
    ///   - name: the command; nil: the payload names it, as `"command"`.
    ///   - now: from which a deadline like "5s" counts.
    /// - Throws: ``CommandError`` of kind malformed, or unknown.
    public init(_ payload: ByteBuffer, named name: String?, at now: Timestamp) throws(CommandError) {
        guard payload.readableBytes <= Self.limit else {
            throw CommandError(.malformed, "the payload is longer than \(Self.limit) bytes")
        }
        let bytes = Array(payload.readableBytesView)
        let arguments: JSON
        if bytes.isEmpty {
            arguments = .object([])
        } else {
            do throws(InvalidText) {
                arguments = try JSONReader.value(bytes[...])
            } catch {
                guard bytes.first != UInt8(ascii: "{"), let word = String(validating: bytes, as: UTF8.self) else {
                    throw CommandError(.malformed, "the payload \(error.message)")
                }
                self = try Self.init(.string(word), named: name, at: now)
                return
            }
        }
        self = try Self.init(arguments, named: name, at: now)
    }

    /// - Throws: as above.
    public init(_ arguments: JSON, named name: String?, at now: Timestamp) throws(CommandError) {
        var arguments = arguments
        let said: String
        if let name = name ?? arguments["command"]?.string {
            said = name
        } else if let word = arguments.string {
            (said, arguments) = (word, .object([]))
        } else {
            throw CommandError(.malformed, #"says no "command""#)
        }
        guard let name = RemoteCommand.Name(rawValue: said) else {
            throw CommandError(
                .unknown, "there is no command \"\(said.prefix(64))\"; there are \(Self.names)")
        }
        if arguments.object == nil {
            guard let only = Self.onlyArgument(of: name), arguments.string != nil else {
                throw CommandError(.malformed, "is no JSON object, as \(Self.example(of: name))")
            }
            arguments = .object([JSON.Member(only, arguments)])
        }
        try Self.checkKeys(arguments, of: name)
        command = try Self.command(name, arguments)
        id = try Self.text("id", arguments, limit: 256).flatMap { $0.isEmpty ? nil : $0 }
        deadline = try Self.deadline(arguments, at: now)
    }

    private static var names: String { RemoteCommand.Name.allCases.map(\.rawValue).joined(separator: ", ") }

    private static func onlyArgument(of name: RemoteCommand.Name) -> String? {
        switch name {
        case .read: "sensor"
        case .acknowledge: "alarm"
        case .run: "program"
        case .set, .interval, .calibrate, .status, .reload: nil
        }
    }

    private static func example(of name: RemoteCommand.Name) -> String {
        switch name {
        case .read: #"{"sensor":"fill"}"#
        case .set: #"{"sensor":"gate","value":true}"#
        case .interval: #"{"sensor":"fill","every":"10s"}"#
        case .calibrate: #"{"sensor":"fill","to":20.5}"#
        case .acknowledge: #"{"alarm":"full","by":"anna"}"#
        case .status, .reload: "{}"
        case .run: #"{"program":"restart"}"#
        }
    }

    /// A misspelled key must not be passed over: "evry" would take the interval back.
    private static func checkKeys(_ arguments: JSON, of name: RemoteCommand.Name) throws(CommandError) {
        let own: [String] =
            switch name {
            case .read: ["sensor"]
            case .set: ["sensor", "channel", "value"]
            case .interval: ["sensor", "every"]
            case .calibrate: ["sensor", "channel", "to"]
            case .acknowledge: ["alarm", "by"]
            case .run: ["program", "arguments"]
            case .status, .reload: []
            }
        let known = own + ["command", "id", "deadline"]
        for member in arguments.object ?? [] where !known.contains(member.name) {
            let name = String(member.name.prefix(64))
            throw CommandError(
                .malformed,
                "unknown key \"\(name)\"" + (known.nearest(to: name).map { "; did you mean \"\($0)\"?" } ?? ""))
        }
        // What takes something back has to be said.
        for key in ["every", "to"] where own.contains(key) && arguments[key] == nil {
            throw CommandError(
                .malformed, "says no \"\(key)\", as \(example(of: name)); null for what the configuration says")
        }
    }

    private static func command(_ name: RemoteCommand.Name, _ arguments: JSON) throws(CommandError) -> RemoteCommand {
        func required(_ key: String) throws(CommandError) -> String {
            guard let text = try text(key, arguments) else {
                throw CommandError(.malformed, "says no \"\(key)\", as \(example(of: name))")
            }
            return text
        }
        switch name {
        case .read: return .read(sensor: try text("sensor", arguments))
        case .set:
            let sensor = try required("sensor")
            guard let value = arguments["value"].flatMap(Reading.Value.init) else {
                throw CommandError(.malformed, "says no \"value\", as \(example(of: name))")
            }
            return .set(sensor: sensor, channel: try text("channel", arguments), value: value)
        case .interval:
            let sensor = try required("sensor")
            guard let every = try text("every", arguments) else { return .interval(sensor: sensor, every: nil) }
            let range = Duration.milliseconds(10) ... .seconds(30 * 86_400)
            do throws(InvalidText) {
                let interval = try Duration(parsing: every)
                guard range.contains(interval) else { throw InvalidText("lies outside of 10ms to 30d") }
                return .interval(sensor: sensor, every: interval)
            } catch {
                throw CommandError(.malformed, "every = \"\(every.prefix(64))\" \(error.message)")
            }
        case .calibrate:
            let sensor = try required("sensor")
            let channel = try text("channel", arguments)
            switch arguments["to"] {
            case nil, .null: return .calibrate(sensor: sensor, channel: channel, to: nil)
            case .some(let value):
                guard let number = value.number, number.isFinite else {
                    throw CommandError(.malformed, "\"to\" is \(value.kind); a number is wanted")
                }
                return .calibrate(sensor: sensor, channel: channel, to: number)
            }
        case .acknowledge: return .acknowledge(alarm: try required("alarm"), by: try text("by", arguments, limit: 256))
        case .status: return .status
        case .reload: return .reload
        case .run:
            let program = try required("program")
            let given: [JSON]
            switch arguments["arguments"] {
            case nil, .null: given = []
            case .array(let array): given = array
            case .some(let value):
                throw CommandError(.malformed, "\"arguments\" is \(value.kind); an array of strings is wanted")
            }
            var words: [String] = []
            for argument in given {
                guard let word = argument.string else {
                    throw CommandError(.malformed, "\"arguments\" has \(argument.kind) in it; strings are wanted")
                }
                words.append(word)
            }
            return .run(program: program, arguments: words)
        }
    }

    /// - Returns: nil where it is not said.
    private static func text(_ key: String, _ arguments: JSON, limit: Int = 1024) throws(CommandError) -> String? {
        switch arguments[key] {
        case nil, .null: return nil
        case .string(let text):
            guard text.utf8.count <= limit else {
                throw CommandError(.malformed, "\"\(key)\" is longer than \(limit) bytes")
            }
            return text
        case .number(let number) where key == "id": return JSON.number(number).text
        case .some(let value): throw CommandError(.malformed, "\"\(key)\" is \(value.kind); a string is wanted")
        }
    }

    private static func deadline(_ arguments: JSON, at now: Timestamp) throws(CommandError) -> Timestamp? {
        guard let text = try text("deadline", arguments) else { return nil }
        if let time = Timestamp(iso8601: text) { return time }
        if let duration = try? Duration(parsing: text), duration < .seconds(365 * 86_400) { return now + duration }
        throw CommandError(
            .malformed, #""deadline" is no time, as 2026-11-20T21:00:05Z, and no duration, as 5s"#)
    }
}
