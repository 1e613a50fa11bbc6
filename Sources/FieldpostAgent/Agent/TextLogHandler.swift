internal import Logging
internal import Units

/// Logs as lines for people: what happened first, then its circumstances.
///
///     2026-11-21T08:15:02.117Z warning not connected: broker=mqtt://10.0.0.7:1883 reason="not reachable: …" retry-in=850ms
///
/// systemd's journal gets the level as its own priority, and no time, which it knows itself.
///
/// What a broker or a sensor said may stand in a line, but cannot break out of it: ``Console`` makes control
/// characters visible.
struct TextLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let write: @Sendable (Line) -> Void
    private let now: @Sendable () -> Timestamp

    struct Line: Sendable, Hashable {
        var time: Timestamp
        var level: Logger.Level
        var message: String

        /// For files and terminals.
        var text: String { "\(time.iso8601) \(level.rawValue) \(message)" }

        func writeToStandardError() {
            LogOutput.standardError.write(errorText) { count in
                Line(
                    time: time, level: .warning,
                    message: "lines are missing here: count=\(count) reason=\"not read in time\""
                )
                .errorText
            }
        }

        private var errorText: String { Console.errorText(Console.isErrorJournal ? message : text, as: level) }
    }

    init(
        write: @escaping @Sendable (Line) -> Void = { $0.writeToStandardError() },
        now: @escaping @Sendable () -> Timestamp = { .now() }
    ) {
        self.write = write
        self.now = now
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        var message = "\(event.message)"
        if !all.isEmpty {
            message +=
                ": " + all.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.text($0.value))" }.joined(separator: " ")
        }
        // One line for one event, so that whoever reads line by line is not led astray.
        message = message.split(whereSeparator: \.isNewline).joined(separator: " | ")
        write(Line(time: now(), level: event.level, message: message))
    }

    private static func text(_ value: Logger.Metadata.Value) -> String {
        let text = bounded("\(value)")
        guard text.contains(where: { $0 == " " || $0 == "\"" }) || text.isEmpty else { return text }
        return "\"" + text.map { $0 == "\"" ? "\\\"" : String($0) }.joined() + "\""
    }

    /// What a peer says of itself may have 65,535 bytes, and it says so before anybody knows it.
    private static func bounded(_ text: String) -> String {
        let limit = 1000
        guard text.utf8.count > limit,
            let end = text.unicodeScalars.index(
                text.startIndex, offsetBy: limit, limitedBy: text.endIndex)
        else { return text }
        return "\(text[..<end])… (\(text.utf8.count) bytes)"
    }
}
