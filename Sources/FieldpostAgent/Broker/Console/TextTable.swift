/// Rows whose columns stand below each other.
struct TextTable {
    private var rows: [[String]]
    /// No column is wider; what is cut off ends with an ellipsis.
    private let widest = 60

    /// - Parameter titles: of the columns; one that ends with `#` is of numbers, which stand to the right.
    init(_ titles: String...) {
        isNumeric = titles.map { $0.hasSuffix("#") }
        rows = [titles.map { $0.hasSuffix("#") ? String($0.dropLast()) : $0 }]
    }

    private let isNumeric: [Bool]

    mutating func add(_ cells: String...) {
        rows.append(cells.map { $0.count > widest ? $0.prefix(widest - 1) + "…" : $0 })
    }

    var lines: [String] {
        // A cell of several lines would break the table.
        let rows = rows.map { $0.map { String($0.map { $0.isNewline || $0 == "\t" ? " " : $0 }) } }
        let widths = isNumeric.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += (column > 0 ? "  " : "") + (isNumeric[column] ? padding + cell : cell + padding)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
