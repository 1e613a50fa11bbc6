import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import OpenSSLTransport

/// S3: nothing from the network crashes the process.
struct HostileTests {
    @Test("Changed bytes at any place end in an error on one side, or in a complete handshake")
    func changedBytes() async throws {
        let (client, server) = try await HandshakeTests.pair()
        let clientContext = try TLSClientContext(client)
        let serverContext = try TLSServerContext(server)
        for seed in 0..<200 {
            var generator = SplitMix64(seed: UInt64(seed))
            let wire = try Wire(
                client: clientContext, server: serverContext, pieces: .random, seed: UInt64(seed))
            wire.change = { bytes in
                guard bytes.readableBytes > 0, Int.random(in: 0..<3, using: &generator) == 0 else { return }
                let place = bytes.readerIndex + Int.random(in: 0..<bytes.readableBytes, using: &generator)
                bytes.setInteger(UInt8.random(in: 0...255, using: &generator), at: place)
            }
            try wire.connect()
            wire.client.writeAndFlush(Wire.bytes("hello"), promise: nil)
            try wire.carry()
            // What comes through is what was sent.
            #expect([[], Array("hello".utf8)].contains(wire.atServer.received), "seed \(seed)")
            #expect(wire.atClient.errors.count <= 1 && wire.atServer.errors.count <= 1, "seed \(seed)")
            for recorder in [wire.atClient, wire.atServer] where !recorder.errors.isEmpty {
                #expect(recorder.error != nil, "seed \(seed): \(recorder.errors)")
                #expect(recorder.story.last == "inactive", "seed \(seed)")
            }
        }
    }

    @Test("Random bytes end in one error and a closed channel")
    func randomBytes() async throws {
        let (client, server) = try await HandshakeTests.pair()
        let clientContext = try TLSClientContext(client)
        let serverContext = try TLSServerContext(server)
        for seed in 0..<200 {
            var generator = SplitMix64(seed: UInt64(seed))
            let handler =
                seed % 2 == 0
                ? try TLSHandler(client: clientContext, host: "localhost", port: 1)
                : try TLSHandler(server: serverContext)
            let recorder = Recorder()
            let channel = EmbeddedChannel(handlers: [handler, recorder])
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
            let length = UInt16.random(in: 0...2000, using: &generator)
            var bytes = ByteBuffer(bytes: seed % 4 < 2 ? [22, 3, UInt8.random(in: 0...4, using: &generator)] : [])
            bytes.writeInteger(length)
            bytes.writeBytes(generator.bytes(Int(length) + 100))
            try channel.writeInbound(bytes)
            channel.embeddedEventLoop.advanceTime(by: .seconds(10))
            #expect(recorder.errors.count == 1, "seed \(seed)")
            #expect(recorder.error != nil, "seed \(seed)")
            #expect(!channel.isActive, "seed \(seed)")
        }
    }
}
