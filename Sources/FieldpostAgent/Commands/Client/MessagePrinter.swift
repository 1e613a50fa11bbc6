internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Units

/// How messages are printed.
public struct OutputOptions: Sendable {
    public var showsTopics = false
    public var endsLines = true
    /// An output format of mosquitto_sub(1).
    public var format: String?
    /// JSON in the format is set over several lines.
    public var isPretty = false

    public init() {}
}

/// Prints messages as mosquitto_sub does.
struct MessagePrinter: Sendable {
    private let options: OutputOptions
    private let format: MessageFormat?
    private let say: @Sendable (String) -> Void

    /// - Parameter say: takes what is to be said of messages that cannot be printed.
    init(_ options: OutputOptions, say: @escaping @Sendable (String) -> Void) throws(InvalidText) {
        self.options = options
        self.say = say
        format = try options.format.map { text throws(InvalidText) in
            try MessageFormat(parsing: text, isPretty: options.isPretty)
        }
    }

    /// - Returns: false when there is no reader any more.
    /// - Throws: ``CommandFailure``.
    func write(_ message: ReceivedMessage, to output: Output) async throws -> Bool {
        guard let line = line(message, output.isTerminal) else { return true }
        do {
            try await output.write(line)
            return true
        } catch is Output.ReaderGone {
            return false
        }
    }

    /// Without a format, a message without a payload is nothing, or `(null)` behind its topic.
    private func line(_ message: ReceivedMessage, _ isTerminal: Bool) -> [UInt8]? {
        var line: [UInt8]
        if let format {
            guard let text = format.text(of: message, at: .now, isTerminal: isTerminal) else {
                say("\(message.topic): a payload that is no JSON")
                return nil
            }
            line = text
        } else {
            line = options.showsTopics ? MessageFormat.shown(message.topic.string.utf8, isTerminal) + [0x20] : []
            if message.payload.readableBytes > 0 {
                line += MessageFormat.shown(message.payload.readableBytesView, isTerminal)
            } else if options.showsTopics, options.endsLines {
                line += "(null)".utf8
            } else {
                return nil
            }
        }
        if options.endsLines { line.append(UInt8(ascii: "\n")) }
        return line
    }
}
