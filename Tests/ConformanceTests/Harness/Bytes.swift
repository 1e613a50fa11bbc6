import MQTTWire

// Packets that no encoder would write.

/// A fixed header with its remaining length, and the body.
func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] { [first] + variableByteInteger(body.count) + body }

func variableByteInteger(_ value: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = value
    repeat {
        let byte = UInt8(rest & 0x7F)
        rest >>= 7
        bytes.append(rest > 0 ? byte | 0x80 : byte)
    } while rest > 0
    return bytes
}

/// A string or binary field with its length.
func field(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes }

func field(_ string: String) -> [UInt8] { field(Array(string.utf8)) }

/// Properties with their length; nothing under 3.1.1.
func properties(_ version: ProtocolVersion, _ bytes: [UInt8] = []) -> [UInt8] {
    version == .v5 ? variableByteInteger(bytes.count) + bytes : []
}

/// A CONNECT of which every part can be wrong.
///
/// - Parameter payload: nil for the client identifier alone.
func connectBytes(
    _ version: ProtocolVersion, name: [UInt8] = Array("MQTT".utf8), level: UInt8? = nil, flags: UInt8 = 0x02,
    first: UInt8 = 0x10, properties bytes: [UInt8] = [], identifier: String = unique(), payload: [UInt8]? = nil
) -> [UInt8] {
    packet(
        first,
        field(name) + [level ?? version.rawValue, flags, 0, 60] + properties(version, bytes)
            + (payload ?? field(identifier)))
}

/// A PUBLISH with any topic bytes.
func publishBytes(
    _ version: ProtocolVersion, topic: [UInt8], first: UInt8 = 0x30, identifier: UInt16? = nil,
    properties bytes: [UInt8] = [], payload: [UInt8] = [0x70]
) -> [UInt8] {
    packet(first, field(topic) + (identifier.map(twoBytes) ?? []) + properties(version, bytes) + payload)
}

/// A SUBSCRIBE with any filter bytes and options.
func subscribeBytes(
    _ version: ProtocolVersion, filter: [UInt8], options: UInt8 = 0, first: UInt8 = 0x82, identifier: UInt16 = 10,
    properties bytes: [UInt8] = []
) -> [UInt8] {
    packet(first, twoBytes(identifier) + properties(version, bytes) + field(filter) + [options])
}

/// An UNSUBSCRIBE with any filter bytes.
func unsubscribeBytes(
    _ version: ProtocolVersion, filter: [UInt8], first: UInt8 = 0xA2, identifier: UInt16 = 10
) -> [UInt8] {
    packet(first, twoBytes(identifier) + properties(version) + field(filter))
}

func twoBytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

/// Byte sequences that are not well-formed UTF-8.
let illFormed: [[UInt8]] = [
    [0xED, 0xA0, 0x80],  // U+D800, half of a surrogate pair
    [0xED, 0xBF, 0xBF],  // U+DFFF
    [0xC0, 0xAF],  // “/” in two bytes
    [0xE0, 0x80, 0xAF],  // “/” in three
    [0xF4, 0x90, 0x80, 0x80],  // U+110000
    [0x61, 0x80],  // a continuation that continues nothing
    [0xE2, 0x82],  // the end is missing
    [0xFF],
]
