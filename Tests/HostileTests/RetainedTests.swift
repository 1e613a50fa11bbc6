import MQTTWire
import NIOCore
import TestSupport
import Testing

extension Hostile {
    /// One client that fills the broker with what is never to go.
    @Suite(.serialized) struct RetainedTests {
        @Test func `S3: 100,000 retained messages hit the limit and not the memory`() async throws {
            try await withBroker { broker in
                let port = broker.port
                // 20,000 messages at most (``MQTTServer/ServerLimits/retainedMessages``).
                let aftermath = try await attack(broker, "100,000 retained messages", memory: 64 << 20) {
                    let flooder = try RawConnection.client("flooder", port: port)
                    var refused = 0
                    var open = 0
                    for number in 0..<100_000 {
                        try flooder.send(
                            .publish(
                                "flood/\(number % 10)/\(number)", ByteBuffer(string: "\(number)"), qos: .atLeastOnce,
                                retain: true, identifier: PacketIdentifier(number: number)),
                            within: .seconds(30))
                        open += 1
                        while open >= 200 || number == 99_999 && open > 0 {
                            guard case .puback(let answer) = try flooder.receive(within: .seconds(30)) else {
                                throw Unexpected("no PUBACK")
                            }
                            if answer.reasonCode == .quotaExceeded { refused += 1 }
                            open -= 1
                        }
                    }
                    let reader = try RawConnection.client("reader", port: port)
                    try reader.subscribe(["flood/#"])
                    // Those that came before SUBACK are not counted by it.
                    var kept = 0
                    while let packet = try? reader.receive(within: .seconds(2)) {
                        if case .publish = packet { kept += 1 }
                    }
                    return (refused: refused, kept: kept)
                }
                let (refused, kept) = aftermath.result
                print("refused \(refused), kept at least \(kept)")
                if BrokerProcess.isOurs {
                    #expect(kept > 0 && kept <= 20_000)
                    #expect(refused >= 80_000, "what is not kept is refused with Quota Exceeded")
                }
            }
        }

        @Test func `S3: large retained messages hit the limit of bytes`() async throws {
            try await withBroker { broker in
                let port = broker.port
                // 32 MiB at most, and what is under way.
                try await attack(
                    broker, "400 MiB of retained messages", memory: BrokerProcess.isOurs ? 96 << 20 : 600 << 20
                ) {
                    let payload = ByteBuffer(repeating: 0x55, count: 1 << 20)
                    let flooder = try RawConnection.client("flooder", port: port, version: .v3_1_1)
                    for number in 0..<400 {
                        try flooder.send(
                            .publish("large/\(number)", payload, retain: true), within: .seconds(30))
                    }
                    try flooder.settle(within: .seconds(30))
                    // The same topic again and again: what was there before goes.
                    for _ in 0..<100 {
                        try flooder.send(.publish("large/0", payload, retain: true), within: .seconds(30))
                    }
                    try flooder.settle(within: .seconds(30))
                }
            }
        }
    }
}
