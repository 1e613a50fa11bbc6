internal import COpenSSL

/// A client's configuration with its files read: ready for connections.
///
/// Make one at each connection, so that new certificates are taken up; it costs about as much as the files are long.
public final class TLSClientContext: Sendable {
    let configuration: TLSClientConfiguration
    let handle: ContextHandle
    /// The fingerprint of our own certificate.
    let ownFingerprint: String?

    /// - Throws: what is wrong with the configuration, with the file's name.
    public init(_ configuration: TLSClientConfiguration) throws(TLSError) {
        self.configuration = configuration
        let handle = try ContextHandle(isServer: false, minimumVersion: configuration.minimumVersion)
        self.handle = handle
        if configuration.verification == .insecureNothing {
            handle.verify(SSL_VERIFY_NONE, at: nil)
        } else {
            try handle.trust(configuration.trustRoots)
            if let lists = configuration.revocationLists { try handle.checkRevocation(lists) }
            handle.verify(SSL_VERIFY_PEER, at: configuration.verificationTime)
        }
        ownFingerprint = try configuration.certificate.map { (certificate) throws(TLSError) in
            try handle.use(certificate)
        }
        SSL_CTX_set_client_cert_cb(handle.pointer, clientCertificateCallback)
        let protocols = try ContextHandle.encode(applicationProtocols: configuration.applicationProtocols)
        if !protocols.isEmpty {
            guard SSL_CTX_set_alpn_protos(handle.pointer, protocols, UInt32(protocols.count)) == 0 else {
                throw .openSSL("SSL_CTX_set_alpn_protos")
            }
        }
        if let key = configuration.preSharedKey {
            try key.check()
            SSL_CTX_set_psk_client_callback(handle.pointer, clientKeyCallback)
            // Below TLS 1.3 only suites without certificates.
            guard SSL_CTX_set_cipher_list(handle.pointer, "kECDHEPSK:kDHEPSK:kPSK:!eNULL:!SHA1") == 1 else {
                throw .openSSL("SSL_CTX_set_cipher_list")
            }
        }
        if configuration.sessionCache != nil, configuration.preSharedKey == nil {
            fieldpost_SSL_CTX_set_session_cache_mode(
                handle.pointer, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL)
            SSL_CTX_sess_set_new_cb(handle.pointer, newSessionCallback)
        }
        if configuration.insecureKeyLogFile != nil { handle.logKeys() }
    }
}
