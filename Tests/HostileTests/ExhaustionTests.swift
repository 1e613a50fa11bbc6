import MQTTWire
import NIOCore
import TestSupport
import Testing

extension Hostile {
    /// Exchanges that are begun and never ended.
    @Suite(.serialized) struct ExhaustionTests {
        @Test func `S3: a client of 5.0 that releases nothing is told when its Receive Maximum is exceeded`()
            async throws
        {
            try await withBroker { broker in
                let port = broker.port
                try await attack(broker, "unreleased QoS 2 of 5.0", memory: 32 << 20) {
                    let client = try RawConnection(port: port)
                    let limit = try client.open(Connect(version: .v5, clientIdentifier: "hoarder")).properties
                        .receiveMaximum
                    var answers: [Packet] = []
                    for number in 0..<Int(limit ?? 65_535) {
                        try client.send(
                            .publish("hoard", qos: .exactlyOnce, identifier: PacketIdentifier(number: number)))
                        while let packet = try client.receiveNow() { answers.append(packet) }
                    }
                    while answers.count < Int(limit ?? 65_535) { answers.append(try client.receive()) }
                    guard
                        answers.allSatisfy({
                            if case .pubrec(let answer) = $0 { !answer.reasonCode.isError } else { false }
                        })
                    else { throw Unexpected("not only PUBREC came") }
                    guard let limit, limit < 65_535 else { return }
                    try client.send(
                        .publish("hoard", qos: .exactlyOnce, identifier: PacketIdentifier(number: Int(limit))))
                    let last = try client.receiveUntilClosed()
                    guard case .disconnect(let disconnect) = last.last,
                        disconnect.reasonCode == .receiveMaximumExceeded
                    else { throw Unexpected("\(limit) are allowed; one more got \(last)") }
                }
            }
        }

        @Test func `S3: clients of 3.1.1 that use up every identifier cost little`() async throws {
            try await withBroker { broker in
                let port = broker.port
                let aftermath = try await attack(broker, "unreleased QoS 2 of 3.1.1", memory: 64 << 20) {
                    var taken = 0
                    for number in 0..<5 {
                        let client = try RawConnection.client("hoarder-\(number)", port: port, version: .v3_1_1)
                        var exchange = Exchange(client: client)
                        taken += try exchange.hoard(65_535)
                    }
                    return taken
                }
                print("\(aftermath.result) identifiers were taken")
                #expect(aftermath.result > 100)
            }
        }

        @Test func `S3: subscribers that acknowledge nothing hold up nobody`() async throws {
            try await withBroker { broker in
                let port = broker.port
                try await attack(broker, "unacknowledged messages", memory: 96 << 20) {
                    let mute = try (0..<20).map { number in
                        let client = try RawConnection.client("mute-\(number)", port: port, version: .v3_1_1)
                        try client.subscribe(["mute/#"], qos: .exactlyOnce)
                        return client
                    }
                    let publisher = try RawConnection.client("talker", port: port)
                    let payload = ByteBuffer(repeating: 3, count: 1_000)
                    for number in 0..<5_000 {
                        try publisher.send(
                            .publish("mute/a", payload, qos: .atLeastOnce, identifier: PacketIdentifier(number: number))
                        )
                        guard case .puback = try publisher.receive() else { throw Unexpected("no PUBACK") }
                    }
                    for client in mute { try client.settle() }
                }
            }
        }
    }
}

/// A client that begins exchanges at QoS 2 and reads the answers as they come.
private struct Exchange {
    let client: RawConnection

    /// - Returns: how many the broker took before it had enough.
    mutating func hoard(_ count: Int) throws -> Int {
        var taken = 0
        var sent = 0
        do {
            for first in stride(from: 0, to: count, by: 100) {
                let identifiers = first..<min(first + 100, count)
                let burst = try identifiers.flatMap {
                    try Packet.publish("hoard", qos: .exactlyOnce, identifier: PacketIdentifier(number: $0)).bytes(
                        .v3_1_1)
                }
                try client.send(burst)
                sent += identifiers.count
                // A broker may leave off answering where the protocol knows no refusal.
                while taken < sent, case .pubrec = try client.receive(within: .seconds(2)) { taken += 1 }
            }
        } catch RawConnection.Failure.closed {
        } catch RawConnection.Failure.silent {
        }
        return taken
    }
}
