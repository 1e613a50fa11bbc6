/// A set of rows as few ranges, for deleting them in few strokes.
///
/// A range is (lower, upper]: `lower` is the row before the first one or any number between, so ranges of neighbouring
/// rows meet although their numbers are not contiguous.
struct RowRanges {
    struct Range: Hashable {
        var lower: RowID
        var upper: RowID
    }

    /// Ascending; they neither overlap nor touch.
    private(set) var all: [Range] = []

    var isEmpty: Bool { all.isEmpty }

    func contains(_ id: RowID) -> Bool {
        let index = firstIndex { $0.upper >= id }
        return index < all.count && all[index].lower < id
    }

    /// Adds the rows behind `lower` up to and with `upper`.
    mutating func insert(behind lower: RowID, through upper: RowID) {
        guard lower < upper else { return }
        let first = firstIndex { $0.upper >= lower }
        var last = first
        var merged = Range(lower: lower, upper: upper)
        while last < all.count, all[last].lower <= upper {
            merged.lower = min(merged.lower, all[last].lower)
            merged.upper = max(merged.upper, all[last].upper)
            last += 1
        }
        all.replaceSubrange(first..<last, with: CollectionOfOne(merged))
    }

    mutating func insert(_ id: RowID) { insert(behind: RowID(id.value - 1), through: id) }

    mutating func removeAll() { all.removeAll(keepingCapacity: true) }

    /// Where `condition` begins to hold; it holds for all behind that.
    private func firstIndex(where condition: (Range) -> Bool) -> Int {
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if condition(all[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
