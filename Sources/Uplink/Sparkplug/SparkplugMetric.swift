public import Sensing
public import Units

/// One value in a payload (Sparkplug 3.0 §6.4.6).
public struct SparkplugMetric: Sendable, Hashable {
    /// Births name each metric; what refers to a birth may use an alias instead, which Fieldpost never does.
    public var name: String?
    public var alias: UInt64?
    /// When the value was taken.
    public var time: Timestamp?
    /// Said in births; messages behind them need not.
    public var type: SparkplugType?
    /// It is told for the record, and is not the metric's present value.
    public var isHistorical = false
    /// Nil: there is none (`is_null`).
    public var value: SparkplugValue?
    /// The property "Quality" (§6.4.9); nil: not said.
    public var quality: SparkplugQuality?
    /// The property "engUnit".
    public var unit: String?

    public init(
        _ name: String?, _ value: SparkplugValue?, type: SparkplugType? = nil, time: Timestamp? = nil,
        quality: SparkplugQuality? = nil, unit: String? = nil
    ) {
        self.name = name
        self.value = value
        self.type = type
        self.time = time
        self.quality = quality
        self.unit = unit
    }
}

/// The data types of metrics and properties (§6.4.16), by their numbers on the wire.
public enum SparkplugType: UInt32, Sendable, Hashable, CaseIterable {
    case int8 = 1
    case int16, int32, int64, uint8, uint16, uint32, uint64, float, double, boolean, string, dateTime, text, uuid
    case dataSet, bytes, file, template, propertySet, propertySetList
}

/// What can be said of a value (§6.4.9.1).
public enum SparkplugQuality: UInt32, Sendable, Hashable, CaseIterable {
    case bad = 0
    case good = 192
    case stale = 500
}

/// A value as it is on the wire.
public enum SparkplugValue: Sendable, Hashable {
    /// Integers up to 32 bits; negative ones as two's complement.
    case int(UInt32)
    /// Integers of 64 bits, and DateTime.
    case long(UInt64)
    case float(Float)
    case double(Double)
    case boolean(Bool)
    case string(String)
    case bytes([UInt8])
    /// A data set, a template or an extension, which are not read.
    case other

    init(_ value: Reading.Value) {
        switch value {
        case .number(let number): self = .double(number)
        case .boolean(let boolean): self = .boolean(boolean)
        case .text(let text): self = .string(text)
        }
    }

    /// As readings and commands have it; nil for what is no number, boolean or text.
    ///
    /// - Parameter type: the metric's; nil: integers are signed.
    public func reading(as type: SparkplugType?) -> Reading.Value? {
        switch self {
        case .int(let bits):
            switch type {
            case .int8: .number(Double(Int8(truncatingIfNeeded: bits)))
            case .int16: .number(Double(Int16(truncatingIfNeeded: bits)))
            case .uint8, .uint16, .uint32: .number(Double(bits))
            default: .number(Double(Int32(bitPattern: bits)))
            }
        case .long(let bits):
            type == .uint64 || type == .dateTime
                ? .number(Double(bits)) : .number(Double(Int64(bitPattern: bits)))
        case .float(let number): number.isFinite ? .number(Double(number)) : nil
        case .double(let number): number.isFinite ? .number(number) : nil
        case .boolean(let boolean): .boolean(boolean)
        case .string(let text): .text(text)
        case .bytes, .other: nil
        }
    }
}

extension SparkplugType {
    init(of value: Reading.Value) {
        self =
            switch value {
            case .number: .double
            case .boolean: .boolean
            case .text: .string
            }
    }
}

extension SparkplugQuality {
    init(_ quality: Quality) {
        self =
            switch quality {
            case .good: .good
            case .stale, .undated: .stale
            case .outOfRange: .bad
            }
    }
}
