public import Settings

/// Why a configuration cannot be used: all reasons at once.
public struct ConfigurationErrors: Error, Hashable {
    public enum Cause: Sendable, Hashable {
        /// The file is not there or cannot be read.
        case unreadable
        /// It is not TOML.
        case malformed
        /// It is TOML, but says what cannot be.
        case invalid
    }

    public var cause: Cause
    public var file: String
    /// At least one error; warnings too. In the order of the file.
    public var problems: [Problem]
    /// How many more there are.
    public var omitted = 0
}

extension ConfigurationErrors: CustomStringConvertible {
    /// One line for each problem: `bins.toml:12:9: sensor[1].every: "10" has no unit: write "10s"`.
    public var description: String {
        var lines = problems.map { $0.line(file: file) }
        if omitted > 0 { lines.append("\(file): and \(omitted) more") }
        return lines.joined(separator: "\n")
    }
}
