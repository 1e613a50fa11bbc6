/// Where a broker listens.
public struct Endpoint: Sendable, Hashable {
    /// How bytes travel there. Plain TCP is the only way yet; TLS and WebSocket are further cases.
    public enum Transport: Sendable, Hashable {
        case tcp
    }

    public var transport: Transport
    /// A host name, resolved anew at each attempt, or an IPv4 or IPv6 address without brackets.
    public var host: String
    /// 1 to 65,535.
    public var port: Int

    public init(transport: Transport = .tcp, host: String, port: Int = 1883) {
        self.transport = transport
        self.host = host
        self.port = port
    }
}

extension Endpoint: CustomStringConvertible {
    public var description: String { "mqtt://\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
