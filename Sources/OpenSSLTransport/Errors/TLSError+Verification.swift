internal import COpenSSL

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension TLSError {
    /// Why a chain was not verified, in words (codes of x509_vfy.h; X509_STORE_CTX_get_error(3)).
    init(verifying store: OpaquePointer, of peer: Peer) {
        let code = X509_STORE_CTX_get_error(store)
        let depth = X509_STORE_CTX_get_error_depth(store)
        guard let certificate = X509_STORE_CTX_get_current_cert(store) ?? X509_STORE_CTX_get0_cert(store) else {
            self.init(.unacceptableCertificate, "the \(peer.role)'s certificate: \(Self.text(code))")
            return
        }
        let subject = CertificateText.name(X509_get_subject_name(certificate))
        let issuer = CertificateText.name(X509_get_issuer_name(certificate))
        let owner =
            depth == 0 ? "the \(peer.role)'s certificate" : "an authority's certificate in the \(peer.role)'s chain"
        let who = "\(owner) (\(subject))"
        let clock = "this machine's clock says \(CertificateText.time(peer.time.map { time_t($0) } ?? time(nil)))"
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            let end = CertificateText.time(X509_get0_notAfter(certificate))
            self.init(.expired, "\(who) expired at \(end); \(clock)")
        case X509_V_ERR_CERT_NOT_YET_VALID:
            let start = CertificateText.time(X509_get0_notBefore(certificate))
            self.init(.notYetValid, "\(who) is not valid until \(start); \(clock), set it if that is wrong")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let hosts = CertificateText.hosts(certificate)
            let more = hosts.count > 8 ? " and \(hosts.count - 8) more" : ""
            let offered = hosts.isEmpty ? "no host" : hosts.prefix(8).joined(separator: ", ") + more
            self.init(.hostMismatch, "\(owner) is for \(offered), and not for \(peer.host ?? "this host")")
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            self.init(.selfSigned, "\(who) is self-signed, and is not itself in \(peer.trustRoots)")
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            self.init(
                .unknownIssuer, "the \(peer.role)'s chain ends with \(subject), which is not in \(peer.trustRoots)")
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            self.init(
                .unknownIssuer,
                "\(who) was issued by \(issuer), which is neither in \(peer.trustRoots) nor sent by the \(peer.role)")
        case X509_V_ERR_CERT_REVOKED:
            let since = Self.revocation(of: certificate, in: store).map { " at \($0)" } ?? ""
            self.init(.revoked, "\(who) was revoked by \(issuer)\(since), says \(peer.revocationLists)")
        case X509_V_ERR_UNABLE_TO_GET_CRL:
            self.init(.revocationUnknown, "\(peer.revocationLists) holds no revocation list of \(issuer)")
        case X509_V_ERR_CRL_HAS_EXPIRED:
            let end = X509_STORE_CTX_get0_current_crl(store).map { CertificateText.time(X509_CRL_get0_nextUpdate($0)) }
            self.init(
                .revocationUnknown,
                "the revocation list of \(issuer) in \(peer.revocationLists) expired at \(end ?? "?"); \(clock)")
        case X509_V_ERR_CRL_NOT_YET_VALID:
            let start = X509_STORE_CTX_get0_current_crl(store).map {
                CertificateText.time(X509_CRL_get0_lastUpdate($0))
            }
            self.init(
                .revocationUnknown,
                "the revocation list of \(issuer) in \(peer.revocationLists) is not valid until \(start ?? "?"); \(clock), set it if that is wrong"
            )
        default:
            self.init(.unacceptableCertificate, "\(who): \(Self.text(code))")
        }
    }

    private static func text(_ code: Int32) -> String {
        String(cString: X509_verify_cert_error_string(Int(code)))
    }

    private static func revocation(of certificate: OpaquePointer, in store: OpaquePointer) -> String? {
        var entry: OpaquePointer?
        guard let list = X509_STORE_CTX_get0_current_crl(store),
            X509_CRL_get0_by_cert(list, &entry, certificate) != 0, let entry
        else { return nil }
        return CertificateText.time(X509_REVOKED_get0_revocationDate(entry))
    }
}
