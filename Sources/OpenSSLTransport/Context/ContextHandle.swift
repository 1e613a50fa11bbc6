internal import COpenSSL

/// An `SSL_CTX`: what all connections of a context have in common.
///
/// Sendable, although the compiler cannot see it: only this type's methods change the `SSL_CTX`, all of them are called
/// by the initializers of ``TLSClientContext`` and ``TLSServerContext`` before anybody else has a reference, and
/// afterwards there is nothing but SSL_new and SSL_CTX_free. Those may be called from any thread (openssl-threads(7):
/// an SSL_CTX counts its references atomically, and locks its store of certificates and its session tickets' keys).
final class ContextHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    /// No openssl.cnf: what it says would differ from board to board, and a static binary cannot load the modules that
    /// it names. No cleaning up in exit() either, while an event loop's thread still uses what is cleaned up.
    private static let initialized: Bool =
        OPENSSL_init_ssl(UInt64(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT), nil) == 1

    init(isServer: Bool, minimumVersion: TLSVersion) throws(TLSError) {
        ErrorQueue.clear()
        guard Self.initialized, let pointer = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw .openSSL("SSL_CTX_new")
        }
        self.pointer = pointer
        guard fieldpost_SSL_CTX_set_min_proto_version(pointer, minimumVersion.number) == 1 else {
            throw .openSSL("SSL_CTX_set_min_proto_version")
        }
        SSL_CTX_set_options(pointer, Options.noRenegotiation | Options.noCompression | Options.serverPreference)
        // An idle connection keeps no buffers, which else are 34 kB.
        fieldpost_SSL_CTX_set_mode(pointer, Int32(SSL_MODE_RELEASE_BUFFERS))
        X509_VERIFY_PARAM_set_hostflags(
            SSL_CTX_get0_param(pointer), UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    }

    deinit { SSL_CTX_free(pointer) }

    func verify(_ mode: Int32, at time: Int?) {
        SSL_CTX_set_verify(pointer, mode, verificationCallback)
        if let time { X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(pointer), time_t(time)) }
    }

    /// Bits of SSL_OP_…, which ssl.h writes with a macro that Swift does not take.
    private enum Options {
        static let noRenegotiation: UInt64 = 1 << 30
        static let noCompression: UInt64 = 1 << 17
        static let serverPreference: UInt64 = 1 << 22
    }

    func logKeys() { SSL_CTX_set_keylog_callback(pointer, keyLogCallback) }

    /// - Returns: the names in ALPN's form (RFC 7301 §3.1).
    static func encode(applicationProtocols: [String]) throws(TLSError) -> [UInt8] {
        var wire: [UInt8] = []
        for name in applicationProtocols {
            guard (1...255).contains(name.utf8.count) else {
                throw TLSError(
                    .invalidSetting, "an ALPN protocol's name has 1 to 255 bytes; “\(name)” has \(name.utf8.count)")
            }
            wire.append(UInt8(name.utf8.count))
            wire += name.utf8
        }
        guard wire.count <= 65_535 else { throw TLSError(.invalidSetting, "there are too many ALPN protocols") }
        return wire
    }
}

extension PreSharedKey {
    func check() throws(TLSError) {
        guard (1...128).contains(identity.utf8.count), !identity.utf8.contains(0) else {
            throw TLSError(.invalidSetting, "a pre-shared key's identity has 1 to 128 bytes and no NUL")
        }
        guard (1...256).contains(key.count) else {
            throw TLSError(
                .invalidSetting, "the pre-shared key \(identity) has \(key.count) bytes; it takes 1 to 256")
        }
    }
}
