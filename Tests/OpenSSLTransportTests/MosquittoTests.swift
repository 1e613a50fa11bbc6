import NIOCore
import TestSupport
import Testing

@testable import OpenSSLTransport

/// Against a real broker, whose TLS settings are those that users have.
struct MosquittoTests {
    private static let connect: [UInt8] = [0x10, 13, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 1, 97]
    private static let accepted = " \u{2}\0\0"

    /// Connects and says hello in MQTT.
    private func shakeHands(_ configuration: TLSClientConfiguration, port: Int) async throws -> TLSHandshakeCompleted {
        let client = try await SocketClient.connect(configuration, port: port)
        let completed = try await client.completed()
        try await client.channel.writeAndFlush(ByteBuffer(bytes: Self.connect))
        try await client.end.lines.line(containing: Self.accepted)
        try await client.channel.close()
        return completed
    }

    @Test("Mosquitto with certificates of both sides: accepted, resumed, refused")
    func certificates() async throws {
        let authority = try await Authority.get()
        let server = try await authority.leaf("good")
        let port = try freePort()
        let broker = try await Mosquitto.start(lines: [
            "listener \(port) 127.0.0.1", "cafile \(authority.root)", "certfile \(server.chain)",
            "keyfile \(server.key)",
            "require_certificate true", "use_identity_as_username true",
        ])
        var client = TLSClientConfiguration(trustRoots: .file(authority.root))
        client.certificate = try await authority.leaf("bin-0427", extensions: "extendedKeyUsage=clientAuth").certificate
        client.sessionCache = TLSSessionCache()
        #expect(try await !shakeHands(client, port: port).isResumed)
        #expect(try await shakeHands(client, port: port).isResumed)
        try await broker.log.line(containing: "u'bin-0427'")

        client.certificate = nil
        #expect(
            try await SocketClient.error(client, port: port)?.description
                == "the server requires a certificate of ours, and there is none: it answers “certificate required” (alert 116)"
        )
        client.certificate = try await authority.selfSigned("stranger", subject: "/CN=stranger").certificate
        #expect(
            try await SocketClient.error(client, port: port)?.description
                == "the server refuses our certificate: it answers “unknown CA” (alert 48)")
        try await broker.stop()
    }

    @Test("Mosquitto with a pre-shared key")
    func preSharedKey() async throws {
        try await withTemporaryDirectory { folder in
            let port = try freePort()
            let keys = try folder.write("bin-0427:30313233343536373839616263646566\n", to: "psk")
            let broker = try await Mosquitto.start(lines: [
                "psk_file \(keys)", "listener \(port) 127.0.0.1", "psk_hint fieldpost",
            ])
            var client = TLSClientConfiguration()
            client.preSharedKey = PreSharedKey(identity: "bin-0427", key: Array("0123456789abcdef".utf8))
            #expect(try await shakeHands(client, port: port).peerCertificate == nil)
            client.preSharedKey = PreSharedKey(identity: "bin-0001", key: Array("0123456789abcdef".utf8))
            #expect(try await SocketClient.error(client, port: port)?.code == .preSharedKey)
            try await broker.stop()
        }
    }
}
