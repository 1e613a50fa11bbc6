/// What an entity shows, and how its discovery topic names it.
///
/// Home Assistant takes letters, digits, `_` and `-` in such a name. So that two entities never share one, and a name that
/// is found at the broker can be told of which sensor it is, all else is written with an underscore: `_20` for a blank
/// (its byte), `__` for an underscore, and `_-` between a sensor and its channel. What no byte begins with marks alarms.
enum DiscoverySubject: Sendable, Hashable {
    case reading(sensor: String, channel: String?)
    case alarm(String)
    /// The button that acknowledges an alarm.
    case acknowledgement(alarm: String)

    var identifier: String {
        switch self {
        case .reading(let sensor, let channel):
            Self.escaped(sensor) + (channel.map { "_-" + Self.escaped($0) } ?? "")
        case .alarm(let name): Self.escaped(name) + "_alarm"
        case .acknowledgement(let name): Self.escaped(name) + "_press"
        }
    }

    /// Nil for what ``identifier`` never writes.
    init?(identifier: String) {
        var names: [[UInt8]] = [[]]
        var rest = Array(identifier.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "_") else {
                names[names.count - 1].append(byte)
                continue
            }
            if let hex = Self.byte(rest.prefix(2)) {
                names[names.count - 1].append(hex)
                rest = rest.dropFirst(2)
                continue
            }
            switch rest.first {
            case UInt8(ascii: "_"): names[names.count - 1].append(byte)
            case UInt8(ascii: "-") where names.count == 1: names.append([])
            default:
                guard names.count == 1, let name = String(validating: names[0], as: UTF8.self) else { return nil }
                switch String(decoding: rest, as: UTF8.self) {
                case "alarm": self = .alarm(name)
                case "press": self = .acknowledgement(alarm: name)
                default: return nil
                }
                return
            }
            rest.removeFirst()
        }
        guard let sensor = String(validating: names[0], as: UTF8.self), !sensor.isEmpty else { return nil }
        if names.count == 1 {
            self = .reading(sensor: sensor, channel: nil)
        } else {
            guard let channel = String(validating: names[1], as: UTF8.self) else { return nil }
            self = .reading(sensor: sensor, channel: channel)
        }
    }

    /// A name as a part of an identifier.
    static func escaped(_ name: String) -> String {
        name.utf8.reduce(into: "") { text, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "_"): text += "__"
            default: text += (byte < 16 ? "_0" : "_") + String(byte, radix: 16)
            }
        }
    }

    private static func byte(_ digits: ArraySlice<UInt8>) -> UInt8? {
        guard digits.count == 2, digits.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
