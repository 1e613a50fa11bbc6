import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import OpenSSLTransport

struct HandshakeTests {
    static func pair(minimum: TLSVersion = .v1_2) async throws -> (TLSClientConfiguration, TLSServerConfiguration) {
        let authority = try await Authority.get()
        var client = TLSClientConfiguration(trustRoots: .file(authority.root))
        client.minimumVersion = minimum
        return (client, TLSServerConfiguration(certificate: try await authority.leaf("good").certificate))
    }

    @Test("Client and server shake hands and exchange data, whatever the pieces", arguments: [1, 2, 3, 4, 5, 6, 7, 8])
    func exchange(seed: UInt64) async throws {
        let (client, server) = try await Self.pair()
        let pieces: Wire.Pieces = seed == 1 ? .whole : seed == 2 ? .bytes : .random
        let wire = try Wire(client: client, server: server, pieces: pieces, seed: seed).connect()
        let completed = try #require(wire.atClient.handshake)
        #expect(completed.version == .v1_3)
        #expect(completed.cipher == "TLS_AES_256_GCM_SHA384")
        #expect(completed.applicationProtocol == nil)
        #expect(!completed.isResumed)
        #expect(completed.peerCertificate?.subject == "CN=good")
        #expect(completed.peerCertificate?.commonName == "good")
        #expect(wire.atServer.handshake?.peerCertificate == nil)

        var generator = SplitMix64(seed: seed)
        for size in [0, 1, 16_384, 16_385, pieces == .bytes ? 20_000 : 200_000] {
            let there = generator.bytes(size)
            let back = generator.bytes(size / 2)
            wire.atServer.received = []
            wire.atClient.received = []
            let written = Wire.send(ByteBuffer(bytes: there), on: wire.client)
            wire.server.writeAndFlush(ByteBuffer(bytes: back), promise: nil)
            try wire.carry()
            #expect(written.isWritten)
            #expect(wire.atServer.received == there, "seed \(seed), \(size) bytes")
            #expect(wire.atClient.received == back, "seed \(seed), \(size / 2) bytes")
        }
        #expect(wire.atClient.story == ["handshake"])
        #expect(wire.atServer.story == ["handshake"])
    }

    @Test("The fingerprint is the one that openssl prints")
    func fingerprint() async throws {
        let authority = try await Authority.get()
        let (client, server) = try await Self.pair()
        let printed = try await authority.run(
            "x509", "-in", authority.leaf("good").chain, "-noout", "-fingerprint", "-sha256")
        let expected = printed.first?.split(separator: "=").last?.filter { $0 != ":" }.lowercased()
        let wire = try Wire(client: client, server: server).connect()
        #expect(wire.atClient.handshake?.peerCertificate?.fingerprint == expected)
    }

    @Test("What is written before the end of the handshake is sent after it, in order")
    func earlyWrites() async throws {
        let (client, server) = try await Self.pair()
        let wire = try Wire(client: client, server: server, pieces: .random, seed: 11)
        let first = Wire.send(Wire.bytes("first "), on: wire.client)
        let second = Wire.send(Wire.bytes("second"), on: wire.client)
        try wire.connect()
        #expect(first.isWritten && second.isWritten)
        #expect(wire.atServer.received == Array("first second".utf8))
    }

    @Test("What was written before goes ahead of what is written because the handshake is done")
    func orderOfWrites() async throws {
        let (client, server) = try await Self.pair()
        let wire = try Wire(client: client, server: server)
        wire.atClient.onHandshake = { $0.writeAndFlush(NIOAny(Wire.bytes("second")), promise: nil) }
        wire.client.writeAndFlush(Wire.bytes("first "), promise: nil)
        try wire.connect()
        #expect(wire.atServer.received == Array("first second".utf8))
    }

    @Test(
        "The peer's alerts are told in words",
        arguments: [
            (80, TLSError.Code.alert, "the server refuses the connection: it answers “internal error” (alert 80)"),
            (112, .alert, "the server refuses the connection: it answers “unrecognized name” (alert 112)"),
            (42, .certificateRefused, "the server refuses us: it answers “bad certificate” (alert 42)"),
            (
                116, .certificateRefused,
                "the server requires a certificate of ours, and there is none: it answers “certificate required” (alert 116)"
            ),
            (
                71, .noSharedCipher,
                "the server has no cipher suite in common with us, it seems: it answers “insufficient security” (alert 71)"
            ),
            (0, .closedDuringHandshake, "the server closed the connection in the midst of the TLS handshake"),
        ])
    func alerts(number: UInt8, code: TLSError.Code, words: String) async throws {
        let (client, server) = try await Self.pair()
        let wire = try Wire(client: client, server: server)
        wire.client.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        try wire.client.writeInbound(ByteBuffer(bytes: [21, 3, 3, 0, 2, number == 0 ? 1 : 2, number]))
        #expect(wire.atClient.error?.code == code)
        #expect(wire.atClient.error?.description == words)
        #expect(!wire.client.isActive)
    }

