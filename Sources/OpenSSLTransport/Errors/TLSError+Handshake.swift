internal import COpenSSL

extension TLSError {
    /// What is known of a connection when a call fails.
    struct Circumstances {
        var peer: Peer
        var isHandshaking: Bool
        var minimumVersion: TLSVersion
        /// We have a certificate to show.
        var hasCertificate: Bool
        /// The server asked for a certificate that we do not have.
        var isCertificateMissed: Bool
        /// Ours, if we are a client with a pre-shared key.
        var preSharedKeyIdentity: String?
        /// We are a server, and a pre-shared key is used.
        var expectsPreSharedKey: Bool
        /// A client named a key that we do not have.
        var isIdentityUnknown: Bool
    }

    /// Why SSL_do_handshake or SSL_read failed, in words.
    init(_ errors: ErrorQueue, in circumstances: Circumstances) {
        let role = circumstances.peer.role
        guard let reason = errors.handshakeReason else {
            self.init(.openSSL, "TLS failed: \(errors.description)")
            return
        }
        if reason > SSL_AD_REASON_OFFSET {
            self.init(alert: reason - SSL_AD_REASON_OFFSET, in: circumstances)
            return
        }
        if circumstances.isHandshaking, circumstances.isIdentityUnknown {
            self.init(.preSharedKey, "the \(role) names a pre-shared key that is not known here")
            return
        }
        switch reason {
        case SSL_R_BINDER_DOES_NOT_VERIFY,
            SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
        where circumstances.expectsPreSharedKey && circumstances.isHandshaking,
            SSL_R_DIGEST_CHECK_FAILED where circumstances.expectsPreSharedKey && circumstances.isHandshaking:
            self.init(.preSharedKey, "the \(role) has another key under the name of its pre-shared key")
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_WRONG_SSL_VERSION, SSL_R_VERSION_TOO_LOW:
            self.init(.protocolVersion, "the \(role) does not speak \(circumstances.minimumVersion) or newer")
        case SSL_R_NO_SHARED_CIPHER:
            self.init(.noSharedCipher, "the \(role) has no cipher suite in common with us")
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            self.init(.certificateMissing, "the \(role) showed no certificate, and one is required")
        case SSL_R_NO_APPLICATION_PROTOCOL:
            self.init(.noSharedApplicationProtocol, "the \(role) has no ALPN protocol in common with us")
        default:
            self.init(.protocolViolation, "the \(role) broke the TLS protocol: \(errors.description)")
        }
    }

    /// What a peer's alert means here (RFC 8446 §6.2).
    init(alert: Int32, in circumstances: Circumstances) {
        let role = circumstances.peer.role
        // OpenSSL 3.0 has no words for this one, which is how TLS 1.3 asks for a certificate.
        let words =
            alert == SSL_AD_CERTIFICATE_REQUIRED
            ? "certificate required" : String(cString: SSL_alert_desc_string_long(alert))
        let text = "“\(words)” (alert \(alert))"
        if circumstances.isHandshaking, let identity = circumstances.preSharedKeyIdentity,
            [
                SSL_AD_HANDSHAKE_FAILURE, SSL_AD_UNKNOWN_PSK_IDENTITY, SSL_AD_BAD_RECORD_MAC, SSL_AD_DECRYPT_ERROR,
                SSL_AD_ILLEGAL_PARAMETER,
            ].contains(alert)
        {
            self.init(
                .preSharedKey,
                "the \(role) does not know the pre-shared key \(identity), or has another key under this name: it answers \(text)"
            )
            return
        }
        switch alert {
        case SSL_AD_PROTOCOL_VERSION:
            self.init(
                .protocolVersion,
                "the \(role) does not speak \(circumstances.minimumVersion) or newer: it answers \(text)")
        case SSL_AD_NO_APPLICATION_PROTOCOL:
            self.init(
                .noSharedApplicationProtocol, "the \(role) has no ALPN protocol in common with us: it answers \(text)")
        case SSL_AD_CERTIFICATE_REQUIRED,
            SSL_AD_HANDSHAKE_FAILURE where circumstances.isCertificateMissed:
            self.init(
                .certificateRefused, "the \(role) requires a certificate of ours, and there is none: it answers \(text)"
            )
        case SSL_AD_BAD_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_CERTIFICATE_REVOKED,
            SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNKNOWN_CA, SSL_AD_ACCESS_DENIED:
            self.init(
                .certificateRefused,
                circumstances.hasCertificate
                    ? "the \(role) refuses our certificate: it answers \(text)"
                    : "the \(role) refuses us: it answers \(text)")
        case SSL_AD_HANDSHAKE_FAILURE, SSL_AD_INSUFFICIENT_SECURITY:
            self.init(
                .noSharedCipher, "the \(role) has no cipher suite in common with us, it seems: it answers \(text)")
        default:
            self.init(.alert, "the \(role) refuses the connection: it answers \(text)")
        }
    }

    /// The peer's first bytes are no TLS record.
    init(notTLS bytes: [UInt8], from role: Peer.Role) {
        let shown = bytes.prefix(8)
        let hex = shown.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: " ")
        let text = String(decoding: shown.map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
        let guess: String =
            if ["HTTP", "GET ", "POST", "HEAD", "PUT ", "OPTI"].contains(where: { text.hasPrefix($0) }) {
                "HTTP without TLS"
            } else if bytes.starts(with: [0x20, 2]) || text.dropFirst(4).hasPrefix("MQ") {
                // A CONNACK of 3.1.1, or a CONNECT whose length is told in one byte.
                "MQTT without TLS"
            } else if text.hasPrefix("SSH-") {
                "SSH"
            } else {
                "another protocol, or TLS behind something else"
            }
        self.init(
            .notTLS,
            "the \(role) does not speak TLS on this port: it begins with \(hex) (“\(text)”), which looks like \(guess)")
    }
}
