import Database
import MQTT
import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import StoreForward

@Suite struct ValueTests {
    @Test func `identifiers sort by priority and then by number`() throws {
        let ids = [
            RowID(.urgent, 9), RowID(.high, 1), RowID(.high, 2), RowID(.normal, 1 << 48 - 1), RowID(.low, 1),
        ]
        #expect(ids == ids.sorted())
        #expect(ids.map(\.priority) == [.urgent, .high, .high, .normal, .low])
        #expect(ids.map(\.sequence) == [9, 1, 2, 1 << 48 - 1, 1])
        for wrong in [Int64.min, -1, 0, 4 << 48 | 1, .max] { #expect(RowID(MessageID(rawValue: wrong)) == nil) }
    }

    @Test func `ranges of rows hold what a set of rows holds`() {
        for seed in UInt64(0)..<200 {
            var random = SplitMix64(seed: seed)
            var ranges = RowRanges()
            var rows: Set<Int64> = []
            for _ in 0..<40 {
                let lower = Int64.random(in: 0..<100, using: &random)
                let upper = lower + Int64.random(in: 0..<6, using: &random)
                ranges.insert(behind: RowID(lower), through: RowID(upper))
                if upper > lower { rows.formUnion(lower + 1...upper) }
                for row in Int64(0)...110 {
                    #expect(ranges.contains(RowID(row)) == rows.contains(row), "seed \(seed)")
                }
            }
            for (one, next) in zip(ranges.all, ranges.all.dropFirst()) { #expect(one.upper < next.lower) }
        }
    }

    @Test func `acknowledging in order leaves one range`() {
        var ranges = RowRanges()
        for row in stride(from: Int64(3), through: 900, by: 3) {
            ranges.insert(behind: RowID(row - 3), through: RowID(row))
        }
        #expect(ranges.all == [RowRanges.Range(lower: RowID(0), upper: RowID(900))])
    }

    @Test func `properties that a queued message may not carry are refused by name`() {
        for property: Property in [
            .topicAlias(1), .subscriptionIdentifier(1), .receiveMaximum(1), .reasonString(""), .willDelayInterval(1),
        ] {
            let error = #expect(throws: PropertiesBlob.Refused.self) { try PropertiesBlob.encode([property]) }
            #expect(error?.property == property)
        }
    }

    @Test func `bytes that are no properties give nil, and never a crash`() throws {
        let blob = try PropertiesBlob.encode([
            .userProperty(name: "n", value: "v"), .messageExpiryInterval(7), .correlationData(ByteBuffer(string: "c")),
        ])
        for end in 0..<blob.readableBytes {
            let cut = PropertiesBlob.decode(ByteBuffer(bytes: Array(blob.readableBytesView.prefix(end))))
            #expect((cut == nil) == ![0, 11, 16].contains(end), "cut at \(end)")
        }
        var random = SplitMix64(seed: 1)
        for _ in 0..<5000 {
            var bytes = Array(blob.readableBytesView)
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            _ = PropertiesBlob.decode(ByteBuffer(bytes: bytes))
        }
    }
}
