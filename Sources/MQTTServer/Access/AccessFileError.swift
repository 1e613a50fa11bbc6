/// Why password and ACL files cannot be used: all that is wrong in them.
public struct AccessFileError: Error, Sendable, Hashable {
    /// File by file, in the order of its lines; at most ``limit`` for each file.
    public var problems: [AccessFileProblem]
    /// How many were found beyond the limit.
    public var omitted = 0

    /// How many problems of one file are kept.
    public static let limit = 100
}

extension AccessFileError: CustomStringConvertible {
    /// A line for each problem.
    public var description: String {
        let lines = problems.map(\.description) + (omitted > 0 ? ["and \(omitted) more"] : [])
        return lines.joined(separator: "\n")
    }
}
