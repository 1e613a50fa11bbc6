import MQTTWire
import TestSupport

/// Proper packets of one version, made beforehand: making them takes longer than sending them.
struct Corpus {
    let connects: [(bytes: [UInt8], packet: Connect)]
    let publishes: [[UInt8]]
    let packets: [[UInt8]]
    /// Subscriptions, and three messages at QoS 2 that are not released.
    let exchange: [[UInt8]]

    init(version: ProtocolVersion, seed: UInt64) throws {
        var generator = PacketGenerator(seed: seed)
        connects = try (0..<300).map { _ in
            let connect = try generator.connect(version)
            return (try Packet.connect(connect).bytes(version), connect)
        }
        packets = try (0..<2_000).map { _ in try generator.packet(version).bytes(version) }
        publishes = try (0..<100).map { _ in try Packet.publish(generator.publish(version)).bytes(version) }
        let filters = ["#", "a/+", "$share/g/a/b"]
        exchange =
            [try Packet.subscribe(filters, qos: .exactlyOnce, identifier: PacketIdentifier(number: 8)).bytes(version)]
            + (try (0..<3).map {
                try Packet.publish("a/b", qos: .exactlyOnce, identifier: PacketIdentifier(number: $0)).bytes(version)
            })
    }
}
