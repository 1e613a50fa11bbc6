import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import OpenSSLTransport

/// S1: what is wrong with the peer's certificate is refused, each with its own words.
struct VerificationTests {
    /// 2033-05-18T03:33:20Z, when the tests' root is valid.
    static let later = 2_000_000_000

    func refusal(
        of leaf: Authority.Leaf, host: String = "localhost", roots: TrustRoots? = nil, lists: String? = nil,
        time: Int? = nil
    ) async throws -> (TLSError?, server: TLSError?) {
        let authority = try await Authority.get()
        var client = TLSClientConfiguration(trustRoots: roots ?? .file(authority.root))
        client.revocationLists = lists.map { .file($0) }
        client.verificationTime = time
        let wire = try Wire(client: client, server: TLSServerConfiguration(certificate: leaf.certificate), host: host)
        try wire.connect()
        if wire.atClient.handshake == nil { #expect(!wire.client.isActive) }
        return (wire.atClient.error, wire.atServer.error)
    }

    @Test("Expired")
    func expired() async throws {
        let leaf = try await Authority.get().leaf("old", from: "20240101", until: "20250101")
        let (error, server) = try await refusal(of: leaf, time: Self.later)
        #expect(error?.code == .expired)
        #expect(
            error?.description
                == "the server's certificate (CN=old) expired at 2025-01-01T00:00:00Z; this machine's clock says 2033-05-18T03:33:20Z"
        )
        #expect(
            server?.description == "the client refuses our certificate: it answers “certificate expired” (alert 45)")
        #expect(try await refusal(of: leaf).0?.code == .expired, "by the real clock")
    }

    @Test("Not yet valid, on a board whose clock was never set")
    func notYetValid() async throws {
        let leaf = try await Authority.get().leaf("new", from: "20260101", until: "20360101")
        let (error, _) = try await refusal(of: leaf, time: 41)
        #expect(error?.code == .notYetValid)
        // The root comes first, and the tests' root is made today.
        let authority = try await Authority.get()
        let printed = try await authority.run(
            "x509", "-in", authority.root, "-noout", "-startdate", "-dateopt", "iso_8601")
        let start = try #require(printed.first?.split(separator: "=").last).replacing(" ", with: "T")
        #expect(
            error?.description
                == "an authority's certificate in the server's chain (CN=Test CA) is not valid until \(start); this machine's clock says 1970-01-01T00:00:41Z, set it if that is wrong"
        )

        let future = try await authority.leaf("future", from: "20990101", until: "21000101")
        #expect(
            try await refusal(of: future, time: Self.later).0?.description
                == "the server's certificate (CN=future) is not valid until 2099-01-01T00:00:00Z; this machine's clock says 2033-05-18T03:33:20Z, set it if that is wrong"
        )
    }

    @Test("Another host's name, another address")
    func wrongHost() async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf(
            "named", extensions: "subjectAltName=DNS:a.example,DNS:*.b.example,IP:10.0.0.7,IP:fd00::7")
        for (host, words) in [
            ("localhost", "localhost"), ("x.y.b.example", "x.y.b.example"), ("b.example", "b.example"),
            ("10.0.0.8", "10.0.0.8"), ("[fd00::8]", "fd00::8"),
        ] {
            let (error, _) = try await refusal(of: leaf, host: host)
            #expect(error?.code == .hostMismatch)
            #expect(
                error?.description
                    == "the server's certificate is for a.example, *.b.example, 10.0.0.7, fd00::7, and not for \(words)"
            )
        }
        for host in ["a.example", "A.example.", "x.b.example", "10.0.0.7", "[fd00::7]", "fd00::7%eth0"] {
            #expect(try await refusal(of: leaf, host: host).0 == nil, "\(host)")
        }
        let partial = try await authority.leaf("partial", extensions: "subjectAltName=DNS:b*.fleet.example")
        #expect(
            try await refusal(of: partial, host: "bx.fleet.example").0?.description
                == "the server's certificate is for b*.fleet.example, and not for bx.fleet.example")
        let nameless = try await authority.leaf("no host", extensions: "subjectAltName=email:a@b.example")
        #expect(
            try await refusal(of: nameless).0?.description
                == "the server's certificate is for no host, and not for localhost")
        let common = try await authority.leaf("common.example", extensions: "basicConstraints=CA:false")
        #expect(try await refusal(of: common, host: "common.example").0 == nil)
    }

    @Test("Self-signed; and accepted when it is itself the trusted one")
    func selfSigned() async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.selfSigned("self", subject: "/CN=lonely/O=Parks")
        let (error, server) = try await refusal(of: leaf)
        #expect(error?.code == .selfSigned)
        #expect(
            error?.description
                == "the server's certificate (O=Parks,CN=lonely) is self-signed, and is not itself in \(authority.root)"
        )
        #expect(server?.description == "the client refuses our certificate: it answers “unknown CA” (alert 48)")
        #expect(try await refusal(of: leaf, roots: .file(leaf.chain)).0 == nil)
    }

    @Test("An unknown authority, sent along or not; an intermediate one that is missing or named as trusted")
    func unknownIssuer() async throws {
        let authority = try await Authority.get()
        let other = try await authority.selfSigned(
            "other", subject: "/CN=Other CA", extension: "basicConstraints=critical,CA:true")
        let leaf = try await authority.leaf("good")
        let (error, _) = try await refusal(of: leaf, roots: .file(other.chain))
        #expect(error?.code == .unknownIssuer)
        #expect(
            error?.description
                == "the server's certificate (CN=good) was issued by CN=Test CA, which is neither in \(other.chain) nor sent by the server"
        )

        let both = authority.path + "/good and root.pem"
        try Authority.write(
            String(decoding: try Authority.read(leaf.chain) + Authority.read(authority.root), as: UTF8.self), to: both)
        #expect(
            try await refusal(of: Authority.Leaf(chain: both, key: leaf.key), roots: .file(other.chain)).0?.description
                == "the server's chain ends with CN=Test CA, which is not in \(other.chain)")

        let middle = try await authority.leaf("middle", extensions: "basicConstraints=critical,CA:true")
        let below = try await authority.leaf("below", issuer: middle)
        #expect(
            try await refusal(of: below).0?.description
                == "the server's certificate (CN=below) was issued by CN=middle, which is neither in \(authority.root) nor sent by the server"
        )
        #expect(try await refusal(of: below, roots: .file(middle.chain)).0 == nil)
        let chain = authority.path + "/below and middle.pem"
        try Authority.write(
            String(decoding: try Authority.read(below.chain) + Authority.read(middle.chain), as: UTF8.self), to: chain)
        #expect(try await refusal(of: Authority.Leaf(chain: chain, key: below.key)).0 == nil)
    }

    @Test("What is missing in a server's chain comes from the authorities that it names, who let no client in by that")
    func completedChain() async throws {
        let authority = try await Authority.get()
        let middle = try await authority.leaf("middle", extensions: "basicConstraints=critical,CA:true")
        let below = try await authority.leaf("below", issuer: middle)
        var server = TLSServerConfiguration(certificate: below.certificate)
        server.chainAuthorities = .file(middle.chain)
        var client = TLSClientConfiguration(trustRoots: .file(authority.root))
        client.certificate = try await authority.leaf("good").certificate
        let wire = try Wire(client: client, server: server).connect()
        #expect(wire.atClient.handshake?.peerCertificate?.subject == "CN=below")
        #expect(wire.atServer.handshake != nil)
        #expect(wire.atServer.handshake?.peerCertificate == nil)
    }

    @Test("A folder completes a chain as well, and need not hold anything")
    func completedChainFromFolder() async throws {
        let authority = try await Authority.get()
        let middle = try await authority.leaf("middle", extensions: "basicConstraints=critical,CA:true")
        let below = try await authority.leaf("below", issuer: middle)
        let folder = try TemporaryDirectory()
        var server = TLSServerConfiguration(certificate: below.certificate)
        server.chainAuthorities = .folder(folder.path)
        let client = TLSClientConfiguration(trustRoots: .file(authority.root))
        #expect(try Wire(client: client, server: server).connect().atServer.handshake == nil)
        try folder.write(try Authority.read(middle.chain), to: "middle.pem")
        #expect(try Wire(client: client, server: server).connect().atServer.handshake != nil)
        server.chainAuthorities = .folder("\(folder.path)/missing")
        #expect(throws: TLSError.self) { try TLSServerContext(server) }
    }

    @Test("So it does beside authorities that vouch for clients, and vouches for none itself")
    func completedChainBesideClients() async throws {
        let authority = try await Authority.get()
        let middle = try await authority.leaf("middle", extensions: "basicConstraints=critical,CA:true")
        let below = try await authority.leaf("below", issuer: middle)
        let other = try await authority.leaf("other", extensions: "basicConstraints=critical,CA:true")
        let client = try await authority.leaf("client", issuer: other)
        func wire(_ certificate: TLSCertificate) throws -> Wire {
            var server = TLSServerConfiguration(certificate: below.certificate)
            server.clientCertificates = .required(.file(other.chain))
            server.chainAuthorities = .file(middle.chain)
            var configuration = TLSClientConfiguration(trustRoots: .file(authority.root))
            configuration.certificate = certificate
            return try Wire(client: configuration, server: server).connect()
        }
        let taken = try wire(client.certificate)
        #expect(taken.atClient.handshake?.peerCertificate?.subject == "CN=below")
        #expect(taken.atServer.handshake?.peerCertificate?.subject == "CN=client")
        #expect(try wire(below.certificate).atServer.handshake == nil)
    }

    @Test("Without any trusted authority on the system nothing is trusted")
    func systemRoots() async throws {
        let (error, _) = try await refusal(of: try await Authority.get().leaf("good"), roots: .system)
        #expect(
            error?.description
                == "the server's certificate (CN=good) was issued by CN=Test CA, which is neither in the system's trust store nor sent by the server"
        )
    }

    @Test("Trusted roots from bytes and from folders, hashed and plain")
    func roots() async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("good")
        #expect(try await refusal(of: leaf, roots: .pem(.bytes(try Authority.read(authority.root)))).0 == nil)
        try await withTemporaryDirectory { folder in
            try folder.write(try Authority.read(authority.root), to: "root.crt")
            try folder.write("no certificate", to: "README")
            #expect(try await refusal(of: leaf, roots: .folder(folder.path)).0 == nil)
            try await authority.run("rehash", folder.path)
            #expect(try await refusal(of: leaf, roots: .folder(folder.path)).0 == nil)
        }
    }

    @Test("Revoked, by a list; and the lists that do not do")
    func revoked() async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("revoked")
        let good = try await authority.leaf("good")
        let before = try await authority.revocationList("before.crl")
        #expect(try await refusal(of: leaf, lists: before).0 == nil)
        let list = try await authority.revocationList("ca.crl", revoking: leaf)
        let (error, server) = try await refusal(of: leaf, lists: list)
        #expect(error?.code == .revoked)
        let text = try #require(error?.description)
        // The time is that of the test.
        #expect(text.hasPrefix("the server's certificate (CN=revoked) was revoked by CN=Test CA at 20"))
        #expect(text.hasSuffix("Z, says \(list)"))
        #expect(
            server?.description == "the client refuses our certificate: it answers “certificate revoked” (alert 44)")
        #expect(try await refusal(of: good, lists: list).0 == nil)

        let stale = try await authority.revocationList(
            "stale.crl", options: ["-crl_lastupdate", "20240101000000Z", "-crl_nextupdate", "20240201000000Z"])
        let (late, _) = try await refusal(of: good, lists: stale)
        #expect(late?.code == .revocationUnknown)
        #expect(
            late?.description.hasPrefix(
                "the revocation list of CN=Test CA in \(stale) expired at 2024-02-01T00:00:00Z; this machine's clock says 20"
            )
                == true)

        let middle = try await authority.leaf("middle", extensions: "basicConstraints=critical,CA:true")
        let below = try await authority.leaf("below", issuer: middle)
        let chain = authority.path + "/below and middle 2.pem"
        try Authority.write(
            String(decoding: try Authority.read(below.chain) + Authority.read(middle.chain), as: UTF8.self), to: chain)
        #expect(
            try await refusal(of: Authority.Leaf(chain: chain, key: below.key), lists: list).0?.description
                == "\(list) holds no revocation list of CN=middle")
    }

    @Test("Without the host's name any certificate of the authority will do; with nothing, any at all")
    func less() async throws {
        let authority = try await Authority.get()
        let elsewhere = try await authority.leaf("elsewhere", extensions: "subjectAltName=DNS:elsewhere.example")
        var client = TLSClientConfiguration(trustRoots: .file(authority.root))
        let server = TLSServerConfiguration(certificate: elsewhere.certificate)
        #expect(try Wire(client: client, server: server).connect().atClient.error?.code == .hostMismatch)
        client.verification = .withoutHostName
        #expect(try Wire(client: client, server: server).connect().atClient.handshake != nil)

        let lonely = try await authority.selfSigned("lonely", subject: "/CN=lonely")
        let stranger = TLSServerConfiguration(certificate: lonely.certificate)
        #expect(try Wire(client: client, server: stranger).connect().atClient.error?.code == .selfSigned)
        client.verification = .insecureNothing
        #expect(try Wire(client: client, server: stranger).connect().atClient.handshake != nil)
    }

    @Test(
        "A name that would turn the check of names off is refused",
        arguments: ["", ".", ".example", "a b", "mqtt\u{0}x", "münchen.example"])
    func badHost(host: String) async throws {
        let context = try TLSClientContext(TLSClientConfiguration(trustRoots: .file(try await Authority.get().root)))
        let error = #expect(throws: TLSError.self) { try TLSHandler(client: context, host: host, port: 1) }
        #expect(
            error?.description == "“\(host)” is neither a host's name in ASCII (xn--… for others) nor an IP address")
    }

    @Test("A certificate's control characters do not reach the log")
    func controlCharacters() async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.selfSigned("evil", subject: "/CN=a\u{1B}[2Jb")
        let text = try #require(try await refusal(of: leaf).0?.description)
        #expect(text.contains("(CN=a\\1B[2Jb)"))
    }
}

