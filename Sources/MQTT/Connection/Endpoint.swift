/// Where a broker listens.
public struct Endpoint: Sendable, Hashable {
    /// How bytes travel there.
    public enum Transport: Sendable, Hashable {
        /// In the clear: `mqtt://`.
        case tcp
        /// TLS, as ``ClientConfiguration/tls`` says: `mqtts://`.
        case tls

        public var scheme: String {
            switch self {
            case .tcp: "mqtt"
            case .tls: "mqtts"
            }
        }

        /// The port that is meant when none is named: 1883, or 8883 for TLS.
        public var defaultPort: Int { self == .tls ? 8883 : 1883 }
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
    public var description: String { "\(transport.scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
