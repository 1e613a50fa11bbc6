internal import COpenSSL

/// A server's configuration with its files read: ready for connections.
///
/// Clients resume sessions only with the context that issued them, so keep one for as long as its files do not change.
public final class TLSServerContext: Sendable {
    let configuration: TLSServerConfiguration
    let handle: ContextHandle
    /// In ALPN's form.
    let applicationProtocols: [UInt8]

    /// - Throws: what is wrong with the configuration, with the file's name.
    public init(_ configuration: TLSServerConfiguration) throws(TLSError) {
        self.configuration = configuration
        guard configuration.certificate != nil || !configuration.preSharedKeys.isEmpty else {
            throw TLSError(.invalidSetting, "a TLS server needs a certificate or pre-shared keys")
        }
        handle = try ContextHandle(isServer: true, minimumVersion: configuration.minimumVersion)
        if let certificate = configuration.certificate { _ = try handle.use(certificate) }
        if let roots = configuration.clientCertificates.trustRoots {
            try handle.trust(roots)
            if let lists = configuration.revocationLists { try handle.checkRevocation(lists) }
        }
        if let authorities = configuration.chainAuthorities { try handle.completeChain(from: authorities) }
        let mode =
            switch configuration.clientCertificates {
            case .notAsked: SSL_VERIFY_NONE
            case .optional: SSL_VERIFY_PEER
            case .required: SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            }
        handle.verify(mode, at: configuration.verificationTime)
        applicationProtocols = try ContextHandle.encode(applicationProtocols: configuration.applicationProtocols)
        if !applicationProtocols.isEmpty { SSL_CTX_set_alpn_select_cb(handle.pointer, selectProtocolCallback, nil) }
        for key in configuration.preSharedKeys { try key.check() }
        if !configuration.preSharedKeys.isEmpty { SSL_CTX_set_psk_server_callback(handle.pointer, serverKeyCallback) }
        // Sessions live in tickets, at the clients; there is nothing to be filled up here.
        fieldpost_SSL_CTX_set_session_cache_mode(handle.pointer, SSL_SESS_CACHE_OFF)
        let name = Array("fieldpost".utf8)
        guard SSL_CTX_set_session_id_context(handle.pointer, name, UInt32(name.count)) == 1,
            SSL_CTX_set_num_tickets(handle.pointer, 1) == 1
        else { throw .openSSL("SSL_CTX_set_session_id_context") }
        if configuration.insecureKeyLogFile != nil { handle.logKeys() }
    }
}
