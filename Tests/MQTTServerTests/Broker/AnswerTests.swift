import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

/// Clients that follow the protocol are never taken for others (5.0 §4.3).
@Suite struct AnswerTests {
    /// Answers what it gets late, sometimes twice or with an error; is lost, taken over, comes back with another window
    /// and version, and to another process that knows only what had come to the disk.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func `a client that answers as it should is never refused`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var bench = Bench(storesChanges: true)
        bench.commitsAtOnce = false
        var version = ProtocolVersion.v5
        var slot = 1
        func connect(_ bench: inout Bench) {
            // A connection that is taken over still has its own.
            slot = slot == 1 ? 3 : 1
            version = ProtocolVersion.allCases.randomElement(using: &random) ?? .v5
            let windows: [UInt16] = [1, 2, 3, 100]
            bench.connect(
                slot, "c", version: version, clean: false, expiry: version == .v5 ? 600 : nil,
                properties: version == .v5 ? [.receiveMaximum(windows.randomElement(using: &random) ?? 1)] : [])
            bench.commit()
        }
        connect(&bench)
        bench.connect(2)
        try bench.subscribe(slot, "#")
        bench.commit()
        var inbox: [Packet] = []
        var releases = 0
        for step in 0..<400 {
            inbox += bench.take(slot).filter { [.publish, .pubrel].contains($0.type) }
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<35:
                let qos = [QoS.atMostOnce, .atLeastOnce, .exactlyOnce].randomElement(using: &random) ?? .atLeastOnce
                try bench.publish(2, "t", "\(step)", qos: qos, id: UInt16(step + 1))
                if qos == .exactlyOnce { bench.receive(2, .pubrel(answer(UInt16(step + 1)))) }
                _ = bench.take(2)
            case 35..<75:
                guard !inbox.isEmpty else { continue }
                let times = Int.random(in: 0..<5, using: &random) == 0 ? 2 : 1
                switch inbox.removeFirst() {
                case .publish(let publish):
                    guard let identifier = publish.packetIdentifier else { continue }
                    let isRefused = version == .v5 && Int.random(in: 0..<6, using: &random) == 0
                    let answer = Acknowledgement(
                        packetIdentifier: identifier, reasonCode: isRefused ? .quotaExceeded : .success)
                    for _ in 0..<times {
                        bench.receive(slot, publish.qos == .exactlyOnce ? .pubrec(answer) : .puback(answer))
                    }
                case .pubrel(let pubrel):
                    releases += 1
                    for _ in 0..<times {
                        bench.receive(slot, .pubcomp(Acknowledgement(packetIdentifier: pubrel.packetIdentifier)))
                    }
                default: break
                }
            case 75..<90: bench.commit()
            case 90..<94:
                bench.cut(slot)
                inbox = []
                connect(&bench)
            case 94..<97:
                inbox = []
                connect(&bench)
            default:
                bench.restart()
                inbox = []
                bench.connect(2)
                connect(&bench)
            }
            #expect(!bench.closed.contains(slot), "in step \(step) of seed \(seed)")
        }
        #expect(releases > 5, "of seed \(seed)")
    }

    private func answer(_ identifier: UInt16) -> Acknowledgement {
        Acknowledgement(packetIdentifier: PacketIdentifier(rawValue: identifier) ?? .first)
    }
}