/// A server that asks for certificates.
struct ClientCertificateTests {
    func wire(
        _ clients: TLSServerConfiguration.ClientCertificates, _ certificate: TLSCertificate?, lists: String? = nil
    ) async throws -> (atClient: Recorder, atServer: Recorder) {
        var (client, server) = try await HandshakeTests.pair()
        client.certificate = certificate
        server.clientCertificates = clients
        server.revocationLists = lists.map { .file($0) }
        let wire = try Wire(client: client, server: server, pieces: .random, seed: 3).connect()
        return (wire.atClient, wire.atServer)
    }

    @Test("The server learns who the client is")
    func accepted() async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("bin-0427", extensions: "extendedKeyUsage=clientAuth")
        for mode in [
            TLSServerConfiguration.ClientCertificates.optional(.file(authority.root)), .required(.file(authority.root)),
        ] {
            let wire = try await wire(mode, leaf.certificate)
            #expect(wire.atServer.handshake?.peerCertificate?.commonName == "bin-0427")
            #expect(wire.atClient.errors.isEmpty)
        }
        #expect(try await wire(.optional(.file(authority.root)), nil).atServer.handshake?.peerCertificate == .some(nil))
        #expect(try await wire(.notAsked, leaf.certificate).atServer.handshake?.peerCertificate == .some(nil))
    }

    @Test("Required, and there is none: both sides say so")
    func missing() async throws {
        let wire = try await wire(.required(.file(try await Authority.get().root)), nil)
        #expect(wire.atServer.error?.code == .certificateMissing)
        #expect(wire.atServer.error?.description == "the client showed no certificate, and one is required")
        #expect(wire.atClient.error?.code == .certificateRefused)
        #expect(
            wire.atClient.error?.description
                == "the server requires a certificate of ours, and there is none: it answers “certificate required” (alert 116)"
        )
    }

    @Test("One of another authority, an expired and a revoked one are refused")
    func refused() async throws {
        let authority = try await Authority.get()
        let stranger = try await authority.selfSigned("stranger", subject: "/CN=stranger")
        let roots = TrustRoots.file(authority.root)
        let unknown = try await wire(.optional(roots), stranger.certificate)
        #expect(
            unknown.atServer.error?.description
                == "the client's certificate (CN=stranger) is self-signed, and is not itself in \(authority.root)")
        #expect(
            unknown.atClient.error?.description
                == "the server refuses our certificate: it answers “unknown CA” (alert 48)")
        let old = try await authority.leaf("old", from: "20240101", until: "20250101")
        #expect(
            try await wire(.required(roots), old.certificate).atClient.error?.description
                == "the server refuses our certificate: it answers “certificate expired” (alert 45)")
        let leaf = try await authority.leaf("stolen")
        let list = try await authority.revocationList("stolen.crl", revoking: leaf)
        #expect(try await wire(.required(roots), leaf.certificate, lists: list).atServer.error?.code == .revoked)
    }
}
