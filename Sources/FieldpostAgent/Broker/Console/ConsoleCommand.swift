internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import Units

/// What the owner of a running broker may ask of it.
enum ConsoleCommand: Sendable, Hashable {
    case clients
    case sessions
    case retained(TopicFilter?)
    /// Of one client, or of all.
    case subscriptions(String?)
    case publish(ServerMessage)
    case kick(String)
    case delete(String)
    case stats
    case reload
    case help
    case exit

    static let commands = [
        ("clients", "who is connected"),
        ("sessions", "who is known, connected or not"),
        ("retained [FILTER]", "retained messages, such as those of site/#"),
        ("subscriptions [CLIENT]", "who has subscribed to what"),
        ("publish TOPIC TEXT [-q QOS] [-r]", "publishes, -r retained; no TEXT with -r deletes what is retained"),
        ("kick CLIENT", "ends a client's connection; its session stays"),
        ("delete CLIENT", "ends a client's connection and its session"),
        ("stats", "what was counted since the start"),
        ("reload", "reads passwords, access rules and certificates again, as SIGHUP does"),
        ("help", "this list"),
        ("exit", "stops the broker, as Ctrl-D does"),
    ]

    /// - Returns: nil for an empty line.
    /// - Throws: what is wrong with the line.
    static func parse(_ line: String) throws(InvalidText) -> ConsoleCommand? {
        var words = try split(line)
        guard !words.isEmpty else { return nil }
        let name = words.removeFirst()
        switch name {
        case "clients": return try .clients.without(words, name)
        case "sessions": return try .sessions.without(words, name)
        case "stats": return try .stats.without(words, name)
        case "reload": return try .reload.without(words, name)
        case "help", "?": return .help
        case "exit", "quit": return try .exit.without(words, name)
        case "retained":
            guard let filter = try atMostOne(words, name) else { return .retained(nil) }
            do { return .retained(try TopicFilter(filter)) } catch {
                throw InvalidText("\"\(filter)\" is no topic filter: \(error)")
            }
        case "subscriptions": return .subscriptions(try atMostOne(words, name))
        case "kick": return .kick(try one(words, name, "the client"))
        case "delete": return .delete(try one(words, name, "the client"))
        case "publish": return .publish(try message(words))
        default: throw InvalidText("unknown command \"\(name)\"; help lists them")
        }
    }

    private func without(_ words: [String], _ name: String) throws(InvalidText) -> ConsoleCommand {
        if words.isEmpty { return self }
        throw InvalidText("\(name) stands alone", mend: "leave out \"\(words.joined(separator: " "))\"")
    }

    private static func atMostOne(_ words: [String], _ name: String) throws(InvalidText) -> String? {
        if words.count > 1 { throw InvalidText("\(name) takes one word", mend: "quote it if it holds blanks") }
        return words.first
    }

    private static func one(_ words: [String], _ name: String, _ what: String) throws(InvalidText) -> String {
        guard let word = try atMostOne(words, name) else { throw InvalidText("\(name) needs \(what)") }
        return word
    }

    private static func message(_ words: [String]) throws(InvalidText) -> ServerMessage {
        var text: [String] = []
        var qos = QoS.atMostOnce
        var retain = false
        var rest = words[...]
        while let word = rest.popFirst() {
            switch word {
            case "-r": retain = true
            case "-q":
                guard let level = rest.popFirst().flatMap({ UInt8($0) }).flatMap(QoS.init(rawValue:)) else {
                    throw InvalidText("-q needs a QoS", mend: "write 0, 1 or 2 behind it")
                }
                qos = level
            case "--":
                text += rest
                rest = []
            default: text.append(word)
            }
        }
        guard !text.isEmpty else { throw InvalidText("publish needs a topic and a text", mend: "publish TOPIC TEXT") }
        let name = text.removeFirst()
        if text.isEmpty, !retain {
            throw InvalidText("publish needs a text behind the topic", mend: #"write "" for an empty one"#)
        }
        do {
            return ServerMessage(
                topic: try TopicName(name), payload: ByteBuffer(string: text.joined(separator: " ")), qos: qos,
                retain: retain)
        } catch {
            throw InvalidText("\"\(name)\" is no topic: \(error)")
        }
    }

    /// Words end at blanks; quotation marks of either kind hold them together, and a backslash takes what follows as
    /// it stands.
    private static func split(_ line: String) throws(InvalidText) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in line {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
                word = word ?? ""
            } else if character == quote {
                quote = nil
            } else if quote == nil, character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if quote == nil, character.isWhitespace {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if quote != nil { throw InvalidText("a quotation mark is not closed") }
        if let word { words.append(word) }
        return words
    }
}
