/// A size in bytes.
public struct ByteCount: Sendable, Hashable, Comparable {
    public var bytes: Int64

    public init(bytes: Int64) { self.bytes = bytes }

    /// Reads a size as people write it: `100B`, `512 kB`, `64MB` (10⁶), `64MiB` (2²⁰).
    ///
    /// - Throws: ``InvalidText`` for anything else, a bare number, a unit without its `B`, and 2⁶³ bytes or more.
    public init(parsing text: String) throws(InvalidText) {
        var rest = text[...].utf8
        guard let quantity = Quantity(from: &rest), rest.isEmpty else {
            throw InvalidText("\"\(text)\" is no size", mend: #"write one like "512kB", "64MB" or "64MiB""#)
        }
        let number = text.filter { $0.isNumber || $0 == "." }
        switch quantity.unit {
        case "":
            throw InvalidText(
                "\"\(text)\" has no unit", mend: "write \"\(number)B\", \"\(number)kB\" or \"\(number)MB\"")
        case "k", "K", "M", "G", "T":
            let unit = quantity.unit == "K" ? "k" : quantity.unit
            throw InvalidText(
                "\"\(text)\" could count in thousands or in 1024s",
                mend: "write \"\(number)\(unit)B\" or \"\(number)\(unit.uppercased())iB\"")
        default: break
        }
        let spelled = quantity.unit == "KB" ? "kB" : quantity.unit
        guard let unit = Self.units.first(where: { $0.name == spelled }) else {
            throw InvalidText(
                "\"\(text)\" has the unknown unit \"\(quantity.unit)\"",
                mend: "known are B, kB, MB, GB, TB and KiB, MiB, GiB, TiB")
        }
        guard let bytes = quantity.scaled(by: unit.size) else { throw InvalidText("\"\(text)\" is too large") }
        self.bytes = bytes
    }

    public static func < (left: Self, right: Self) -> Bool { left.bytes < right.bytes }

    private static let units: [(name: String, size: Int64)] = [
        ("TiB", 1 << 40), ("TB", 1_000_000_000_000), ("GiB", 1 << 30), ("GB", 1_000_000_000),
        ("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("kB", 1_000), ("B", 1),
    ]
}

extension ByteCount: CustomStringConvertible {
    /// The size in the unit that tells it in the fewest digits: exactly below 1000 B and for whole multiples (`64MB`,
    /// `64MiB`), else with one decimal, rounded down (`1.2MB`).
    public var description: String {
        let exact = Self.units.filter { bytes.magnitude >= $0.size && bytes % $0.size == 0 }
        if let unit = exact.max(by: { $0.size < $1.size }), bytes.magnitude / UInt64(unit.size) < 1000 {
            return "\(bytes / unit.size)\(unit.name)"
        }
        let decimal = Self.units.first { !$0.name.contains("i") && bytes.magnitude >= $0.size }
        guard let decimal else { return "\(bytes)B" }
        let tenth = bytes.magnitude % UInt64(decimal.size) / UInt64(max(decimal.size / 10, 1))
        return "\(bytes / decimal.size)\(tenth == 0 ? "" : ".\(tenth)")\(decimal.name)"
    }
}
