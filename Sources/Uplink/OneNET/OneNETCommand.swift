internal import Sensing
public import Units

/// Reads a command that stands as a JSON object, as plain commands do:
///
///     {"command":"set","sensor":"lamp","value":true}
///     {"command":"interval","sensor":"fill","every":"10s"}
///     {"command":"run","program":"empty","arguments":["--now"]}
public enum OneNETCommand {
    public static func parse(_ json: JSON) throws(CommandError) -> RemoteCommand {
        guard let word = json["command"]?.string, let name = RemoteCommand.Name(rawValue: word) else {
            let names = RemoteCommand.Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandError(.malformed, "there is no \"command\" that is one of \(names)")
        }
        switch name {
        case .read: return .read(sensor: json["sensor"]?.string)
        case .set:
            guard let value = json["value"].flatMap(value) else { throw missing("value", name) }
            return .set(sensor: try text("sensor", json, name), channel: json["channel"]?.string, value: value)
        case .interval:
            var every: Duration?
            if let text = json["every"]?.string {
                do { every = try Duration(parsing: text) } catch {
                    throw CommandError(.malformed, "\"every\" \(error.message)")
                }
            }
            return .interval(sensor: try text("sensor", json, name), every: every)
        case .calibrate:
            return .calibrate(
                sensor: try text("sensor", json, name), channel: json["channel"]?.string, to: json["to"]?.number)
        case .acknowledge: return .acknowledge(alarm: try text("alarm", json, name), by: json["by"]?.string)
        case .status: return .status
        case .reload: return .reload
        case .run:
            return .run(
                program: try text("program", json, name),
                arguments: (json["arguments"]?.array ?? []).compactMap { $0.string ?? $0.number.map(JSON.text(of:)) })
        }
    }

    private static func text(
        _ member: String, _ json: JSON, _ name: RemoteCommand.Name
    ) throws(CommandError) -> String {
        guard let text = json[member]?.string, !text.isEmpty else { throw missing(member, name) }
        return text
    }

    private static func missing(_ member: String, _ name: RemoteCommand.Name) -> CommandError {
        CommandError(.malformed, "the command \(name.rawValue) needs \"\(member)\"")
    }

    /// Nil for what no output can be set to.
    static func value(_ json: JSON) -> Reading.Value? {
        switch json {
        case .boolean(let value): .boolean(value)
        case .integer, .number: json.number.map(Reading.Value.number)
        case .string(let value): .text(value)
        case .null, .array, .object: nil
        }
    }
}
