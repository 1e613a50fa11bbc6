public import MQTTWire
public import Units

/// A topic with places to fill: `fieldpost/{device}/{sensor}`.
///
/// A channel's name may come from the kernel ("+3.3V", "Core 0"): the characters that a topic level cannot hold become
/// `-`.
public struct TopicTemplate: Sendable, Hashable {
    public enum Placeholder: String, Sendable, Hashable, CaseIterable {
        case device, sensor, channel
        /// An alarm's name; in the topics of alarms only.
        case alarm

        /// What may stand in the topic of a reading.
        public static let ofReadings: [Placeholder] = [.device, .sensor, .channel]
        /// What may stand in the topic of an alarm.
        public static let ofAlarms: [Placeholder] = [.device, .sensor, .alarm]
    }

    private enum Part: Sendable, Hashable {
        case text(String)
        case placeholder(Placeholder)
    }

    private var parts: [Part]

    /// `fieldpost/{device}/status`
    public static let status = TopicTemplate(parts: [.text("fieldpost/"), .placeholder(.device), .text("/status")])
    /// `fieldpost/{device}/{sensor}`
    public static let reading = TopicTemplate(
        parts: [.text("fieldpost/"), .placeholder(.device), .text("/"), .placeholder(.sensor)])
    /// `fieldpost/{device}/alarm/{alarm}`
    public static let alarm = TopicTemplate(
        parts: [.text("fieldpost/"), .placeholder(.device), .text("/alarm/"), .placeholder(.alarm)])

    private init(parts: [Part]) { self.parts = parts }

    /// - Parameter allowed: what may stand in braces here.
    /// - Throws: ``InvalidText`` if something else does, or if what comes out could be no topic to publish to.
    public init(parsing text: String, allowed: [Placeholder] = Placeholder.ofReadings) throws(InvalidText) {
        parts = []
        var rest = text[...]
        while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            if brace > rest.startIndex { parts.append(.text(String(rest[..<brace]))) }
            guard rest[brace] == "{", let end = rest[brace...].firstIndex(of: "}") else {
                throw InvalidText(
                    "\"\(text)\" has a brace without its partner", mend: "write placeholders as in {device}")
            }
            let name = String(rest[rest.index(after: brace)..<end])
            guard let placeholder = Placeholder(rawValue: name), allowed.contains(placeholder) else {
                let known = allowed.map { "{\($0.rawValue)}" }.joined(separator: ", ")
                throw InvalidText("\"\(text)\" has the unknown placeholder {\(name)}", mend: "possible here: \(known)")
            }
            parts.append(.placeholder(placeholder))
            rest = rest[rest.index(after: end)...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        do {
            // As long as names may be.
            _ = try TopicName(filled { _ in String(repeating: "x", count: 128) })
        } catch {
            throw InvalidText("\"\(text)\" is no topic", mend: Self.mend(error))
        }
    }

    public func contains(_ placeholder: Placeholder) -> Bool { parts.contains(.placeholder(placeholder)) }

    /// The topic for one reading or alarm; a reading without a channel fills `{channel}` with "value".
    /// - Throws: ``TopicError`` if the topic gets longer than 65,535 bytes.
    public func topic(
        device: String, sensor: String = "", channel: String? = nil, alarm: String = ""
    ) throws(TopicError) -> TopicName {
        try TopicName(
            filled { placeholder in
                switch placeholder {
                case .device: Self.level(device)
                case .sensor: Self.level(sensor)
                case .channel: Self.level(channel ?? "value")
                case .alarm: Self.level(alarm)
                }
            })
    }

    private func filled(_ value: (Placeholder) -> String) -> String {
        parts.reduce(into: "") { text, part in
            switch part {
            case .text(let fixed): text += fixed
            case .placeholder(let placeholder): text += value(placeholder)
            }
        }
    }

    private static func level(_ name: String) -> String {
        guard name.utf8.contains(where: { "/+#\0".utf8.contains($0) }) else { return name }
        return String(
            String.UnicodeScalarView(name.unicodeScalars.map { "/+#\0".unicodeScalars.contains($0) ? "-" : $0 }))
    }

    private static func mend(_ error: TopicError) -> String {
        switch error {
        case .empty: "write at least one level"
        case .tooLong: "a topic has at most 65535 bytes"
        case .containsNUL: "take out the NUL"
        case .wildcardInName: "take out + and #, which only subscriptions have"
        case .misplacedWildcard, .malformedShare: "write it without wildcards"
        }
    }
}

extension TopicTemplate: CustomStringConvertible {
    public var description: String { filled { "{\($0.rawValue)}" } }
}
