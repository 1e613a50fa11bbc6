/// A decimal number in front of a unit, as it is scanned from a text: `1.5h`, `64 MB`.
struct Quantity {
    /// The digits in front of the point.
    var whole: Int64
    /// The digits behind it, as a number, and how many they are (18 at most; more are dropped).
    var fraction: UInt64 = 0
    var places = 0
    /// The letters that follow; empty if there are none.
    var unit: String

    /// Takes one quantity, with the spaces around it, from the front of `text`.
    /// - Returns: nil where no number stands, or one beyond 64 bits.
    init?(from text: inout Substring.UTF8View) {
        text = text.drop(while: Self.isSpace)
        let digits = text.prefix(while: Self.isDigit)
        guard let whole = Int64(Substring(digits)) else { return nil }
        self.whole = whole
        text = text.dropFirst(digits.count)
        if text.first == UInt8(ascii: ".") {
            let digits = text.dropFirst().prefix(while: Self.isDigit)
            if digits.isEmpty { return nil }
            text = text.dropFirst(1 + digits.count)
            for digit in digits.prefix(18) {
                fraction = fraction * 10 + UInt64(digit - UInt8(ascii: "0"))
                places += 1
            }
        }
        text = text.drop(while: Self.isSpace)
        let letters = text.prefix { !Self.isDigit($0) && !Self.isSpace($0) }
        unit = String(Substring(letters))
        text = text.dropFirst(letters.count).drop(while: Self.isSpace)
    }

    /// The quantity in the smallest unit, of which its own holds `size`, rounded down; nil beyond 64 bits.
    func scaled(by size: Int64) -> Int64? {
        let (wholes, overflow) = whole.multipliedReportingOverflow(by: size)
        if overflow { return nil }
        let power = (0..<places).reduce(UInt64(1)) { product, _ in product * 10 }
        let part = power.dividingFullWidth(fraction.multipliedFullWidth(by: size.magnitude)).quotient
        let (total, overflowToo) = wholes.addingReportingOverflow(Int64(part))
        return overflowToo ? nil : total
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") }
}
