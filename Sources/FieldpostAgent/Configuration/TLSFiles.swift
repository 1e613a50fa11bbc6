internal import OpenSSLTransport

// The files that a configuration of TLS names.

extension TLSClientConfiguration {
    var files: [String] {
        (certificate?.files ?? []) + trustRoots.files + (revocationLists?.files ?? [])
    }
}

extension TLSServerConfiguration {
    var files: [String] {
        let roots: TrustRoots? =
            switch clientCertificates {
            case .optional(let roots), .required(let roots): roots
            case .notAsked: nil
            }
        let authorities = [roots, chainAuthorities == roots ? nil : chainAuthorities].compactMap { $0 }
        return (certificate?.files ?? []) + authorities.flatMap(\.files) + (revocationLists?.files ?? [])
    }
}

extension TLSCertificate {
    fileprivate var files: [String] {
        switch privateKey {
        case .pem(let key, let passphrase): chain.files + key.files + (passphrase?.files ?? [])
        case .pkcs11(_, _, let pin): chain.files + (pin?.files ?? [])
        }
    }
}

extension TrustRoots {
    fileprivate var files: [String] { if case .pem(let source) = self { source.files } else { [] } }
}

extension PEMSource {
    fileprivate var files: [String] { if case .file(let path) = self { [path] } else { [] } }
}

extension Passphrase {
    fileprivate var files: [String] { if case .file(let path) = self { [path] } else { [] } }
}
