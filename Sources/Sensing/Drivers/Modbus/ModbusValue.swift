/// How a device keeps a value in its registers.
struct ModbusFormat: Sendable, Hashable {
    enum Kind: String, CaseIterable, Sendable {
        case bool, int16, uint16, int32, uint32, int64, uint64, float32, float64, text

        /// In registers; nil where the options say it.
        var registers: Int? {
            switch self {
            case .bool, .int16, .uint16: 1
            case .int32, .uint32, .float32: 2
            case .int64, .uint64, .float64: 4
            case .text: nil
            }
        }
    }

    enum Order: String, CaseIterable, Sendable { case big, little }

    var kind: Kind
    /// Which of several registers comes first: the one of the highest or of the lowest value.
    var wordOrder = Order.big
    /// Which byte of a register comes first; the specification knows "big" only.
    var byteOrder = Order.big
    /// The bit that a boolean is in a register.
    var bit = 0
    /// How many registers a value takes.
    var registers: Int

    init(_ kind: Kind, registers: Int? = nil) {
        self.kind = kind
        self.registers = kind.registers ?? registers ?? 1
    }

    /// - Parameter bytes: as they came, two for each register.
    /// - Returns: nil for a float that is no number.
    func decoded(_ bytes: [UInt8]) -> Reading.Value? {
        var words = stride(from: 0, to: bytes.count - 1, by: 2).map { UInt16(bigEndian: bytes, at: $0) }
        if byteOrder == .little { words = words.map(\.byteSwapped) }
        if kind == .text {
            let text = String(decoding: words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }, as: UTF8.self)
            var rest = text[...]
            while let last = rest.last, last == "\0" || last == " " { rest.removeLast() }
            while rest.first == " " { rest.removeFirst() }
            return .text(String(rest.map { $0 == "\0" ? " " : $0 }))
        }
        if wordOrder == .little { words.reverse() }
        let pattern = words.prefix(4).reduce(0 as UInt64) { $0 << 16 | UInt64($1) }
        let number: Double =
            switch kind {
            case .bool: Double(pattern >> UInt64(bit) & 1)
            case .uint16, .uint32, .uint64: Double(pattern)
            case .int16: Double(Int16(truncatingIfNeeded: pattern))
            case .int32: Double(Int32(truncatingIfNeeded: pattern))
            case .int64: Double(Int64(truncatingIfNeeded: pattern))
            case .float32: Double(Float(bitPattern: UInt32(truncatingIfNeeded: pattern)))
            case .float64: Double(bitPattern: pattern)
            case .text: 0
            }
        if kind == .bool { return .boolean(number != 0) }
        return number.isFinite ? .number(number) : nil
    }

    /// The registers that hold a number.
    ///
    /// - Returns: nil if they cannot; integers take the nearest one.
    func encoded(_ number: Double) -> [UInt16]? {
        let whole = number.rounded()
        let pattern: UInt64?
        switch kind {
        case .uint16: pattern = UInt16(exactly: whole).map(UInt64.init)
        case .uint32: pattern = UInt32(exactly: whole).map(UInt64.init)
        case .uint64: pattern = UInt64(exactly: whole)
        case .int16: pattern = Int16(exactly: whole).map { UInt64(UInt16(bitPattern: $0)) }
        case .int32: pattern = Int32(exactly: whole).map { UInt64(UInt32(bitPattern: $0)) }
        case .int64: pattern = Int64(exactly: whole).map { UInt64(bitPattern: $0) }
        case .float32: pattern = Float(number).isFinite ? UInt64(Float(number).bitPattern) : nil
        case .float64: pattern = number.bitPattern
        case .bool, .text: pattern = nil
        }
        guard let pattern else { return nil }
        var words = (0..<registers).reversed().map { UInt16(truncatingIfNeeded: pattern >> UInt64(16 * $0)) }
        if wordOrder == .little { words.reverse() }
        return byteOrder == .little ? words.map(\.byteSwapped) : words
    }
}
