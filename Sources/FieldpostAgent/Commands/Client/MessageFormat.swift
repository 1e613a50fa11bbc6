internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Units
internal import Uplink

/// The output format of mosquitto_sub(1): `%` and a parameter of the message, `@` and a conversion of strftime(3), `\`
/// and an escape. `%m` is not known here.
struct MessageFormat: Sendable {
    private enum Piece: Sendable {
        case bytes([UInt8])
        case parameter(Character, Field)
        case time(Character)
    }

    /// How a parameter is set.
    private struct Field: Sendable {
        var isZeroPadded = false
        var isLeft = false
        var width = 0
        var maximum: Int?
    }

    private static let parameters = "ACDEFIJPRSUXjlpqrtx"
    // As mosquitto_sub(1) has it: the others stand as they are. (It cuts %p and %x at their width, against its manual.)
    private static let withWidth = "ACEFIRSXlptx"
    private static let withZeros = "AEFSXlpx"
    private static let withMaximum = "CIRt"
    private static let escapes: [Character: UInt8] = [
        "\\": 0x5C, "0": 0, "a": 7, "e": 27, "n": 10, "r": 13, "t": 9, "v": 11,
    ]

    private var pieces: [Piece] = []
    private let isPretty: Bool

    /// - Parameter isPretty: JSON is set over several lines.
    init(parsing text: String, isPretty: Bool = false) throws(InvalidText) {
        self.isPretty = isPretty
        var rest = text[...]
        while let character = rest.popFirst() {
            switch character {
            case "%": try parseParameter(&rest)
            case "@":
                guard let conversion = rest.popFirst(), conversion.isASCII else {
                    throw InvalidText("the format ends with @", mend: "a @ itself is written @@")
                }
                pieces.append(conversion == "@" ? .bytes([0x40]) : .time(conversion))
            case "\\":
                guard let name = rest.popFirst(), let byte = Self.escapes[name] else {
                    throw InvalidText("the format has an unknown escape", mend: #"known are \\ \0 \a \e \n \r \t \v"#)
                }
                pieces.append(.bytes([byte]))
            default: pieces.append(.bytes(Array(character.utf8)))
            }
        }
    }

    private mutating func parseParameter(_ rest: inout Substring) throws(InvalidText) {
        var field = Field()
        while let flag = rest.first, flag == "0" || flag == "-" {
            if flag == "0" { field.isZeroPadded = true } else { field.isLeft = true }
            rest.removeFirst()
        }
        field.width = try Self.number(&rest) ?? 0
        if rest.first == "." {
            rest.removeFirst()
            field.maximum = try Self.number(&rest) ?? 0
        }
        switch rest.popFirst() {
        case "%": pieces.append(.bytes([0x25]))
        case let name? where Self.parameters.contains(name):
            if !Self.withWidth.contains(name) { field.width = 0 }
            if !Self.withZeros.contains(name) { field.isZeroPadded = false }
            if !Self.withMaximum.contains(name) { field.maximum = nil }
            pieces.append(.parameter(name, field))
        case "m":
            throw InvalidText("%m, the packet identifier, is not known here", mend: "leave it out of the format")
        case let name:
            throw InvalidText(
                "the format has the unknown parameter %\(name.map(String.init) ?? "")",
                mend: "known are %% and \(Self.parameters.map { "%\($0)" }.joined(separator: " "))")
        }
    }

    private static func number(_ rest: inout Substring) throws(InvalidText) -> Int? {
        let digits = rest.prefix { "0"..."9" ~= $0 }
        guard !digits.isEmpty else { return nil }
        rest.removeFirst(digits.count)
        guard let number = Int(digits), number <= 10_000 else {
            throw InvalidText("the format has the width \(digits)", mend: "it is at most 10000")
        }
        return number
    }

    /// Nil when a payload is to be JSON, and is not.
    func text(of message: ReceivedMessage, at time: LocalTime, isTerminal: Bool) -> [UInt8]? {
        var text: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .bytes(let bytes): text += bytes
            case .time("N"): text += LocalTime.padded(time.nanoseconds, to: 9).utf8
            case .time(let conversion): text += time.formatted("%\(conversion)").utf8
            case .parameter(let name, let field):
                guard let value = value(name, of: message, at: time) else { return nil }
                text += Self.set(Self.shown(value, isTerminal), in: field)
            }
        }
        return text
    }

    private static func set(_ value: [UInt8], in field: Field) -> [UInt8] {
        let value = value.prefix(field.maximum ?? .max)
        let missing = max(0, field.width - value.count)
        if field.isLeft { return value + [UInt8](repeating: 0x20, count: missing) }
        return [UInt8](repeating: field.isZeroPadded ? 0x30 : 0x20, count: missing) + value
    }

    private func value(_ name: Character, of message: ReceivedMessage, at time: LocalTime) -> [UInt8]? {
        let properties = message.properties
        func text(_ value: (some CustomStringConvertible)?) -> [UInt8] {
            value.map { Array($0.description.utf8) } ?? []
        }
        switch name {
        case "A": return text(properties.topicAlias)
        case "C": return text(properties.contentType)
        case "D": return properties.correlationData.map { Array($0.readableBytesView) } ?? []
        case "E": return text(properties.messageExpiryInterval)
        case "F": return text(properties.payloadFormatIndicator.map { $0 ? 1 : 0 })
        case "I": return text(time.formatted("%Y-%m-%dT%H:%M:%S%z"))
        case "P": return text(properties.userProperties.map { "\($0.name):\($0.value)" }.joined(separator: " "))
        case "R": return text(properties.responseTopic)
        case "S": return text(properties.subscriptionIdentifiers.first)
        case "U": return text("\(time.seconds).\(LocalTime.padded(time.nanoseconds, to: 9))")
        case "X": return Self.hexadecimal(message.payload, "0123456789ABCDEF")
        case "J" where message.payload.readableBytes == 0: return json(message, at: time, payload: text("null"))
        case "J":
            return JSONText(message.payload.readableBytesView).map { json(message, at: time, payload: $0.compact) }
        case "j": return json(message, at: time, payload: Array(JSON.string(String(buffer: message.payload)).text.utf8))
        case "l": return text(message.payload.readableBytes)
        case "p": return Array(message.payload.readableBytesView)
        case "q": return text(message.qos.rawValue)
        case "r": return text(message.retain ? 1 : 0)
        case "t": return text(message.topic)
        case "x": return Self.hexadecimal(message.payload, "0123456789abcdef")
        default: return []
        }
    }

    static func hexadecimal(_ payload: ByteBuffer, _ digits: StaticString) -> [UInt8] {
        digits.withUTF8Buffer { digits in
            payload.readableBytesView.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        }
    }

    private func json(_ message: ReceivedMessage, at time: LocalTime, payload: [UInt8]) -> [UInt8] {
        let clock =
            time.formatted("%Y-%m-%dT%H:%M:%S.") + LocalTime.padded(time.nanoseconds / 1000, to: 6)
            + time.formatted("Z%z")
        var members: [JSON.Member] = [
            .init("tst", .string(clock)), .init("topic", .string(message.topic.string)),
            .init("qos", .integer(Int64(message.qos.rawValue))), .init("retain", message.retain ? 1 : 0),
            .init("payloadlen", .integer(Int64(message.payload.readableBytes))),
        ]
        let properties = Self.json(message.properties)
        if !properties.isEmpty { members.append(.init("properties", .object(properties))) }
        let text = JSON.object(members).text.utf8.dropLast() + Array(",\"payload\":".utf8) + payload + Array("}".utf8)
        return isPretty ? JSONText(text)?.pretty ?? Array(text) : Array(text)
    }

    private static func json(_ properties: Properties) -> [JSON.Member] {
        var members: [JSON.Member] = []
        let user = properties.userProperties
        if !user.isEmpty {
            members.append(.init("user-properties", .object(user.map { .init($0.name, .string($0.value)) })))
        }
        if let type = properties.contentType { members.append(.init("content-type", .string(type))) }
        if let data = properties.correlationData {
            members.append(.init("correlation-data", .string(String(buffer: data))))
        }
        if let topic = properties.responseTopic { members.append(.init("response-topic", .string(topic.string))) }
        if let isText = properties.payloadFormatIndicator {
            members.append(.init("payload-format-indicator", isText ? 1 : 0))
        }
        if let seconds = properties.messageExpiryInterval {
            members.append(.init("message-expiry-interval", .integer(Int64(seconds))))
        }
        return members
    }

    /// What came from the broker as it is, but on a terminal without its control characters.
    static func shown(_ bytes: some Collection<UInt8>, _ isTerminal: Bool) -> [UInt8] {
        isTerminal ? Array(Console.printable(String(decoding: bytes, as: UTF8.self)).utf8) : Array(bytes)
    }
}
