internal import COpenSSL

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension ContextHandle {
    func trust(_ roots: TrustRoots) throws(TLSError) {
        try add(roots, to: SSL_CTX_get_cert_store(pointer), mayBeEmpty: false)
        if roots != .system {
            X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(pointer), UInt(X509_V_FLAG_PARTIAL_CHAIN))
        }
    }

    /// Where OpenSSL looks for what is missing in the chain that is shown to peers, whom nobody verifies by it
    /// (SSL_CTX_set1_chain_cert_store(3)).
    func completeChain(from authorities: TrustRoots) throws(TLSError) {
        guard let store = X509_STORE_new() else { throw .openSSL("X509_STORE_new") }
        defer { X509_STORE_free(store) }
        // Mosquitto's configurations name folders in which there is nothing yet.
        try add(authorities, to: store, mayBeEmpty: true)
        guard SSL_CTX_ctrl(pointer, SSL_CTRL_SET_CHAIN_CERT_STORE, 1, UnsafeMutableRawPointer(store)) == 1 else {
            throw .openSSL("SSL_CTX_set1_chain_cert_store")
        }
    }

    /// - Parameter mayBeEmpty: whether a folder may be without certificates.
    private func add(
        _ authorities: TrustRoots, to store: OpaquePointer?, mayBeEmpty: Bool
    ) throws(TLSError) {
        ErrorQueue.clear()
        switch authorities {
        case .system: try addSystem(to: store)
        case .pem(let source):
            guard try addCertificates(from: source, to: store) > 0 else {
                throw TLSError(.malformedFile, "\(source) holds no certificate in PEM form")
            }
        case .folder(let path):
            guard try addFolder(path, to: store) || mayBeEmpty else {
                throw TLSError(
                    .malformedFile,
                    "\(path) holds no certificate: neither one named by its hash nor a .pem, .crt or .cer file")
            }
        }
    }

    /// OpenSSL's own places are those of the system that it was built for, which with a static binary need not be the
    /// one on which it runs.
    private func addSystem(to store: OpaquePointer?) throws(TLSError) {
        let isSet = [X509_get_default_cert_dir_env(), X509_get_default_cert_file_env()].contains {
            $0.flatMap { getenv($0) } != nil
        }
        let isThere = [X509_get_default_cert_dir(), X509_get_default_cert_file()].contains {
            $0.map { access($0, R_OK) == 0 } ?? false
        }
        let elsewhere = [
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
            "/etc/ssl/cert.pem",
        ]
        if !isSet, !isThere, let file = elsewhere.first(where: { access($0, R_OK) == 0 }) {
            _ = try addCertificates(from: .file(file), to: store)
        } else {
            guard X509_STORE_set_default_paths(store) == 1 else {
                throw .openSSL("X509_STORE_set_default_paths")
            }
            // A file that is not there is no fault.
            ErrorQueue.clear()
        }
    }

    /// - Returns: whether there is any certificate.
    private func addFolder(_ path: String, to store: OpaquePointer?) throws(TLSError) -> Bool {
        guard let folder = opendir(path) else {
            throw TLSError(.unreadableFile, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { closedir(folder) }
        var files: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) {
                    String(cString: $0)
                }
            }
            if Self.isHashed(name) {
                guard X509_STORE_load_path(store, path) == 1 else { throw .openSSL("X509_STORE_load_path") }
                return true
            }
            if [".pem", ".crt", ".cer"].contains(where: name.hasSuffix) { files.append("\(path)/\(name)") }
        }
        var count = 0
        for file in files.sorted() { count += try addCertificates(from: .file(file), to: store) }
        return count > 0
    }

    /// `1a2b3c4d.0`, as `openssl rehash` names them.
    private static func isHashed(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0].utf8.count == 8 && parts[0].allSatisfy(\.isHexDigit)
            && !parts[1].isEmpty && parts[1].allSatisfy(\.isNumber)
    }

    private func addCertificates(from source: PEMSource, to store: OpaquePointer?) throws(TLSError) -> Int {
        try Self.forEachCertificate(in: source) { certificate in X509_STORE_add_cert(store, certificate) == 1 }
    }

    /// - Parameter body: borrows a certificate; says whether OpenSSL took it.
    static func forEachCertificate(
        in source: PEMSource, _ body: (OpaquePointer) -> Bool
    ) throws(TLSError) -> Int {
        let input = try InputBIO(source)
        var count = 0
        while let certificate = PEM_read_bio_X509_AUX(input.pointer, nil, refuseToAsk, nil) {
            defer { X509_free(certificate) }
            count += 1
            guard body(certificate) else {
                throw TLSError(
                    .malformedFile,
                    "\(source): OpenSSL does not take certificate number \(count): \(ErrorQueue().description)")
            }
        }
        let errors = ErrorQueue()
        guard errors.contains(ERR_LIB_PEM, PEM_R_NO_START_LINE) else {
            throw TLSError(
                .malformedFile, "\(source): certificate number \(count + 1) is damaged: \(errors.description)")
        }
        return count
    }

    /// Checks the peer's chain against these lists: that of the leaf's issuer is needed, that of an intermediate's
    /// issuer counts if it is there (see `verificationCallback`).
    func checkRevocation(_ source: PEMSource) throws(TLSError) {
        let input = try InputBIO(source)
        let store = SSL_CTX_get_cert_store(pointer)
        var count = 0
        while let list = PEM_read_bio_X509_CRL(input.pointer, nil, refuseToAsk, nil) {
            defer { X509_CRL_free(list) }
            count += 1
            guard X509_STORE_add_crl(store, list) == 1 else { throw .openSSL("X509_STORE_add_crl") }
        }
        let errors = ErrorQueue()
        guard errors.contains(ERR_LIB_PEM, PEM_R_NO_START_LINE) else {
            throw TLSError(
                .malformedFile, "\(source): revocation list number \(count + 1) is damaged: \(errors.description)")
        }
        guard count > 0 else {
            throw TLSError(.malformedFile, "\(source) holds no revocation list in PEM form (BEGIN X509 CRL)")
        }
        X509_VERIFY_PARAM_set_flags(
            SSL_CTX_get0_param(pointer), UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
    }
}

/// Never asks the terminal, as OpenSSL would without a callback.
func refuseToAsk(
    buffer: UnsafeMutablePointer<CChar>?, size: Int32, isWriting: Int32, data: UnsafeMutableRawPointer?
) -> Int32 { -1 }
