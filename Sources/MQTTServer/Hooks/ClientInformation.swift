public import MQTTWire

/// Who a client is, as the server knows it.
public struct ClientInformation: Sendable, Hashable {
    /// As the client gave it, or as the server assigned it.
    public var identifier: String
    public var username: String?
    public var version: ProtocolVersion
    /// ``Listener/name``.
    public var listener: String
    /// `192.0.2.7:51234`, or the path of a Unix socket.
    public var address: String
    /// The subject of the certificate that it showed, as RFC 2253 writes it.
    public var certificateSubject: String?
    /// Seconds, as agreed.
    public var keepAlive: UInt16

    public init(
        identifier: String, username: String? = nil, version: ProtocolVersion, listener: String, address: String,
        certificateSubject: String? = nil, keepAlive: UInt16 = 0
    ) {
        self.identifier = identifier
        self.username = username
        self.version = version
        self.listener = listener
        self.address = address
        self.certificateSubject = certificateSubject
        self.keepAlive = keepAlive
    }
}
