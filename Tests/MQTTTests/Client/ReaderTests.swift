import MQTT
import MQTTWire
import NIOCore
import TestSupport
import Testing

/// Messages and those who read them, or do not.
@Suite(.timeLimit(.minutes(3))) struct ReaderTests {
    private static let accepted: [UInt8] = [0x20, 0x03, 0x00, 0x00, 0x00]

    private func flood(_ count: Int) -> [UInt8] {
        (0..<count).flatMap { [0x30, 0x06, 0, 1, 0x61, 0, UInt8($0 >> 8), UInt8($0 & 0xFF)] as [UInt8] }
    }

    private func number(_ message: ReceivedMessage) -> Int? {
        message.payload.getInteger(at: message.payload.readerIndex, as: UInt16.self).map(Int.init)
    }

    @Test func whatCameBeforeTheReaderIsReadFirst() async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(Self.accepted + flood(100))])
        try await withClient(port: server.port) { client in
            try await eventually("100 messages") { await client.statistics.received == 100 }
            let messages = try await collect(100, from: client)
            #expect(messages.map(number) == Array(0..<100))
            #expect(await client.statistics.receivedUnread == 0)
        }
        await server.stop()
    }

    @Test func whoeverNeverReadsCostsABoundedMemoryAndNoConnection() async throws {
        let server = try await ScriptedServer.start([.receive(2), .send(Self.accepted + flood(5000))])
        try await withClient(port: server.port) { client in
            try await eventually("5000 messages") { await client.statistics.received == 5000 }
            #expect(await client.statistics.receivedUnread == 5000 - 512)
            #expect(await client.isConnected)
            let messages = try await collect(512, from: client)
            #expect(messages.map(number) == Array(0..<512))
        }
        await server.stop()
    }
}
