import NIOCore
import TestSupport
import Testing

@testable import OpenSSLTransport

struct PreSharedKeyTests {
    static let key = PreSharedKey(identity: "bin-0427", key: Array("0123456789abcdef".utf8))

    func wire(_ key: PreSharedKey, _ version: TLSVersion, server: TLSServerConfiguration? = nil) throws -> Wire {
        var client = TLSClientConfiguration()
        client.preSharedKey = key
        var configuration = server ?? TLSServerConfiguration()
        configuration.preSharedKeys = [PreSharedKey(identity: "another", key: [1]), Self.key]
        let context = try TLSServerContext(configuration)
        context.handle.limit(to: version)
        return try Wire(client: TLSClientContext(client), server: context, pieces: .random, seed: 7).connect()
    }

    @Test("A key that both know is enough", arguments: [TLSVersion.v1_2, .v1_3])
    func accepted(version: TLSVersion) throws {
        let wire = try wire(Self.key, version)
        #expect(wire.atClient.errors.isEmpty, "\(wire.atClient.errors)")
        #expect(wire.atClient.handshake?.version == version)
        #expect(wire.atClient.handshake?.peerCertificate == .some(nil))
        #expect(wire.atServer.handshake?.version == version)
        wire.client.writeAndFlush(Wire.bytes("hello"), promise: nil)
        try wire.carry()
        #expect(wire.atServer.received == Array("hello".utf8))
    }

    @Test("An unknown identity and a wrong key are refused on both sides", arguments: [TLSVersion.v1_2, .v1_3])
    func refused(version: TLSVersion) throws {
        let unknown = try wire(PreSharedKey(identity: "bin-0001", key: Self.key.key), version)
        #expect(unknown.atClient.error?.code == .preSharedKey)
        #expect(
            unknown.atClient.error?.description.hasPrefix(
                "the server does not know the pre-shared key bin-0001, or has another key under this name: it answers “"
            )
                == true)
        #expect(unknown.atServer.error?.code == .preSharedKey)

        #expect(unknown.atServer.error?.description == "the client names a pre-shared key that is not known here")

        let wrong = try wire(PreSharedKey(identity: "bin-0427", key: Array("another key".utf8)), version)
        #expect(wrong.atClient.error?.code == .preSharedKey)
        #expect(
            wrong.atClient.error?.description.hasPrefix(
                "the server does not know the pre-shared key bin-0427, or has another key under this name: it answers “"
            )
                == true)
        #expect(wrong.atServer.error?.code == .preSharedKey)
        #expect(
            wrong.atServer.error?.description == "the client has another key under the name of its pre-shared key")
    }

    @Test("A server that has a certificate instead is verified like any other")
    func certificateInstead() async throws {
        let server = TLSServerConfiguration(certificate: try await Authority.get().leaf("good").certificate)
        let wire = try wire(PreSharedKey(identity: "bin-0001", key: Self.key.key), .v1_3, server: server)
        #expect(wire.atClient.error?.code == .unknownIssuer)
    }

    @Test("Keys that cannot be are refused at once")
    func invalid() {
        for (key, words) in [
            (PreSharedKey(identity: "", key: [1]), "a pre-shared key's identity has 1 to 128 bytes and no NUL"),
            (PreSharedKey(identity: "a\0b", key: [1]), "a pre-shared key's identity has 1 to 128 bytes and no NUL"),
            (PreSharedKey(identity: "a", key: []), "the pre-shared key a has 0 bytes; it takes 1 to 256"),
        ] {
            var client = TLSClientConfiguration()
            client.preSharedKey = key
            let error = #expect(throws: TLSError.self) { try TLSClientContext(client) }
            #expect(error?.code == .invalidSetting)
            #expect(error?.description == words)
        }
    }
}
