import MQTTWire
import TestSupport

/// How far a connection gets before it goes wrong.
enum FuzzState: Int, CaseIterable, CustomStringConvertible {
    /// Random bytes from the first on.
    case noise
    /// A CONNECT that is spoilt, and perhaps more.
    case unconnected
    /// Packets that are spoilt after a proper CONNECT of 3.1.1 or 5.0 with all its properties.
    case connected
    /// The same in the midst of exchanges at QoS 2, in sessions that are resumed, with subscriptions.
    case exchanging
    /// Nothing is spoilt: packets that are proper and as odd as they can be.
    case odd

    var description: String {
        switch self {
        case .noise: "noise"
        case .unconnected: "before CONNECT"
        case .connected: "after CONNECT"
        case .exchanging: "amid exchanges"
        case .odd: "proper but odd"
        }
    }
}

/// Makes one connection's conduct after the other.
struct ScriptGenerator {
    private let state: FuzzState
    private var generator: PacketGenerator
    private var mutator: Mutator
    private var random: SplitMix64

    init(state: FuzzState, seed: UInt64) {
        self.state = state
        random = SplitMix64(seed: seed)
        generator = PacketGenerator(seed: random.next())
        mutator = Mutator(random: SplitMix64(seed: random.next()))
    }

    mutating func next() throws -> Script {
        let version = random.pick(ProtocolVersion.allCases)
        var proper: [[UInt8]] = []
        var spoilt: [[UInt8]] = []
        switch state {
        case .noise:
            spoilt = [random.bytes(1 + random.below(random.once(in: 20) ? 20_000 : 40))]
            // Half of it begins as a CONNECT would.
            if random.once(in: 2) { spoilt[0].insert(0x10, at: 0) }
        case .unconnected:
            spoilt = [try generator.connect(version).bytes(version)]
            if random.once(in: 2) { spoilt.append(try generator.packet(version).bytes(version)) }
            mutator.mutate(&spoilt)
        case .connected:
            proper = [try generator.connect(version).bytes(version)]
            spoilt = try packets(version, 1 + random.below(6))
            mutator.mutate(&spoilt)
        case .exchanging:
            proper = [try generator.connect(version).bytes(version)]
            let filters = try ["#", "a/+", "$share/g/a/b"].map { Subscription(filter: try TopicFilter($0), qos: .exactlyOnce) }
            proper.append(
                try Packet.subscribe(Subscribe(packetIdentifier: PacketIdentifier(number: 8), subscriptions: filters)).bytes(version))
            for identifier in 1...3 as ClosedRange<UInt16> {
                var publish = try generator.publish(version)
                publish.qos = .exactlyOnce
                publish.packetIdentifier = PacketIdentifier(rawValue: identifier)
                publish.topic = try TopicName("a/b")
                publish.properties = []
                proper.append(try Packet.publish(publish).bytes(version))
            }
            spoilt = try packets(version, 3 + random.below(8))
            if random.once(in: 2) { mutator.mutate(&spoilt) }
        case .odd:
            proper = [try generator.connect(version).bytes(version)] + (try packets(version, random.below(30)))
        }
        return Script(chunks: pieces(of: proper + spoilt), ending: random.pick(Script.Ending.allCases))
    }

    private mutating func packets(_ version: ProtocolVersion, _ count: Int) throws -> [[UInt8]] {
        try (0..<count).map { _ in try generator.packet(version).bytes(version) }
    }

    /// All at once, packet by packet, or torn anywhere.
    private mutating func pieces(of packets: [[UInt8]]) -> [[UInt8]] {
        switch random.below(3) {
        case 0: return [Array(packets.joined())]
        case 1: return packets.filter { !$0.isEmpty }
        default:
            let bytes = Array(packets.joined())
            guard bytes.count > 1 else { return [bytes] }
            let cuts = (0..<3).map { _ in random.below(bytes.count) }.sorted()
            return zip([0] + cuts, cuts + [bytes.count]).map { Array(bytes[$0..<$1]) }.filter { !$0.isEmpty }
        }
    }
}
