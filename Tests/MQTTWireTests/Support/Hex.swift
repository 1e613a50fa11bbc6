import NIOCore

/// `[UInt8](hex: "10 0C")`; white space is skipped.
extension [UInt8] {
    init(hex: String) {
        let digits = hex.utf8.compactMap { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        precondition(digits.count.isMultiple(of: 2), "odd number of digits in \(hex)")
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    var hex: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: " ")
    }
}

extension ByteBuffer {
    init(hex: String) { self.init(bytes: [UInt8](hex: hex)) }
    var hex: String { [UInt8](readableBytesView).hex }
}
