internal import Units

/// What the agent asks a plugin. Config/plugins/README.md describes the protocol for those who write plugins.
enum PluginRequest: Sendable, Hashable {
    /// Who are you, and what can you do?
    case describe
    /// These are your options.
    case configure(sensor: String, options: JSON)
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
        var members = [JSON.Member("type", .string(type)), JSON.Member("id", .number(Double(id)))]
        switch self {
        case .describe: members.append(JSON.Member("protocol", .number(Double(Self.protocolVersion))))
        case .configure(let sensor, let options):
            members += [JSON.Member("sensor", .string(sensor)), JSON.Member("options", options)]
        case .read: break
        case .set(let channel, let value):
            if let channel { members.append(JSON.Member("channel", .string(channel))) }
            let json: JSON =
                switch value {
                case .number(let number): .number(number)
                case .boolean(let boolean): .boolean(boolean)
                case .text(let text): .string(text)
                }
            members.append(JSON.Member("value", json))
        }
        return JSON.object(members).text + "\n"
    }
}
