/// The user event that says that the handshake is done: from now on what is read was verified as the configuration
/// wants it.
public struct TLSHandshakeCompleted: Sendable, Hashable {
    public let version: TLSVersion
    /// As OpenSSL calls it: `TLS_AES_256_GCM_SHA384`.
    public let cipher: String
    /// What ALPN came to.
    public let applicationProtocol: String?
    /// nil when the peer showed none: a client that was not asked, or a pre-shared key.
    public let peerCertificate: TLSPeerCertificate?
    /// It went on with the session of an earlier connection.
    public let isResumed: Bool
}
