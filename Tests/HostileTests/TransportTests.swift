import MQTTWire
import NIOCore
import TestSupport
import Testing

extension Hostile {
    /// Below MQTT: WebSocket frames and TLS records that should not be.
    @Suite(.serialized) struct TransportTests {
        private static let greeting = Array(
            """
            GET /mqtt HTTP/1.1\r
            Host: localhost\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Protocol: mqtt\r
            \r\n
            """.utf8)

        /// A frame of a client (RFC 6455 §5.2), masked with zeros.
        private static func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
            let length: [UInt8] =
                payload.count < 126
                ? [0x80 | UInt8(payload.count)] : [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
            return [first] + length + [0, 0, 0, 0] + payload
        }

        /// What a server must close the connection for, each behind a proper greeting.
        private static var wrongFrames: [(what: String, bytes: [UInt8])] {
            [
                ("unmasked", [0x82, 0x02, 0xC0, 0x00]),
                ("a reserved bit", frame(0xC2, [0xC0, 0])), ("a reserved opcode", frame(0x83, [0xC0, 0])),
                ("a reserved control opcode", frame(0x8B, [])), ("text", frame(0x81, Array("hello".utf8))),
                ("a fragmented ping", frame(0x09, [1])),
                ("a long ping", frame(0x89, [UInt8](repeating: 1, count: 200))),
                ("a continuation of nothing", frame(0x80, [1])),
                ("a frame within a message", frame(0x02, [0x10]) + frame(0x82, [0xC0, 0])),
                ("2^63 bytes", [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                ("2^62 bytes", [0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                ("a close of one byte", frame(0x88, [3])), ("not MQTT", frame(0x82, [0xFF, 0xFF, 0xFF])),
            ]
        }

        private static var wrongGreetings: [(what: String, bytes: [UInt8])] {
            let head = "GET /mqtt HTTP/1.1\r\nHost: x\r\n"
            return [
                ("a header without an end", Array((head + "X: " + String(repeating: "x", count: 200_000)).utf8)),
                ("headers without an end", Array((head + String(repeating: "X: y\r\n", count: 50_000)).utf8)),
                ("no upgrade", Array((head + "\r\n").utf8)), ("a method", Array("POST /mqtt HTTP/1.1\r\n\r\n".utf8)),
                ("no HTTP", Array("G\0\u{1}\u{2}\r\n\r\n".utf8)),
            ]
        }

        @Test func `S3: WebSocket frames and greetings that break the rules end their connection and nothing else`()
            async throws
        {
            let port = try freePort()
            try await withBroker(lines: ["listener \(port) 127.0.0.1", "protocol websockets"]) { broker in
                try await attack(broker, "hostile WebSocket", memory: 48 << 20) {
                    var open: [(what: String, connection: RawConnection)] = []
                    for _ in 0..<20 {
                        for (what, bytes) in Self.wrongFrames {
                            let connection = try RawConnection(port: port)
                            try connection.send(Self.greeting)
                            try? connection.send(bytes)
                            open.append((what, connection))
                        }
                        for (what, bytes) in Self.wrongGreetings {
                            let connection = try RawConnection(port: port)
                            try? connection.send(bytes, within: .milliseconds(500))
                            open.append((what, connection))
                        }
                    }
                    // At once, or after the connect timeout.
                    let deadline = ContinuousClock.now + .seconds(15)
                    while !open.isEmpty, .now < deadline {
                        open.removeAll { $0.connection.isEnded() }
                        usleep(for: .milliseconds(50))
                    }
                    if BrokerProcess.isOurs, !open.isEmpty {
                        throw Unexpected("not ended after 15 s: \(Set(open.map(\.what)).sorted())")
                    }
                }
            }
        }

        @Test func `S3: endless fragments and pings over WebSocket cost no memory`() async throws {
            let port = try freePort()
            try await withBroker(lines: ["listener \(port) 127.0.0.1", "protocol websockets"]) { broker in
                try await attack(broker, "endless WebSocket", memory: 64 << 20) {
                    let connect = try Packet.connect(Connect(version: .v5, clientIdentifier: "", keepAlive: 0)).bytes()
                    let tiny = Array(repeatElement(Self.frame(0x00, []), count: 4_000).joined())
                    let pings = Array(
                        repeatElement(Self.frame(0x89, [UInt8](repeating: 7, count: 100)), count: 1_000).joined())
                    let bursts = [tiny, pings]
                    let clients = try (0..<10).map { number in
                        let connection = try RawConnection(port: port, receiveBuffer: 4096)
                        try connection.send(Self.greeting + Self.frame(0x82, connect))
                        // The beginning of a message whose end never comes.
                        if number.isMultiple(of: 2) { try connection.send(Self.frame(0x02, [0x30, 0xFF, 0xFF, 0x7F])) }
                        return connection
                    }
                    var offsets = Array(repeating: 0, count: clients.count)
                    let end = ContinuousClock.now + .seconds(3)
                    while .now < end {
                        var sent = 0
                        for (number, client) in clients.enumerated() {
                            let burst = bursts[number % 2]
                            let count = (try? client.trySend(burst[offsets[number]...])) ?? 0
                            offsets[number] = (offsets[number] + count) % burst.count
                            sent += count
                        }
                        if sent == 0 { usleep(for: .milliseconds(10)) }
                    }
                }
            }
        }

        @Test func `S3: garbage at a TLS listener ends its connection and nothing else`() async throws {
            let authority = try await Authority.get()
            let port = try freePort()
            let certificate = try await authority.leaf("hostile")
            let lines = [
                "listener \(port) 127.0.0.1", "certfile \(certificate.chain)", "keyfile \(certificate.key)",
            ]
            let seed = UInt64.random(in: 0...UInt64.max)
            try await withBroker(lines: lines) { broker in
                try await attack(broker, "TLS garbage, seed \(seed)", memory: 64 << 20) {
                    var random = SplitMix64(seed: seed)
                    var open: [RawConnection] = []
                    for number in 0..<600 {
                        let connection = try RawConnection(port: port)
                        var bytes: [UInt8]
                        switch number % 5 {
                        case 0: bytes = random.bytes(1 + random.below(2_000))
                        // A record of a handshake, with anything in it.
                        case 1: bytes = [0x16, 0x03, 0x01, 0x02, 0x00] + random.bytes(512)
                        // A ClientHello that says it is longer than it is.
                        case 2:
                            bytes =
                                [0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0x00, 0xFF, 0xFF, 0x03, 0x03] + random.bytes(32)
                        case 3: bytes = try Packet.connect(Connect(version: .v5, clientIdentifier: "plain")).bytes()
                        default: bytes = [0x16]
                        }
                        try? connection.send(bytes)
                        open.append(connection)
                    }
                    let deadline = ContinuousClock.now + .seconds(15)
                    while !open.isEmpty, .now < deadline {
                        open.removeAll { $0.isEnded() }
                        usleep(for: .milliseconds(50))
                    }
                    if BrokerProcess.isOurs, !open.isEmpty { throw Unexpected("\(open.count) not ended after 15 s") }
                }
            }
        }
    }
}
