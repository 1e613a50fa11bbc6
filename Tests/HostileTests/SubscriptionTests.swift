import MQTTWire
import NIOCore
import TestSupport
import Testing

extension Hostile {
    @Suite(.serialized) struct SubscriptionTests {
        @Test func `S3: 20,000 subscriptions of one client are matched at speed and leave nothing behind`() async throws
        {
            try await withBroker { broker in
                let port = broker.port
                let aftermath = try await attack(broker, "20,000 subscriptions of one client", memory: 64 << 20) {
                    let client = try RawConnection.client("collector", port: port)
                    // A tenth have a wildcard; all end up in few branches or in many.
                    let filters = (0..<20_000).map { $0 % 10 == 0 ? "bulk/\($0)/+" : "bulk/\($0)/\($0 % 7)" }
                    for round in 1...2 {
                        for start in stride(from: 0, to: filters.count, by: 100) {
                            let codes = try client.subscribe(Array(filters[start..<start + 100]), number: start)
                            guard codes.allSatisfy({ $0 == .grantedQoS0 }) else { throw Unexpected("\(codes)") }
                        }
                        let publisher = try RawConnection.client("feeder", port: port)
                        for number in stride(from: 0, to: 20_000, by: 40) {
                            try publisher.send(.publish("bulk/\(number)/\(number % 7)"))
                        }
                        try publisher.settle()
                        let count = try client.settle()
                        guard count == 500 else { throw Unexpected("round \(round): \(count) of 500 messages came") }
                        for start in stride(from: 0, to: filters.count, by: 100) {
                            let some = Array(filters[start..<start + 100])
                            try client.send(.unsubscribe(some, identifier: PacketIdentifier(number: start)))
                            guard case .unsuback(let answer) = try client.receive(),
                                answer.reasonCodes.allSatisfy({ $0 == .success })
                            else { throw Unexpected("round \(round): filters were not there") }
                        }
                        try publisher.send(.publish("bulk/40/5"))
                        try publisher.settle()
                        guard try client.settle() == 0 else { throw Unexpected("a message without a subscription") }
                    }
                }
                #expect(aftermath.memory.after - aftermath.memory.before < 24 << 20, "most of it is given back")
            }
        }

        @Test func `S3: 20,000 subscriptions of 200 clients go when they go, also without a word`() async throws {
            try await withBroker { broker in
                let port = broker.port
                let aftermath = try await attack(broker, "20,000 subscriptions of 200 clients", memory: 96 << 20) {
                    for _ in 1...2 {
                        let clients = try (0..<200).map { number in
                            let client = try RawConnection.client("many-\(number)", port: port)
                            try client.subscribe((0..<100).map { $0 == 0 ? "all/now" : "many/\(number % 9)/\($0)/+" })
                            return client
                        }
                        let publisher = try RawConnection.client("feeder", port: port)
                        for _ in 0..<20 {
                            try publisher.send(.publish("all/now", ByteBuffer(repeating: 7, count: 100)))
                        }
                        try publisher.settle()
                        for client in clients {
                            let count = try client.settle()
                            guard count == 20 else { throw Unexpected("\(count) of 20 messages came") }
                        }
                        for client in clients.prefix(100) { client.reset() }
                    }
                }
                #expect(aftermath.memory.after - aftermath.memory.before < 24 << 20, "most of it is given back")
                try await expectNoSessions(broker)
            }
        }
    }
}
