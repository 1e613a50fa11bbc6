public import MQTTWire
public import OpenSSLTransport
internal import Units
public import WebSocketTransport

/// A server accepted the connection.
public struct ConnectResult: Sendable, Hashable {
    public var endpoint: Endpoint
    /// Counts the connections of this client, from 1.
    public var number: Int
    /// The server still had our session.
    public var sessionPresent: Bool
    /// What became of messages that were under way.
    public var resumption: Session.Resumption
    /// CONNACK's properties (5.0).
    public var properties: Properties
}

/// Why no connection came about.
public enum ConnectFailure: Error, Sendable, Hashable {
    /// The host could not be resolved or reached.
    case unreachable(String)
    /// The server answered CONNECT with an error code.
    case refused(ReasonCode, explanation: String?)
    /// Nothing came within the time given for connecting.
    case timedOut(after: Duration, stage: Stage)
    /// The connection was closed before CONNACK: something listens that does not like us, or does not speak MQTT.
    case closed
    /// TLS did not come about, or not with whom we wanted.
    case tls(TLSError)
    /// The WebSocket upgrade failed.
    case webSocket(WebSocketError)
    /// What came is not MQTT, or breaks its rules.
    case protocolError(String)
    /// Under 3.1.1 the server goes on offering a session that is not ours, though it was told to delete it
    /// (3.1.1 §3.1.2.4): another client may be using the identifier.
    case sessionNotDeleted
    /// Our part of enhanced authentication failed, or the server's proof did.
    case authentication(String)
    /// CONNECT could not be built (the client's own mistake, or a secret that could not be read).
    case invalid(String)
    /// The client was told to stop meanwhile.
    case stopped

    public enum Stage: String, Sendable, Hashable {
        case tcp = "TCP connection"
        case tls = "TLS handshake"
        case webSocket = "WebSocket handshake"
        case connack = "CONNACK"
        /// ``ClientConfiguration/parameters``, before there was anything to connect with.
        case parameters = "parameters for CONNECT"
    }

    /// The code in CONNACK.
    public var reasonCode: ReasonCode? {
        if case .refused(let code, _) = self { code } else { nil }
    }
}

extension ConnectFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreachable(let why): return "not reachable: \(why)"
        case .refused(let code, let explanation):
            return "refused: \(code)" + (explanation.map { " (\($0))" } ?? "") + Self.mend(code)
        case .timedOut(let time, let stage): return "no \(stage.rawValue) within \(time.compact)"
        case .closed: return "closed by the peer before CONNACK"
        case .tls(let error): return "\(error)"
        case .webSocket(let error): return "\(error)"
        case .protocolError(let what): return "not MQTT as specified: \(what); is this an MQTT broker's port?"
        case .sessionNotDeleted:
            return "the broker does not delete an earlier session; does another client use the same identifier?"
        case .authentication(let why): return "authentication: \(why)"
        case .invalid(let why): return "CONNECT could not be built: \(why)"
        case .stopped: return "the client was stopped"
        }
    }

    private static func mend(_ code: ReasonCode) -> String {
        switch code {
        case .unsupportedProtocolVersion:
            "; try the other version of MQTT (in a configuration: version = \"3.1.1\", or \"auto\")"
        case .badUserNameOrPassword, .notAuthorized: "; check user name, password and the broker's access rules"
        case .clientIdentifierNotValid: "; the broker does not accept this client identifier"
        default: ""
        }
    }
}

/// Why a connection that had come about ended.
public enum DisconnectReason: Error, Sendable, Hashable {
    /// We wanted it.
    case requested
    /// We left for the preferred endpoint, which is there again.
    case returning
    /// We left for another connection, as ``MQTTClient/leave(keepingWill:)`` wants.
    case left
    /// The server said goodbye, and why (5.0 DISCONNECT).
    case byServer(ReasonCode, explanation: String?)
    /// The server, or something between, closed the connection without a word.
    case closed
    /// The server does not answer PINGREQ any more, though the connection looks open.
    case keepAliveTimeout
    /// The server answers, but has not acknowledged any message for too long.
    case acknowledgementTimeout
    /// The server sent what the protocol forbids.
    case protocolError(String)
    /// The socket failed.
    case network(String)

    /// The code in the server's DISCONNECT.
    public var reasonCode: ReasonCode? {
        if case .byServer(let code, _) = self { code } else { nil }
    }
}

extension DisconnectReason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .requested: "requested"
        case .returning: "the preferred endpoint is there again"
        case .left: "left for another connection"
        case .byServer(let code, let explanation):
            "the server disconnected us: \(code)" + (explanation.map { " (\($0))" } ?? "")
        case .closed: "closed by the peer"
        case .keepAliveTimeout: "no answer to PINGREQ"
        case .acknowledgementTimeout: "no acknowledgement for too long"
        case .protocolError(let what): "the server broke the protocol: \(what)"
        case .network(let what): "network: \(what)"
        }
    }
}
