public import Sensing
public import Units

extension Reading.Value {
    /// As payloads say it.
    public var json: JSON {
        switch self {
        case .number(let number): .number(Self.rounded(number))
        case .boolean(let boolean): .boolean(boolean)
        case .text(let text): .string(text)
        }
    }

    /// Nil for what no output can be set to.
    init?(_ json: JSON) {
        switch json {
        case .boolean(let value): self = .boolean(value)
        case .integer(let value): self = .number(Double(value))
        case .number(let value): self = .number(value)
        case .string(let value): self = .text(value)
        case .null, .array, .object: return nil
        }
    }

    /// The bare value: a number's digits, `true` or `false`, a text as it is.
    var plainText: String {
        if case .text(let text) = self { text } else { json.text }
    }

    /// Twelve significant digits: more than any sensor has, fewer than show that 0.001 is no binary fraction.
    static func rounded(_ value: Double) -> Double {
        guard value.isFinite, value != 0 else { return value }
        // The exponent in decimal, nearly: one digit more or less does not matter here.
        let digits = 11 - Int((Double(value.exponent) * 0.301_029_995_663_981_2).rounded(.down))
        guard (0...22).contains(digits) else { return value }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value * scale).rounded()
        return scaled.magnitude < 9e15 ? scaled / scale : value
    }
}

extension Double {
    /// With so many digits behind the point, rounded; a number too large for that is written as it is.
    func text(places: Int) -> String {
        var scale: Int64 = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = (self * Double(scale)).rounded()
        guard scaled.magnitude < 9e15 else { return JSON.text(of: self) }
        let (whole, part) = Int64(scaled.magnitude).quotientAndRemainder(dividingBy: scale)
        let sign = scaled < 0 ? "-" : ""
        if places == 0 { return "\(sign)\(whole)" }
        let digits = String(part)
        return "\(sign)\(whole)." + String(repeating: "0", count: places - digits.utf8.count) + digits
    }
}
