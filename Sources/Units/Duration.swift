extension Duration {
    /// Whole milliseconds, rounded towards zero.
    public var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    /// Reads a duration as people write it: `30s`, `1m30s`, `20ms`, `1.5h`, `7d`, `250us`.
    ///
    /// Units are `d`, `h`, `m` (or `min`), `s`, `ms`, `us` (or `µs`) and `ns`, larger ones first; spaces are let pass.
    /// - Throws: ``InvalidText`` for anything else, a bare number, a sign, and more than 292 years.
    public init(parsing text: String) throws(InvalidText) {
        var rest = text[...].utf8
        var total: Int64 = 0
        var smallest = Int64.max
        repeat {
            guard let quantity = Quantity(from: &rest) else {
                throw InvalidText("\"\(text)\" is no duration", mend: #"write one like "30s", "1m30s" or "250ms""#)
            }
            if quantity.unit.isEmpty {
                throw InvalidText("\"\(text)\" has no unit", mend: "write \"\(Self.withUnit(text))\"")
            }
            guard let unit = Self.units[quantity.unit] else {
                throw InvalidText(
                    "\"\(text)\" has the unknown unit \"\(quantity.unit)\"", mend: "known are d, h, m, s, ms, us and ns"
                )
            }
            if unit >= smallest {
                throw InvalidText("\"\(text)\" has its units out of order", mend: #"write them as in "1h30m15s""#)
            }
            smallest = unit
            guard let part = quantity.scaled(by: unit), !total.addingReportingOverflow(part).overflow else {
                throw InvalidText("\"\(text)\" is too long", mend: "a duration ends at 292 years")
            }
            total += part
        } while !rest.isEmpty
        self = .nanoseconds(total)
    }

    /// The duration as ``init(parsing:)`` reads it, without what is zero: `1m30s`, `1.5s`, `250ms`. Parts of a
    /// nanosecond are left out.
    public var compact: String {
        let (seconds, attoseconds) = components
        let nanoseconds = attoseconds.magnitude / 1_000_000_000
        var rest = seconds.magnitude
        var text = seconds < 0 || attoseconds < 0 ? "-" : ""
        let signed = text.utf8.count
        for (name, size) in [("d", 86400), ("h", 3600), ("m", 60)] as [(String, UInt64)] where rest >= size {
            text += "\(rest / size)\(name)"
            rest %= size
        }
        switch (rest, nanoseconds) {
        case (0, 0): if text.utf8.count == signed { return "0s" }
        case (_, 0): text += "\(rest)s"
        case (0, _) where text.utf8.count > signed: text += Self.decimal(0, nanoseconds, places: 9) + "s"
        case (0, ..<1_000): text += "\(nanoseconds)ns"
        case (0, ..<1_000_000): text += Self.decimal(nanoseconds / 1_000, nanoseconds % 1_000, places: 3) + "us"
        case (0, _): text += Self.decimal(nanoseconds / 1_000_000, nanoseconds % 1_000_000, places: 6) + "ms"
        default: text += Self.decimal(rest, nanoseconds, places: 9) + "s"
        }
        return text
    }

    private static let units: [String: Int64] = [
        "d": 86_400_000_000_000, "h": 3_600_000_000_000, "m": 60_000_000_000, "min": 60_000_000_000,
        "s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "µs": 1_000, "μs": 1_000, "ns": 1,
    ]

    private static func withUnit(_ text: String) -> String { text.filter { $0 != " " } + "s" }

    private static func decimal(_ whole: UInt64, _ fraction: UInt64, places: Int) -> String {
        if fraction == 0 { return "\(whole)" }
        var digits = String(fraction)
        digits = String(repeating: "0", count: places - digits.utf8.count) + digits
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
