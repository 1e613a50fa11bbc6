package import MQTTWire
package import NIOCore

/// The properties of a message as a database keeps them: one after the other, the specification's identifier byte
/// (5.0 §2.2.2.2) and then the value; strings and bytes with a length of four bytes before them, numbers big-endian.
///
/// Not the wire's encoding, which may change its mind without asking what lies on disk.
package enum PropertiesBlob {
    /// - Parameter isWill: whether they are those of a will, which has one more.
    /// - Throws: the first property that may not stand in a message that is kept.
    package static func encode(_ properties: Properties, isWill: Bool = false) throws(Refused) -> ByteBuffer {
        var blob = ByteBuffer()
        for property in properties.all {
            switch property {
            case .payloadFormatIndicator(let isText): blob.writeMultipleIntegers(0x01 as UInt8, UInt8(isText ? 1 : 0))
            case .messageExpiryInterval(let seconds): blob.writeMultipleIntegers(0x02 as UInt8, seconds)
            case .contentType(let type): blob.write(0x03, type)
            case .responseTopic(let topic): blob.write(0x08, topic.string)
            case .correlationData(let data):
                blob.writeMultipleIntegers(0x09 as UInt8, UInt32(data.readableBytes))
                blob.writeImmutableBuffer(data)
            case .willDelayInterval(let seconds) where isWill: blob.writeMultipleIntegers(0x18 as UInt8, seconds)
            case .userProperty(let name, let value):
                blob.write(0x26, name)
                blob.write(nil, value)
            // A topic alias means something on one connection only; a client never sends subscription identifiers.
            default: throw Refused(property: property)
            }
        }
        return blob
    }

    /// - Returns: nil when the bytes are not what `encode` writes.
    package static func decode(_ blob: ByteBuffer) -> Properties? {
        var blob = blob
        var properties = Properties()
        while let identifier = blob.readInteger(as: UInt8.self) {
            guard let property = blob.readProperty(identifier) else { return nil }
            properties.all.append(property)
        }
        return properties
    }

    package struct Refused: Error {
        package var property: Property
    }
}

extension ByteBuffer {
    fileprivate mutating func write(_ identifier: UInt8?, _ string: String) {
        if let identifier { writeInteger(identifier) }
        writeInteger(UInt32(string.utf8.count))
        writeString(string)
    }

    fileprivate mutating func readProperty(_ identifier: UInt8) -> Property? {
        switch identifier {
        case 0x01: readInteger(as: UInt8.self).map { .payloadFormatIndicator($0 == 1) }
        case 0x02: readInteger().map(Property.messageExpiryInterval)
        case 0x03: readText().map(Property.contentType)
        case 0x08: readText().flatMap { try? TopicName($0) }.map(Property.responseTopic)
        case 0x09: readLengthPrefixedSlice(as: UInt32.self).map(Property.correlationData)
        case 0x18: readInteger().map(Property.willDelayInterval)
        case 0x26: readText().flatMap { name in readText().map { .userProperty(name: name, value: $0) } }
        default: nil
        }
    }

    private mutating func readText() -> String? {
        readLengthPrefixedSlice(as: UInt32.self).map { String(buffer: $0) }
    }
}
