/// How the process ends. Thrown by a command that has said already what there is to say.
public struct ExitCode: Error, Sendable, Hashable, RawRepresentable {
    public var rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }
    public init(_ code: Int32) { rawValue = code }

    public static let success = ExitCode(0)
    public static let failure = ExitCode(1)
    /// EX_USAGE of sysexits.h.
    public static let validationFailure = ExitCode(64)
}
