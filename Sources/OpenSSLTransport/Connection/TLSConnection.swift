internal import COpenSSL
internal import NIOCore

/// One connection's `SSL`, without any I/O: ciphertext is put in and taken out.
///
/// Stays with one event loop.
final class TLSConnection {
    enum Role {
        case client(TLSClientContext, HostName, port: Int)
        case server(TLSServerContext)
    }

    enum ReadResult {
        /// All that was received is read.
        case wantsMore
        /// The peer sent close_notify: nothing more will come.
        case closed
    }

    let role: Role
    let peer: Peer
    /// The verification's or a callback's own words, which are better than what OpenSSL says of the call.
    var failure: TLSError?
    /// The server asked for a certificate, and there is none.
    var isCertificateMissed = false
    /// A client named a pre-shared key: whether it is one that we have.
    var isIdentityKnown: Bool?
    private(set) var isHandshaking = true
    /// The first bytes received, until they are known to be TLS.
    private var opening: [UInt8]? = []
    private let buffers = BufferBIO()
    private let ssl: OpaquePointer
    /// Holds the files' contents for as long as the SSL.
    private let context: ContextHandle

    init(_ role: Role) throws(TLSError) {
        self.role = role
        switch role {
        case .client(let client, let host, _):
            let configuration = client.configuration
            context = client.handle
            peer = Peer(
                role: .server, host: configuration.verification == .full ? host.text : nil,
                trustRoots: "\(configuration.trustRoots)",
                revocationLists: configuration.revocationLists.map { "\($0)" } ?? "",
                time: configuration.verificationTime)
        case .server(let server):
            let configuration = server.configuration
            context = server.handle
            peer = Peer(
                role: .client, trustRoots: configuration.clientCertificates.trustRoots.map { "\($0)" } ?? "",
                revocationLists: configuration.revocationLists.map { "\($0)" } ?? "",
                time: configuration.verificationTime)
        }
        ErrorQueue.clear()
        guard let ssl = SSL_new(context.pointer) else { throw .openSSL("SSL_new") }
        self.ssl = ssl
        guard let bio = buffers.makeBIO() else { throw .openSSL("BIO_new") }
        // The SSL owns it, and takes one reference for both uses.
        SSL_set_bio(ssl, bio, bio)
        guard fieldpost_SSL_set_app_data(ssl, Unmanaged.passUnretained(self).toOpaque()) == 1 else {
            throw .openSSL("SSL_set_app_data")
        }
        switch role {
        case .server: SSL_set_accept_state(ssl)
        case .client(let client, let host, let port):
            SSL_set_connect_state(ssl)
            if client.configuration.verification == .full { try host.expect(of: ssl) }
            if !host.isAddress { fieldpost_SSL_set_tlsext_host_name(ssl, host.text) }
            resume(client, host, port)
        }
    }

    deinit {
        // A connection that was cut still leaves a session that can be resumed; SSL_free would forbid it.
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        SSL_free(ssl)
    }

    static func of(_ ssl: OpaquePointer?) -> TLSConnection? {
        ssl.flatMap { fieldpost_SSL_get_app_data($0) }
            .map { Unmanaged<TLSConnection>.fromOpaque($0).takeUnretainedValue() }
    }

    // MARK: Ciphertext

    /// Takes what has come from the peer.
    func receive(_ bytes: ByteBuffer) throws(TLSError) {
        try check(opening: bytes)
        if buffers.inbound.readableBytes == 0 {
            buffers.inbound = bytes
        } else {
            buffers.inbound.writeImmutableBuffer(bytes)
        }
    }

    /// A TLS record starts with its type, 20 to 23, and the version's first half, 3 (RFC 8446 §5.1).
    private func check(opening bytes: ByteBuffer) throws(TLSError) {
        guard var opening else { return }
        opening += bytes.readableBytesView.prefix(16 - opening.count)
        self.opening = opening.count < 2 ? opening : nil
        let isTLS = opening.first.map { (20...23).contains($0) } ?? true && opening.dropFirst().first ?? 3 == 3
        guard isTLS else { throw TLSError(notTLS: opening, from: peer.role) }
    }

    /// The peer sent nothing so far.
    var isPeerSilent: Bool { opening?.isEmpty ?? false }

    /// Gives what is to be sent to the peer, if there is anything.
    func takeOutput() -> ByteBuffer? {
        guard buffers.outbound.readableBytes > 0 else { return nil }
        defer { buffers.outbound = ByteBuffer() }
        return buffers.outbound
    }

    // MARK: Plaintext

