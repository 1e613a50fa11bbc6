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
    private let corpora: [Corpus]
    private var mutator: Mutator
    private var random: SplitMix64

    init(state: FuzzState, seed: UInt64) throws {
        self.state = state
        random = SplitMix64(seed: seed)
        mutator = Mutator(random: SplitMix64(seed: random.next()))
        corpora = try ProtocolVersion.allCases.map { try Corpus(version: $0, seed: seed) }
    }

    mutating func next() -> Script {
        let corpus = random.pick(corpora)
        let (opening, connect) = random.pick(corpus.connects)
        var spoilt: [[UInt8]] = []
        switch state {
        case .noise:
            spoilt = [random.bytes(1 + random.below(random.once(in: 20) ? 5_000 : 40))]
            // Half of it begins as a CONNECT would.
            if random.once(in: 2) { spoilt[0].insert(0x10, at: 0) }
            return script(spoilt, nil)
        case .unconnected:
            spoilt = [opening]
            if random.once(in: 2) { spoilt.append(random.pick(corpus.packets)) }
            mutator.mutate(&spoilt)
            return script(spoilt, nil)
        case .connected:
            spoilt = packets(corpus, 1 + random.below(6))
            mutator.mutate(&spoilt)
            return script([opening] + spoilt, connect)
        case .exchanging:
            spoilt = packets(corpus, 3 + random.below(8))
            if random.once(in: 2) { mutator.mutate(&spoilt) }
            return script([opening] + corpus.exchange + spoilt, connect)
        case .odd:
            let burst = random.once(in: 4) ? (0..<20).map { _ in random.pick(corpus.publishes) } : []
            return script([opening] + packets(corpus, random.below(20)) + burst, connect)
        }
    }

    private mutating func packets(_ corpus: Corpus, _ count: Int) -> [[UInt8]] {
        (0..<count).map { _ in random.pick(corpus.packets) }
    }

    private mutating func script(_ packets: [[UInt8]], _ connect: Connect?) -> Script {
        Script(chunks: pieces(of: packets), ending: random.pick(Script.Ending.allCases), connect: connect)
    }

    /// All at once, packet by packet, or torn anywhere.
    private mutating func pieces(of packets: [[UInt8]]) -> [[UInt8]] {
        if random.once(in: 3) { return packets.filter { !$0.isEmpty } }
        var bytes: [UInt8] = []
        for packet in packets { bytes += packet }
        guard bytes.count > 1, random.once(in: 2) else { return [bytes] }
        let cuts = (0..<3).map { _ in random.below(bytes.count) }.sorted()
        return zip([0] + cuts, cuts + [bytes.count]).map { Array(bytes[$0..<$1]) }.filter { !$0.isEmpty }
    }
}
