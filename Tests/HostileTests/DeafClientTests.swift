import MQTTWire
import NIOCore
import TestSupport
import Testing

extension Hostile {
    /// Clients that never read what they are sent.
    @Suite(.serialized) struct DeafClientTests {
        private static let megabytes = 200

        @Test(arguments: [QoS.atMostOnce, .atLeastOnce])
        func `S3: fifty subscribers who never read while 200 MB are published`(qos: QoS) async throws {
            // Queues hold 64 MiB in all, the kernel what it likes, and what is in the sockets' own buffers counts too.
            let lines = BrokerProcess.isOurs ? [] : ["max_queued_bytes 4000000", "max_queued_messages 1000"]
            try await withBroker(lines: lines) { broker in
                let port = broker.port
                try await attack(broker, "50 deaf subscribers at QoS \(qos.rawValue)", memory: 160 << 20) {
                    let deaf = try (0..<50).map { number in
                        let client = try RawConnection.client("deaf-\(number)", port: port, receiveBuffer: 4096)
                        try client.subscribe(["#"], qos: qos)
                        return client
                    }
                    try withExtendedLifetime(deaf) {
                        try Self.publish(Self.megabytes << 20, port: port, qos: qos)
                    }
                }
            }
        }

        /// Who asks and does not listen: the answers must not pile up.
        @Test(arguments: ["PINGREQ", "SUBSCRIBE", "retained", "QoS 2"])
        func `S3: floods of requests whose answers nobody reads`(what: String) async throws {
            try await withBroker { broker in
                let port = broker.port
                try await attack(broker, "\(what) floods, answers unread", memory: 128 << 20) {
                    if what == "retained" {
                        let keeper = try RawConnection.client("keeper", port: port)
                        for number in 0..<200 {
                            try keeper.send(
                                .publish("kept/\(number)", ByteBuffer(repeating: 1, count: 10_000), retain: true))
                        }
                        try keeper.settle()
                    }
                    let burst =
                        switch what {
                        case "PINGREQ": Array(repeating: [UInt8]([0xC0, 0]), count: 10_000).flatMap(\.self)
                        case "SUBSCRIBE":
                            try Packet.subscribe(["a/+", "b/#"] + (0..<98).map { "\($0)" }).repeated(40)
                        // Each brings two megabytes.
                        case "retained": try Packet.subscribe(["kept/#"]).repeated(200)
                        default:
                            try (0..<1_000).flatMap {
                                try Packet.publish(
                                    "two", qos: .exactlyOnce, identifier: PacketIdentifier(number: $0)
                                ).bytes(.v3_1_1)
                            }
                        }
                    let clients = try (0..<20).map {
                        try RawConnection.client("flood-\($0)", port: port, version: .v3_1_1, receiveBuffer: 4096)
                    }
                    let end = ContinuousClock.now + .seconds(3)
                    var offsets = Array(repeating: 0, count: clients.count)
                    var total = 0
                    while .now < end {
                        var sent = 0
                        for (number, client) in clients.enumerated() {
                            // Cut is as good an answer as any.
                            let count = (try? client.trySend(burst[offsets[number]...])) ?? 0
                            offsets[number] = (offsets[number] + count) % burst.count
                            sent += count
                        }
                        total += sent
                        if sent == 0 { usleep(for: .milliseconds(10)) }
                    }
                    guard total > burst.count else { throw Unexpected("only \(total) bytes were sent") }
                }
            }
        }

        private static func publish(_ bytes: Int, port: Int, qos: QoS) throws {
            let size = 20_000
            let payload = ByteBuffer(repeating: 0xAA, count: size)
            let publisher = try RawConnection.client("loud", port: port)
            var open = 0
            for number in 0..<bytes / size {
                let packet = try Packet.publish(
                    "loud/\(number % 20)", payload, qos: qos, identifier: PacketIdentifier(number: number))
                try publisher.send(packet, within: .seconds(30))
                if qos == .atLeastOnce { open += 1 }
                while open >= 20 {
                    guard case .puback = try publisher.receive(within: .seconds(30)) else {
                        throw Unexpected("no PUBACK")
                    }
                    open -= 1
                }
            }
            try publisher.settle(within: .seconds(30))
        }
    }
}

extension Packet {
    /// For 3.1.1, so many times.
    fileprivate func repeated(_ count: Int) throws -> [UInt8] {
        Array(repeatElement(try bytes(.v3_1_1), count: count).joined())
    }
}
