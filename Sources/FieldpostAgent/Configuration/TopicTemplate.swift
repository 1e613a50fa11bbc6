public import MQTTWire
public import Units

/// A topic with places to fill: `fieldpost/{device}/{sensor}`.
public struct TopicTemplate: Sendable, Hashable {
    public enum Placeholder: String, Sendable, Hashable, CaseIterable {
        case device, sensor, channel
    }

    private enum Part: Sendable, Hashable {
        case text(String)
        case placeholder(Placeholder)
    }

    private var parts: [Part]

    /// `fieldpost/{device}/status`
    static let status = TopicTemplate(parts: [.text("fieldpost/"), .placeholder(.device), .text("/status")])
    /// `fieldpost/{device}/{sensor}`
    static let reading = TopicTemplate(
        parts: [.text("fieldpost/"), .placeholder(.device), .text("/"), .placeholder(.sensor)])

    private init(parts: [Part]) { self.parts = parts }

    /// - Parameter allowed: what may stand in braces here.
    /// - Throws: ``InvalidText`` if something else does, or if what comes out could be no topic to publish to.
    public init(parsing text: String, allowed: [Placeholder] = Placeholder.allCases) throws(InvalidText) {
        parts = []
        var rest = text[...]
        while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            if brace > rest.startIndex { parts.append(.text(String(rest[..<brace]))) }
            guard rest[brace] == "{", let (name, behind) = rest[brace...].dropFirst().split(at: "}") else {
                throw InvalidText(
                    "\"\(text)\" has a brace without its partner", mend: "write placeholders as in {device}")
            }
            guard let placeholder = Placeholder(rawValue: String(name)), allowed.contains(placeholder) else {
                let known = allowed.map { "{\($0.rawValue)}" }.joined(separator: ", ")
                throw InvalidText("\"\(text)\" has the unknown placeholder {\(name)}", mend: "possible here: \(known)")
            }
            parts.append(.placeholder(placeholder))
            rest = behind
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        do {
            _ = try TopicName(filled { _ in String(repeating: "x", count: TopicLevel.maximumLength) })
        } catch {
            throw InvalidText("\"\(text)\" is no topic", mend: Self.mend(error))
        }
    }

    /// The topic for one reading.
    /// - Throws: ``TopicError`` only if a value holds what ``TopicLevel`` would refuse, or if the topic gets longer than
    ///   65,535 bytes.
    public func topic(device: String, sensor: String = "", channel: String = "") throws(TopicError) -> TopicName {
        try TopicName(
            filled { placeholder in
                switch placeholder {
                case .device: device
                case .sensor: sensor
                case .channel: channel
                }
            })
    }

    public func contains(_ placeholder: Placeholder) -> Bool { parts.contains(.placeholder(placeholder)) }

    private func filled(_ value: (Placeholder) -> String) -> String {
        parts.reduce(into: "") { text, part in
            switch part {
            case .text(let fixed): text += fixed
            case .placeholder(let placeholder): text += value(placeholder)
            }
        }
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
