import NIOCore
import TestSupport
import Testing

@testable import OpenSSLTransport

struct ResumptionTests {
    private func pair() async throws -> (client: TLSClientConfiguration, server: TLSServerConfiguration) {
        var (client, server) = try await HandshakeTests.pair()
        client.sessionCache = TLSSessionCache()
        return (client, server)
    }

    /// Each connection of the client has a context of its own, as those of a real one have.
    private func connect(
        _ client: TLSClientConfiguration, _ server: TLSServerContext, host: String = "localhost"
    ) throws -> Wire {
        try Wire(client: TLSClientContext(client), server: server, host: host).connect()
    }

    /// - Returns: how many bytes the whole handshake took.
    private func cutConnection(_ client: TLSClientConfiguration, _ server: TLSServerContext) throws -> Int {
        let wire = try connect(client, server)
        #expect(wire.atClient.handshake?.isResumed == false)
        Wire.cut(wire.client)
        return wire.carried
    }

    @Test("The second connection is resumed, even after a cut, and shorter", arguments: [TLSVersion.v1_2, .v1_3])
    func resumed(version: TLSVersion) async throws {
        let (client, server) = try await pair()
        let context = try TLSServerContext(server)
        context.handle.limit(to: version)
        let carried = try cutConnection(client, context)
        for _ in 1...3 {
            let next = try connect(client, context)
            #expect(next.atClient.handshake?.isResumed == true)
            #expect(next.atServer.handshake?.isResumed == true)
            #expect(next.atClient.handshake?.version == version)
            #expect(next.atClient.handshake?.peerCertificate?.commonName == "good")
            #expect(next.carried < carried)
            next.client.writeAndFlush(Wire.bytes("again"), promise: nil)
            try next.carry()
            #expect(next.atServer.received == Array("again".utf8))
            next.client.close(promise: nil)
            try next.carry()
        }
    }

    @Test("Without a cache, for another server, and with another certificate, it is not")
    func notResumed() async throws {
        let authority = try await Authority.get()
        var (client, server) = try await pair()
        server.clientCertificates = .optional(.file(authority.root))
        let leaf = try await authority.leaf("bin-0427", extensions: "extendedKeyUsage=clientAuth")
        let context = try TLSServerContext(server)
        _ = try connect(client, context)
        #expect(try connect(client, context, host: "127.0.0.1").atClient.handshake?.isResumed == false)
        client.certificate = leaf.certificate
        #expect(try connect(client, context).atClient.handshake?.isResumed == false)
        #expect(try connect(client, context).atServer.handshake?.peerCertificate?.commonName == "bin-0427")
        client.sessionCache = nil
        #expect(try connect(client, context).atClient.handshake?.isResumed == false)
    }

    @Test("A server that does not know the session any more makes a new one")
    func forgotten() async throws {
        let (client, server) = try await pair()
        _ = try connect(client, TLSServerContext(server))
        let second = try connect(client, TLSServerContext(server))
        #expect(second.atClient.handshake?.isResumed == false)
        #expect(second.atClient.errors.isEmpty)
    }

    @Test("S1: a session does not outlive what it was verified with", arguments: [TLSVersion.v1_2, .v1_3])
    func verifiedAnew(version: TLSVersion) async throws {
        let authority = try await Authority.get()
        var (client, server) = try await pair()
        let leaf = try await authority.leaf("compromised")
        server.certificate = leaf.certificate
        let before = try await authority.revocationList("compromised before.crl")
        let after = try await authority.revocationList("compromised.crl", revoking: leaf)
        let context = try TLSServerContext(server)
        context.handle.limit(to: version)
        client.revocationLists = .file(before)
        _ = try connect(client, context)
        #expect(try connect(client, context).atClient.handshake?.isResumed == true)
        client.revocationLists = .file(after)
        #expect(try connect(client, context).atClient.error?.code == .revoked)

        client.revocationLists = nil
        client.verification = .insecureNothing
        client.sessionCache = TLSSessionCache()
        let stranger = try await authority.selfSigned("impostor", subject: "/CN=impostor")
        server.certificate = stranger.certificate
        let other = try TLSServerContext(server)
        other.handle.limit(to: version)
        _ = try connect(client, other)
        #expect(try connect(client, other).atClient.handshake?.isResumed == true)
        client.verification = .full
        #expect(try connect(client, other).atClient.error?.code == .selfSigned)
    }

    @Test("The cache is bounded")
    func bounded() async throws {
        let (client, server) = try await pair()
        let cache = try #require(client.sessionCache)
        let client1 = try TLSClientContext(client)
        let context = try TLSServerContext(server)
        for port in 1...17 {
            let handler = try TLSHandler(client: client1, host: "localhost", port: port)
            try Wire.shakeHands(handler, context)
        }
        func has(_ port: Int) -> Bool { cache.take(.init(host: "localhost", port: port)) != nil }
        #expect(!has(1) && has(2) && has(17))
        #expect(!has(17), "a ticket of TLS 1.3 is good for once")
    }
}
