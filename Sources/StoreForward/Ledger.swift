/// The few numbers that a queue keeps beside its messages: the `meta` table.
///
/// Only transactions that delete, or that change a number here, write it. Rows with a sequence from `nextSequence` on
/// came later and speak for themselves: whoever opens the queue adds them.
struct Ledger: Hashable {
    var nextSequence: Int64 = 1
    var rows = 0
    var losses = OutboxStatus.Losses()
    var counters: [String: Int64] = [:]
    /// Numbers that are replaced, and not counted.
    var notes: [String: Int64] = [:]

    private static let lossNames: [(String, any WritableKeyPath<OutboxStatus.Losses, Int64> & Sendable)] = [
        ("lost.size", \.evictedBySize), ("lost.rows", \.evictedByRows), ("lost.expired", \.expired),
        ("lost.unsaved", \.droppedUnsaved), ("lost.damaged", \.damaged), ("lost.purged", \.purged),
        ("lost.refused", \.refused), ("lost.unsendable", \.unsendable),
    ]
    private static let counterPrefix = "counter."
    private static let notePrefix = "note."

    /// Whether an entry of this name is one of ``counters``.
    static func isCounter(_ name: String) -> Bool { name.hasPrefix(counterPrefix) }

    init() {}

    init(entries: [String: Int64]) {
        nextSequence = max(1, entries["next_sequence"] ?? 1)
        rows = Int(clamping: max(0, entries["rows"] ?? 0))
        for (name, path) in Self.lossNames { losses[keyPath: path] = entries[name] ?? 0 }
        for (name, value) in entries where name.hasPrefix(Self.counterPrefix) {
            counters[String(name.dropFirst(Self.counterPrefix.count))] = value
        }
        for (name, value) in entries where name.hasPrefix(Self.notePrefix) {
            notes[String(name.dropFirst(Self.notePrefix.count))] = value
        }
    }

    var entries: [String: Int64] {
        var entries = ["next_sequence": nextSequence, "rows": Int64(rows)]
        for (name, path) in Self.lossNames { entries[name] = losses[keyPath: path] }
        for (name, value) in counters { entries[Self.counterPrefix + name] = value }
        for (name, value) in notes { entries[Self.notePrefix + name] = value }
        return entries
    }

    /// Adds what was counted while the file could not be read.
    mutating func add(countsOf other: Ledger) {
        for (_, path) in Self.lossNames { losses[keyPath: path] += other.losses[keyPath: path] }
        counters.merge(other.counters, uniquingKeysWith: +)
        notes.merge(other.notes) { $1 }
    }
}
