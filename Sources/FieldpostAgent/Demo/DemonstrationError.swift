/// Why the demonstration could not be played to its end.
public enum DemonstrationError: Error, Sendable, CustomStringConvertible {
    case brokerFailed
    case noFolder(reason: String)
    case noProgram(reason: String)
    /// What did not happen.
    case inVain(String)

    public var description: String {
        switch self {
        case .brokerFailed: "the broker did not start; what it says stands above"
        case .noFolder(let reason): "no temporary folder: \(reason); set TMPDIR to a folder that can be written to"
        case .noProgram(let reason): "/proc/self/exe, which this program is: \(reason); is /proc mounted?"
        case .inVain(let what): "waited in vain for \(what)"
        }
    }
}
