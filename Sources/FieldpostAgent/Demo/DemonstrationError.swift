/// Why the demonstration could not be played to its end.
public enum DemonstrationError: Error, Sendable, CustomStringConvertible {
    case noMosquitto
    case brokerFailed(log: String)
    case noFolder(reason: String)
    /// What did not happen.
    case inVain(String)

    public var description: String {
        switch self {
        case .noMosquitto: "mosquitto is not installed: apt-get install mosquitto, or run Deploy/demo.sh, which does"
        case .brokerFailed(let log): "the broker did not start:\n\(log)"
        case .noFolder(let reason): "no temporary folder: \(reason); set TMPDIR to a folder that can be written to"
        case .inVain(let what): "waited in vain for \(what)"
        }
    }
}
