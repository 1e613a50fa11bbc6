/// Where a broker listens.
public struct Endpoint: Sendable, Hashable {
    /// How bytes travel there.
    public enum Transport: Sendable, Hashable {
        /// In the clear: `mqtt://`.
        case tcp
        /// TLS, as ``ClientConfiguration/tls`` says: `mqtts://`.
        case tls

        /// WebSocket in the clear, at this path: `ws://`.
        case webSocket(path: String)
        /// WebSocket over TLS: `wss://`.
        case secureWebSocket(path: String)

        public var scheme: String {
            switch self {
            case .tcp: "mqtt"
            case .tls: "mqtts"
            case .webSocket: "ws"
            case .secureWebSocket: "wss"
            }
        }

        /// The port that is meant when none is named: 1883, 8883 for TLS, 80 and 443 for WebSocket.
        public var defaultPort: Int {
            switch self {
            case .tcp: 1883
            case .tls: 8883
            case .webSocket: 80
            case .secureWebSocket: 443
            }
        }

        public var isSecure: Bool {
            switch self {
            case .tls, .secureWebSocket: true
            case .tcp, .webSocket: false
            }
        }

        /// Begins with a slash; nil for what is not WebSocket.
        public var path: String? {
            switch self {
            case .webSocket(let path), .secureWebSocket(let path): path
            case .tcp, .tls: nil
            }
        }
    }

    public var transport: Transport
    /// A host name, resolved anew at each attempt, or an IPv4 or IPv6 address without brackets.
    public var host: String
    /// 1 to 65,535.
    public var port: Int

    public init(transport: Transport = .tcp, host: String, port: Int? = nil) {
        self.transport = transport
        self.host = host
        self.port = port ?? transport.defaultPort
    }
}

extension Endpoint: CustomStringConvertible {
    public var description: String {
        "\(transport.scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)\(transport.path ?? "")"
    }
}
