/// Something in a configuration that its owner should change.
public struct Problem: Sendable, Hashable {
    public enum Severity: Sendable, Hashable {
        /// The configuration cannot be used.
        case error
        /// It can, but probably not as meant.
        case warning
    }

    public var severity: Severity
    /// Where in the configuration's tree, as in `sensor[1].every` (the first sensor's); empty for the whole file.
    public var keyPath: String
    /// Where in the file; nil if it concerns the file itself.
    public var position: SourcePosition?
    /// What is wrong, as in `"10" has no unit`.
    public var message: String
    /// What to do about it, as in `write "10s"`.
    public var mend: String?

    public init(
        _ severity: Severity = .error, at keyPath: String, position: SourcePosition?, message: String,
        mend: String? = nil
    ) {
        self.severity = severity
        self.keyPath = keyPath
        self.position = position
        self.message = message
        self.mend = mend
    }
}

extension Problem {
    /// The problem as compilers print theirs: `bins.toml:12:9: sensor[1].every: "10" has no unit: write "10s"`.
    public func line(file: String) -> String { file + (position == nil ? ": " : ":") + description }
}

extension Problem: CustomStringConvertible {
    /// All but the file's name: `12:9: sensor[1].every: "10" has no unit: write "10s"`.
    public var description: String {
        var text = position.map { "\($0.line):\($0.column): " } ?? ""
        if severity == .warning { text += "warning: " }
        if !keyPath.isEmpty { text += "\(keyPath): " }
        text += message
        if let mend { text += ": \(mend)" }
        return text
    }
}

/// What was found wrong while a configuration was read; one collector for a whole file.
public final class Problems {
    private var found: [Problem] = []

    public init() {}

    /// Adds a problem, once: a key may be asked for by several readers of its table.
    public func add(_ problem: Problem) {
        if !found.contains(problem) { found.append(problem) }
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
