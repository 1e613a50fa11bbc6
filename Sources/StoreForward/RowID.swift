internal import MQTT

/// What a row's identifier says: `(3 - priority) << 48 | sequence`, so that ascending identifiers are the order of
/// sending, every priority is one contiguous range, and no second index is needed.
///
/// The sequence counts over all priorities from 1 and is never used twice. 48 bits last for 8,900 years of a thousand
/// messages a second.
struct RowID: Hashable, Comparable {
    var value: Int64

    init(_ value: Int64) { self.value = value }

    init(_ priority: Priority, _ sequence: Int64) {
        value = Int64(3 - priority.rawValue) << 48 | sequence
    }

    /// - Returns: nil when nothing that this store gave out looks like that.
    init?(_ id: MessageID) {
        self.init(id.rawValue)
        guard (0...3).contains(value >> 48), sequence > 0 else { return nil }
    }

    var messageID: MessageID { MessageID(rawValue: value) }
    var sequence: Int64 { value & (1 << 48 - 1) }
    var priority: Priority? { UInt8(exactly: 3 - value >> 48).flatMap(Priority.init) }

    static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

extension Priority {
    /// Lies before every row of this priority and is none itself.
    var floor: RowID { RowID(self, 0) }
    /// Lies behind every row of this priority.
    var ceiling: RowID { RowID(self, 1 << 48 - 1) }

    static let highestFirst: [Priority] = allCases.reversed()
}
