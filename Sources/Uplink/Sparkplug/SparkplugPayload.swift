public import NIOCore
public import Units

/// What a Sparkplug B message says, all but STATE (Sparkplug 3.0 §6.4).
///
/// Of the schema's parts, those are written and read that Fieldpost has a use for; the others (data sets, templates,
/// metadata, further properties) are skipped in what is read.
public struct SparkplugPayload: Sendable, Hashable {
    /// So many metrics are read at most.
    public static let maximumMetrics = 10_000

    /// When it was sent.
    public var time: Timestamp?
    /// 0 to 255; those of an NDEATH and of commands have none.
    public var seq: UInt8?
    public var metrics: [SparkplugMetric]

    public init(time: Timestamp? = nil, seq: UInt8? = nil, metrics: [SparkplugMetric] = []) {
        self.time = time
        self.seq = seq
        self.metrics = metrics
    }
}

// The fields' numbers are those of the specification's schema (§6.4.1, sparkplug_b.proto).

extension SparkplugPayload {
    public var encoded: ByteBuffer {
        var writer = ProtobufWriter()
        if let time { writer.field(1, time.wire) }
        for metric in metrics { writer.field(2, metric.encoded) }
        if let seq { writer.field(3, UInt64(seq)) }
        return ByteBuffer(bytes: writer.bytes)
    }

    /// - Throws: when it is no such payload. Fields that are not known are skipped.
    public init(decoding bytes: ArraySlice<UInt8>) throws(InvalidText) {
        self.init()
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: time = field.value.number.map(Timestamp.init(wire:)) ?? time
            case 2:
                guard let bytes = field.value.bytes else { continue }
                guard metrics.count < Self.maximumMetrics else {
                    throw InvalidText("holds more than \(Self.maximumMetrics) metrics")
                }
                metrics.append(try SparkplugMetric(decoding: bytes))
            case 3: seq = field.value.number.map { UInt8(truncatingIfNeeded: $0) } ?? seq
            default: break
            }
        }
    }

    init(decoding buffer: ByteBuffer) throws(InvalidText) {
        try self.init(decoding: Array(buffer.readableBytesView)[...])
    }
}

extension SparkplugMetric {
    fileprivate var encoded: [UInt8] {
        var writer = ProtobufWriter()
        if let name { writer.field(1, name) }
        if let alias { writer.field(2, alias) }
        if let time { writer.field(3, time.wire) }
        if let type { writer.field(4, UInt64(type.rawValue)) }
        if isHistorical { writer.field(5, true) }
        if value == nil { writer.field(7, true) }
        if quality != nil || unit != nil { writer.field(9, encodedProperties) }
        switch value {
        case .int(let value): writer.field(10, UInt64(value))
        case .long(let value): writer.field(11, value)
        case .float(let value): writer.field(12, value)
        case .double(let value): writer.field(13, value)
        case .boolean(let value): writer.field(14, value)
        case .string(let value): writer.field(15, value)
        case .bytes(let value): writer.field(16, value)
        case .other, nil: break
        }
        return writer.bytes
    }

    /// Keys, and at the same places values (§6.4.7).
    private var encodedProperties: [UInt8] {
        var writer = ProtobufWriter()
        if quality != nil { writer.field(1, PropertyName.quality) }
        if unit != nil { writer.field(1, PropertyName.unit) }
        if let quality {
            var value = ProtobufWriter()
            value.field(1, UInt64(SparkplugType.int32.rawValue))
            value.field(3, UInt64(quality.rawValue))
            writer.field(2, value.bytes)
        }
        if let unit {
            var value = ProtobufWriter()
            value.field(1, UInt64(SparkplugType.string.rawValue))
            value.field(8, unit)
            writer.field(2, value.bytes)
        }
        return writer.bytes
    }

    fileprivate init(decoding bytes: ArraySlice<UInt8>) throws(InvalidText) {
        self.init(nil, nil)
        var isNull = false
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (1, _): name = try field.value.text() ?? name
            case (2, .varint(let number)): alias = number
            case (3, .varint(let number)): time = Timestamp(wire: number)
            case (4, .varint(let number)): type = UInt32(exactly: number).flatMap(SparkplugType.init) ?? type
            case (5, .varint(let number)): isHistorical = number != 0
            case (7, .varint(let number)): isNull = number != 0
            case (9, .bytes(let bytes)): try readProperties(bytes)
            case (10, .varint(let number)): value = .int(UInt32(truncatingIfNeeded: number))
            case (11, .varint(let number)): value = .long(number)
            case (12, .fixed32(let bits)): value = .float(Float(bitPattern: bits))
            case (13, .fixed64(let bits)): value = .double(Double(bitPattern: bits))
            case (14, .varint(let number)): value = .boolean(number != 0)
            case (15, _): value = try field.value.text().map(SparkplugValue.string) ?? value
            case (16, .bytes(let bytes)): value = .bytes(Array(bytes))
            case (17...19, .bytes): value = .other
            default: break
            }
        }
        if isNull { value = nil }
    }

    /// A set whose keys and values do not match in number says nothing.
    private mutating func readProperties(_ bytes: ArraySlice<UInt8>) throws(InvalidText) {
        var keys: [String] = []
        var values: [(number: UInt64?, text: String?)] = []
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (1, _): if let key = try field.value.text() { keys.append(key) }
            case (2, .bytes(let bytes)): values.append(try Self.property(bytes))
            default: break
            }
        }
        guard keys.count == values.count else { return }
        for (key, value) in zip(keys, values) {
            if key == PropertyName.quality, let number = value.number {
                quality = UInt32(exactly: number).flatMap(SparkplugQuality.init)
            }
            if key == PropertyName.unit { unit = value.text }
        }
    }

    private static func property(
        _ bytes: ArraySlice<UInt8>
    ) throws(InvalidText) -> (number: UInt64?, text: String?) {
        var property: (number: UInt64?, text: String?)
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (3, .varint(let number)), (4, .varint(let number)): property.number = number
            case (8, _): property.text = try field.value.text() ?? property.text
            default: break
            }
        }
        return property
    }
}

private enum PropertyName {
    static let quality = "Quality"
    static let unit = "engUnit"
}

extension Timestamp {
    /// Milliseconds since 1970; there is no time before.
    fileprivate var wire: UInt64 { UInt64(clamping: milliseconds) }
    fileprivate init(wire: UInt64) { self.init(milliseconds: Int64(clamping: wire)) }
}
