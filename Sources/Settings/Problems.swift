/// What was found wrong while a configuration was read; one collector for a whole file.
public final class Problems {
    /// How many errors, and how many warnings, are kept.
    public static let limit = 100

    /// How many were found beyond the limit.
    public private(set) var omitted = 0
    private var found: [Problem] = []

    public init() {}

    /// Adds a problem, once: a key may be asked for by several readers of its table.
    public func add(_ problem: Problem) {
        if found.contains(problem) { return }
        if found.count(where: { $0.severity == problem.severity }) < Self.limit {
            found.append(problem)
        } else {
            omitted += 1
        }
    }

    /// In the order of the file; what concerns the file itself comes first.
    public var all: [Problem] {
        // The sort is stable, so that what was found at one place stays in the order of finding.
        found.sorted { left, right in
            switch (left.position, right.position) {
            case (let left?, let right?): (left.line, left.column) < (right.line, right.column)
            case (nil, _?): true
            default: false
            }
        }
    }

    public var errors: [Problem] { all.filter { $0.severity == .error } }
    public var warnings: [Problem] { all.filter { $0.severity == .warning } }
}
