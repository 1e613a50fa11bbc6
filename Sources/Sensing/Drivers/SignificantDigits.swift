#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension Double {
    /// To 12 digits, more than any device gives: without the traces of binary fractions.
    var roundedToTwelveDigits: Double {
        guard self != 0, isFinite else { return self }
        let power = 11 - Int(log10(magnitude).rounded(.down))
        let shift = pow(10, Double(power.magnitude))
        let rounded = power >= 0 ? (self * shift).rounded() / shift : (self / shift).rounded() * shift
        return rounded.isFinite ? rounded : self
    }

    /// This part of `whole`, in % with two decimals; nil of nothing.
    func percentage(of whole: Double) -> Double? { whole > 0 ? (self / whole * 10_000).rounded() / 100 : nil }
}
