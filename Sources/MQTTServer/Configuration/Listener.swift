public import MQTTWire
public import OpenSSLTransport

/// One door of the server: an address, what is spoken there, and who may come in.
public struct Listener: Sendable {
    public enum Address: Sendable, Hashable {
        /// A host name or an IPv4 or IPv6 address without brackets, `0.0.0.0` and `::` for all; port 0 takes a free one.
        case tcp(host: String, port: Int)
        /// A Unix domain socket; what is at the path is replaced if it is a socket that nobody listens at.
        case unix(path: String)
    }

    /// What is spoken there.
    public enum Speech: Sendable, Hashable {
        case mqtt
        /// MQTT in WebSocket frames (5.0 §6), at any path.
        case webSocket
        /// Whichever the client begins with.
        case both
    }

    /// What of a client's certificate stands for its user name; the client need not send a password then. One without a
    /// certificate may still give a password, or come without a user name, where the listener allows that; with a mere
    /// name it is refused.
    public enum CertificateIdentity: Sendable, Hashable {
        case notUsed
        case commonName
        /// The distinguished name as RFC 2253 writes it.
        case subject
    }

    /// For logs, errors and `ClientInformation`; unique.
    public var name: String
    public var address: Address
    public var speech: Speech
    /// Nil: in the clear.
    public var tls: TLSServerConfiguration?
    public var certificateIdentity = CertificateIdentity.notUsed
    /// Whether clients may come without a user name. Nil: on loopback addresses and Unix sockets only, and not where
    /// there is a password file.
    ///
    /// A user name that nobody asked a password for counts as with Mosquitto, also for access rules, as long as no
    /// listener of the server has a password file or a ``certificateIdentity``; else such clients have none.
    public var allowsAnonymous: Bool?
    /// In place of the server's.
    public var access: AccessRules?
    /// Connections that the kernel may hold ready for us (listen(2)).
    public var backlog = 256
    /// At the same time; nil: only the server's limit.
    public var maximumConnections: Int?
    /// What CONNACK names as Maximum QoS (5.0 §3.2.2.3.4); nil: the server's.
    public var maximumQoS: QoS?
    /// In place of the server's; nil: that.
    public var maximumPacketSize: Int?
    public var topicAliasMaximum: UInt16?
    /// What clients may speak.
    public var versions = Set(ProtocolVersion.allCases)

    public init(
        name: String? = nil, address: Address, speech: Speech = .mqtt, tls: TLSServerConfiguration? = nil
    ) {
        self.name = name ?? address.description
        self.address = address
        self.speech = speech
        self.tls = tls
    }
}

extension Listener.Address: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tcp(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .unix(let path): path
        }
    }
}
