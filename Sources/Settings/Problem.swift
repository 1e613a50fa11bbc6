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
        // What the file says is repeated here, and is not to move a terminal's cursor.
        return text.unicodeScalars.reduce(into: "") { line, scalar in
            line += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
        }
    }
}
