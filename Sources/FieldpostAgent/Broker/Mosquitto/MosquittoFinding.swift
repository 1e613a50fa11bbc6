/// What became of a line of a mosquitto.conf that is not simply honoured.
public struct MosquittoFinding: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// The file cannot be used: a value that cannot be, an unknown directive, or one that would keep somebody out
        /// and cannot here.
        case error
        /// Something is not as the file says.
        case notHonoured
        /// It is so anyway, or does not matter here.
        case needless
    }

    public var kind: Kind
    public var file: String
    /// Counted from 1; 0 is the file as a whole.
    public var line: Int
    public var directive: String
    /// What is wrong or different, and what to do.
    public var message: String

    /// `mosquitto.conf:12: max_inflight_bytes: not honoured: …`
    public var description: String {
        let word =
            switch kind {
            case .error: ""
            case .notHonoured: "not honoured: "
            case .needless: "not needed: "
            }
        let place = line > 0 ? "\(file):\(line): " : "\(file): "
        return Console.printable(place + (directive.isEmpty ? "" : "\(directive): ") + word + message)
    }
}

/// Why a mosquitto.conf cannot be used: everything at once.
public struct MosquittoErrors: Error, CustomStringConvertible {
    public var findings: [MosquittoFinding]
    public var description: String { findings.map(\.description).joined(separator: "\n") }
}
