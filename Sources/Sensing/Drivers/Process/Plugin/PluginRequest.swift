/// What the agent asks a plugin. Config/plugins/README.md describes the protocol for those who write plugins.
enum PluginRequest: Sendable, Hashable {
    /// Who are you, and what can you do?
    case describe
    /// These are your options.
    case configure(sensor: String, options: JSONValue)
    /// What do you measure now?
    case read
    case set(channel: String?, value: Reading.Value)

    static let protocolVersion = 1

    var type: String {
        switch self {
        case .describe: "describe"
        case .configure: "configure"
        case .read: "read"
        case .set: "set"
        }
    }

    /// The line, its end included; type and identifier come first, which spares a shell script a parser.
    func line(id: Int) -> String {
        var members = [JSONValue.Member("type", .string(type)), JSONValue.Member("id", .number(Double(id)))]
        switch self {
        case .describe: members.append(JSONValue.Member("protocol", .number(Double(Self.protocolVersion))))
        case .configure(let sensor, let options):
            members += [JSONValue.Member("sensor", .string(sensor)), JSONValue.Member("options", options)]
        case .read: break
        case .set(let channel, let value):
            if let channel { members.append(JSONValue.Member("channel", .string(channel))) }
            let json: JSONValue =
                switch value {
                case .number(let number): .number(number)
                case .boolean(let boolean): .boolean(boolean)
                case .text(let text): .string(text)
                }
            members.append(JSONValue.Member("value", json))
        }
        return JSONValue.object(members).text + "\n"
    }
}
