import MQTTWire
import NIOCore
import TestSupport
import Testing

extension Hostile {
    /// More connections than anybody needs.
    @Suite(.serialized) struct ConnectionFloodTests {
        /// So long each flood lasts.
        private static let length = Duration.seconds(4)

        enum Flood: String, CaseIterable, Sendable {
            /// Connects and drops.
            case drops
            /// CONNECT, and gone before CONNACK.
            case hasty
            /// With a will that is due at once, to a topic that others read.
            case wills
            /// A session each, under the same name.
            case takeovers
            /// Packets behind DISCONNECT.
            case afterwords
        }

        @Test(arguments: Flood.allCases)
        func `S3: floods of connections are borne`(flood: Flood) async throws {
            try await withBroker { broker in
                let port = broker.port
                let aftermath = try await attack(broker, "flood of \(flood)", memory: 64 << 20) {
                    let reader = try RawConnection.client("reader", port: port)
                    try reader.subscribe(["late/#", "last/#"])
                    var heard: [String: Int] = [:]
                    var kept: [RawConnection] = []
                    var count = 0
                    let end = ContinuousClock.now + Self.length
                    while .now < end {
                        // A wave of fifty at a time, about 2,000 a second on a machine that manages them.
                        let waveEnd = ContinuousClock.now + .milliseconds(25)
                        for _ in 0..<50 {
                            count += 1
                            guard let connection = try? RawConnection(port: port) else { continue }
                            try? connection.send(try Self.opening(flood, count))
                            if count.isMultiple(of: 2) { connection.reset() }
                            if flood == .takeovers { kept.append(connection) }
                        }
                        if kept.count > 500 { kept.removeFirst(100) }
                        while let packet = try reader.receiveNow() {
                            if case .publish(let publish) = packet {
                                heard[publish.topic?.string ?? "", default: 0] += 1
                            }
                        }
                        usleep(for: waveEnd - .now)
                    }
                    kept = []
                    _ = try reader.settle(within: .seconds(30))
                    return (count: count, heard: heard)
                }
                print("\(flood): \(aftermath.result.count) connections")
                #expect(aftermath.result.count > 500)
                let late = aftermath.result.heard.filter { $0.key.contains("late/") }
                #expect(late.isEmpty, "what comes behind DISCONNECT must be ignored: \(late)")
                try await expectNoSessions(broker)
                if flood == .wills { #expect(!aftermath.result.heard.isEmpty, "no will was heard") }
            }
        }

        private static func opening(_ flood: Flood, _ number: Int) throws -> [UInt8] {
            switch flood {
            case .drops: return []
            case .hasty:
                return try Packet.connect(Connect(version: .v5, clientIdentifier: "hasty-\(number)")).bytes()
            case .wills:
                let will = Will(
                    topic: try TopicName("last/\(number % 10)"), payload: ByteBuffer(repeating: 1, count: 1000))
                return try Packet.connect(
                    Connect(version: .v3_1_1, clientIdentifier: "mortal-\(number)", will: will)
                ).bytes(.v3_1_1)
            case .takeovers:
                let connect = Connect(
                    version: .v5, clientIdentifier: "everybody", cleanStart: number % 3 == 0,
                    properties: [.sessionExpiryInterval(5)])
                return try Packet.connect(connect).bytes()
                    + Packet.subscribe(["takeover/\(number % 50)"], qos: .exactlyOnce).bytes()
                    + Packet.publish("takeover/\(number % 50)", qos: .exactlyOnce).bytes()
            case .afterwords:
                return try Packet.connect(Connect(version: .v5, clientIdentifier: "late-\(number)")).bytes()
                    + Packet.disconnect(Disconnect()).bytes() + Packet.publish("late/\(number % 5)").bytes()
                    + Packet.subscribe(["#"]).bytes()
            }
        }
    }
}