    @Test("A client that speaks MQTT without TLS is told from others")
    func plainClient() async throws {
        let (client, server) = try await Self.pair()
        let wire = try Wire(client: client, server: server)
        wire.server.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        try wire.server.writeInbound(
            ByteBuffer(bytes: [0x10, 0x0D, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 1, 97]))
        #expect(
            wire.atServer.error?.description
                == "the client does not speak TLS on this port: it begins with 10 0D 00 04 4D 51 54 54 (“....MQTT”), which looks like MQTT without TLS"
        )
    }

    @Test("More than 64 kB before the handshake end the connection")
    func tooEarly() async throws {
        let (client, server) = try await Self.pair()
        let wire = try Wire(client: client, server: server)
        let kept = Wire.send(ByteBuffer(repeating: 0, count: 65_536), on: wire.client)
        #expect(kept.result == nil)
        let tooMuch = Wire.send(ByteBuffer(repeating: 0, count: 1), on: wire.client)
        #expect((kept.error as? TLSError)?.code == .tooMuchBeforeHandshake)
        #expect((tooMuch.error as? TLSError)?.code == .tooMuchBeforeHandshake)
        #expect(wire.atClient.error?.code == .tooMuchBeforeHandshake)
        #expect(
            wire.atClient.error?.description == "more than 65536 bytes were written before the end of the TLS handshake"
        )
        #expect(!wire.client.isActive)
    }

    @Test("The handshake is over in time, or the error says who was silent")
    func timeout() async throws {
        var (client, server) = try await Self.pair()
        client.handshakeTimeout = .seconds(3)
        let wire = try Wire(client: client, server: server)
        wire.client.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        wire.client.embeddedEventLoop.advanceTime(by: .milliseconds(2999))
        #expect(wire.client.isActive)
        wire.client.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!wire.client.isActive)
        #expect(
            wire.atClient.error?.description
                == "the TLS handshake was not done after 3.0 seconds: the server said nothing")
        #expect(wire.atClient.story == ["handshakeTimeout", "inactive"])

        server.handshakeTimeout = .seconds(2)
        let half = try Wire(client: client, server: server)
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        half.server.connect(to: address, promise: nil)
        half.client.connect(to: address, promise: nil)
        try half.carry(from: half.client, to: half.server)
        half.server.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(
            half.atServer.error?.description
                == "the TLS handshake was not done after 2.0 seconds: the client did not finish")
    }

    @Test("A handshake that was done is not timed out")
    func noTimeout() async throws {
        let (client, server) = try await Self.pair()
        let wire = try Wire(client: client, server: server).connect()
        wire.client.embeddedEventLoop.advanceTime(by: .hours(1))
        wire.server.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(wire.client.isActive && wire.server.isActive)
    }

    @Test("Only TLS 1.3, when that is the least; 1.2 when the other side wants it")
    func versions() async throws {
        let (client, server) = try await Self.pair(minimum: .v1_3)
        #expect(try Wire(client: client, server: server).connect().atServer.handshake?.version == .v1_3)
    }

    @Test("ALPN: the server's first choice among what the client offers")
    func applicationProtocols() async throws {
        var (client, server) = try await Self.pair()
        client.applicationProtocols = ["x-amzn-mqtt-ca", "mqtt", "h2"]
        server.applicationProtocols = ["http/1.1", "mqtt", "x-amzn-mqtt-ca"]
        let wire = try Wire(client: client, server: server).connect()
        #expect(wire.atClient.handshake?.applicationProtocol == "mqtt")
        #expect(wire.atServer.handshake?.applicationProtocol == "mqtt")

        client.applicationProtocols = ["h2"]
        let refused = try Wire(client: client, server: server).connect()
        #expect(
            refused.atClient.error?.description
                == "the server has no ALPN protocol in common with us: it answers “no application protocol” (alert 120)"
        )
        #expect(refused.atServer.error?.description == "the client has no ALPN protocol in common with us")

        client.applicationProtocols = []
        #expect(
            try Wire(client: client, server: server).connect().atClient.handshake?.applicationProtocol == .some(nil))
    }

    @Test("Keys are logged only where a file is named")
    func keyLog() async throws {
        var (client, server) = try await Self.pair()
        try await withTemporaryDirectory { folder in
            client.insecureKeyLogFile = folder.path("keys")
            _ = try Wire(client: client, server: server).connect()
            let lines = try folder.read("keys").split(separator: "\n")
            #expect(lines.contains { $0.hasPrefix("CLIENT_TRAFFIC_SECRET_0 ") })
            let count = lines.count
            client.insecureKeyLogFile = nil
            _ = try Wire(client: client, server: server).connect()
            #expect(try folder.read("keys").split(separator: "\n").count == count)
        }
    }
}
