import MQTTWire
import NIOCore
import TestSupport
import Testing

extension Hostile {
    /// Clients that take their time.
    @Suite(.serialized) struct SlowLorisTests {
        /// ``MQTTServer/ServerLimits/connectTimeout``, and what a busy machine adds.
        private static let connectTimeout = (least: Duration.seconds(9), most: Duration.seconds(15))

        @Test(.enabled(if: BrokerProcess.isOurs, "Mosquitto gives 90 s to CONNECT"))
        func `S3: 500 who do not finish their CONNECT are cut after the connect timeout, however they go about it`()
            async throws
        {
            try await withBroker { broker in
                let port = broker.port
                try await attack(broker, "slow CONNECT", memory: 48 << 20) {
                    let connect = try Packet.connect(
                        Connect(version: .v5, clientIdentifier: String(repeating: "slow", count: 50))
                    ).bytes()
                    // A fifth each: silent, a byte a second, all but the last byte, silent after a TLS or HTTP greeting.
                    let start = ContinuousClock.now
                    var loris = try (0..<500).map { number in
                        let connection = try RawConnection(port: port)
                        switch number % 5 {
                        case 2: try connection.send(Array(connect.dropLast()))
                        case 3: try connection.send([0x10, 0xFF, 0xFF, 0x03])
                        case 4: try connection.send([0x10])
                        default: break
                        }
                        return (number: number, connection: connection)
                    }
                    var second = 0
                    while !loris.isEmpty, .now - start < Self.connectTimeout.most {
                        second += 1
                        usleep(for: start + .seconds(second) - .now)
                        for (number, connection) in loris where number % 5 == 1 && second < connect.count {
                            _ = try? connection.trySend(connect[second - 1..<second])
                        }
                        let before = loris.count
                        loris.removeAll { (try? $0.connection.isClosed()) ?? true }
                        if loris.count < before, .now - start < Self.connectTimeout.least {
                            throw Unexpected("\(before - loris.count) were cut after \(ContinuousClock.now - start)")
                        }
                    }
                    guard loris.isEmpty else {
                        throw Unexpected(
                            "\(loris.count) were not cut: kinds \(Set(loris.map { $0.number % 5 }).sorted())")
                    }
                }
            }
        }

        @Test func `S3: who sends half a packet, or dribbles, is cut after one and a half keep-alives`() async throws {
            try await withBroker { broker in
                let port = broker.port
                try await attack(broker, "half-sent packets", memory: 32 << 20) {
                    let start = ContinuousClock.now
                    let publish = try Packet.publish("a/b", ByteBuffer(repeating: 1, count: 500)).bytes(.v3_1_1)
                    let halves: [[UInt8]] = [
                        publish.dropLast(200), [0x30, 0xFF, 0xFF, 0x7F], [0x82], [0x62, 0x02, 0x00], [],
                    ]
                    var clients = try (0..<200).map { number in
                        let client = try RawConnection.client(
                            "half-\(number)", port: port, version: .v3_1_1, keepAlive: 2)
                        try client.send(halves[number % halves.count])
                        return (number: number, connection: client)
                    }
                    // Only a packet is a sign of life, not bytes that complete none ([MQTT-3.1.2-24] in 3.1.1): of those who
                    // sent most of a packet, the half go on with a byte at a time.
                    // 1.5 × 2 s, and up to 5 s, which is how often Mosquitto looks.
                    while !clients.isEmpty, .now - start < .seconds(12) {
                        usleep(for: .milliseconds(100))
                        for (number, connection) in clients where number.isMultiple(of: 2 * halves.count) {
                            _ = try? connection.trySend([1])
                        }
                        let before = clients.count
                        clients.removeAll { (try? $0.connection.isClosed()) ?? true }
                        if clients.count < before, .now - start < .milliseconds(2_900) {
                            throw Unexpected("\(before - clients.count) were cut after \(ContinuousClock.now - start)")
                        }
                    }
                    guard clients.isEmpty else {
                        let kinds = Set(
                            clients.map { $0.number.isMultiple(of: 2 * halves.count) ? "dribbling" : "silent" })
                        throw Unexpected("\(clients.count) were not cut: \(kinds.sorted())")
                    }
                }
            }
        }
    }
}
