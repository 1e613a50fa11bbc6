import MQTTWire
import NIOCore

/// A key and its value, as the lines between the tests and a library have them: see Clients/PROTOCOL.md.
struct Field: Hashable, Sendable {
    var key: String
    var value: [UInt8]

    init(_ key: String, _ value: some Sequence<UInt8>) {
        self.key = key
        self.value = Array(value)
    }

    init(_ key: String, _ value: String) { self.init(key, value.utf8) }

    init(_ key: String, _ value: some BinaryInteger) { self.init(key, "\(value)".utf8) }

    init(_ key: String, _ value: Bool) { self.init(key, value ? "1" : "0") }

    /// From a line.
    init(parsing text: Substring) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        self.init(String(parts[0]), parts.count > 1 ? Self.decoded(parts[1]) : [])
    }

    var text: String { String(decoding: value, as: UTF8.self) }
    var line: String { "\(key)=\(Self.encoded(value))" }

    static func encoded(_ bytes: some Sequence<UInt8>) -> String {
        var result = ""
        for byte in bytes {
            let character = Character(Unicode.Scalar(byte))
            if character.isASCII, character.isLetter || character.isNumber || "-._~/".contains(character) {
                result.append(character)
            } else {
                result += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    private static func decoded(_ text: Substring) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(Substring(rest.prefix(2)), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}

extension Field: CustomStringConvertible {
    var description: String { line }
}

extension [Field] {
    subscript(key: String) -> Field? { first { $0.key == key } }

    func number(_ key: String) -> Int? { self[key].flatMap { Int($0.text) } }
}

extension Properties {
    /// In the order of their identifiers, those of the same kind in the order in which they stand: libraries give
    /// different kinds in any order.
    func fields(_ letter: Character = "p") -> [Field] {
        all.enumerated().sorted {
            ($0.element.identifier.rawValue, $0.offset) < ($1.element.identifier.rawValue, $1.offset)
        }.map { Field("\(letter)\($0.element.identifier.rawValue)", $0.element.bytes) }
    }
}

extension Property {
    /// The value as a field has it.
    fileprivate var bytes: [UInt8] {
        switch self {
        case .userProperty(let name, let value): Array("\(name)\0\(value)".utf8)
        case .correlationData(let data), .authenticationData(let data): Array(data.readableBytesView)
        case .responseTopic(let topic): Array(topic.string.utf8)
        case .contentType(let text), .assignedClientIdentifier(let text), .authenticationMethod(let text),
            .responseInformation(let text), .serverReference(let text), .reasonString(let text):
            Array(text.utf8)
        case .messageExpiryInterval(let number), .subscriptionIdentifier(let number),
            .sessionExpiryInterval(let number), .willDelayInterval(let number), .maximumPacketSize(let number):
            Array("\(number)".utf8)
        case .serverKeepAlive(let number), .receiveMaximum(let number), .topicAliasMaximum(let number),
            .topicAlias(let number):
            Array("\(number)".utf8)
        case .maximumQoS(let qos): Array("\(qos.rawValue)".utf8)
        case .payloadFormatIndicator(let flag), .requestProblemInformation(let flag),
            .requestResponseInformation(let flag), .retainAvailable(let flag),
            .wildcardSubscriptionAvailable(let flag), .subscriptionIdentifiersAvailable(let flag),
            .sharedSubscriptionAvailable(let flag):
            [flag ? UInt8(ascii: "1") : UInt8(ascii: "0")]
        }
    }
}
