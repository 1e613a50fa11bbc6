internal import MQTTWire
internal import NIOCore
internal import Units

/// The properties of MQTT 5.0 given by `--property COMMAND IDENTIFIER [NAME] VALUE`.
struct GivenProperties: Sendable {
    enum Command: String, Sendable, CaseIterable {
        case connect, publish, subscribe, unsubscribe, will
    }

    private var packets: [Command: Properties] = [:]
    /// The client says these itself.
    var receiveMaximum: Int?
    var maximumPacketSize: Int?
    /// Seconds; the largest: never.
    var sessionExpiry: UInt32?

    /// - Parameters:
    ///   - words: of all properties, one behind the other.
    ///   - commands: the packets that are sent.
    init(parsing words: [String], for commands: Set<Command>) throws(InvalidText) {
        var words = words[...]
        while let first = words.popFirst() {
            guard first.lowercased() != "disconnect" else {
                throw InvalidText(
                    "--property disconnect: the goodbye is the client's own matter",
                    mend: "leave it out; -x says how long the session is kept")
            }
            guard let command = Command(rawValue: first.lowercased()), commands.contains(command) else {
                let known = Command.allCases.filter(commands.contains).map(\.rawValue)
                throw InvalidText(
                    "--property \(first): that is no packet which can be given properties here",
                    mend: "known are \(known.joined(separator: ", "))")
            }
            guard let identifier = words.popFirst(), let value = words.popFirst() else {
                throw InvalidText("--property \(first) is not complete", mend: "write COMMAND IDENTIFIER VALUE")
            }
            if identifier == "user-property" {
                guard let second = words.popFirst() else {
                    throw InvalidText(
                        "a user-property has a name and a value", mend: "write \(first) user-property NAME VALUE")
                }
                packets[command, default: []].append(.userProperty(name: value, value: second))
            } else {
                try add(identifier, value, to: command)
            }
        }
    }

    subscript(_ command: Command) -> Properties { packets[command] ?? [] }

    private mutating func add(_ name: String, _ value: String, to command: Command) throws(InvalidText) {
        func number(_ range: ClosedRange<UInt32>) throws(InvalidText) -> UInt32 {
            guard let number = UInt32(value), range.contains(number) else {
                throw InvalidText("\(name) \"\(value)\"", mend: "it is \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        func append(_ property: Property) { packets[command, default: []].append(property) }
        switch (command, name) {
        case (.connect, "receive-maximum"): receiveMaximum = Int(try number(1...65_535))
        case (.connect, "maximum-packet-size"):
            maximumPacketSize = Int(try number(1...UInt32(ClientSettings.largestPacket)))
        case (.connect, "session-expiry-interval"): sessionExpiry = try number(0...UInt32.max)
        case (.connect, "request-problem-information"):
            append(.requestProblemInformation(try number(0...1) == 1))
        case (.connect, "request-response-information"):
            append(.requestResponseInformation(try number(0...1) == 1))
        case (.will, "will-delay-interval"): append(.willDelayInterval(try number(0...UInt32.max)))
        case (.subscribe, "subscription-identifier"):
            append(.subscriptionIdentifier(try number(1...268_435_455)))
        case (.publish, "content-type"), (.will, "content-type"): append(.contentType(value))
        case (.publish, "correlation-data"), (.will, "correlation-data"):
            append(.correlationData(ByteBuffer(string: value)))
        case (.publish, "message-expiry-interval"), (.will, "message-expiry-interval"):
            append(.messageExpiryInterval(try number(0...UInt32.max)))
        case (.publish, "payload-format-indicator"), (.will, "payload-format-indicator"):
            append(.payloadFormatIndicator(try number(0...1) == 1))
        case (.publish, "response-topic"), (.will, "response-topic"):
            append(.responseTopic(try ClientSettings.topic(value, name, TopicName.init)))
        case (.connect, "authentication-method"), (.connect, "authentication-data"):
            throw InvalidText("\(name): the exchange that follows it is not spoken", mend: "use --username and --pw")
        case (.connect, "topic-alias-maximum"), (.publish, "topic-alias"):
            throw InvalidText("\(name): topic aliases are the client's own matter", mend: "leave it out")
        default:
            throw InvalidText(
                "--property \(command.rawValue) \(name) cannot be given",
                mend: "--help says which can")
        }
    }
}
