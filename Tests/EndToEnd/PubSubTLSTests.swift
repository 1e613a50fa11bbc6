import TestSupport
import Testing

/// `fieldpost pub` and `fieldpost sub` over TLS, beside mosquitto_pub and mosquitto_sub with the same options.
@Suite(.timeLimit(.minutes(3))) struct PubSubTLSTests {
    /// What a retained message is read back as by both programs, with the same options.
    private func readBack(port: Int, _ arguments: [String]) async throws {
        let rest = ["-t", "a", "-C", "1", "-W", "5"] + arguments
        let theirs = try await runProgram(
            systemProgram("mosquitto_sub"), ["-h", "127.0.0.1", "-p", "\(port)"] + rest, timeout: .seconds(10))
        #expect(theirs.ending == .exited(0) && theirs.output == ["hello"], "\(theirs.errors)")
        let ours = try await fieldpost("sub", port: port, rest)
        #expect(ours.ending == .exited(0) && ours.output == ["hello"], "\(ours.errors)")
    }

    @Test func S1_withCertificatesOfBothSides() async throws {
        let authority = try await Authority.get()
        let server = try await authority.leaf("broker")
        let own = try await authority.leaf("client", extensions: "extendedKeyUsage=clientAuth")
        let directory = try TemporaryDirectory()
        let locked = directory.path("locked.key")
        try await authority.run(
            "pkcs8", "-topk8", "-in", own.key, "-out", locked, "-v2", "aes-256-cbc", "-passout", "pass:open sesame")
        let passphrase = try directory.write("open sesame\n", to: "passphrase")
        let port = try freePort()
        let lines = [
            "listener \(port) 127.0.0.1", "cafile \(authority.root)", "certfile \(server.chain)",
            "keyfile \(server.key)", "require_certificate true",
        ]
        try await withMosquitto(lines: lines) { _ in
            let trust = ["--cafile", authority.root]
            let publish = ["-t", "a", "-m", "hello", "-r", "-q", "1"]
            let good = try await fieldpost(
                "pub", port: port,
                trust + publish + ["--cert", own.chain, "--key", own.key, "--tls-version", "tlsv1.3"])
            #expect(good.ending == .exited(0), "\(good.errors)")
            try await readBack(port: port, trust + ["--cert", own.chain, "--key", own.key, "--keyform", "pem"])

            let chain = trust + publish + ["--cert", own.chain, "--key", locked]
            let opened = try await fieldpost("pub", port: port, chain + ["--key-passphrase-file", passphrase])
            #expect(opened.ending == .exited(0), "\(opened.errors)")
            let closed = try await fieldpost("pub", port: port, chain)
            #expect(closed.ending == .exited(78))
            #expect(closed.errors.first?.hasSuffix("; give it with --key-passphrase-file") == true, "\(closed.errors)")

            for (arguments, reason) in [(trust, "certificate"), (["--tls-use-os-certs"], "127.0.0.1:\(port)")] {
                let refused = try await fieldpost("pub", port: port, arguments + publish)
                #expect(refused.ending == .exited(69))
                #expect(refused.errors.count == 1 && refused.errors[0].contains(reason), "\(refused.errors)")
            }
            let missing = try await fieldpost("pub", port: port, publish + ["--cafile", "/no/such/file"])
            #expect(missing.ending == .exited(78))
            #expect(missing.errors == ["/no/such/file cannot be read: No such file or directory"])
        }
    }

    @Test func S1_anotherHostsCertificateOnlyWithInsecure() async throws {
        let authority = try await Authority.get()
        let other = try await authority.leaf("elsewhere", extensions: "subjectAltName=DNS:elsewhere.example")
        let port = try freePort()
        let lines = ["listener \(port) 127.0.0.1", "certfile \(other.chain)", "keyfile \(other.key)"]
        try await withMosquitto(lines: lines) { _ in
            let options = ["--cafile", authority.root]
            let refused = try await fieldpost("sub", port: port, options + ["-t", "a", "-E"])
            #expect(refused.ending == .exited(69))
            #expect(refused.errors.first?.contains("elsewhere.example") == true)
            let insecure = options + ["--insecure"]
            let taken = try await fieldpost("pub", port: port, insecure + ["-t", "a", "-m", "hello", "-r", "-q", "1"])
            #expect(taken.ending == .exited(0), "\(taken.errors)")
            try await readBack(port: port, insecure)
        }
    }

    @Test func withAPreSharedKey() async throws {
        let directory = try TemporaryDirectory()
        let keys = try directory.write("me:00112233445566778899aabbccddeeff\n", to: "keys")
        let key = try directory.write("00112233445566778899AABBCCDDEEFF\n", to: "key")
        let port = try freePort()
        let lines = ["listener \(port) 127.0.0.1", "psk_hint fieldpost", "psk_file \(keys)"]
        try await withMosquitto(lines: lines) { _ in
            let identity = ["--psk-identity", "me"]
            let good = try await fieldpost(
                "pub", port: port, identity + ["--psk-file", key, "-t", "a", "-m", "hello", "-r", "-q", "1"])
            #expect(good.ending == .exited(0), "\(good.errors)")
            try await readBack(port: port, identity + ["--psk", "00112233445566778899aabbccddeeff"])
            let bad = try await fieldpost("sub", port: port, identity + ["--psk", "00", "-t", "a", "-E"])
            #expect(bad.ending == .exited(69))
            #expect(bad.errors.count == 1 && !bad.errors[0].isEmpty)
        }
    }
}
