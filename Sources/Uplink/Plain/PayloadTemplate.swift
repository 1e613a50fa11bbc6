internal import Sensing
public import Units

/// A payload with places to fill: `{value:.1} {unit}`.
///
/// | placeholder | stands for |
/// | --- | --- |
/// | `{value}` | the value: a number, `true` or `false`, or a text |
/// | `{unit}` | its unit; nothing if it has none |
/// | `{time}`, `{seconds}` | when it was taken: as ISO 8601, and in seconds since 1970, to the millisecond |
/// | `{device}`, `{sensor}`, `{channel}` | their names |
/// | `{quality}` | `good`, `stale`, `out of range` or `sensor error` |
///
/// Behind a colon: `{value:.1}` and `{seconds:.0}` round to so many digits (9 at most), and `{value:json}` makes a JSON
/// value of anything, with its quotes, or `null`. Any other brace stands for itself.
///
/// A template that begins with a bracket, or with a brace of its own, is a JSON text, and is checked to be one: what stands inside quotes is
/// escaped, what stands outside becomes a JSON value. Other texts lose the blanks at their ends, which an absent unit
/// leaves.
///
/// A sensor that fails has no value: it can be said by a template that holds its value as JSON (`null`), and by another
/// one only if that does not hold the value at all. Otherwise nothing is sent.
public struct PayloadTemplate: Sendable, Hashable {
    enum Placeholder: String, CaseIterable {
        case value, unit, time, seconds, device, sensor, channel, quality

        var isNumber: Bool { self == .value || self == .seconds }
    }

    private enum Style: Hashable {
        /// As it is.
        case plain
        /// A JSON value.
        case json
        /// A part of a JSON string.
        case escaped
    }

    private enum Part: Sendable, Hashable {
        case text(String)
        case placeholder(Placeholder, Style, places: Int?)
    }

    private static let maximumPlaces = 9

    private let source: String
    private var parts: [Part] = []
    /// Whether every payload is a JSON text.
    let isJSON: Bool

    /// - Throws: ``InvalidText`` for an unknown placeholder or option, for a template without any placeholder, and for
    ///   one that begins as a JSON text and is none.
    public init(parsing text: String) throws(InvalidText) {
        source = text
        let start = text.drop { $0 == " " }
        isJSON = start.first == "[" || start.first == "{" && Self.placeholder(in: start) == nil
        var rest = text[...]
        var fixed = ""
        var isQuoted = false
        while let character = rest.first {
            guard character == "{", let (name, option, length) = Self.placeholder(in: rest) else {
                fixed.append(character)
                rest.removeFirst()
                // Behind a backslash a quote does not end the string.
                if isJSON, character == "\\", let next = rest.first {
                    fixed.append(next)
                    rest.removeFirst()
                } else if character == "\"" {
                    isQuoted.toggle()
                }
                continue
            }
            if !fixed.isEmpty { parts.append(.text(fixed)) }
            fixed = ""
            parts.append(try Self.part(name, option, isJSON ? (isQuoted ? .escaped : .json) : .plain))
            rest = rest.dropFirst(length)
        }
        if !fixed.isEmpty { parts.append(.text(fixed)) }
        guard parts.contains(where: { if case .placeholder = $0 { true } else { false } }) else {
            throw InvalidText("\"\(text)\" says nothing of the reading", mend: "write {value} where the value belongs")
        }
        try check()
    }

    /// `{name}` or `{name:option}` at the beginning of a text, and how many characters that is; nil if the brace is
    /// nothing but a brace.
    private static func placeholder(in text: Substring) -> (name: Substring, option: Substring?, length: Int)? {
        let name = text.dropFirst().prefix { $0.isASCII && ($0.isLetter || $0 == "_") }
        guard !name.isEmpty, let end = text.firstIndex(of: "}") else { return nil }
        let option = text[name.endIndex..<end]
        let length = text.distance(from: text.startIndex, to: end) + 1
        if option.isEmpty { return (name, nil, length) }
        return option.first == ":" ? (name, option.dropFirst(), length) : nil
    }

