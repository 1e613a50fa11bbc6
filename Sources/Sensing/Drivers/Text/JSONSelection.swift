internal import Units

/// What of a program's JSON becomes a value.
struct JSONSelection: Sendable {
    /// The way to a value: "main.temp", "list.0.name"; or a JSON pointer (RFC 6901), "/coretemp/+3.3V", for names that
    /// hold a point.
    struct Path: Sendable, Hashable {
        let text: String
        private let steps: [String]

        init(parsing text: String) throws(InvalidText) {
            self.text = text
            if text.hasPrefix("/") {
                steps = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
                    String($0).replacing(each: "~1", with: "/").replacing(each: "~0", with: "~")
                }
            } else {
                steps = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
                if steps.contains("") {
                    throw InvalidText("\"\(text)\" is no path", mend: #"write one like "main.temp" or "/main/temp""#)
                }
            }
        }

        /// The value there; nil if there is none.
        func callAsFunction(_ value: JSON) -> JSON? {
            var value = value
            for step in steps {
                guard let next = value[step] ?? Int(step).flatMap({ value[$0] }) else { return nil }
                value = next
            }
            return value
        }
    }

    static let channelLimit = 1000

    /// Where to begin.
    var path: Path?
    /// Where each channel's value is, from there; empty for all values that there are.
    var channels: [(name: String, path: Path)] = []

    func measurements(of root: JSON, from place: String) throws(SensorError) -> [Measurement] {
        var value = root
        if let path {
            guard let found = path(root) else { throw SensorError(.missing, place, "said nothing at \(path.text)") }
            value = found
        }
        guard channels.isEmpty else {
            return try SensorError.collect(
                channels.map { channel in
                    Result { () throws(SensorError) in
                        guard let found = channel.path(value) else {
                            throw SensorError(.missing, place, "said nothing at \(channel.path.text)")
                        }
                        return Measurement(
                            channel: channel.name, try Self.scalar(found, at: channel.path.text, from: place))
                    }.of(channel.name)
                })
        }
        switch value {
        case .object, .array: break
        default: return [Measurement(try Self.scalar(value, at: path?.text ?? "its top", from: place))]
        }
        // A name that stands twice has one value: the last.
        var all: [(channel: String, value: Reading.Value)] = []
        Self.flatten(value, name: "", into: &all)
        guard all.count <= Self.channelLimit else {
            throw SensorError(
                .malformed, place, "said \(all.count) values, more than \(Self.channelLimit)",
                mend: "choose some with path or channels")
        }
        guard !all.isEmpty else { throw SensorError(.malformed, place, "said no value") }
        return Self.lastOfEach(all)
    }

    private static func lastOfEach(_ all: [(channel: String, value: Reading.Value)]) -> [Measurement] {
        var places: [String: Int] = [:]
        var result: [Measurement] = []
        for (channel, value) in all {
            if let place = places[channel] {
                result[place].value = value
            } else {
                places[channel] = result.count
                result.append(Measurement(channel: channel, value))
            }
        }
        return result
    }

    private static func flatten(
        _ value: JSON, name: String, into all: inout [(channel: String, value: Reading.Value)]
    ) {
        let prefix = name.isEmpty ? "" : "\(name)."
        switch value {
        // Says that there is no value now.
        case .null: break
        case .boolean(let boolean): all.append((name, .boolean(boolean)))
        case .integer(let number): all.append((name, .number(Double(number))))
        case .number(let number): all.append((name, .number(number)))
        case .string(let text): all.append((name, .text(text)))
        case .array(let elements):
            for (index, element) in elements.enumerated() { flatten(element, name: "\(prefix)\(index)", into: &all) }
        case .object(let members):
            for member in members { flatten(member.value, name: prefix + member.name, into: &all) }
        }
    }

    private static func scalar(
        _ value: JSON, at path: String, from place: String
    ) throws(SensorError) -> Reading.Value {
        switch value {
        case .boolean(let boolean): .boolean(boolean)
        case .integer(let number): .number(Double(number))
        case .number(let number): .number(number)
        case .string(let text): .text(text)
        case .null: throw SensorError(.unavailable, place, "said null at \(path)")
        case .array, .object:
            throw SensorError(.malformed, place, "said \(value.kind) at \(path)", mend: "name a value in it")
        }
    }
}
