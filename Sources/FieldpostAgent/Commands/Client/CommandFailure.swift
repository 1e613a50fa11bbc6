internal import MQTT
internal import OpenSSLTransport

/// Why `fieldpost pub`, `fieldpost sub` or `fieldpost request` did not do what it was told.
public struct CommandFailure: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// The broker said no to a message or a subscription, or there was no time to ask it.
        case refused
        /// The broker is not reachable, or lets nobody in.
        case unavailable
        /// A certificate, a key or the like is not what it should be.
        case configuration
        /// A file, standard input or standard output failed.
        case inputOutput
        /// The time given has passed.
        case timedOut
    }

    public var kind: Kind
    public var description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    init(_ endpoint: Endpoint, _ failure: ConnectFailure) {
        if case .tls(let error) = failure, error.fault == .configuration {
            let mend = error.code == .passphrase ? "; give it with --key-passphrase-file" : ""
            self.init(.configuration, "\(error)\(mend)")
            return
        }
        let mend =
            switch failure {
            case .unreachable, .timedOut: "; check --host and --port, and that a broker listens there"
            case .closed: "; is this the port of an MQTT broker, without TLS?"
            default: ""
            }
        self.init(.unavailable, "\(endpoint): \(failure)\(mend)")
    }
}