    private static func part(
        _ name: Substring, _ option: Substring?, _ style: Style
    ) throws(InvalidText) -> Part {
        guard let placeholder = Placeholder(rawValue: String(name)) else {
            let all = Placeholder.allCases.map(\.rawValue)
            let known = "possible are " + all.map { "{\($0)}" }.joined(separator: ", ")
            let mend = all.nearest(to: String(name)).map { "did you mean {\($0)}? (\(known))" } ?? known
            throw InvalidText("the format has the unknown placeholder {\(name)}", mend: mend)
        }
        guard let option else { return .placeholder(placeholder, style, places: nil) }
        if option == "json" {
            guard style != .escaped else {
                throw InvalidText(
                    "{\(name):json} stands inside quotes", mend: "leave out the quotes, which it brings along")
            }
            return .placeholder(placeholder, .json, places: nil)
        }
        guard option.first == ".", let places = Int(option.dropFirst()), (0...maximumPlaces).contains(places) else {
            throw InvalidText(
                "{\(name):\(option)} has an unknown option",
                mend: placeholder.isNumber
                    ? "write {\(name):.1}, or {\(name):json}" : "write {\(name)} or {\(name):json}")
        }
        guard placeholder.isNumber else {
            throw InvalidText("{\(name):\(option)} is no number to be rounded", mend: "write {\(name)}")
        }
        return .placeholder(placeholder, style, places: places)
    }

    /// JSON by its beginning has to be JSON whatever the value is.
    private func check() throws(InvalidText) {
        guard isJSON else { return }
        let time = Timestamp(milliseconds: 1_800_000_000_123)
        for value in [Reading.Value.number(-1.5), .boolean(true), .text("\"\\\n")] {
            let sample = Reading(sensor: "s", channel: "c", value: value, unit: "°C", time: time)
            do {
                _ = try JSONReader.value(Array(self.text(for: sample, device: "d").utf8)[...])
            } catch {
                throw InvalidText(
                    "the format begins as JSON but \(error.message)",
                    mend: #"write it as in {"value":{value},"unit":{unit}}"#)
            }
        }
    }

    // MARK: Filling

    func text(for reading: Reading, device: String) -> String {
        filled { placeholder in
            switch placeholder {
            case .value: reading.value.json
            case .unit: reading.unit.map(JSON.string)
            case .time: .string(reading.time.iso8601)
            case .seconds: .number(reading.time.seconds)
            case .device: .string(device)
            case .sensor: .string(reading.sensor)
            case .channel: reading.channel.map(JSON.string)
            case .quality: .string(reading.quality.name)
            }
        }
    }

    /// Nil where the template cannot say that there is no value.
    func textForFailure(
        of sensor: String, channel: String?, at time: Timestamp, device: String, quality: String
    ) -> String? {
        let needsValue = parts.contains {
            if case .placeholder(.value, let style, _) = $0 { style != .json } else { false }
        }
        if needsValue { return nil }
        return filled { placeholder in
            switch placeholder {
            case .value, .unit: nil
            case .channel: channel.map(JSON.string)
            case .time: .string(time.iso8601)
            case .seconds: .number(time.seconds)
            case .device: .string(device)
            case .sensor: .string(sensor)
            case .quality: .string(quality)
            }
        }
    }

    private func filled(_ value: (Placeholder) -> JSON?) -> String {
        let text = parts.reduce(into: "") { text, part in
            switch part {
            case .text(let fixed): text += fixed
            case .placeholder(let placeholder, let style, let places):
                text += Self.text(of: value(placeholder), style, places)
            }
        }
        return isJSON ? text : text.trimmed
    }

    private static func text(of value: JSON?, _ style: Style, _ places: Int?) -> String {
        if let places, case .number(let number)? = value { return number.text(places: places) }
        switch (style, value) {
        case (.json, _): return (value ?? .null).text
        case (_, nil): return ""
        case (.plain, .string(let text)?): return text
        case (.escaped, .string?): return String((value ?? .null).text.dropFirst().dropLast())
        case (_, let value?): return value.text
        }
    }
}

extension PayloadTemplate: CustomStringConvertible {
    public var description: String { source }
}

extension Timestamp {
    /// Since 1970, to the millisecond.
    var seconds: Double { Double(milliseconds) / 1000 }
}

extension String {
    /// Without the blanks at its ends.
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
