import Glibc
import MQTTWire
import NIOCore
import TestSupport

/// A client of MQTT 5.0 on a blocking Unix socket, which does one thing after the other.
final class OracleClient {
    private struct Unexpected: Error {
        var what: String
    }

    private let descriptor: CInt
    private var decoder = PacketDecoder(version: .v5, maximumPacketSize: 1 << 20)
    private var buffer = ByteBuffer()

    init(path: String, _ client: MosquittoOracleTests.Client) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Unexpected(what: "\(path): \(String(cString: strerror(errno)))") }
        try send(.connect(Connect(version: .v5, clientIdentifier: client.identifier, username: client.username)))
        guard case .connack(let answer) = try receive(), answer.reasonCode == .success else {
            throw Unexpected(what: "\(client) is not let in")
        }
    }

    deinit { close(descriptor) }

    /// Publishes under each of these names.
    ///
    /// - Returns: those that were not refused.
    func publish(_ topics: [TopicName]) throws -> Set<TopicName> {
        var granted: Set<TopicName> = []
        for (index, topic) in topics.enumerated() {
            let identifier = PacketIdentifier(rawValue: UInt16(index + 1))
            try send(
                .publish(Publish(topic: topic, payload: ByteBuffer(), qos: .atLeastOnce, packetIdentifier: identifier)))
            guard case .puback(let answer) = try receive() else { throw Unexpected(what: "no PUBACK for \(topic)") }
            if answer.reasonCode != .notAuthorized { granted.insert(topic) }
        }
        return granted
    }

    func subscribe(_ filters: [String]) throws {
        guard let identifier = PacketIdentifier(rawValue: 1) else { return }
        let subscriptions = try filters.map { Subscription(filter: try TopicFilter($0), qos: .atMostOnce) }
        try send(.subscribe(Subscribe(packetIdentifier: identifier, subscriptions: subscriptions)))
        while true {
            if case .suback = try receive() { return }
        }
    }

    /// The names of all that the broker has sent up to now.
    func received() throws -> Set<TopicName> {
        try send(.pingreq)
        var topics: Set<TopicName> = []
        while true {
            switch try receive() {
            case .publish(let message): if let topic = message.topic { topics.insert(topic) }
            case .pingresp: return topics
            case let other: throw Unexpected(what: "\(other)")
            }
        }
    }

    private func send(_ packet: Packet) throws {
        var buffer = ByteBuffer()
        try packet.encode(into: &buffer, version: .v5)
        let bytes = Array(buffer.readableBytesView)
        guard Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count else {
            throw Unexpected(what: "the connection is gone")
        }
    }

    private func receive() throws -> Packet {
        while true {
            if let packet = try decoder.decode(from: &buffer) { return packet }
            var chunk = [UInt8](repeating: 0, count: 16_384)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { throw Unexpected(what: "the connection is gone, or nothing came for 20 s") }
            buffer.writeBytes(chunk[..<count])
        }
    }
}
