import TestSupport
import Testing

@testable import OpenSSLTransport

/// Every fault of a configuration names the file and what is wrong with it.
struct ConfigurationTests {
    private func error(_ change: (inout TLSClientConfiguration) -> Void) async throws -> TLSError? {
        var client = TLSClientConfiguration(trustRoots: .file(try await Authority.get().root))
        change(&client)
        do throws(TLSError) {
            _ = try TLSClientContext(client)
            return nil
        } catch {
            #expect(error.fault == .configuration)
            return error
        }
    }

    @Test("Files that are not there, or are something else")
    func files() async throws {
        try await withTemporaryDirectory { folder in
            let missing = folder.path("missing.pem")
            #expect(
                try await error { $0.trustRoots = .file(missing) }?.description
                    == "\(missing) cannot be read: No such file or directory")
            #expect(
                try await error { $0.trustRoots = .file(folder.path) }?.description
                    == "\(folder.path) cannot be read: Is a directory")
            #expect(
                try await error { $0.trustRoots = .folder(missing) }?.description
                    == "\(missing) cannot be read: No such file or directory")
            #expect(
                try await error { $0.trustRoots = .folder(folder.path) }?.description
                    == "\(folder.path) holds no certificate: neither one named by its hash nor a .pem, .crt or .cer file"
            )
            let text = try folder.write("no PEM at all\n", to: "notes.txt")
            #expect(
                try await error { $0.trustRoots = .file(text) }?.description
                    == "\(text) holds no certificate in PEM form")
            #expect(try await error { $0.trustRoots = .file(text) }?.code == .malformedFile)
            #expect(
                try await error { $0.revocationLists = .file(text) }?.description
                    == "\(text) holds no revocation list in PEM form (BEGIN X509 CRL)")
            let damaged = try folder.write(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", to: "damaged.pem")
            let words = try await error { $0.trustRoots = .file(damaged) }
            #expect(words?.code == .malformedFile)
            #expect(words?.description.hasPrefix("\(damaged): certificate number 1 is damaged: ") == true)
        }
    }

    @Test("Certificate and key")
    func certificate() async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("good")
        let other = try await authority.leaf("old", from: "20240101", until: "20250101")
        #expect(try await error { $0.certificate = leaf.certificate } == nil)
        let mismatch = try await error {
            $0.certificate = TLSCertificate(chainFile: leaf.chain, privateKeyFile: other.key)
        }
        #expect(mismatch?.code == .keyMismatch)
        #expect(mismatch?.description == "\(other.key): the key does not belong to the certificate of \(leaf.chain)")
        let noKey = try await error {
            $0.certificate = TLSCertificate(chainFile: leaf.chain, privateKeyFile: leaf.chain)
        }
        #expect(noKey?.description == "\(leaf.chain) holds no private key in PEM form")
        let noChain = try await error { $0.certificate = TLSCertificate(chainFile: leaf.key, privateKeyFile: leaf.key) }
        #expect(noChain?.description == "\(leaf.key) holds no certificate in PEM form")
        #expect(
            try await error { $0.certificate = TLSCertificate(chain: .bytes([]), privateKey: .pem(.bytes([]))) }?
                .description == "0 bytes of PEM text holds no certificate in PEM form")
    }

    @Test("Encrypted keys, PKCS #8 and the older form", arguments: [["pkcs8", "-topk8"], ["ec", "-aes128"]])
    func passphrase(form: [String]) async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("good")
        try await withTemporaryDirectory { folder in
            let key = folder.path("encrypted.key")
            let openssl = try systemProgram("openssl")
            let result = try await runProgram(
                openssl, form + ["-in", leaf.key, "-out", key, "-passout", "pass:open sesame"])
            #expect(result.ending == .exited(0))
            let right = try folder.write("open sesame\nsecond line\n", to: "right")
            let wrong = try folder.write("open barley\n", to: "wrong")
            let empty = try folder.write("\n", to: "empty")
            func error(_ passphrase: Passphrase?) async throws -> TLSError? {
                try await self.error {
                    $0.certificate = TLSCertificate(chainFile: leaf.chain, privateKeyFile: key, passphrase: passphrase)
                }
            }
            #expect(try await error(.file(right)) == nil)
            #expect(try await error(.bytes(Array("open sesame".utf8))) == nil)
            #expect(try await error(nil)?.code == .passphrase)
            #expect(
                try await error(nil)?.description == "\(key): the key is encrypted, and there is no passphrase for it")
            #expect(
                try await error(.file(wrong))?.description
                    == "\(key): the passphrase, the first line of \(wrong), does not open it")
            #expect(try await error(.bytes([65]))?.description == "\(key): the passphrase, <secret>, does not open it")
            #expect(try await error(.file(empty))?.description == "\(empty): its first line holds no passphrase")
        }
    }

    @Test("Settings that cannot be")
    func settings() async throws {
        #expect(
            try await error { $0.applicationProtocols = [""] }?.description
                == "an ALPN protocol's name has 1 to 255 bytes; “” has 0")
        let error = #expect(throws: TLSError.self) { try TLSServerContext(TLSServerConfiguration()) }
        #expect(error?.description == "a TLS server needs a certificate or pre-shared keys")
    }

    @Test("S2: no description tells a secret")
    func secrets() {
        var client = TLSClientConfiguration()
        client.preSharedKey = PreSharedKey(identity: "me", key: Array("SECRET".utf8))
        client.certificate = TLSCertificate(
            chain: .bytes(Array("SECRET".utf8)),
            privateKey: .pem(.bytes(Array("SECRET".utf8)), passphrase: .bytes(Array("SECRET".utf8))))
        var text = "\(client)"
        dump(client, to: &text)
        client.certificate?.privateKey = .pkcs11(
            uri: "pkcs11:token=t;pin-value=SECRET;object=o?pin-value=SECRET&module-name=m",
            pin: .bytes(Array("SECRET".utf8)))
        text += "\(client)"
        dump(client, to: &text)
        #expect(!text.contains("SECRET"))
        #expect(!text.contains("83, 69, 67"), "nor byte by byte")
        #expect(!text.contains("- 83"))
        #expect(client.certificate?.privateKey.description == "pkcs11:token=t;object=o")
    }
}
