internal import COpenSSL

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

// What OpenSSL calls in the midst of SSL_do_handshake and SSL_read, on the connection's event loop.

/// Notes why a chain is refused. An authority that publishes no revocation list here is let pass, unless it issued the
/// leaf.
func verificationCallback(isGood: Int32, store: OpaquePointer?) -> Int32 {
    guard isGood == 0, let store else { return isGood }
    if X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL, X509_STORE_CTX_get_error_depth(store) > 0 {
        X509_STORE_CTX_set_error(store, X509_V_OK)
        return 1
    }
    let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()).map { OpaquePointer($0) }
    if let connection = TLSConnection.of(ssl) {
        connection.failure = TLSError(verifying: store, of: connection.peer)
    }
    return 0
}

/// Called when the server asks for a certificate and there is none.
func clientCertificateCallback(
    ssl: OpaquePointer?, certificate: UnsafeMutablePointer<OpaquePointer?>?, key: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    TLSConnection.of(ssl)?.isCertificateMissed = true
    return 0
}

func clientKeyCallback(
    ssl: OpaquePointer?, hint: UnsafePointer<CChar>?, identity: UnsafeMutablePointer<CChar>?, identitySpace: UInt32,
    key: UnsafeMutablePointer<UInt8>?, keySpace: UInt32
) -> UInt32 {
    guard let identity, let key, case .client(let context, _, _) = TLSConnection.of(ssl)?.role,
        let preShared = context.configuration.preSharedKey
    else { return 0 }
    let name = preShared.identity.utf8CString
    guard name.count <= identitySpace, preShared.key.count <= keySpace else { return 0 }
    for (index, byte) in name.enumerated() { identity[index] = byte }
    for (index, byte) in preShared.key.enumerated() { key[index] = byte }
    return UInt32(preShared.key.count)
}

func serverKeyCallback(
    ssl: OpaquePointer?, identity: UnsafePointer<CChar>?, key: UnsafeMutablePointer<UInt8>?, keySpace: UInt32
) -> UInt32 {
    guard let identity, let key, let connection = TLSConnection.of(ssl), case .server(let context) = connection.role
    else { return 0 }
    let name = String(cString: identity)
    let preShared = context.configuration.preSharedKeys.first { $0.identity == name }
    connection.isIdentityKnown = preShared != nil
    guard let preShared, preShared.key.count <= keySpace else { return 0 }
    for (index, byte) in preShared.key.enumerated() { key[index] = byte }
    return UInt32(preShared.key.count)
}

func selectProtocolCallback(
    ssl: OpaquePointer?, selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, count: UnsafeMutablePointer<UInt8>?,
    offered: UnsafePointer<UInt8>?, offeredCount: UInt32, argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard case .server(let context) = TLSConnection.of(ssl)?.role else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    guard let offered, let selected, let count else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    // The result must outlive the call, so it points into what was offered.
    var rest = UnsafeBufferPointer(start: offered, count: Int(offeredCount))[...]
    var names: [Slice<UnsafeBufferPointer<UInt8>>] = []
    while let length = rest.first.map(Int.init), rest.count > length {
        names.append(rest.dropFirst().prefix(length))
        rest = rest.dropFirst(length + 1)
    }
    var ours = context.applicationProtocols[...]
    while let length = ours.first.map(Int.init), ours.count > length {
        let wanted = ours.dropFirst().prefix(length)
        if let match = names.first(where: { $0.elementsEqual(wanted) }) {
            selected.pointee = offered + match.startIndex
            count.pointee = UInt8(length)
            return SSL_TLSEXT_ERR_OK
        }
        ours = ours.dropFirst(length + 1)
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// Keeps the session; 1 says that its reference is ours now.
func newSessionCallback(ssl: OpaquePointer?, session: OpaquePointer?) -> Int32 {
    guard let session, case .client(let context, let host, let port) = TLSConnection.of(ssl)?.role,
        let cache = context.configuration.sessionCache
    else { return 0 }
    cache.store(Session(owning: session), context.sessionKey(host, port))
    return 1
}

func keyLogCallback(ssl: OpaquePointer?, line: UnsafePointer<CChar>?) {
    guard let line, let role = TLSConnection.of(ssl)?.role else { return }
    let path =
        switch role {
        case .client(let context, _, _): context.configuration.insecureKeyLogFile
        case .server(let context): context.configuration.insecureKeyLogFile
        }
    guard let path else { return }
    // Debugging must not stop the connection: what cannot be written is not.
    let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    var bytes = Array(UnsafeBufferPointer(start: line, count: strlen(line)))
    bytes.append(CChar(bitPattern: UInt8(ascii: "\n")))
    _ = write(file, bytes, bytes.count)
}