    /// Goes as far as what was received allows.
    ///
    /// - Returns: whether the handshake is complete.
    func handshake() throws(TLSError) -> Bool {
        ErrorQueue.clear()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            isHandshaking = false
            return true
        }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return false
        case SSL_ERROR_ZERO_RETURN: throw cutHandshake
        default: throw explain()
        }
    }

    /// The peer went before the handshake was done.
    var cutHandshake: TLSError {
        TLSError(
            .closedDuringHandshake,
            isPeerSilent
                ? "the \(peer.role) closed the connection without a word of TLS: is this its TLS port?"
                : "the \(peer.role) closed the connection in the midst of the TLS handshake")
    }

    /// Decrypts all that was received.
    func read(into plaintext: inout ByteBuffer) throws(TLSError) -> ReadResult {
        while true {
            ErrorQueue.clear()
            let ssl = ssl
            let wanted = max(buffers.inbound.readableBytes, Int(SSL_pending(ssl)), 256)
            var result: Int32 = 0
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: min(wanted, Self.largestRecord)) { space in
                result = SSL_read(ssl, space.baseAddress, Int32(clamping: space.count))
                return Int(max(0, result))
            }
            if result > 0 { continue }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: return .wantsMore
            case SSL_ERROR_ZERO_RETURN: return .closed
            default: throw explain()
            }
        }
    }

    /// Encrypts.
    func write(_ plaintext: ByteBuffer) throws(TLSError) {
        var rest = plaintext
        while rest.readableBytes > 0 {
            ErrorQueue.clear()
            let ssl = ssl
            let result = rest.withUnsafeReadableBytes { bytes in
                SSL_write(ssl, bytes.baseAddress, Int32(clamping: min(bytes.count, Self.largestRecord)))
            }
            guard result > 0 else { throw explain() }
            rest.moveReaderIndex(forwardBy: Int(result))
        }
    }

    /// Bytes of plaintext (RFC 8446 §5.1).
    private static let largestRecord = 16_384

    /// Says that nothing more will be sent: close_notify.
    func close() {
        guard !isHandshaking else { return }
        ErrorQueue.clear()
        SSL_shutdown(ssl)
        ErrorQueue.clear()
    }

    // MARK: What is known

    /// What the handshake came to.
    var result: TLSHandshakeCompleted {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        let applicationProtocol = name.map {
            String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self)
        }
        return TLSHandshakeCompleted(
            version: SSL_version(ssl) == TLS1_3_VERSION ? .v1_3 : .v1_2,
            cipher: fieldpost_SSL_get_cipher_name(ssl).map { String(cString: $0) } ?? "",
            applicationProtocol: applicationProtocol,
            peerCertificate: SSL_get0_peer_certificate(ssl).map { TLSPeerCertificate($0) },
            isResumed: SSL_session_reused(ssl) == 1)
    }

    private func explain() -> TLSError {
        let errors = ErrorQueue()
        if let failure { return failure }
        var circumstances = TLSError.Circumstances(
            peer: peer, isHandshaking: isHandshaking, minimumVersion: .v1_2, hasCertificate: false,
            isCertificateMissed: isCertificateMissed, expectsPreSharedKey: isIdentityKnown ?? false,
            isIdentityUnknown: isIdentityKnown == false)
        switch role {
        case .client(let client, _, _):
            circumstances.minimumVersion = client.configuration.minimumVersion
            circumstances.hasCertificate = client.configuration.certificate != nil
            circumstances.preSharedKeyIdentity = client.configuration.preSharedKey?.identity
        case .server(let server):
            circumstances.minimumVersion = server.configuration.minimumVersion
            circumstances.hasCertificate = server.configuration.certificate != nil
        }
        return TLSError(errors, in: circumstances)
    }

    // MARK: Sessions

    /// Offers the session of an earlier connection, if the server's certificate would still be accepted today: a
    /// resumption does not show it again.
    private func resume(_ client: TLSClientContext, _ host: HostName, _ port: Int) {
        guard let session = client.configuration.sessionCache?.take(client.sessionKey(host, port)),
            SSL_set_session(ssl, session.pointer) == 1
        else { return }
        if client.configuration.verification != .insecureNothing, !isChainStillGood() { SSL_set_session(ssl, nil) }
        failure = nil
        ErrorQueue.clear()
    }

    private func isChainStillGood() -> Bool {
        guard let chain = SSL_get_peer_cert_chain(ssl), fieldpost_sk_X509_num(chain) > 0,
            let store = X509_STORE_CTX_new()
        else { return false }
        defer { X509_STORE_CTX_free(store) }
        guard
            X509_STORE_CTX_init(
                store, SSL_CTX_get_cert_store(context.pointer), fieldpost_sk_X509_value(chain, 0), chain) == 1,
            X509_STORE_CTX_set_default(store, "ssl_server") == 1,
            X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(store), SSL_get0_param(ssl)) == 1,
            X509_STORE_CTX_set_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx(), UnsafeMutableRawPointer(ssl)) == 1
        else { return false }
        X509_STORE_CTX_set_verify_cb(store, verificationCallback)
        return X509_verify_cert(store) == 1
    }
}

extension TLSClientContext {
    func sessionKey(_ host: HostName, _ port: Int) -> TLSSessionCache.Key {
        TLSSessionCache.Key(host: host.text, port: port, ownFingerprint: ownFingerprint)
    }
}
